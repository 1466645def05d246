"""``undo``: hoàn tác; takes back what one earlier change wrote."""

from sqlalchemy.orm import Session

from directory import units
from directory.changes import kind, lines, undo
from directory.changes.kind import About, Kind, Subjects, posts_of
from directory.changes.model import Change, Plan, Spec


def subjects(session: Session, spec: Spec) -> Subjects:
    """Its people, their units, and every place they may come back to; or the tree."""
    if _undone(session, spec).moves_tree:
        units.lock_tree(session)
    held = posts_of(session, spec)
    return Subjects(
        frozenset(spec.users),
        frozenset(h.unit.id for h in held),
        frozenset((h.unit.id, h.position_id) for h in held),
    )


def write(session: Session, plan: Plan, change: Change) -> Plan:
    """As the kind that is undone writes."""
    undone = _undone(session, plan.spec)
    return (undone.write if undone.take_back is not None else lines.write)(session, plan, change)


def _undone(session: Session, spec: Spec) -> Kind:
    return kind.get(session.get_one(Change, spec.undo_of).kind)


KIND = Kind(
    code="undo",
    title="Hoàn tác",
    summary="Undo a change: directory rows come back, sessions and certificates do not.",
    about=About.NONE,
    subjects=subjects,
    plan=undo.plan_undo,
    write=write,
    order=300,
)
