"""``undo``: hoàn tác; takes back what one earlier change wrote."""

from sqlalchemy.orm import Session

from directory.changes import undo
from directory.changes.kind import About, Kind, Subjects, posts_of
from directory.changes.model import Spec


def subjects(session: Session, spec: Spec) -> Subjects:
    """Its people, their units, and every place they may come back to."""
    held = posts_of(session, spec)
    return Subjects(
        frozenset(spec.users),
        frozenset(h.unit.id for h in held),
        frozenset((h.unit.id, h.position_id) for h in held),
    )


KIND = Kind(
    code="undo",
    title="Hoàn tác",
    summary="Undo a change: directory rows come back, sessions and certificates do not.",
    about=About.NONE,
    subjects=subjects,
    plan=undo.plan_undo,
    order=300,
)
