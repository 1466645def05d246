"""``unit.create``: new units, from feeds."""

from sqlalchemy.orm import Session

from directory.changes import lines, structure
from directory.changes.kind import About, Kind, of_nobody
from directory.changes.model import Change, Plan


def write(session: Session, plan: Plan, _change: Change) -> Plan:
    """The rows, in order."""
    return lines.with_ids(plan, structure.write_units(session, plan.spec.rows))


KIND = Kind(
    code="unit.create",
    title="Thành lập đơn vị",
    summary="New units.",
    about=About.NONE,
    subjects=of_nobody,
    plan=structure.plan_units,
    write=write,
    moves_tree=True,
    order=200,
)
