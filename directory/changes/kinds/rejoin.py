"""``rejoin``: nhận lại; somebody who has left serves again, as the person she was."""

from datetime import date
from typing import Annotated

from sqlalchemy.orm import Session

from directory import assignments
from directory.assignments import HeldAs
from directory.changes import addresses, personal, posts, returning
from directory.changes.asks import Ask, Fields
from directory.changes.drafting import Draft, Ground, people_of, require_over, said
from directory.changes.field_types import PositionRef, UnitRef
from directory.changes.kind import Kind, Subjects, of_taking_up
from directory.changes.model import Plan, Spec
from directory.people import User, UserStatus
from directory.permissions import Do


class Asks(Fields):
    """Her post from now on."""

    to_unit: Annotated[
        UnitRef, Ask("Đơn vị tiếp nhận", says="The unit she comes back to.", option="--to")
    ]
    position: Annotated[
        PositionRef,
        Ask(
            "Chức vụ, chức danh",
            says="Her position, by its catalogue code.",
            empty="Chọn chức vụ",
        ),
    ]


def subjects(session: Session, spec: Spec) -> Subjects:
    """Everybody, their units and that of the post, and its place."""
    asked = spec.ask(Asks)
    return of_taking_up(session, spec, asked.to_unit, asked.position)


def plan(session: Session, spec: Spec, ground: Ground) -> Plan:
    """The same as a join by her citizen number. Both sides must be the asker's: where she was last,
    and where she comes. Raises InvalidInput, NotAllowed.
    """
    asked, on = spec.ask(Asks), spec.effective_on
    personal.one_only(spec)
    draft = Draft(spec, ground)
    unit = posts.destination(session, draft, ground, asked.to_unit)
    position = assignments.get_position(session, asked.position)
    taken = []
    for user, before in people_of(session, spec):
        if before:
            require_over(ground, before, on)
        else:
            written = returning.never_served(session, {user.id: before})
            for path in returning.sources(before, written[user.id]):
                ground.rights.require(Do.CHANGE, path, missing="source")
        if not returning.is_gone(user, ground.today):
            _refuse(draft, user, assignments.begins_on(before, ground.today))
            continue
        taken.append((user, position))
        dead = returning.recorded_dead(session, [user.id])
        draft.conflicts += returning.hindrances(user, on, dead)
        draft.warnings.append(returning.told(user))
        post = posts.opened(user, unit, position, HeldAs.PRIMARY.value, on, None)
        draft.come_back(returning.person(user, before, [post]), returning.line(user, {}), post)
        hers = {"row": None, "user": user.id}
        address = {"email": user.email, "full_name": user.full_name}
        draft.warnings += addresses.shared(session, [hers | {"person": address}], ground)
    posts.refuse_full(session, draft, unit, taken)
    return draft.done(units_touched={unit.id})


def _refuse(draft: Draft, user: User, begins: date | None) -> None:
    """She is in service, or comes back on a day by another change already."""
    if begins is None:
        told = "{name} đang công tác; hãy điều động hoặc bổ nhiệm."
        draft.conflict("not_left", told, user, name=user.full_name)
    else:
        told = (
            "{name} đã được nhận, công tác từ ngày {day}; muốn đổi, hãy hoàn tác thay đổi ấy trước."
        )
        draft.conflict("not_left", told, user, name=user.full_name, day=said(begins))


KIND = Kind(
    code="rejoin",
    title="Nhận lại",
    summary="USER, who has left, serves again as the person she was.",
    asks=Asks,
    subjects=subjects,
    plan=plan,
    undoable=True,
    offered_to=frozenset({UserStatus.LEFT}),
    order=12,
)
