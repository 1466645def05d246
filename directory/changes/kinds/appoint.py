"""``appoint``: bổ nhiệm, kiêm nhiệm, phụ trách; a further post beside those she holds."""

from typing import Annotated

from sqlalchemy.orm import Session

from directory import assignments
from directory.assignments import HeldAs
from directory.changes import posts, promises
from directory.changes.asks import Ask, Fields, OneOf
from directory.changes.drafting import Draft, Ground, people_of, require_over
from directory.changes.field_types import MaybeDay, PositionRef, UnitRef
from directory.changes.kind import Kind, Subjects, of_taking_up
from directory.changes.model import Plan, Spec
from directory.changes.table import Event
from directory.people import UserStatus

HOW = {
    HeldAs.CONCURRENT.value: "Kiêm nhiệm",
    HeldAs.ACTING.value: "Phụ trách, ủy quyền",
}


class Asks(Fields):
    """The post, how it is held, and its term if it has one."""

    to_unit: Annotated[
        UnitRef,
        Ask(
            "Đơn vị có vị trí",
            says="The unit of the post: id, scheme:code or scheme:code@day.",
            option="--to",
            missing=("to_unit_missing", "Thiếu đơn vị đến."),
        ),
    ]
    position: Annotated[
        PositionRef,
        Ask(
            "Chức vụ, chức danh", says="The position, by its catalogue code.", empty="Chọn chức vụ"
        ),
    ]
    held_as: Annotated[
        str,
        OneOf(HOW),
        Ask(
            "Giữ vị trí",
            says="How the post is held; concurrently when left out.",
            option="--as",
        ),
    ] = HeldAs.CONCURRENT.value
    until: Annotated[
        MaybeDay,
        Ask(
            "Đến trước ngày",
            says="The first day she no longer holds it; left out: no term.",
            help="Để trống nếu không có thời hạn.",
        ),
    ] = None


def subjects(session: Session, spec: Spec) -> Subjects:
    """Everybody, their units and that of the post, and its place."""
    asked = spec.ask(Asks)
    return of_taking_up(session, spec, asked.to_unit, asked.position)


def plan(session: Session, spec: Spec, ground: Ground) -> Plan:
    """What she holds stays; what waits for its day happens on it, and ends this post only where
    she leaves. Raises InvalidInput, NotAllowed.
    """
    asked, on = spec.ask(Asks), spec.effective_on
    draft = Draft(spec, ground)
    unit = posts.destination(session, draft, ground, asked.to_unit)
    position = assignments.get_position(session, asked.position)
    if asked.until is not None and asked.until <= on:
        draft.conflict("term_over", "Thời hạn phải sau ngày hiệu lực.")
    promised = promises.read(session, spec.users, now=ground.now)
    taken = []
    for user, before in people_of(session, spec):
        require_over(ground, before, on)
        if not draft.works(user):
            continue
        taken.append((user, position))
        posts.take_up(
            draft,
            user,
            before,
            promised[user.id],
            posts.Further(
                Event.APPOINT,
                unit,
                position,
                asked.held_as,
                ends=asked.until,
                planned_end=asked.until,
            ),
        )
    posts.refuse_full(session, draft, unit, taken)
    return draft.done(units_touched={unit.id})


KIND = Kind(
    code="appoint",
    title="Bổ nhiệm, kiêm nhiệm",
    summary="USER takes up a further post.",
    asks=Asks,
    subjects=subjects,
    plan=plan,
    undoable=True,
    offered_to=frozenset({UserStatus.ACTIVE}),
    order=50,
)
