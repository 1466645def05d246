"""What a committed change has promised for a later day is kept, superseded openly, or in the way.

Nothing a second change does may quietly undo what a first one, already decided, waits to do.
"""

from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask

from directory.base.clock import day_start
from tests import hr_world
from tests.hr_world import Api, Hr


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


TODAY = date(2026, 3, 2)
SOON, LATER, LATEST = (TODAY + timedelta(days=n) for n in (5, 10, 15))


def api(hr: Hr) -> Api:
    """The personnel system of the province."""
    return hr.api(hr.token(unit=None))


def do(hr: Hr, kind: str, **body: Any) -> str:
    """Preview and commit; the change's id."""
    answer = api(hr).commit(kind=kind, user=hr.names["lan"], **body)
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])


def undo(hr: Hr, change: str) -> Any:
    caller = api(hr)
    plan = caller.post(f"/api/v1/changes/{change}/undo/preview").json
    return caller.post(
        f"/api/v1/changes/{change}/undo", {"fingerprint": plan["fingerprint"]}, key=f"u{change}"
    )


def come(hr: Hr, day: date) -> None:
    """The day has come and the worker has seen it."""
    hr.clock.set(day_start(day) + timedelta(hours=2))
    with hr.services.db.write() as session:
        hr.services.door.take_effect(session, hr.people["lan"], now=hr.clock())


def seen(hr: Hr) -> tuple[str, list[str]]:
    """Her status and the names of the units she serves, as her page's officer would read them."""
    from directory import assignments, search
    from directory.base.clock import local_day

    with hr.services.db.read() as session:
        on = local_day(hr.clock())
        person = hr.user("lan")
        held = assignments.current(session, person.id, on)
        return search.status_on(person, on).value, [h.unit.name for h in held]


def state(hr: Hr, change: str) -> str:
    return str(api(hr).get(f"/api/v1/changes/{change}").json["state"])


ROOM, ROOM2, B = "Phòng Kinh tế", "Phòng Văn hóa", "Ủy ban nhân dân xã Nga Sơn"


def test_a_scheduled_leave_outlives_a_suspension_and_its_end(hr: Hr) -> None:
    do(hr, "leave", reason="dismiss", effective_on=LATER.isoformat())
    do(hr, "suspend")
    do(hr, "resume")
    come(hr, LATER)
    assert seen(hr)[0] == "left"


def test_a_cancelled_leave_does_not_bring_back_a_suspension_that_has_ended(hr: Hr) -> None:
    do(hr, "suspend")
    leave = do(hr, "leave", reason="retire", effective_on=LATER.isoformat())
    do(hr, "resume")
    assert undo(hr, leave).status_code == 201
    assert seen(hr) == ("active", [ROOM])


def test_an_undone_leave_does_not_lift_a_suspension_ordered_after_it(hr: Hr) -> None:
    leave = do(hr, "leave", reason="retire", effective_on=LATER.isoformat())
    do(hr, "suspend")
    come(hr, LATER)
    assert seen(hr)[0] == "left"
    assert undo(hr, leave).status_code == 201
    assert seen(hr)[0] == "suspended"


def test_of_two_moves_each_happens_on_its_day(hr: Hr) -> None:
    do(hr, "transfer", to_unit="gso:14797", effective_on=LATER.isoformat())
    do(hr, "transfer", to_unit=hr.units["room2"], effective_on=SOON.isoformat())
    assert seen(hr) == ("active", [ROOM])
    come(hr, SOON)
    assert seen(hr) == ("active", [ROOM2])
    come(hr, LATER)
    assert seen(hr) == ("active", [B])


@pytest.mark.parametrize("first_undone", ["late", "early"])
def test_each_of_two_waiting_moves_is_cancelled_alone(hr: Hr, first_undone: str) -> None:
    late = do(hr, "transfer", to_unit="gso:14797", effective_on=LATER.isoformat())
    early = do(hr, "transfer", to_unit=hr.units["room2"], effective_on=SOON.isoformat())
    order = [late, early] if first_undone == "late" else [early, late]
    assert undo(hr, order[0]).status_code == 201
    come(hr, SOON)
    assert seen(hr)[1] == ([ROOM2] if first_undone == "late" else [ROOM])
    assert undo(hr, order[1]).status_code == 201
    come(hr, LATER)
    assert seen(hr) == ("active", [ROOM])


def test_who_retires_later_can_be_moved_before(hr: Hr) -> None:
    do(hr, "leave", reason="retire", effective_on=LATER.isoformat())
    do(hr, "transfer", to_unit=hr.units["room2"])
    assert seen(hr) == ("active", [ROOM2])
    come(hr, LATER)
    assert seen(hr) == ("left", [])


def test_who_has_left_by_then_cannot_be_moved(hr: Hr) -> None:
    do(hr, "leave", reason="retire", effective_on=SOON.isoformat())
    plan = api(hr).plan(
        kind="transfer",
        user=hr.names["lan"],
        to_unit="gso:14797",
        effective_on=LATER.isoformat(),
    )
    assert [c["code"] for c in plan["conflicts"]] == ["already_left"]


def test_a_dismissal_goes_over_what_waits_and_says_so(hr: Hr) -> None:
    move = do(hr, "transfer", to_unit="gso:14797", effective_on=LATER.isoformat())
    retire = do(hr, "leave", reason="retire", effective_on=LATEST.isoformat())
    plan = api(hr).plan(kind="leave", user=hr.names["lan"], reason="dismiss")
    assert plan["conflicts"] == []
    assert [w["code"] for w in plan["warnings"]].count("supersedes") == 2
    dismissal = do(hr, "leave", reason="dismiss")
    assert (state(hr, move), state(hr, retire)) == ("superseded", "superseded")
    come(hr, LATER)
    assert seen(hr) == ("left", [])
    assert undo(hr, dismissal).status_code == 201
    come(hr, LATER)  # what was put aside is promised again, and its day is here
    assert seen(hr) == ("active", [B])
    come(hr, LATEST)
    assert seen(hr) == ("left", [])


def test_a_move_happens_on_its_day_under_a_suspension(hr: Hr) -> None:
    do(hr, "transfer", to_unit="gso:14797", effective_on=SOON.isoformat())
    do(hr, "suspend")
    come(hr, SOON)
    assert seen(hr) == ("suspended", [B])
    do(hr, "resume")
    assert seen(hr) == ("active", [B])


def test_nobody_is_resumed_after_her_day_has_come_though_no_job_has_run(hr: Hr) -> None:
    do(hr, "leave", reason="retire", effective_on=SOON.isoformat())
    do(hr, "suspend")
    hr.clock.set(day_start(SOON) + timedelta(minutes=1))
    plan = api(hr).plan(kind="resume", user=hr.names["lan"])
    assert [c["code"] for c in plan["conflicts"]] == ["wrong_status"]


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_move_of_several_goes_on_without_the_one_who_dies(hr: Hr, cancelled: bool) -> None:
    answer = api(hr).commit(
        kind="transfer",
        users=[hr.names["lan"], hr.names["hien"]],
        to_unit="gso:14797",
        effective_on=LATER.isoformat(),
    )
    move = answer.json["id"]
    death = do(hr, "leave", reason="die")
    assert state(hr, move) == "scheduled"
    if cancelled:
        assert undo(hr, move).status_code == 201
        assert undo(hr, death).status_code == 201  # somebody had erred
    come(hr, LATER)
    assert seen(hr) == (("active", [ROOM]) if cancelled else ("left", []))
    from directory import assignments

    with hr.services.db.read() as session:
        held = assignments.current(session, hr.people["hien"], LATER)
    assert [h.unit.name for h in held] == [ROOM if cancelled else B]


def test_what_is_put_aside_is_not_taken_back_by_itself(hr: Hr) -> None:
    move = do(hr, "transfer", to_unit="gso:14797", effective_on=LATER.isoformat())
    do(hr, "leave", reason="dismiss")
    answer = api(hr).post(f"/api/v1/changes/{move}/undo/preview")
    assert (answer.status_code, answer.json["code"]) == (409, "superseded")
