"""What stands against a place in the tree or a code, on any day on which it would count.

What is asked about are spans: the days on which a fact would hold that does not hold on them yet.
"""

from collections.abc import Iterable, Sequence
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory.base.rows import in_force, is_fact, overlaps
from directory.units.codes import borne
from directory.units.facts import Span, lines
from directory.units.unit_rows import OrgUnit, UnitCode, UnitEdge


def gained(before: Iterable[Span], after: Iterable[Span]) -> list[Span]:
    """The spans after that are not wholly within those of the same fact before."""
    had = {span.fact.id: span for span in before if span.fact.id is not None}
    found = []
    for span in after:
        earlier = had.get(span.fact.id)
        if earlier is None or _later(span.valid_to, earlier.valid_to):
            found.append(span)
    return found


def _later(one: date | None, other: date | None) -> bool:
    return other is not None and (one is None or one > other)


def bearers(session: Session, unit_id: int, spans: Iterable[Span]) -> list[UnitCode]:
    """Who else bears one of these codes on one of these days."""
    found: list[UnitCode] = []
    for span in spans:
        if span.fact.value:
            found += session.scalars(
                select(UnitCode)
                .where(
                    UnitCode.scheme == span.fact.scheme,
                    UnitCode.value == span.fact.value,
                    UnitCode.unit_id != unit_id,
                    borne(),
                    overlaps(UnitCode, span),
                )
                .order_by(UnitCode.id)
            )
    return found


def below_itself(
    session: Session, unit_id: int, after: Sequence[Span], asked: Iterable[Span]
) -> date | None:
    """The first day of the spans asked about on which the unit would lie below itself, with what is
    decided for all others; None where it never does. ``after`` is where it would be, whenever.
    """
    edges: dict[int, list[Span]] = {unit_id: list(after)}
    starts: set[date] = set()
    for edge in lines(session, UnitEdge):
        starts.add(edge.valid_from)
        if edge.unit_id != unit_id:
            span = Span(edge, edge.valid_from, edge.valid_to)
            edges.setdefault(edge.unit_id, []).append(span)
    for span in sorted(asked, key=lambda each: each.valid_from):
        days = {day for day in starts if day > span.valid_from and in_force(span, day)}
        for day in sorted(days | {span.valid_from}):
            if unit_id in _above(edges, unit_id, day):
                return day
    return None


def _above(edges: dict[int, list[Span]], unit_id: int, day: date) -> set[int]:
    seen: set[int] = set()
    at: int | None = unit_id
    while at is not None:
        held = next((span for span in edges.get(at, ()) if in_force(span, day)), None)
        at = held.fact.parent_id if held is not None else None
        if at is None or at in seen:
            break
        seen.add(at)
    return seen


def parent_not_there(session: Session, spans: Iterable[Span]) -> OrgUnit | None:
    """A parent that is not there on every day of a span."""
    for span in spans:
        parent = session.get(OrgUnit, span.fact.parent_id) if span.fact.parent_id else None
        if parent is None:
            continue
        ends_first = parent.valid_to is not None and _later(span.valid_to, parent.valid_to)
        if parent.valid_from > span.valid_from or ends_first:
            return parent
    return None


def comes_under(session: Session, unit_id: int, since: date) -> list[tuple[OrgUnit, date]]:
    """Units that are to come directly under this one on a later day."""
    rows = session.execute(
        select(OrgUnit, UnitEdge.valid_from)
        .join(UnitEdge, UnitEdge.unit_id == OrgUnit.id)
        .where(
            UnitEdge.parent_id == unit_id,
            UnitEdge.taken_back_at.is_(None),
            UnitEdge.valid_from > since,
            is_fact(UnitEdge),
        )
        .order_by(UnitEdge.valid_from, OrgUnit.id)
    )
    return [(row[0], row[1]) for row in rows]
