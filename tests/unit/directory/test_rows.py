"""The questions to dated rows: SQL and Python give one answer, and it is the right one."""

from datetime import date, timedelta
from itertools import product
from typing import Any

import pytest

from directory import assignments
from directory.assignments import Assignment, Held
from directory.base.rows import batches, ends_after, in_force, is_fact, not_over, overlaps
from tests.factories import make_assignment, make_unit, make_user

DAYS = [date(2026, 3, 1) + timedelta(days=n) for n in range(4)]
SPANS = list(product(DAYS, [*DAYS, None]))


def _naive(begin: date, end: date | None) -> set[date]:
    """The days on which a row counts, one by one."""
    days = [date(2026, 2, 20) + timedelta(days=n) for n in range(40)]
    return {day for day in days if begin <= day and (end is None or day < end)}


@pytest.mark.both_databases
def test_sql_and_python_answer_alike(services: Any) -> None:
    with services.db.write() as session:
        unit, person = make_unit(session), make_user(session)
        ids = {}
        for begin, end in SPANS:
            made = make_assignment(
                session, person, unit, kind="concurrent", valid_from=begin, valid_to=end
            )
            ids[made.id] = (begin, end)
    with services.db.read() as session:

        def asked(condition: Any) -> set[Any]:
            rows = session.query(Assignment.id).filter(condition)
            return {ids[row.id] for row in rows}

        live = {span for span in SPANS if _naive(*span)}
        assert asked(is_fact(Assignment)) == live
        rows = {ids[a.id]: a for a in session.query(Assignment)}
        assert {span for span, row in rows.items() if is_fact(row)} == live
        for on in DAYS:
            holding = {span for span in SPANS if on in _naive(*span)}
            ahead = {span for span in SPANS if any(day >= on for day in _naive(*span))}
            assert asked(in_force(Assignment, on)) == holding
            assert {span for span, row in rows.items() if in_force(row, on)} == holding
            assert asked(not_over(Assignment, on)) == ahead
            assert {span for span, row in rows.items() if not_over(row, on)} == ahead
            ending = {span for span in SPANS if span[1] is None or span[1] > on}
            assert asked(ends_after(Assignment.valid_to, on)) == ending
            assert {span for span, row in rows.items() if ends_after(row.valid_to, on)} == ending
        for other in (row for span, row in rows.items() if span in live):
            days = _naive(other.valid_from, other.valid_to)
            both = {span for span in SPANS if _naive(*span) & days}
            assert asked(overlaps(Assignment, other)) == both
            assert {span for span, row in rows.items() if overlaps(row, other)} == both


def test_a_timeline_holds_facts_only(services: Any) -> None:
    with services.db.write() as session:
        unit, person = make_unit(session), make_user(session)
        make_assignment(session, person, unit)
        void = make_assignment(
            session, person, unit, kind="acting", valid_from=DAYS[1], valid_to=DAYS[1]
        )
        kept: list[Held] = assignments.timeline(session, [person.id])[person.id]
        assert [h.kind for h in kept] == ["primary"]
        every = assignments.recorded(session, [person.id])[person.id]
        assert [h.void for h in every if h.id == void.id] == [True]


@pytest.mark.parametrize(
    ("many", "sizes"), [(0, []), (1, [1]), (500, [500]), (501, [500, 1]), (1001, [500, 500, 1])]
)
def test_batches_leave_nothing_out_and_keep_the_order(many: int, sizes: list[int]) -> None:
    found = list(batches(n for n in range(many)))
    assert [len(some) for some in found] == sizes
    assert [n for some in found for n in some] == list(range(many))
