"""Each kind of change through the door: what it does to the person, her access and her roles."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from directory import people
from directory.base.audit import Actor
from directory.base.clock import day_start
from directory.base.errors import Conflict, InvalidInput, Misconfigured, NotAllowed, PlanStale
from directory.changes import undo
from directory.changes.door import Door
from directory.changes.model import Change
from directory.changes.proof import proof
from directory.changes.spec import ChangeKind
from directory.changes.table import TABLE, Column, Event, render_table
from directory.permissions import AdminRole, Role, rights
from idp import sessions
from idp.factors.factor import Source
from tests.factories import make_assignment, make_role, make_unit, proven
from tests.properties.conftest import Province, build_province


@pytest.fixture
def province(services: Any, clock: Any) -> Province:
    return build_province(services, clock)


def sign_in(province: Province, user_id: int) -> str:
    """A session of the person in her primary capacity; the cookie's value."""
    services = province.services
    with services.db.write() as session:
        user = people.get(session, user_id)
        from directory.assignments import current

        held = current(session, user_id, province.today)
        _, cookie = sessions.start(
            session,
            [proven(session, user, services.clock())],
            sessions.Capacity(user, held[0].id if held else None),
            Source("127.0.0.1", 1, "kiểm thử"),
            now=services.clock(),
            settings=services.settings,
            keyring=services.keyring,
        )
    return cookie


def is_in(province: Province, cookie: str) -> bool:
    services = province.services
    with services.db.hot() as connection:
        return (
            sessions.resolve(
                connection,
                services.keyring,
                cookie,
                now=services.clock(),
                settings=services.settings,
            )
            is not None
        )


def test_a_transfer_ends_every_session_in_the_same_transaction(province: Province) -> None:
    cookie = sign_in(province, province.users[0])
    assert is_in(province, cookie)
    province.do(kind="transfer", user=province.users[0], to_unit=province.units[2])
    assert not is_in(province, cookie)


def test_a_transfer_inside_the_same_legal_person_ends_what_acts_in_the_old_post(
    province: Province,
) -> None:
    old = sign_in(province, province.users[0])
    with province.services.db.read() as session:
        epoch = people.get(session, province.users[0]).access_epoch
    province.do(kind="transfer", user=province.users[0], to_unit=province.units[1])
    assert not is_in(province, old)
    assert is_in(province, sign_in(province, province.users[0]))
    with province.services.db.read() as session:
        assert people.get(session, province.users[0]).access_epoch == epoch


def test_a_scheduled_transfer_cuts_on_its_day_without_any_job(province: Province) -> None:
    day = province.today + timedelta(days=3)
    change = province.do(
        kind="transfer",
        user=province.users[0],
        to_unit=province.units[2],
        effective_on=day.isoformat(),
    )
    assert change.state == "scheduled"
    province.clock.set(day_start(day) - timedelta(minutes=2))
    cookie = sign_in(province, province.users[0])
    assert is_in(province, cookie)
    province.clock.set(day_start(day))
    assert not is_in(province, cookie)
    assert is_in(province, sign_in(province, province.users[0]))


def test_a_scheduled_change_becomes_committed_when_its_day_comes(province: Province) -> None:
    day = province.today + timedelta(days=3)
    user = province.users[0]
    change = province.do(
        kind="transfer", user=user, to_unit=province.units[2], effective_on=day.isoformat()
    )
    province.clock.set(day_start(day) + timedelta(seconds=1))
    with province.services.db.write() as session:
        touched = province.services.door.take_effect(session, user, now=province.clock())
    assert touched == {change.id}
    with province.services.db.read() as session:
        assert session.get_one(Change, change.id).state == "committed"


@pytest.mark.parametrize(("unit", "days"), [(4, 3), (2, 1)])
def test_a_move_is_refused_that_leaves_no_room_for_one_that_waits(
    province: Province, unit: int, days: int
) -> None:
    day = province.today + timedelta(days=3)
    user = province.users[0]
    province.do(kind="transfer", user=user, to_unit=province.units[2], effective_on=day.isoformat())
    spec = province.spec(
        kind="transfer",
        user=user,
        to_unit=province.units[unit],
        effective_on=(province.today + timedelta(days=days)).isoformat(),
    )
    plan = province.plan(spec)
    assert "waiting_change" in {n.code for n in plan.conflicts}
    with pytest.raises(Conflict):
        province.commit(spec, plan.fingerprint)


def test_suspension_is_reversible_and_ends_access_at_once(province: Province) -> None:
    user = province.users[0]
    cookie = sign_in(province, user)
    province.do(kind="suspend", user=user)
    assert not is_in(province, cookie)
    assert not is_in(province, sign_in(province, user))
    province.do(kind="resume", user=user)
    assert not is_in(province, cookie)
    assert is_in(province, sign_in(province, user))


def test_a_suspension_cannot_be_dated_ahead(province: Province) -> None:
    spec = province.spec(
        kind="suspend",
        user=province.users[0],
        effective_on=(province.today + timedelta(days=1)).isoformat(),
    )
    with pytest.raises(InvalidInput) as refused:
        province.plan(spec)
    assert refused.value.field == "effective_on"


def test_retirement_known_ahead_ends_access_on_the_day_itself(province: Province) -> None:
    user, day = province.users[0], province.today + timedelta(days=30)
    province.do(kind="leave", user=user, reason="retire", effective_on=day.isoformat())
    province.clock.set(day_start(day) - timedelta(seconds=30))
    cookie = sign_in(province, user)
    assert is_in(province, cookie)
    province.clock.set(day_start(day))
    assert not is_in(province, cookie)
    assert not is_in(province, sign_in(province, user))


def test_undo_restores_the_post_and_revives_no_session(province: Province) -> None:
    user = province.users[0]
    before = sign_in(province, user)
    change = province.do(kind="transfer", user=user, to_unit=province.units[2])
    between = sign_in(province, user)
    with province.services.db.read() as session:
        spec = undo.spec_of(session, change.id)
    province.commit(spec, province.plan(spec).fingerprint)
    assert not is_in(province, before)
    assert not is_in(province, between)
    with province.services.db.read() as session:
        from directory.assignments import current

        assert current(session, user, province.today)[0].unit.id == province.units[0]
        assert session.get_one(Change, change.id).state == "undone"


def test_undo_of_what_has_not_taken_effect_ends_nothing(province: Province) -> None:
    user, day = province.users[0], province.today + timedelta(days=3)
    cookie = sign_in(province, user)
    change = province.do(
        kind="transfer", user=user, to_unit=province.units[2], effective_on=day.isoformat()
    )
    with province.services.db.read() as session:
        spec = undo.spec_of(session, change.id)
    province.commit(spec, province.plan(spec).fingerprint)
    assert is_in(province, cookie)
    province.clock.set(day_start(day) + timedelta(minutes=1))
    assert is_in(province, sign_in(province, user))


def test_what_was_undone_stands_in_nobodys_way(province: Province) -> None:
    user, day = province.users[0], province.today + timedelta(days=3)
    change = province.do(
        kind="transfer", user=user, to_unit=province.units[2], effective_on=day.isoformat()
    )
    with province.services.db.read() as session:
        spec = undo.spec_of(session, change.id)
    province.commit(spec, province.plan(spec).fingerprint)
    plan = province.plan(province.spec(kind="transfer", user=user, to_unit=province.units[4]))
    assert not plan.conflicts
    assert len(plan.people[0].ended) == 1


def test_undo_is_refused_when_a_later_change_touched_the_same_rows(province: Province) -> None:
    user = province.users[0]
    first = province.do(kind="transfer", user=user, to_unit=province.units[2])
    province.clock.advance(days=1)
    province.do(kind="transfer", user=user, to_unit=province.units[4])
    with province.services.db.read() as session:
        spec = undo.spec_of(session, first.id)
    assert "later_change" in {n.code for n in province.plan(spec).conflicts}


def test_a_transfer_ends_concurrent_posts_unless_the_decision_keeps_them(
    province: Province,
) -> None:
    user = province.users[0]
    with province.services.db.write() as session:
        council = make_unit(session, "Hội đồng nhân dân xã Hà Trung")
        post = make_assignment(session, people.get(session, user), council, kind="concurrent").id
    plan = province.plan(province.spec(kind="transfer", user=user, to_unit=province.units[2]))
    assert post in plan.people[0].ended
    assert "post_ends_too" in {n.code for n in plan.warnings}
    kept = province.plan(
        province.spec(kind="transfer", user=user, to_unit=province.units[2], keep=[post])
    )
    assert post not in kept.people[0].ended


def test_a_role_that_comes_with_a_post_ends_with_it(province: Province) -> None:
    user = province.users[0]
    with province.services.db.write() as session:
        person = people.get(session, user)
        from directory.assignments import current

        held = current(session, user, province.today)[0]
        make_role(session, person, Role.HR_OFFICER, assignment_id=held.id)
    actor = Actor("user", user)
    with province.services.db.read() as session:
        assert rights(session, actor, province.today).roles == {Role.HR_OFFICER}
    change = province.do(kind="transfer", user=user, to_unit=province.units[2])
    with province.services.db.read() as session:
        assert rights(session, actor, province.today).roles == set()
        assert "role.end" in {e.kind for e in proof(session, change.id).effects}
        assert session.scalars(select(AdminRole)).one().valid_to == province.today


def officer(province: Province, user: int, unit_id: int) -> Actor:
    from directory.units import get

    with province.services.db.write() as session:
        make_role(session, people.get(session, user), Role.HR_OFFICER, get(session, unit_id))
    return Actor("user", user, "cán bộ nhân sự")


@pytest.mark.parametrize(("reach", "missing"), [(0, "destination"), (2, "source")])
def test_a_transfer_needs_the_right_over_both_sides(
    province: Province, reach: int, missing: str
) -> None:
    actor = officer(province, province.users[3], province.units[reach])
    spec = province.spec(kind="transfer", user=province.users[0], to_unit=province.units[2])
    with pytest.raises(NotAllowed) as refused:
        province.plan(spec, actor)
    assert refused.value.missing == missing


def test_nobody_commits_a_change_about_herself(province: Province) -> None:
    with province.services.db.write() as session:
        make_role(session, people.get(session, province.users[0]), Role.ADMINISTRATOR)
    actor = Actor("user", province.users[0], "chính mình")
    spec = province.spec(kind="suspend", user=province.users[0])
    with pytest.raises(NotAllowed) as refused:
        province.plan(spec, actor)
    assert refused.value.missing == "self"


def test_a_right_lost_between_preview_and_commit_makes_the_plan_stale_or_refused(
    province: Province,
) -> None:
    with province.services.db.write() as session:
        role = make_role(session, people.get(session, province.users[3]), Role.ADMINISTRATOR).id
    actor = Actor("user", province.users[3], "quản trị")
    spec = province.spec(kind="suspend", user=province.users[0])
    plan = province.plan(spec, actor)
    with province.services.db.write() as session:
        session.get_one(AdminRole, role).valid_to = province.today
    with pytest.raises((PlanStale, NotAllowed)):
        province.commit(spec, plan.fingerprint, actor)


def test_commit_refuses_to_run_while_a_column_has_no_implementation(province: Province) -> None:
    door = Door(cutters=province.services.door.cutters[1:], keyring=province.services.keyring)
    spec = province.spec(kind="suspend", user=province.users[0])
    with (
        pytest.raises(Misconfigured, match="access"),
        province.services.db.write() as session,
    ):
        door.commit(session, spec, Actor.operator("x"), now=province.clock(), fingerprint="0" * 64)


def test_a_kind_without_a_planner_is_refused_by_name(province: Province) -> None:
    with pytest.raises(InvalidInput) as refused:
        province.spec(kind=ChangeKind.UNIT_MERGE.value)
    assert refused.value.field == "kind"


def test_every_event_orders_something_for_every_column() -> None:
    assert set(TABLE) == set(Event)
    assert all(set(cells) == set(Column) for cells in TABLE.values())


def test_the_documented_table_is_the_one_in_force() -> None:
    from pathlib import Path

    page = Path(__file__).parents[2] / "docs" / "effects.md"
    assert page.read_text("utf-8").endswith(render_table())
