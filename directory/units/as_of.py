"""Where a unit stood on a day and what it was called then, with the legal person it belonged to."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory.base.rows import batches, in_force
from directory.units.facts import lines
from directory.units.unit_rows import OrgUnit, UnitEdge, UnitName, UnitView, view

F = TypeVar("F", UnitEdge, UnitName)


@dataclass(frozen=True)
class Place:
    """A unit on a day."""

    above: tuple[UnitView, ...]
    """From the root of that day down to the unit itself, as they were called."""

    @property
    def unit(self) -> UnitView:
        """The unit; its path is that of the day."""
        return self.above[-1]

    @property
    def owner(self) -> UnitView:
        """The nearest legal person at or above it; itself where there is none."""
        return next((unit for unit in reversed(self.above) if unit.legal_person), self.unit)


def place(session: Session, unit_id: int, on: date) -> Place:
    """One unit on one day."""
    return places(session, [(unit_id, on)])[unit_id, on]


def places(session: Session, wanted: Iterable[tuple[int, date]]) -> dict[tuple[int, date], Place]:
    """Units on days. A day on which nothing is recorded of a unit shows it as it is today.

    As many statements as the tree is deep, however many are asked for.
    """
    asked = set(wanted)
    edges, rows = _with_all_above(session, {unit_id for unit_id, _ in asked})
    names = _by_unit(lines(session, UnitName, rows))
    return {key: _place(*key, edges, names, rows) for key in asked}


def _with_all_above(
    session: Session, ids: set[int]
) -> tuple[dict[int, list[UnitEdge]], dict[int, OrgUnit]]:
    """These units and every one that ever was above them, with the edges of each."""
    edges: dict[int, list[UnitEdge]] = {}
    rows: dict[int, OrgUnit] = {}
    missing = set(ids)
    while missing:
        for some in batches(sorted(missing)):
            rows |= {u.id: u for u in session.scalars(select(OrgUnit).where(OrgUnit.id.in_(some)))}
        edges |= _by_unit(lines(session, UnitEdge, missing))
        over = {edge.parent_id for unit_id in missing for edge in edges.get(unit_id, ())}
        over |= {rows[unit_id].parent_id for unit_id in missing if unit_id in rows}
        missing = {unit_id for unit_id in over if unit_id is not None} - rows.keys()
    return edges, rows


def _by_unit(found: Iterable[F]) -> dict[int, list[F]]:
    by_unit: dict[int, list[F]] = {}
    for row in found:
        by_unit.setdefault(row.unit_id, []).append(row)
    return by_unit


def _place(
    unit_id: int,
    on: date,
    edges: dict[int, list[UnitEdge]],
    names: dict[int, list[UnitName]],
    rows: dict[int, OrgUnit],
) -> Place:
    chain: list[UnitView] = []
    at: int | None = unit_id
    while at is not None and all(at != unit.id for unit in chain):
        name = next((n for n in names.get(at, ()) if in_force(n, on)), None)
        unit = view(rows[at])
        if name is not None:
            unit = replace(unit, name=name.name, short_name=name.short_name, kind=name.kind)
        chain.append(unit)
        edge = next((e for e in edges.get(at, ()) if in_force(e, on)), None)
        at = edge.parent_id if edge is not None else rows[at].parent_id
    path, above = "/", []
    for unit in reversed(chain):
        path = f"{path}{unit.id}/"
        above.append(replace(unit, path=path))
    return Place(tuple(above))
