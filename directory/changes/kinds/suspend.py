"""``suspend``: tạm đình chỉ công tác; reversible: assignments stay, access ends."""

from sqlalchemy.orm import Session

from directory.changes import standing
from directory.changes.drafting import Ground
from directory.changes.kind import Kind
from directory.changes.model import Plan, Spec
from directory.changes.table import Event
from directory.people import UserStatus


def plan(session: Session, spec: Spec, ground: Ground) -> Plan:
    """Whoever works is suspended."""
    return standing.plan(
        session, spec, ground, UserStatus.ACTIVE, UserStatus.SUSPENDED, Event.SUSPEND
    )


KIND = Kind(
    code="suspend",
    title="Tạm đình chỉ công tác",
    summary="Suspend USER: access ends, assignments stay.",
    plan=plan,
    undoable=True,
    offered_to=frozenset({UserStatus.ACTIVE}),
    order=30,
)
