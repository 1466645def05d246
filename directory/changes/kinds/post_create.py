"""``post.create``: headcounts of positions in units, from feeds."""

from sqlalchemy.orm import Session

from directory.changes import lines, structure
from directory.changes.kind import About, Kind, of_nobody
from directory.changes.model import Change, Plan


def write(session: Session, plan: Plan, _change: Change) -> Plan:
    """The rows, in order."""
    return lines.with_ids(plan, structure.write_posts(session, plan.spec.rows))


KIND = Kind(
    code="post.create",
    title="Giao biên chế",
    summary="Headcounts of positions in units.",
    about=About.NONE,
    subjects=of_nobody,
    plan=structure.plan_posts,
    write=write,
    order=220,
)
