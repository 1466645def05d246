"""Act 4: three previews that agree, one that has become stale, and the commit."""

import secrets
import time
from datetime import UTC, datetime
from typing import Any

from examples.demo.story import console
from examples.demo.story.before import authorize
from examples.demo.story.browser import Browser
from examples.demo.story.factors import password
from examples.demo.story.hr_system import dinhdanh_json
from examples.demo.story.scene import Scene, place
from examples.demo.story.telling import NotSo

PERSISTENT = ("accounts", "certificate.trust", "certificate.case", "roles")
"""Artefacts a preview promises; sessions and grants it only counts at that moment."""


def decide(scene: Scene, officer: "console.Officer", hers: Browser) -> None:
    """Act 4: the decision is looked at by API, console and command line, then taken."""
    t, seen = scene.telling, scene.seen
    t.act("The decision")
    plan = _by_api(scene)
    seen.preview = plan
    _promises(scene, plan)
    _by_command_line(scene, plan)
    page = _stale(scene, officer, plan)
    _nothing_happened(scene, hers)
    _under_way(scene, hers)
    _commit(scene, officer, page)
    _again(scene, officer, page)


def _by_api(scene: Scene) -> dict[str, Any]:
    t = scene.telling
    answer = scene.personnel.preview(scene.body)
    t.same("4 the API previews", answer.status, 200)
    plan = answer.body
    t.same("4 the preview may be committed", plan["conflicts"], [])
    person = plan["people"][0]
    t.same("4 the preview is about the official", person["username"], scene.username)
    now, then = (person[side][0] for side in ("before", "after"))
    t.step(
        "preview by the API",
        f"{place(now)} → {place(then)}",
        seconds=answer.seconds,
    )
    for line in summary(plan):
        t.note(line)
    return plan


def summary(plan: dict[str, Any]) -> list[str]:
    """The announced effects, a line each."""
    lines = []
    for effect in plan["effects"]:
        count = f" × {effect['count']}" if effect["counted"] else ""
        lines.append(f"{effect['kind']:22} {effect['label']}{count}")
    return lines


def _promises(scene: Scene, plan: dict[str, Any]) -> None:
    """What the rules say of each application is announced as an effect on its account."""
    t = scene.telling
    kinds = {"lost": {"account.disable"}, "gained": {"account.create", "account.enable"}}
    accounts = {e["label"]: e["kind"] for e in plan["effects"] if e["artefact"] == "accounts"}
    for row in plan["applications"]:
        name, access = row["application"]["name"], row["access"]
        t.check(
            f"4 the preview announces what becomes of the account in {name}",
            accounts.get(name) in kinds.get(access, {"account.move"}),
            expected=f"access {access} announced as {sorted(kinds.get(access, {'account.move'}))}",
            observed=accounts,
        )
    named = {row["application"]["name"] for row in plan["applications"]}
    t.check(
        "4 the preview announces no account that no rule speaks of",
        set(accounts) == named and bool(named),
        expected=", ".join(sorted(named)),
        observed=sorted(accounts),
    )
    certificates = {
        e["kind"]: e for e in plan["effects"] if e["artefact"].startswith("certificate")
    }
    revoke = certificates.get("certificate.revoke")
    t.check(
        "4 the preview announces the end of the certificate",
        revoke is not None
        and revoke["detail"].get("reason") == "affiliationChanged"
        and _same_serial(revoke["target"], scene.seen.serial),
        expected=f"certificate.revoke of {scene.seen.serial}, affiliationChanged",
        observed=certificates,
    )
    counted = {e["kind"]: e["count"] for e in plan["effects"] if e["counted"]}
    t.check(
        "4 the preview counts sessions and the applications signed in to",
        counted.get("session.end", 0) >= 1 and counted.get("grant.end", 0) >= 2,
        expected="at least one session.end and two grant.end",
        observed=counted,
    )


def _same_serial(left: str, right: str) -> bool:
    return left.lower().lstrip("0") == right.lower().lstrip("0")


def promised(plan: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What a commit would do, apart from what is only counted: kind, target, label; sorted."""
    return sorted(
        (effect["kind"], effect["target"], effect["label"])
        for effect in plan["effects"]
        if not effect["counted"]
    )


def _by_command_line(scene: Scene, plan: dict[str, Any]) -> None:
    t = scene.telling
    config = scene.credentials.get("config")
    if not config:
        t.step("preview by the command line", "left out: credentials.json names no config")
        return
    began = time.monotonic()
    decision = scene.decision
    year, month, day = decision["issued_on"].split("-")
    asked = {
        "--to": scene.goal["unit"],
        "--position": scene.goal["position"],
        "--number": decision["number"],
        "--date": f"{day}/{month}/{year}",
        "--issuer": decision["issuer"],
    }
    options = [word for pair in asked.items() for word in pair]
    shown = dinhdanh_json(
        config, "change", "transfer", scene.username, *options, "--dry-run", "--json"
    )
    t.same("4 the command line announces the same", promised(shown), promised(plan))
    rows = console.rows_of(shown)
    t.same("4 the command line counts the same", rows, console.rows_of(plan))
    t.step(
        "preview by the command line, --dry-run",
        f"the same {len(rows)} effects",
        seconds=time.monotonic() - began,
    )


def _stale(scene: Scene, officer: "console.Officer", plan: dict[str, Any]) -> "console.Preview":
    """The officer confirms this morning's preview; since then a certificate was issued."""
    t = scene.telling
    morning = officer.seen
    if morning is None:
        raise NotSo("4 the morning's preview", "a page", None)
    old = scene.personnel.commit(scene.body, morning.fingerprint, secrets.token_urlsafe(16))
    t.check(
        "4 a stale preview is refused by the API",
        old.status == 409 and old.body.get("code", old.body.get("type", "")).endswith("plan_stale"),
        expected="409 plan_stale",
        observed=(old.status, old.body.get("code") or old.body.get("type") or old.body),
    )
    fresh = officer.confirm(morning)
    t.check(
        "4 a stale preview is refused by the console and shown again",
        isinstance(fresh, console.Preview) and fresh.page.status == 409,
        expected="409 and a new preview",
        observed=fresh.page.brief if isinstance(fresh, console.Preview) else fresh,
    )
    assert isinstance(fresh, console.Preview)
    t.check(
        "4 the new preview is another one",
        fresh.fingerprint not in ("", morning.fingerprint),
        expected="another fingerprint",
        observed=fresh.fingerprint,
    )
    t.step("the morning's preview is refused: a certificate came since", "409 plan_stale, twice")
    t.same("4 the console announces the same", fresh.effects, console.rows_of(plan))
    t.step("the console shows the new preview", f"the same {len(fresh.effects)} effects")
    return fresh


def _nothing_happened(scene: Scene, hers: Browser) -> None:
    """A refused commit has done nothing."""
    t, seen = scene.telling, scene.seen
    active = scene.plain.introspect(seen.access_token).body.get("active")
    t.same("4 a refused commit ends no token", active, True)  # noqa: FBT003
    page = hers.get_once(f"{scene.issuer}/")
    t.same("4 a refused commit ends no session", page.status, 200)


def _under_way(scene: Scene, hers: Browser) -> None:
    """Sign-ins caught half-way: a code nobody has redeemed, a password just accepted."""
    t, seen = scene.telling, scene.seen
    request = scene.plain.request("openid")
    seen.unredeemed = (authorize(scene, hers, request.url, request.state), request)
    other = scene.browser()
    page = other.get(f"{scene.issuer}/")
    page = password(other, page, scene.official)
    half = page.has_form("assignment")
    if half:
        seen.half_way = (other, page)
    what = "a code not redeemed" + (", a capacity not chosen" if half else "")
    t.step("sign-ins are under way in other windows", what)


def _commit(scene: Scene, officer: "console.Officer", fresh: "console.Preview") -> None:
    t, seen = scene.telling, scene.seen
    seen.asked_at = datetime.now(UTC)
    began = time.monotonic()
    done = officer.confirm(fresh)
    seen.committed_mono = time.monotonic()
    seen.committed_at = datetime.now(UTC)
    t.check(
        "4 the officer commits in the console, giving the password again",
        isinstance(done, str),
        expected="the page of the change",
        observed=done.page.brief if isinstance(done, console.Preview) else done,
    )
    assert isinstance(done, str)
    seen.change_id = done
    t.step("committed", f"change {done}", seconds=seen.committed_mono - began)


def _again(scene: Scene, officer: "console.Officer", fresh: "console.Preview") -> None:
    """After the first refusals have been measured, the same commit once more does nothing."""
    scene.seen.writes["repeat"] = {"officer": officer, "preview": fresh}


def repeat(scene: Scene) -> None:
    """What the form asks for once more, with the same Idempotency-Key."""
    t, seen = scene.telling, scene.seen
    kept = seen.writes.pop("repeat")
    before = scene.personnel.changes(limit="5").body["changes"]
    again = kept["officer"].confirm(kept["preview"], other_form=True)
    t.check(
        "4 the same commit twice does nothing twice",
        again == seen.change_id,
        expected=f"the change {seen.change_id} once more",
        observed=again.page.brief if isinstance(again, console.Preview) else again,
    )
    after = scene.personnel.changes(limit="5").body["changes"]
    t.same("4 no second change was made", [c["id"] for c in after], [c["id"] for c in before])
    t.step("the same commit again, same Idempotency-Key", "the same change, nothing new")
