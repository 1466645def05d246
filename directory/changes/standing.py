"""Suspension and its end: a status that changes at once, and what leaving means for it."""

from sqlalchemy.orm import Session

from directory.base.errors import InvalidInput
from directory.changes.drafting import Draft, Ground, people_of, require_over
from directory.changes.model import Plan, Spec
from directory.changes.table import Event
from directory.people import User, UserStatus


def plan(
    session: Session,
    spec: Spec,
    ground: Ground,
    expected: UserStatus,
    target: UserStatus,
    event: Event,
) -> Plan:
    """Everybody of one status gets another, today. Raises InvalidInput, NotAllowed."""
    if spec.effective_on > ground.today:
        raise InvalidInput(
            "not_in_future",
            "Việc này có hiệu lực ngay, không đặt ngày sau hôm nay.",
            field="effective_on",
        )
    draft = Draft(spec, ground)
    for user, before in people_of(session, spec):
        # It takes effect now, whatever day the decision names: a former officer has no say.
        require_over(ground, before, ground.today)
        if user.status != expected.value or gone(user, ground):
            draft.conflict(
                "wrong_status",
                "Trạng thái hiện tại của {name} không cho phép việc này.",
                user,
                name=user.full_name,
            )
        draft.person(user, event, before, [], status=target)
    return draft.done(units_touched=set())


def gone(user: User, ground: Ground) -> bool:
    """Whether her day of leaving has come, whatever her status still says."""
    return user.has_left(ground.today)
