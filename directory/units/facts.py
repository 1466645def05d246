"""The facts about one unit in time: which of them stand, and until when each holds.

A fact says from which day on. It holds until the next of its sort (name; parent; code of a scheme)
begins, and of two that begin on one day the one recorded later holds. So an end is never decided, it
follows; and what was taken back leaves everything as if it had never been recorded.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from directory.base.rows import batches
from directory.base.text import search_key
from directory.units.unit_rows import OrgUnit, UnitCode, UnitEdge, UnitName

Fact = UnitName | UnitEdge | UnitCode
F = TypeVar("F", UnitName, UnitEdge, UnitCode)


@dataclass(frozen=True)
class Span:
    """A fact and the days on which it holds: from the first until before the last."""

    fact: Any
    valid_from: date
    valid_to: date | None


def spans(
    standing: Sequence[Fact], *, but: int | None = None, plus: Fact | None = None
) -> list[Span]:
    """What holds when, of facts as ``line`` gives them; without one, or with one more.

    A fact that another of the same day has overtaken holds on no day and is not among them.
    """
    rows: list[Fact] = [row for row in standing if but is None or row.id != but]
    if plus is not None:
        rows = sorted([*rows, plus], key=lambda row: row.valid_from)  # stable: it was recorded last
    ends: list[date | None] = [row.valid_from for row in rows[1:]]
    ends += [None] * (len(rows) - len(ends))
    return [
        Span(row, row.valid_from, end)
        for row, end in zip(rows, ends, strict=True)
        if end is None or end > row.valid_from
    ]


def line(session: Session, of: type[F], unit_id: int, scheme: str = "") -> list[F]:
    """The facts of one sort that stand, in the order in which they hold."""
    mine: list[ColumnElement[bool]] = [of.unit_id == unit_id, of.taken_back_at.is_(None)]
    if of is UnitCode:
        mine.append(UnitCode.scheme == scheme)
    found = session.scalars(
        select(of)
        .where(*mine)
        .order_by(of.valid_from, of.id)
        .execution_options(populate_existing=True)
    )
    return list(found)


def lines(session: Session, of: type[F], unit_ids: Iterable[int] | None = None) -> list[F]:
    """As ``line``, of these units or of all, for parents and names."""
    query = select(of).where(of.taken_back_at.is_(None)).order_by(of.unit_id, of.valid_from, of.id)
    if unit_ids is None:
        return list(session.scalars(query))
    found: list[F] = []
    for some in batches(sorted(set(unit_ids))):
        found += session.scalars(query.where(of.unit_id.in_(some)))
    return found


def begin(session: Session, fact: Fact) -> None:
    """Record a fact; those beside it end and begin accordingly. The tree is locked by the caller."""
    before = _like(session, fact)
    _settle(session, before, spans(before, plus=fact), fact)


def take_back(session: Session, fact: Fact, *, at: datetime) -> None:
    """Let a fact never have been. The tree is locked by the caller."""
    standing = _like(session, fact)
    fact.taken_back_at, fact.valid_to = at, fact.valid_from
    session.flush()
    _settle(session, standing, spans(standing, but=fact.id))


def _like(session: Session, fact: Fact) -> Sequence[Fact]:
    scheme = fact.scheme if isinstance(fact, UnitCode) else ""
    of: type[Any] = type(fact)
    if of is UnitName and fact not in session:
        _first_name(session, fact.unit_id)
    return line(session, of, fact.unit_id, scheme)


def _first_name(session: Session, unit_id: int) -> None:
    """A unit made by the release before has its name in its own columns only."""
    if session.scalar(select(UnitName.id).where(UnitName.unit_id == unit_id).limit(1)) is None:
        unit = session.get_one(OrgUnit, unit_id)
        session.add(
            UnitName(
                unit_id=unit_id,
                name=unit.name,
                short_name=unit.short_name,
                kind=unit.kind,
                search_key=search_key(unit.name, unit.short_name),
                sort_key=unit.sort_key,
                valid_from=unit.valid_from,
            )
        )
        session.flush()


def _settle(
    session: Session, rows: Sequence[Fact], held: Sequence[Span], new: Fact | None = None
) -> None:
    """Write the ends that follow. What ends earlier is written first: at no moment are there two
    that hold on one day.
    """
    ends = {id(span.fact): span.valid_to for span in held}
    wanted = [(row, ends.get(id(row), row.valid_from)) for row in rows if row.taken_back_at is None]
    for earlier in (True, False):
        for row, end in wanted:
            if row.valid_to != end and _sooner(end, row.valid_to) == earlier:
                row.valid_to = end
        session.flush()
        if earlier and new is not None:
            new.valid_to = ends.get(id(new), new.valid_from)
            session.add(new)
            session.flush()


def _sooner(one: date | None, other: date | None) -> bool:
    return one is not None and (other is None or one < other)
