"""``resume``: trở lại công tác; a day of leaving that was decided meanwhile stays."""

from sqlalchemy.orm import Session

from directory.changes import standing
from directory.changes.drafting import Ground
from directory.changes.kind import Kind
from directory.changes.model import Plan, Spec
from directory.changes.table import Event
from directory.people import UserStatus


def plan(session: Session, spec: Spec, ground: Ground) -> Plan:
    """Whoever is suspended works again."""
    return standing.plan(
        session, spec, ground, UserStatus.SUSPENDED, UserStatus.ACTIVE, Event.RESUME
    )


KIND = Kind(
    code="resume",
    title="Trở lại công tác",
    summary="End USER's suspension.",
    plan=plan,
    undoable=True,
    offered_to=frozenset({UserStatus.SUSPENDED}),
    order=20,
)
