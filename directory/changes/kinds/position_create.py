"""``position.create``: new entries of the catalogue, from feeds."""

from sqlalchemy.orm import Session

from directory.changes import lines, structure
from directory.changes.kind import About, Kind, of_nobody
from directory.changes.model import Change, Plan


def write(session: Session, plan: Plan, _change: Change) -> Plan:
    """The rows, in order."""
    return lines.with_ids(plan, structure.write_positions(session, plan.spec.rows))


KIND = Kind(
    code="position.create",
    title="Bổ sung danh mục chức vụ",
    summary="New entries of the catalogue.",
    about=About.NONE,
    subjects=of_nobody,
    plan=structure.plan_positions,
    write=write,
    order=210,
)
