"""``sessions.end``: she is signed out everywhere; nothing else of hers changes, and she may sign in again."""

from sqlalchemy.orm import Session

from directory.changes import personal
from directory.changes.drafting import Draft, Ground, people_of, require_over
from directory.changes.kind import Kind
from directory.changes.model import Plan, Spec
from directory.changes.table import Event
from directory.people import UserStatus


def plan(session: Session, spec: Spec, ground: Ground) -> Plan:
    """Whatever she is signed in to ends, today. Raises InvalidInput, NotAllowed."""
    personal.at_once(spec, ground)
    draft = Draft(spec, ground, ordered=False)
    for user, before in people_of(session, spec):
        require_over(ground, before, ground.today)
        draft.person(user, Event.SESSIONS_END, before, [])
    return draft.done(units_touched=set())


KIND = Kind(
    code="sessions.end",
    title="Kết thúc các phiên đăng nhập",
    summary="USER is signed out everywhere; she may sign in again.",
    plan=plan,
    offered_to=frozenset({UserStatus.ACTIVE}),
    order=95,
)
