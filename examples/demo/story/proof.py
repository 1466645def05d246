"""Acts 6-7: the proof held against what was seen, and the new post."""

from datetime import UTC, datetime, timedelta
from typing import Any

from examples.demo.story import console, decision
from examples.demo.story.app_side import Application, moment, work
from examples.demo.story.factors import by_vneid, chosen
from examples.demo.story.scene import Scene

SETTLED_WITHIN = 10.0
SKEW = timedelta(seconds=1)
"""How far times written by two processes of one machine may disagree."""


def prove(scene: Scene, officer: "console.Officer") -> None:
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
    """The session, the grants of all three clients, a logout token for each application."""
    t, seen = scene.telling, scene.seen
    effects = seen.proof["effects"]
    ended = {e["target"] for e in effects if e["kind"] == "session.end"}
    t.check(
        "6 the proof names the session that was ended",
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
    t.same(
        f"6 the account the proof names in {app.name}",
        effect["detail"].get("remote_id"),
        account["id"],
    )
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
        "6 the proof names the certificate",
        any(e["target"].lower().lstrip("0") == seen.serial.lower().lstrip("0") for e in revoked),
        expected=seen.serial,
        observed=[e["target"] for e in revoked],
    )


def _on_the_page(scene: Scene, officer: "console.Officer") -> None:
    """The console shows the same proof."""
    t, seen = scene.telling, scene.seen
    page = officer.proof(seen.change_id)
    t.same("6 the page of the proof", page.status, 200)
    t.same(
        "6 the console shows the same proof", console.effect_rows(page), console.rows_of(seen.proof)
    )
    t.step("the console shows the same proof", f"{len(seen.proof['effects'])} effects")


# ---- act 7 -----------------------------------------------------------------------------------


def new_post(scene: Scene) -> None:
    """Act 7: the official signs in again, acts in the new capacity, finds what comes with it."""
    t, seen = scene.telling, scene.seen
    t.act("The new post")
    hers = scene.browser()
    then = seen.preview["people"][0]["after"][0]
    rows = {r["application"]["code"]: r for r in seen.preview["applications"]}
    app = next(a for a in scene.apps if rows.get(a.code, {}).get("access") in ("kept", "gained"))
    page = hers.get(f"{app.url}/login")
    page = chosen(hers, by_vneid(scene, hers, page))
    who = hers.json(f"{app.url}/whoami")
    t.check(
        f"7 the official is signed in at {app.name} again",
        who["signed_in"],
        expected="signed in",
        observed=page.brief,
    )
    t.same("7 it is the same person", who["sub"], seen.sub)
    t.same("7 the unit in the claims is the new one", who["unit"], then["unit"]["name"])
    t.same("7 the position in the claims is the new one", who["position"], then["position"]["name"])
    t.same("7 the account is active", who["account"]["active"], True)  # noqa: FBT003
    t.step(f"the official is in {app.code} by VNeID again", f"{who['position']}, {who['unit']}")
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
        expected="a request because of the move",
        observed=page.brief,
    )
    t.step("a request for a new certificate is open in the portal", "reason: the move")
