"""An end that was given with a post is not a change that waits, and no date stops a page."""

from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from directory.base.clock import day_start
from tests import hr_world
from tests.hr_world import Api, Hr, text_of


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


TODAY = date(2026, 3, 2)
TERM = TODAY + timedelta(days=40)


def api(hr: Hr) -> Api:
    return hr.api(hr.token(unit=None))


def end_with(hr: Hr, end: str) -> None:
    """Her post carries an end date, as a fixed term of a feed does."""
    with hr.services.db.write() as session:
        session.execute(
            text("UPDATE assignment SET valid_to = :end WHERE id = :id"),
            {"end": end, "id": hr.posts["lan"]},
        )


@pytest.mark.both_databases
@pytest.mark.parametrize("kind", ["transfer", "leave"])
def test_a_post_for_a_term_can_be_left_and_moved_from(hr: Hr, kind: str) -> None:
    end_with(hr, TERM.isoformat())
    more = {"to_unit": "gso:14797"} if kind == "transfer" else {"reason": "die"}
    plan = api(hr).plan(kind=kind, user=hr.names["lan"], **more)
    assert plan["conflicts"] == []
    assert "term_ends_early" in [w["code"] for w in plan["warnings"]]
    answer = api(hr).commit(kind=kind, user=hr.names["lan"], **more)
    assert answer.status_code == 201
    change = answer.json["id"]
    undone = api(hr).post(f"/api/v1/changes/{change}/undo/preview").json
    api(hr).post(
        f"/api/v1/changes/{change}/undo", {"fingerprint": undone["fingerprint"]}, key="back"
    )
    with hr.services.db.read() as session:
        end = session.execute(
            text("SELECT valid_to FROM assignment WHERE id = :id"), {"id": hr.posts["lan"]}
        ).scalar_one()
    assert str(end) == TERM.isoformat()


def test_a_post_for_a_term_ends_by_itself_under_a_suspension(hr: Hr) -> None:
    end_with(hr, TERM.isoformat())
    assert api(hr).commit(kind="suspend", user=hr.names["lan"]).status_code == 201
    plan = api(hr).plan(
        kind="leave",
        user=hr.names["lan"],
        reason="dismiss",
        effective_on=(TERM - timedelta(days=1)).isoformat(),
    )
    assert plan["conflicts"] == []
    hr.clock.set(day_start(TERM))
    assert api(hr).commit(kind="resume", user=hr.names["lan"]).status_code == 201
    with hr.services.db.read() as session:
        from directory import assignments

        assert assignments.current(session, hr.people["lan"], TERM) == []


@pytest.mark.parametrize("end", ["9999-12-31", "9999-12-30", "2999-12-31", "0001-01-01"])
def test_no_stored_date_stops_a_page(hr: Hr, end: str) -> None:
    end_with(hr, end)
    # A post that ends before it begins is no fact: only who sees everybody still sees her.
    officer = hr.browser("admin" if end < "2000" else "officer")
    page = officer.get(f"/console/people/{hr.people['lan']}")
    assert page.status_code == 200
    assert "Lê Thị Lan" in text_of(page.text)
    for path in ("/console/people", "/console/people?q=lan", "/console/units"):
        assert officer.get(path).status_code == 200, path
    for kind in ("transfer", "leave", "suspend"):
        answer = api(hr).post(
            "/api/v1/changes/preview",
            {
                "kind": kind,
                "user": hr.names["lan"],
                **({"to_unit": "gso:14797"} if kind == "transfer" else {}),
                **({"reason": "retire"} if kind == "leave" else {}),
            },
        )
        assert answer.status_code == 200, answer.text
    assert hr.browser("lan").get("/", follow_redirects=True).status_code in (200, 403)


@pytest.mark.parametrize("begin", ["0001-01-01", "1066-10-14", "9999-12-31"])
def test_no_stored_beginning_stops_a_page(hr: Hr, begin: str) -> None:
    with hr.services.db.write() as session:
        session.execute(
            text("UPDATE assignment SET valid_from = :day WHERE id = :id"),
            {"day": begin, "id": hr.posts["lan"]},
        )
    assert hr.browser("officer").get(f"/console/people/{hr.people['lan']}").status_code == 200
    for body in ({"kind": "suspend"}, {"kind": "leave", "reason": "die"}):
        assert api(hr).commit(user=hr.names["lan"], **body).status_code == 201


@pytest.mark.parametrize("issued_on", ["9999-12-31", "0001-01-01", "1066-10-14"])
def test_a_decision_of_an_impossible_day_is_refused(hr: Hr, issued_on: str) -> None:
    decision = {"number": "1/QĐ", "issued_on": issued_on, "issuer": "UBND"}
    answer = api(hr).post(
        "/api/v1/changes/preview",
        {"kind": "suspend", "user": hr.names["lan"], "decision": decision},
    )
    assert (answer.status_code, answer.json["field"]) == (422, "decision.issued_on")
