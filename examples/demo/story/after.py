"""Acts 5-7: what is dead, what was pushed, the proof held against what was seen, the new post."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from examples.demo.story import console, decision
from examples.demo.story.app_side import Application, moment, work
from examples.demo.story.browser import Browser
from examples.demo.story.scene import Scene, capacity, sign_in
from examples.demo.story.telling import NotSo

LOGOUT_WITHIN = 5.0
PUSHED_WITHIN = 10.0
SETTLED_WITHIN = 10.0
SKEW = timedelta(seconds=1)
"""How far times written by two processes of one machine may disagree."""


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
        "5 her session at Dinhdanh is dead at the first request",
        page.location is not None and "/login" in page.location,
        expected="a redirect to the sign-in",
        observed=page.brief,
    )
    t.step("her session at Dinhdanh is refused", _since(scene))
    answer = plain.refresh(seen.refresh_token)
    t.check(
        "5 her refresh token is dead at the first request",
        answer.status == 400 and answer.error == "invalid_grant",
        expected="400 invalid_grant",
        observed=(answer.status, answer.body),
    )
    t.step("her refresh token is refused", _since(scene))
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
    """The application received a signed logout token and dropped her session."""
    t, seen = scene.telling, scene.seen
    if app.code not in seen.signed_in:
        return
    t.until(
        f"5 {app.name} drops her session",
        lambda: hers.json(f"{app.url}/whoami")["signed_in"],
        lambda signed_in: not signed_in,
        expected="/whoami says she is not signed in",
        within=LOGOUT_WITHIN,
    )
    took = time.monotonic() - seen.committed_mono
    tokens = [
        entry
        for entry in app.activity(since=seen.asked_at)
        if entry["kind"] == "backchannel_logout"
    ]
    believed = [
        entry
        for entry in tokens
        if entry["status"] == 200
        and entry["detail"].get("sid") == seen.sid
        and entry["detail"].get("sub") == seen.sub
    ]
    t.check(
        f"5 {app.name} received a logout token it believes",
        bool(believed),
        expected=f"a token with status 200 for sid {seen.sid}",
        observed=tokens or "no logout token",
    )
    seen.logout_jti[app.code] = believed[0]["detail"]["jti"]
    arrived = moment(believed[0]["at"]) - (seen.committed_at or moment(believed[0]["at"]))
    t.step(
        f"{app.code} received a signed logout token and dropped her session",
        f"token {max(arrived.total_seconds(), 0) * 1000:.0f} ms after the commit",
        seconds=took,
    )


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
        t.step(f"{app.code}: no account of hers, none announced")
        return
    wanted = _wanted(scene, app, effect["kind"])
    account, _ = t.until(
        f"5 her account in {app.name} ({effect['kind']})",
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
    """What the account must show: her new unit and role, or that it is disabled."""
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
        "5 openssl refuses her certificate by the CRL",
        checker.verify,
        lambda answer: not answer[0],
        expected="certificate revoked",
        within=PUSHED_WITHIN,
    )
    took = time.monotonic() - seen.committed_mono
    t.check(
        "5 openssl refuses her certificate by the CRL",
        not good and "revoked" in said,
        expected="certificate revoked",
        observed=said,
    )
    t.same("5 the reason in the CRL", checker.crl_reason(seen.serial), "Affiliation Changed")
    t.step("openssl verify -crl_check: revoked", "affiliationChanged in the CRL", seconds=took)
    t.same("5 openssl ocsp", checker.ocsp(), ("revoked", "affiliationChanged"))
    t.step("openssl ocsp: revoked", "affiliationChanged")


# ---- act 6 -----------------------------------------------------------------------------------


def proof(scene: Scene, officer: "console.Officer") -> None:
    """Act 6: every effect with state, times, latency; held against what the story saw."""
    t, seen = scene.telling, scene.seen
    t.act("The proof")
    found, _ = t.until(
        "6 the proof is complete",
        lambda: scene.personnel.change(seen.change_id).body,
        lambda body: body.get("settled") is True,
        expected="settled",
        within=SETTLED_WITHIN,
    )
    seen.proof = found
    took = moment(found["settled_at"]) - moment(found["committed_at"])
    t.same("6 the state of the change", found["state"], "settled")
    t.same("6 nothing waits for a person", found["needs_attention"], False)  # noqa: FBT003
    for effect in found["effects"]:
        _sound(scene, effect)
        t.step(
            f"{effect['kind']:20} {effect['label'][:36]}",
            effect["state"],
            seconds=(effect["latency_ms"] or 0) / 1000,
        )
    _against_preview(scene)
    _against_sessions(scene)
    for app in scene.apps:
        _against_application(scene, app)
    _against_certificate(scene)
    t.step("settled", "every claim holds against what was seen", seconds=took.total_seconds())
    t.latencies["settled"] = took.total_seconds()
    _on_the_page(scene, officer)


def _sound(scene: Scene, effect: dict[str, Any]) -> None:
    """An effect's state is the final one of its kind, and its times make sense."""
    t, seen = scene.telling, scene.seen
    name = f"6 {effect['kind']} {effect['label']}"
    t.check(
        f"{name}: final",
        effect["done"] is True and effect["state"] == effect["final"],
        expected=f"state {effect['final']}",
        observed=effect["state"],
    )
    reached = effect["verified_at"] or effect["acknowledged_at"] or effect["lapses_at"]
    t.check(f"{name}: time", bool(reached), expected="when it was reached", observed=effect)
    due, at = moment(effect["due_at"]), moment(reached)
    asked = (seen.asked_at or due) - SKEW
    t.check(
        f"{name}: times in order",
        asked <= due <= at + SKEW and at <= datetime.now(UTC) + SKEW,
        expected=f"{asked.isoformat()} ≤ due ≤ reached ≤ now",
        observed=(effect["due_at"], reached),
    )
    t.check(
        f"{name}: latency",
        abs(effect["latency_ms"] - (at - due).total_seconds() * 1000) <= 2,
        expected="the time between due and reached",
        observed=effect["latency_ms"],
    )


def _against_preview(scene: Scene) -> None:
    """What was promised happened, nothing else did."""
    t, seen = scene.telling, scene.seen
    done = sorted(
        (e["kind"], e["target"], e["label"])
        for e in seen.proof["effects"]
        if e["artefact"] in decision.PERSISTENT
    )
    t.same("6 what was promised is what was done", done, decision.promised(seen.preview))


def _against_sessions(scene: Scene) -> None:
    """Her session, the grants of all three clients, a logout token for each application."""
    t, seen = scene.telling, scene.seen
    effects = seen.proof["effects"]
    ended = {e["target"] for e in effects if e["kind"] == "session.end"}
    t.check(
        "6 the proof names the session she had",
        seen.sid in ended,
        expected=f"session.end of {seen.sid}",
        observed=sorted(ended),
    )
    for e in effects:
        if e["kind"] in ("session.end", "grant.end"):
            t.check(
                f"6 {e['kind']} was probed from outside",
                e["detail"].get("active") is False and bool(e["detail"].get("probe")),
                expected="the address asked, and that it was refused",
                observed=e["detail"],
            )
    grants = [e["label"] for e in effects if e["kind"] == "grant.end"]
    told = {e["label"]: e["detail"].get("jti") for e in effects if e["kind"] == "logout.deliver"}
    jtis = {e["detail"].get("jti") for e in effects if e["kind"] == "logout.deliver"}
    for app in scene.apps:
        if app.code not in seen.signed_in:
            continue
        t.check(
            f"6 the proof names what {app.name} held",
            app.name in grants,
            expected=f"grant.end of {app.name}",
            observed=grants,
        )
        t.check(
            f"6 the logout token of the proof is the one {app.name} received",
            seen.logout_jti[app.code] in jtis,
            expected=f"jti {seen.logout_jti[app.code]}",
            observed=told,
        )
    t.check(
        "6 the proof names what the plain client held",
        scene.plain.client["name"] in grants,
        expected=f"grant.end of {scene.plain.client['name']}",
        observed=grants,
    )


def _against_application(scene: Scene, app: Application) -> None:
    """The evidence is the account the application has, and newer than the provider's look."""
    t, seen = scene.telling, scene.seen
    effect = next(
        (
            e
            for e in seen.proof["effects"]
            if e["artefact"] == "accounts" and e["label"] == app.name
        ),
        None,
    )
    if effect is None:
        t.check(
            f"6 no effect on {app.name}",
            app.code not in seen.writes,
            expected="no write either",
            observed=seen.writes.get(app.code),
        )
        return
    account, read = seen.accounts_after[app.code], seen.looks[app.code]
    assert account is not None
    t.same(f"6 the account the proof names in {app.name}", effect["detail"].get("remote_id"), account["id"])
    t.same(
        f"6 what the proof saw in {app.name}",
        effect["detail"].get("active"),
        work(account)["active"],
    )
    t.check(
        f"6 the proof of {app.name} rests on a look after the write",
        moment(effect["verified_at"]) >= moment(read["at"]) - SKEW / 10,
        expected=f"verified after {read['at']}",
        observed=effect["verified_at"],
    )


def _against_certificate(scene: Scene) -> None:
    t, seen = scene.telling, scene.seen
    revoked = [e for e in seen.proof["effects"] if e["kind"] == "certificate.revoke"]
    t.check(
        "6 the proof names her certificate",
        any(e["target"].lower().lstrip("0") == seen.serial.lower().lstrip("0") for e in revoked),
        expected=seen.serial,
        observed=[e["target"] for e in revoked],
    )


def _on_the_page(scene: Scene, officer: "console.Officer") -> None:
    """The console shows the same proof."""
    t, seen = scene.telling, scene.seen
    page = officer.proof(seen.change_id)
    t.same("6 the page of the proof", page.status, 200)
    t.same("6 the console shows the same proof", console.effect_rows(page), console.rows_of(seen.proof))
    t.step("the console shows the same proof", f"{len(seen.proof['effects'])} effects")


# ---- act 7 -----------------------------------------------------------------------------------


def new_post(scene: Scene) -> None:
    """Act 7: she signs in again, acts in the new capacity, and finds what comes with it."""
    t, seen = scene.telling, scene.seen
    t.act("Her new post")
    hers = scene.browser()
    then = seen.preview["people"][0]["after"][0]
    rows = {r["application"]["code"]: r for r in seen.preview["applications"]}
    app = next(a for a in scene.apps if rows.get(a.code, {}).get("access") in ("kept", "gained"))
    page = hers.get(f"{app.url}/login")
    page = sign_in(hers, page, scene.official)
    who = hers.json(f"{app.url}/whoami")
    t.check(
        f"7 she is signed in at {app.name} again",
        who["signed_in"],
        expected="signed in",
        observed=page.brief,
    )
    t.same("7 she is the same person", who["sub"], seen.sub)
    t.same("7 the unit in the claims is the new one", who["unit"], then["unit"]["name"])
    t.same("7 the position in the claims is the new one", who["position"], then["position"]["name"])
    t.same("7 her account is active", who["account"]["active"], True)  # noqa: FBT003
    t.step(f"she signs in at {app.code} again", f"{who['position']}, {who['unit']}")
    home = hers.get(f"{scene.issuer}/")
    for other in scene.apps:
        access = rows.get(other.code, {}).get("access", "lost")
        if access in ("kept", "gained"):
            t.check(
                f"7 the portal lists {other.name}",
                other.name in home.text,
                expected=other.name,
                observed=home.brief,
            )
        elif other.code == "qlvb":
            t.check(
                f"7 the portal no longer lists {other.name}",
                other.name not in home.text,
                expected=f"not {other.name}",
                observed=home.brief,
            )
    t.step("the portal lists the applications of the new post", then["unit"]["name"])
    page = hers.get(f"{scene.issuer}/portal/certificates")
    t.check(
        "7 a request for a new certificate is open in the portal",
        "chuyển đơn vị công tác" in page.text,
        expected="a request because she has moved",
        observed=page.brief,
    )
    t.step("a request for a new certificate is open in the portal")
