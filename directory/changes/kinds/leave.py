"""``leave``: nghỉ hưu, thôi việc, từ trần …"""

from typing import Annotated

from sqlalchemy.orm import Session

from directory.changes import promises
from directory.changes.asks import Ask, Fields, OneOf
from directory.changes.drafting import Draft, Ground, ending_on, people_of, require_over
from directory.changes.kind import Kind
from directory.changes.model import Plan, Spec
from directory.changes.standing import gone
from directory.changes.table import Event
from directory.people import UserStatus
from directory.permissions import Do

REASONS = {
    "retire": "Nghỉ hưu",
    "resign": "Thôi việc",
    "dismiss": "Buộc thôi việc",
    "die": "Từ trần",
    "end_of_contract": "Chấm dứt hợp đồng",
}
_WRONG = "Lý do thôi việc không hợp lệ."


class Asks(Fields):
    """Why she leaves."""

    reason: Annotated[
        str,
        OneOf(REASONS, wrong=_WRONG),
        Ask("Lý do", says="Why she leaves.", empty="Chọn lý do", missing=("invalid", _WRONG)),
    ]


def plan(session: Session, spec: Spec, ground: Ground) -> Plan:
    """Every assignment ends, access ends at that instant.

    It goes over what waits for that day or a later one, and says what it puts aside.
    """
    asked = spec.ask(Asks)
    event = Event.DIE if asked.reason == "die" else Event.LEAVE
    draft = Draft(spec, ground)
    on = spec.effective_on
    touched: set[int] = set()
    promised = promises.read(session, spec.users, now=ground.now)
    for user, before in people_of(session, spec):
        never = [h for h in before if h.valid_from >= on and h.valid_from > ground.today]
        never = [h for h in never if not h.void]
        ending = [h for h in ending_on(before, on) if h not in never]
        require_over(ground, before, on)
        for held in ending:
            ground.rights.require(Do.CHANGE, held.unit.path, missing="source")
        touched.update(held.unit.id for held in (*ending, *never))
        if user.status == UserStatus.LEFT.value or gone(user, ground) or user.has_left(on):
            draft.conflict("already_left", "{name} đã thôi việc.", user, name=user.full_name)
        draft.not_beneath(user, before)
        own = promised[user.id]
        draft.terms(user, ending, own)
        draft.supersede(user, own.from_day(on), never, own)
        draft.person(user, event, before, [*ending, *never], status=UserStatus.LEFT, promised=own)
    return draft.done(units_touched=touched)


KIND = Kind(
    code="leave",
    title="Thôi việc, nghỉ hưu",
    summary="USER leaves the agency.",
    asks=Asks,
    plan=plan,
    undoable=True,
    offered_to=frozenset({UserStatus.ACTIVE, UserStatus.SUSPENDED}),
    order=40,
)
