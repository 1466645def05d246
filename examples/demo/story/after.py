"""Act 5: what is dead at the first request, and what is pushed to others within seconds."""

import time
from typing import Any

from examples.demo.story import decision
from examples.demo.story.app_side import Application, moment, work
from examples.demo.story.browser import Browser
from examples.demo.story.factors import capacity
from examples.demo.story.scene import Scene
from examples.demo.story.telling import NotSo

LOGOUT_WITHIN = 5.0
PUSHED_WITHIN = 10.0


def aftermath(scene: Scene, hers: Browser) -> None:
    """Act 5: the first request is refused everywhere; everything else follows within seconds."""
    scene.telling.act("After the commit")
    _refused_at_once(scene, hers)
    _overtaken(scene)
    decision.repeat(scene)
    for app in scene.apps:
        _logged_out(scene, hers, app)
    for app in scene.apps:
        _account(scene, app)
    _certificate(scene)


def _since(scene: Scene) -> str:
    return f"{(time.monotonic() - scene.seen.committed_mono) * 1000:.0f} ms after the commit"


def _refused_at_once(scene: Scene, hers: Browser) -> None:
    """Session, refresh token, introspection, userinfo: each asked once, each refused."""
    t, seen, plain = scene.telling, scene.seen, scene.plain
    page = hers.get_once(f"{scene.issuer}/")
    t.check(
        "5 the session at Dinhdanh is dead at the first request",
        page.location is not None and "/login" in page.location,
        expected="a redirect to the sign-in",
        observed=page.brief,
    )
    t.step("the session at Dinhdanh is refused", _since(scene))
    answer = plain.refresh(seen.refresh_token)
    t.check(
        "5 the refresh token is dead at the first request",
        answer.status == 400 and answer.error == "invalid_grant",
        expected="400 invalid_grant",
        observed=(answer.status, answer.body),
    )
    t.step("the refresh token is refused", _since(scene))
    answer = plain.introspect(seen.access_token)
    t.same("5 introspection answers at the first request", answer.body, {"active": False})
    t.step("introspection says inactive", _since(scene))
    answer = plain.userinfo(seen.access_token)
    t.same("5 userinfo refuses at the first request", answer.status, 401)
    t.step("userinfo refuses", _since(scene))


def _overtaken(scene: Scene) -> None:
    """What was under way during the commit leads nowhere."""
    t, seen = scene.telling, scene.seen
    if seen.unredeemed is None:
        raise NotSo("5 the code issued before the commit", "a code", None)
    code, request = seen.unredeemed
    answer = scene.plain.redeem(code, request)
    t.check(
        "5 a code issued before the commit is refused after it",
        answer.status == 400 and answer.error == "invalid_grant",
        expected="400 invalid_grant",
        observed=(answer.status, answer.body),
    )
    t.step("the code that was under way is refused", "400 invalid_grant")
    if seen.half_way is not None:
        browser, page = seen.half_way
        page = capacity(browser, page)
        home = browser.get_once(f"{scene.issuer}/")
        t.check(
            "5 a sign-in whose password was accepted before the commit is refused after it",
            home.location is not None and "/login" in home.location,
            expected="no session",
            observed=page.brief,
        )
        t.step("the sign-in that was under way is refused", f"{page.status} {page.path[:20]}…")


def _logged_out(scene: Scene, hers: Browser, app: Application) -> None:
    """The application received a signed logout token and dropped its session."""
    t, seen = scene.telling, scene.seen
    if app.code not in seen.signed_in:
        return
    t.until(
        f"5 {app.name} drops its session",
        lambda: hers.json(f"{app.url}/whoami")["signed_in"],
        lambda signed_in: not signed_in,
        expected="/whoami says that nobody is signed in",
        within=LOGOUT_WITHIN,
    )
    took = time.monotonic() - seen.committed_mono
    # The session is dropped a moment before the application has noted why.
    believed, _ = t.until(
        f"5 {app.name} received a logout token it believes",
        lambda: _believed(scene, app),
        bool,
        expected=f"a token with status 200 for sid {seen.sid}",
        within=LOGOUT_WITHIN,
    )
    seen.logout_jti[app.code] = believed[0]["detail"]["jti"]
    arrived = moment(believed[0]["at"]) - (seen.committed_at or moment(believed[0]["at"]))
    t.step(
        f"{app.code} got a signed logout token, dropped its session",
        f"token {max(arrived.total_seconds(), 0) * 1000:.0f} ms after the commit",
        seconds=took,
    )


def _believed(scene: Scene, app: Application) -> list[dict[str, Any]]:
    """The logout tokens of this session that the application has accepted."""
    return [
        entry
        for entry in app.activity(since=scene.seen.asked_at)
        if entry["kind"] == "backchannel_logout"
        and entry["status"] == 200
        and entry["detail"].get("sid") == scene.seen.sid
        and entry["detail"].get("sub") == scene.seen.sub
    ]


_AFTER = {
    "account.create": True,
    "account.enable": True,
    "account.move": True,
    "account.disable": False,
}


def _account(scene: Scene, app: Application) -> None:
    """The account is as the preview said, at the application itself; and it was looked at."""
    t, seen = scene.telling, scene.seen
    effect = next(
        (
            e
            for e in seen.preview["effects"]
            if e["artefact"] == "accounts" and e["label"] == app.name
        ),
        None,
    )
    if effect is None:
        t.same(
            f"5 the account in {app.name} is as it was",
            _work(app.account(scene.username)),
            _work(seen.accounts_before[app.code]),
        )
        seen.accounts_after[app.code] = app.account(scene.username)
        t.step(f"{app.code}: the account is left as it was", "none was announced")
        return
    wanted = _wanted(scene, app, effect["kind"])
    account, _ = t.until(
        f"5 the account in {app.name} ({effect['kind']})",
        lambda: app.account(scene.username),
        lambda a: a is not None and wanted.items() <= work(a).items(),
        expected=str(wanted),
        within=PUSHED_WITHIN,
    )
    assert account is not None
    took = time.monotonic() - seen.committed_mono
    seen.accounts_after[app.code] = account
    t.step(f"{app.code}: {effect['kind']}", _told(account), seconds=took)
    _probed(scene, app, account)


def _told(account: dict[str, Any]) -> str:
    now = work(account)
    return f"{'active' if now['active'] else 'disabled'}, {now['role']}, {now['department']}"


def _work(account: dict[str, Any] | None) -> dict[str, Any] | None:
    return work(account) if account else None


def _wanted(scene: Scene, app: Application, kind: str) -> dict[str, Any]:
    """What the account must show: the new unit and role, or that it is disabled."""
    if not _AFTER[kind]:
        return {"active": False}
    row = next(
        r for r in scene.seen.preview["applications"] if r["application"]["code"] == app.code
    )
    unit = scene.seen.preview["people"][0]["after"][0]["unit"]["name"]
    return {"active": True, "role": row["role_after"], "department": unit}


def _probed(scene: Scene, app: Application, account: dict[str, Any]) -> None:
    """After its last write the provider has read the account again: that is what proves it."""
    t, seen = scene.telling, scene.seen

    def look() -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        mine = [
            entry
            for entry in app.activity(since=seen.asked_at)
            if entry["kind"] == "scim" and entry["detail"].get("id") == account["id"]
        ]
        writes = [n for n, e in enumerate(mine) if e["method"] != "GET" and e["status"] < 300]
        if not writes:
            return None, None
        reads = [e for e in mine[writes[-1] + 1 :] if e["method"] == "GET" and e["status"] == 200]
        return mine[writes[-1]], reads[0] if reads else None

    (write, read), _ = t.until(
        f"5 the provider looked at the account in {app.name} after writing it",
        look,
        lambda found: found[0] is not None and found[1] is not None,
        expected="a write, then a GET of the same account",
        within=PUSHED_WITHIN,
    )
    assert write is not None
    assert read is not None
    seen.writes[app.code], seen.looks[app.code] = write, read
    t.note(f"written {write['method']} {write['at'][11:23]}, looked at again {read['at'][11:23]}")


def _certificate(scene: Scene) -> None:
    """Revoked in CRL and OCSP, as openssl sees it."""
    t, seen, checker = scene.telling, scene.seen, scene.checker
    (good, said), _ = t.until(
        "5 openssl refuses the certificate by the CRL",
        checker.verify,
        lambda answer: not answer[0],
        expected="certificate revoked",
        within=PUSHED_WITHIN,
    )
    took = time.monotonic() - seen.committed_mono
    t.check(
        "5 openssl refuses the certificate by the CRL",
        not good and "revoked" in said,
        expected="certificate revoked",
        observed=said,
    )
    t.same("5 the reason in the CRL", checker.crl_reason(seen.serial), "Affiliation Changed")
    t.step("openssl verify -crl_check: revoked", "affiliationChanged in the CRL", seconds=took)
    t.same("5 openssl ocsp", checker.ocsp(), ("revoked", "affiliationChanged"))
    t.step("openssl ocsp: revoked", "affiliationChanged")
