"""A change that was taken back before its day leaves every answer as if it had never been.

The same installation is asked the same questions at the same moments: once before the change was
ever made, once after it was made and cancelled. The log of changes is the only place that tells the
two apart.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from tests import hr_world
from tests.hr_world import Hr

pytestmark = pytest.mark.both_databases

TODAY = date(2026, 3, 2)
THEN = date(2026, 3, 12)
"""The day of the change that is cancelled."""
AFTER = date(2026, 4, 30)
OFFICERS = ("officer", "officer_a", "officer_b")
OVER = {"officer": "root", "officer_a": "a", "officer_b": "b"}


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    made = hr_world.build(services, clock, app)
    with services.db.write() as session:
        session.execute(
            text(
                "INSERT INTO post (unit_id, position_id, headcount)"
                " SELECT :unit, id, 1 FROM position WHERE code = 'KT'"
            ),
            {"unit": made.units["b"]},
        )
    return made


# ---- what is asked ---------------------------------------------------------------------------


def _wishes(hr: Hr) -> Iterator[dict[str, Any]]:
    lan, hien, b = hr.names["lan"], hr.names["hien"], hr.units["b"]
    yield {"kind": "transfer", "user": hien, "to_unit": b, "position": "KT"}
    yield {"kind": "transfer", "user": lan, "to_unit": b, "position": "KT"}
    yield {"kind": "transfer", "user": lan, "to_unit": hr.units["room2"]}
    for kind in ("suspend", "resume"):
        yield {"kind": kind, "user": lan}
    yield {"kind": "leave", "user": lan, "reason": "resign"}
    person = {"full_name": "Cao Thị Sen", "citizen_number": "038123456789"}
    yield {"kind": "join", "to_unit": b, "position": "KT", "person": person}


def _pages(hr: Hr) -> Iterator[str]:
    yield "/console/people"
    yield "/console/people.csv"
    yield "/console/people?position=KT"
    yield f"/console/people?unit={hr.units['b']}"
    yield f"/console/units?open={hr.units['root']}&open={hr.units['a']}"
    yield "/console/people?q=gso:14797"
    for unit in ("room", "b"):
        yield f"/console/units/{hr.units[unit]}"
    yield f"/console/people/{hr.people['lan']}"
    yield f"/console/people/{hr.people['lan']}/transfer"


_CHANGING = r'name="(csrf_token|form_key|key|fingerprint|password)"[^>]*|nonce="[^"]*"|<code>[0-9a-f]{16}</code>'


def _said(answer: Any) -> tuple[int, str]:
    """A page without what differs between any two, and without its log of changes."""
    page = re.sub(_CHANGING, "", answer.get_data(as_text=True))
    page = re.sub('<p class="session-note">.*?</p>', "", page)
    parts = re.split(r"(?=<section)", page)
    kept = [part for part in parts if "Chưa có thay đổi" not in part]
    kept = [part for part in kept if "/console/changes/" not in part]
    return answer.status_code, "".join(kept)


def _plan(answer: Any) -> Any:
    body = dict(answer.json or {})
    for name in ("fingerprint", "request_id"):
        body.pop(name, None)
    return answer.status_code, body


def _answers(hr: Hr, tokens: dict[str, str]) -> dict[str, Any]:
    """Everything an officer can learn or do at this moment."""
    found: dict[str, Any] = {}
    for who in OFFICERS:
        browser, api = hr.browser(who), hr.api(tokens[who])
        for path in _pages(hr):
            found[f"{who} {path}"] = _said(browser.get(path))
        for body in _wishes(hr):
            found[f"{who} {body}"] = _plan(api.post("/api/v1/changes/preview", body))
    return found


def _played(hr: Hr, act: Callable[[], Any], days: tuple[date, ...]) -> dict[str, Any]:
    """The answers on each of these days after the act; the clock stands at noon."""
    began = hr.clock()
    act()
    found = {}
    for day in days:
        hr.clock.set(max(began, datetime.fromisoformat(f"{day}T05:00:00+00:00")))
        tokens = {who: hr.token(unit=OVER[who]) for who in OFFICERS}
        found |= {f"{day} {key}": each for key, each in _answers(hr, tokens).items()}
    hr.clock.set(began)
    return found


def _difference(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    assert one.keys() == other.keys()
    told = []
    for key in (key for key in one if one[key] != other[key]):
        lines = zip(str(one[key][1]).splitlines(), str(other[key][1]).splitlines(), strict=False)
        first = next((pair for pair in lines if pair[0] != pair[1]), (one[key], other[key]))
        told.append(f"{key}: {first[0]} / {first[1]}")
    return told


# ---- what is done and taken back ---------------------------------------------------------------


def _and_back(hr: Hr, **body: Any) -> str:
    """The id of a change that was made and cancelled."""
    api = hr.api(hr.token())
    done = api.commit(**body)
    assert done.status_code == 201, done.text
    hr.clock.advance(minutes=5)
    api = hr.api(hr.token())
    path = f"/api/v1/changes/{done.json['id']}/undo"
    fingerprint = api.post(f"{path}/preview").json["fingerprint"]
    undone = api.post(path, {"fingerprint": fingerprint}, key="undo" + done.json["id"][:8])
    assert undone.status_code == 201, undone.text
    return str(done.json["id"])


def _away(hr: Hr, on: date) -> dict[str, Any]:
    moved = {"kind": "transfer", "user": hr.names["lan"], "to_unit": hr.units["b"]}
    return moved | {"position": "KT", "effective_on": on.isoformat()}


def _within(hr: Hr, on: date) -> dict[str, Any]:
    moved = {"kind": "transfer", "user": hr.names["lan"], "to_unit": hr.units["room2"]}
    return moved | {"effective_on": on.isoformat()}


def _leave(hr: Hr, on: date) -> dict[str, Any]:
    return {
        "kind": "leave",
        "user": hr.names["lan"],
        "reason": "resign",
        "effective_on": on.isoformat(),
    }


CASES = {
    "a transfer to another office": (_away, THEN),
    "a transfer inside the office": (_within, THEN),
    "a leave": (_leave, THEN),
    "a transfer of today, taken back at once": (_away, TODAY),
}


@pytest.fixture(scope="module")
def never() -> dict[bool, dict[str, Any]]:
    """What was answered where nothing was made, on SQLite or not: the world is always the same."""
    return {}


@pytest.mark.parametrize("case", CASES)
def test_a_cancelled_change_leaves_every_answer_as_if_it_had_never_been(
    hr: Hr, case: str, never: dict[bool, dict[str, Any]]
) -> None:
    kind, on = CASES[case]
    days, where = (TODAY, AFTER), hr.services.db.is_sqlite
    before = never[where] = never.get(where) or _played(hr, lambda: None, days)
    after = _played(hr, lambda: _and_back(hr, **kind(hr, on)), days)
    assert _difference(before, after) == []


@pytest.mark.parametrize("case", ["a transfer to another office", "a transfer inside the office"])
def test_a_cancelled_change_gives_no_right_once_the_live_post_has_run_out(
    hr: Hr, case: str
) -> None:
    """Her own post has an end; then the last row of her timeline is asked whose she was."""
    kind, on = CASES[case]

    def end_of_term() -> None:
        with hr.services.db.write() as session:
            session.execute(
                text("UPDATE assignment SET valid_to = :end WHERE id = :id"),
                {"end": AFTER - timedelta(days=10), "id": hr.posts["lan"]},
            )

    def open_again() -> None:
        with hr.services.db.write() as session:
            session.execute(
                text("UPDATE assignment SET valid_to = NULL WHERE id = :id"),
                {"id": hr.posts["lan"]},
            )

    before = _played(hr, end_of_term, (AFTER,))
    open_again()

    def taken_back() -> None:
        _and_back(hr, **kind(hr, on))
        end_of_term()

    after = _played(hr, taken_back, (AFTER,))
    assert _difference(before, after) == []


def test_a_role_bound_to_an_assignment_that_never_began_gives_nothing(hr: Hr) -> None:
    """Bound while the change still waited; the person is told nothing and does nothing by it."""
    api = hr.api(hr.token())
    moved = {"kind": "transfer", "user": hr.names["hien"], "to_unit": hr.units["b"]}
    done = api.commit(**moved, effective_on=THEN.isoformat()).json["id"]
    with hr.services.db.write() as session:
        session.execute(
            text(
                "INSERT INTO admin_role (user_id, role, unit_id, assignment_id, valid_from,"
                " granted_by) SELECT user_id, 'hr_officer', unit_id, id, :day, 'test'"
                " FROM assignment WHERE opened_by = :change"
            ),
            {"change": done, "day": TODAY},
        )
    path = f"/api/v1/changes/{done}/undo"
    fingerprint = api.post(f"{path}/preview").json["fingerprint"]
    assert api.post(path, {"fingerprint": fingerprint}, key="u").status_code == 201
    for day in (TODAY, THEN, AFTER):
        hr.clock.set(datetime.fromisoformat(f"{day}T05:00:00+00:00"))
        assert hr.browser("hien").get("/console/people").status_code == 403


def test_what_never_began_is_not_on_her_own_page_either(hr: Hr) -> None:
    asked = ("/portal/profile", "/portal/capacity", "/")
    before = [_said(hr.browser("lan").get(path)) for path in asked]
    _and_back(hr, **_away(hr, THEN))
    after = [_said(hr.browser("lan").get(path)) for path in asked]
    assert before == after
    assert "Nga Sơn" not in hr.browser("lan").get("/portal/profile").text
