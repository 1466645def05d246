"""The tree as it is today, by the path, and as it was or is going to be, by the dated edges."""

from datetime import date

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from directory.base.rows import in_force
from directory.units.unit_rows import OrgUnit, UnitEdge


def subtree(path: str) -> ColumnElement[bool]:
    """The condition "in this unit or below it" as a prefix range that an index serves."""
    return OrgUnit.path.like(path + "%")


def legal_person_of(session: Session, unit: OrgUnit) -> OrgUnit:
    """The nearest unit at or above this one that is a legal person; the root if none is."""
    rows = session.scalars(
        select(OrgUnit).where(OrgUnit.id.in_(unit.ancestor_ids)).order_by(func.length(OrgUnit.path))
    ).all()
    return next((u for u in reversed(rows) if u.legal_person), rows[0])


def tree_as_of(session: Session, on: date) -> list[tuple[int, int | None]]:
    """(unit, parent) edges in force on a day, from the dated edges: the truth, not the path."""
    return [
        (unit_id, parent_id)
        for unit_id, parent_id in session.execute(
            select(UnitEdge.unit_id, UnitEdge.parent_id).where(in_force(UnitEdge, on))
        )
    ]
