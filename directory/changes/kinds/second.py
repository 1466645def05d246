"""``second``: biệt phái; she serves in another unit for a term and stays on her own payroll."""

from typing import Annotated

from sqlalchemy.orm import Session

from directory import assignments
from directory.assignments import HeldAs
from directory.changes import posts, promises
from directory.changes.asks import Ask, Fields
from directory.changes.drafting import Draft, Ground, people_of, primary_on, require_over
from directory.changes.field_types import MaybeDay, MaybePosition, UnitRef
from directory.changes.kind import Kind, Subjects, of_taking_up
from directory.changes.model import Plan, Spec
from directory.changes.table import Event
from directory.people import UserStatus


class Asks(Fields):
    """Where to, as what, and until when it is meant to last."""

    to_unit: Annotated[
        UnitRef,
        Ask(
            "Đơn vị đến biệt phái",
            says="The unit she serves in: id, scheme:code or scheme:code@day.",
            option="--to",
            missing=("to_unit_missing", "Thiếu đơn vị đến."),
        ),
    ]
    position: Annotated[
        MaybePosition,
        Ask(
            "Chức vụ, chức danh",
            says="The position's catalogue code; her own when left out.",
            empty="Giữ nguyên chức vụ hiện tại",
        ),
    ] = None
    planned_end: Annotated[
        MaybeDay,
        Ask(
            "Dự kiến đến trước ngày",
            says="The day it is meant to end; it ends by a return.",
            help="Biệt phái kết thúc khi ghi việc trở lại.",
        ),
    ] = None


def subjects(session: Session, spec: Spec) -> Subjects:
    """Everybody, their units and the destination, and the places they may take there."""
    asked = spec.ask(Asks)
    return of_taking_up(session, spec, asked.to_unit, asked.position)


def plan(session: Session, spec: Spec, ground: Ground) -> Plan:
    """The post at home stays; what acts in it now ends, and she may act in either from then on.

    Raises InvalidInput, NotAllowed.
    """
    asked, on = spec.ask(Asks), spec.effective_on
    draft = Draft(spec, ground)
    unit = posts.destination(session, draft, ground, asked.to_unit)
    if asked.planned_end is not None and asked.planned_end <= on:
        draft.conflict("term_over", "Thời hạn phải sau ngày hiệu lực.")
    wanted = assignments.get_position(session, asked.position) if asked.position else None
    promised = promises.read(session, spec.users, now=ground.now)
    taken = []
    for user, before in people_of(session, spec):
        require_over(ground, before, on)
        if not draft.works(user):
            continue
        home = primary_on(before, on)
        if home is None:
            draft.conflict(
                "no_primary",
                "{name} không có phân công chính vào ngày hiệu lực.",
                user,
                name=user.full_name,
            )
            continue
        position = wanted or assignments.get_position(session, home.position_id)
        if any(h.kind == HeldAs.SECONDMENT and posts.lasts(h, on) for h in before):
            draft.conflict(
                "already_seconded",
                "{name} đang được biệt phái; hãy ghi việc trở lại trước.",
                user,
                name=user.full_name,
            )
        taken.append((user, position))
        posts.take_up(
            draft,
            user,
            before,
            promised[user.id],
            posts.Further(
                Event.SECOND,
                unit,
                position,
                HeldAs.SECONDMENT.value,
                planned_end=asked.planned_end,
                paused=home,
            ),
        )
    posts.refuse_full(session, draft, unit, taken)
    return draft.done(units_touched={unit.id})


KIND = Kind(
    code="second",
    title="Biệt phái",
    summary="USER serves in another unit and keeps her post.",
    asks=Asks,
    subjects=subjects,
    plan=plan,
    undoable=True,
    offered_to=frozenset({UserStatus.ACTIVE}),
    order=60,
)
