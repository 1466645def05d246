"""number: a citizen number corrected or added, with two people's eyes, and never in an address."""

import secrets
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import select

from directory import eid_links, people
from directory.base.audit import Actor, AuditEntry
from directory.changes.model import Change, ChangeLine
from directory.people import User
from idp.commands import changes as commands
from idp.factors import enrolled, passwords, second_factors
from idp.run import wiring
from tests import hr_world
from tests.browser_client import hidden_fields
from tests.hr_world import Hr, text_of

OLD, NEW = "038180001234", "038180005678"
PREVIEW = "/api/v1/changes/preview"


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    made = hr_world.build(services, clock, app)
    give(made, "lan", OLD)
    return made


def give(hr: Hr, who: str, number: str) -> None:
    with hr.services.db.write() as session:
        user = session.get_one(User, hr.people[who])
        for column, value in people.citizen_columns(hr.services.keyring, number).items():
            setattr(user, column, value)


def stored(hr: Hr, who: str) -> str:
    sealed = hr.user(who).citizen_sealed
    assert sealed is not None
    return hr.services.keyring.decrypt("citizen", sealed).decode()


def ask(hr: Hr, who: str = "lan", number: str = NEW) -> dict[str, Any]:
    return {"kind": "number", "user": hr.names[who], "citizen_number": number}


def codes(plan: dict[str, Any]) -> set[str]:
    return {n["code"] for n in plan["conflicts"]}


def by_two(hr: Hr, **body: Any) -> Any:
    """Proposed by a client, approved by an administrator."""
    hr.grant("admin", hr_world.Role.HR_OFFICER)
    api = hr.api(hr.token())
    sent = body | {"fingerprint": api.plan(**body)["fingerprint"]}
    row = api.post("/api/v1/proposals", sent, key=secrets.token_hex(8))
    assert row.status_code == 201, row.text
    with hr.services.db.write() as session:
        from directory.changes import approval
        from idp import approving

        done = approval.approve(
            session,
            hr.services.door,
            row.json["id"],
            Actor("user", hr.people["admin"], "quản trị"),
            now=hr.clock(),
            fingerprint=row.json["fingerprint"],
            outside=approving.outside(hr.services),
        )
        return done.change_id


@pytest.mark.both_databases
def test_another_number_takes_two_ends_everything_and_undoes_the_link(hr: Hr) -> None:
    lan = hr.browser("lan")
    with hr.services.db.write() as session:
        user = session.get_one(User, hr.people["lan"])
        user.eid_issuer, user.eid_subject, user.eid_level = "https://vneid.example", "s1", 2
        user.eid_verified_at = datetime(2026, 1, 1, tzinfo=UTC)
        was = eid_links.Identity("vneid", "https://vneid.example", "s1", str(user.citizen_hash), 2)
        eid_links.make(session, user.id, was, now=hr.clock(), actor=Actor.system())
    api = hr.api(hr.token())
    plan = api.plan(**ask(hr))
    assert codes(plan) == {"always_two"}
    assert "eid_unlinked" in {n["code"] for n in plan["warnings"]}
    assert plan["people"][0]["event"] == "number"
    alone = api.post("/api/v1/changes", ask(hr) | {"fingerprint": plan["fingerprint"]}, key="alone")
    assert alone.status_code == 403
    assert stored(hr, "lan") == OLD
    by_two(hr, **ask(hr))
    assert stored(hr, "lan") == NEW
    after = hr.user("lan")
    assert (after.eid_issuer, after.eid_subject, after.eid_level) == (None, None, None)
    with hr.services.db.read() as session:
        assert session.scalars(select(eid_links.EidLink)).all() == []
    assert lan.get("/portal/profile").status_code == 303


@pytest.mark.both_databases
def test_another_number_ends_what_was_enrolled_under_the_old_and_says_so_before(hr: Hr) -> None:
    """Whoever came by the wrong link may have enrolled a passkey; a first number ends nothing."""
    with hr.services.db.write() as session:
        for who in ("lan", "hien"):
            for kind in ("totp", "recovery_code"):
                enrolled.enrol(
                    session,
                    hr.people[who],
                    kind=kind,
                    name=kind,
                    origin=f"{who}-{kind}",
                    now=hr.clock(),
                    actor=Actor.system(),
                )
    plan = hr.api(hr.token()).plan(**ask(hr))
    assert "factor.void" in str(plan)
    assert "password.void" not in str(plan)
    by_two(hr, **ask(hr))
    by_two(hr, **ask(hr, "hien", "038180009999"))
    with hr.services.db.read() as session:
        assert enrolled.held(session, hr.people["lan"]) == []
        assert len(enrolled.held(session, hr.people["hien"])) == 2
        assert passwords.having(session, [hr.people["lan"]])


def test_another_number_ends_a_reported_loss_as_it_ends_what_is_left(hr: Hr) -> None:
    """She is no worse off for having reported it; a first number ends neither."""
    with hr.services.db.write() as session:
        for who in ("lan", "hien"):
            mine, now = hr.people[who], hr.clock()
            enrolled.enrol(
                session, mine, kind="totp", name="x", origin=who, now=now, actor=Actor.system()
            )
            enrolled.end(session, [mine], why="lost", now=now, actor=Actor("user", mine))
    assert "factor.void" in str(hr.api(hr.token()).plan(**ask(hr)))
    by_two(hr, **ask(hr))
    by_two(hr, **ask(hr, "hien", "038180009999"))
    with hr.services.db.read() as session:
        assert second_factors.of(session, hr.people["lan"]).may_begin()
        assert not second_factors.of(session, hr.people["hien"]).may_begin()


def test_the_number_stands_nowhere_but_sealed(hr: Hr) -> None:
    by_two(hr, **ask(hr))
    with hr.services.db.read() as session:
        kept = [
            *((c.spec, c.about) for c in session.scalars(select(Change))),
            *((li.before, li.after, li.label) for li in session.scalars(select(ChangeLine))),
            *((e.data, e.personal) for e in session.scalars(select(AuditEntry))),
        ]
    for number in (OLD, NEW):
        assert number not in str(kept)
    assert "038*****5678" in str(kept)


def test_a_first_number_ends_nothing(hr: Hr) -> None:
    hien = hr.browser("hien")
    plan = hr.api(hr.token()).plan(**ask(hr, "hien"))
    assert plan["people"][0]["event"] == "number.added"
    by_two(hr, **ask(hr, "hien"))
    assert stored(hr, "hien") == NEW
    assert hien.get("/portal/profile").status_code == 200


def test_a_number_that_is_somebodys_is_a_conflict_and_names_nobody_out_of_sight(hr: Hr) -> None:
    give(hr, "mai", NEW)
    seen = hr.api(hr.token()).plan(**ask(hr))
    assert codes(seen) == {"always_two", "number_taken"}
    assert "Đỗ Thị Mai" in str(seen["conflicts"])
    hidden = hr.api(hr.token(unit="a")).plan(**ask(hr))
    assert "number_taken" in codes(hidden)
    assert "Thị Mai" not in str(hidden)
    assert codes(hr.api(hr.token()).plan(**ask(hr, number=OLD))) == {
        "always_two",
        "nothing_changes",
    }


@pytest.mark.parametrize("number", ["", "  ", "0381", 380, None, "3,8E+10", ["x"]])
def test_what_is_no_number_is_refused_at_its_field_and_not_repeated(hr: Hr, number: Any) -> None:
    answer = hr.api(hr.token()).post(PREVIEW, ask(hr, number=number))
    assert (answer.status_code, answer.json["field"]) == (422, "citizen_number")
    assert str(number) not in answer.json["detail"] or not str(number).strip()


def test_it_is_not_undone_but_changed_again(hr: Hr) -> None:
    change = by_two(hr, **ask(hr))
    refused = hr.api(hr.token()).post(f"/api/v1/changes/{change}/undo/preview")
    assert (refused.status_code, refused.json["code"]) == (409, "not_undoable")
    hr.clock.advance(minutes=1)
    by_two(hr, **ask(hr, number=OLD))
    assert stored(hr, "lan") == OLD


def test_the_form_sends_the_number_in_its_body_only(hr: Hr) -> None:
    browser = hr.browser("officer")
    where = f"/console/people/{hr.people['lan']}/number"
    form = browser.get(where)
    assert 'method="post"' in form.text
    assert OLD not in form.text
    # An address that carries it nevertheless is not acted upon.
    assert "Xem trước" in browser.get(where, query_string={"step": "preview"}).text
    fields = hidden_fields(form.text) | {"citizen_number": NEW, "step": "preview"}
    page = browser.post(where, data=fields, follow_redirects=True)
    assert "038*****1234 → 038*****5678" in text_of(page.text)
    assert NEW not in page.request.url
    denied = hidden_fields(page.text) | {"decision": "deny"}
    back = browser.post(where, data=denied)
    assert back.status_code == 303
    assert NEW not in back.location


def test_the_command_line_asks_for_it_unseen(hr: Hr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "load_settings", lambda: hr.services.settings)
    monkeypatch.setattr(wiring, "build", lambda settings: hr.services)
    done = CliRunner().invoke(
        commands.change, ["number", hr.names["lan"], "--yes"], input=f"{NEW}\n"
    )
    assert done.exit_code == 0, done.output
    assert NEW not in done.output
    assert stored(hr, "lan") == NEW
