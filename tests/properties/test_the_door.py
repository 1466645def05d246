"""What holds for any sequence of HR decisions."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from directory.assignments import Assignment
from directory.base.errors import DinhdanhError, InvalidInput, PlanStale
from directory.changes import undo
from directory.changes.model import Change, ChangeLine
from tests.properties.conftest import OPERATOR, Province, build_province, dump

QUIET = settings(
    max_examples=12,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

decisions = st.lists(
    st.one_of(
        st.tuples(
            st.just("transfer"),
            st.integers(0, 3),
            st.integers(0, 5),
            st.integers(0, 1),
            st.integers(-40, 40),
        ),
        st.tuples(st.just("suspend"), st.integers(0, 3)),
        st.tuples(st.just("resume"), st.integers(0, 3)),
        st.tuples(st.just("leave"), st.integers(0, 3), st.integers(-5, 40)),
        st.tuples(st.just("undo"), st.integers(0, 20)),
        st.tuples(st.just("wait"), st.integers(1, 30)),
    ),
    max_size=14,
)


def play(province: Province, step: tuple[Any, ...]) -> Change | None:
    """One decision; what the directory refuses changes nothing."""
    kind, *rest = step
    if kind == "wait":
        province.clock.advance(days=rest[0])
        for user_id in province.users:
            with province.services.db.write() as session:
                province.services.door.take_effect(session, user_id, now=province.clock())
        return None
    try:
        if kind == "undo":
            with province.services.db.read() as session:
                ids = list(session.scalars(select(Change.id).order_by(Change.committed_at)))
                spec = undo.spec_of(session, ids[rest[0] % len(ids)]) if ids else None
            if spec is None:
                return None
            return province.commit(spec, province.plan(spec).fingerprint)
        body: dict[str, Any] = {"kind": kind, "user": province.users[rest[0]]}
        if kind == "transfer":
            body["to_unit"] = province.units[rest[1]]
            body["position"] = province.positions[rest[2]]
            body["effective_on"] = (province.today + timedelta(days=rest[3])).isoformat()
        if kind == "leave":
            body["reason"] = "retire"
            body["effective_on"] = (province.today + timedelta(days=rest[1])).isoformat()
        return province.do(**body)
    except DinhdanhError:
        return None


def primary_rows(province: Province, user_id: int) -> list[Assignment]:
    with province.services.db.read() as session:
        return list(
            session.scalars(
                select(Assignment)
                .where(Assignment.user_id == user_id, Assignment.kind == "primary")
                .order_by(Assignment.valid_from, Assignment.id)
            )
        )


@given(steps=decisions)
@QUIET
def test_a_primary_timeline_never_overlaps(fresh: Any, steps: list[tuple[Any, ...]]) -> None:
    province = fresh()
    for step in steps:
        play(province, step)
    for user_id in province.users:
        rows = [
            r
            for r in primary_rows(province, user_id)
            if r.valid_to is None or r.valid_to > r.valid_from
        ]
        for earlier, later in pairwise(rows):
            assert earlier.valid_to is not None
            assert earlier.valid_to <= later.valid_from


@given(steps=decisions, target=st.integers(0, 5))
@QUIET
def test_committing_a_stale_plan_changes_nothing(
    fresh: Any, steps: list[tuple[Any, ...]], target: int
) -> None:
    province = fresh()
    spec = province.spec(kind="transfer", user=province.users[0], to_unit=province.units[target])
    announced = province.plan(spec)
    for step in steps:
        play(province, step)
    before = dump(province.services.db)
    try:
        now_announced = province.plan(spec)
    except DinhdanhError:
        now_announced = None
    if now_announced is not None and now_announced.fingerprint == announced.fingerprint:
        return  # nothing that the plan rests on has changed
    with pytest.raises(DinhdanhError):
        province.commit(spec, announced.fingerprint)
    assert dump(province.services.db) == before


@given(steps=decisions)
@QUIET
def test_what_a_preview_announces_is_what_the_commit_writes(
    fresh: Any, steps: list[tuple[Any, ...]]
) -> None:
    province = fresh()
    for step in steps:
        play(province, step)
    for user_id in province.users:
        try:
            spec = province.spec(kind="transfer", user=user_id, to_unit=province.units[5])
            plan = province.plan(spec)
        except DinhdanhError:
            continue
        if plan.conflicts:
            continue
        change = province.commit(spec, plan.fingerprint)
        with province.services.db.read() as session:
            written = session.scalars(
                select(ChangeLine).where(ChangeLine.change_id == change.id).order_by(ChangeLine.id)
            )
            found = [(w.table, w.action, w.user_id, w.unit_id, w.before, w.after) for w in written]
        promised = [
            (n.table, n.action, n.user_id, n.unit_id, n.before, n.after) for n in plan.lines
        ]
        assert found == promised


@given(steps=decisions)
@QUIET
def test_undo_restores_the_directory_rows_it_touches(
    fresh: Any, steps: list[tuple[Any, ...]]
) -> None:
    province = fresh()
    for step in steps:
        play(province, step)
    user_id = province.users[1]
    in_force = [(r.id, r.valid_from, r.valid_to) for r in primary_rows(province, user_id)]
    try:
        change = province.do(kind="transfer", user=user_id, to_unit=province.units[4])
    except DinhdanhError:
        return
    with province.services.db.read() as session:
        spec = undo.spec_of(session, change.id)
    province.commit(spec, province.plan(spec).fingerprint)
    after = [
        (r.id, r.valid_from, r.valid_to)
        for r in primary_rows(province, user_id)
        if r.opened_by != change.id
    ]
    assert after == in_force


@pytest.fixture
def fresh(services: Any, clock: Any, tmp_path: Any, make_settings: Any) -> Any:
    """Make a new province on a new copy of the database for each example."""
    import shutil
    from itertools import count

    from idp.run import wiring
    from tests.conftest import FrozenClock, _hurry

    source, numbers = tmp_path / "dinhdanh.db", count()
    services.db.dispose()
    opened: list[Any] = []

    def make() -> Province:
        while opened:
            opened.pop().db.dispose()
        file = tmp_path / f"example-{next(numbers)}.db"
        shutil.copyfile(source, file)
        stands = FrozenClock()
        built = wiring.build(make_settings(database_url=f"sqlite:///{file}"), clock=stands)
        _hurry(built.db)
        opened.append(built)
        return build_province(built, stands)

    yield make
    while opened:
        opened.pop().db.dispose()


@pytest.mark.both_databases
def test_an_idempotency_key_acts_once_and_refuses_another_body(province: Province) -> None:
    spec = province.spec(kind="transfer", user=province.users[0], to_unit=province.units[2])
    plan = province.plan(spec)
    first = province.commit(spec, plan.fingerprint, idempotency_key="quyết-định-12")
    before = dump(province.services.db)
    again = province.commit(spec, plan.fingerprint, idempotency_key="quyết-định-12")
    assert again.id == first.id
    assert dump(province.services.db) == before
    other = province.spec(kind="transfer", user=province.users[1], to_unit=province.units[2])
    with pytest.raises(InvalidInput) as refused:
        province.commit(other, province.plan(other).fingerprint, idempotency_key="quyết-định-12")
    assert refused.value.code == "idempotency_key"
    assert dump(province.services.db) == before


@pytest.mark.both_databases
def test_a_refused_commit_does_not_use_up_its_idempotency_key(province: Province) -> None:
    spec = province.spec(kind="transfer", user=province.users[0], to_unit=province.units[2])
    with pytest.raises(PlanStale):
        province.commit(spec, "0" * 64, idempotency_key="k")
    change = province.commit(spec, province.plan(spec).fingerprint, idempotency_key="k")
    assert change.actor_label == OPERATOR.label


@pytest.mark.both_databases
def test_two_officers_who_commit_the_same_person_at_once_do_not_both_win(
    province: Province,
) -> None:
    import threading

    user = province.users[0]
    specs = [
        province.spec(kind="transfer", user=user, to_unit=province.units[2]),
        province.spec(kind="transfer", user=user, to_unit=province.units[4]),
    ]
    prints = [province.plan(spec).fingerprint for spec in specs]
    outcomes: list[Any] = [None, None]
    gate = threading.Barrier(2)

    def officer(index: int) -> None:
        gate.wait()
        try:
            outcomes[index] = province.commit(specs[index], prints[index]).id
        except DinhdanhError as error:
            outcomes[index] = error.code

    threads = [threading.Thread(target=officer, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(str(o) == "plan_stale" for o in outcomes) == [False, True]
    rows = [r for r in primary_rows(province, user) if r.valid_to is None]
    assert len(rows) == 1
