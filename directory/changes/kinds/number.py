"""``number``: another citizen number, or the first that is known. She is somebody else than was thought:
what rests on the old number ends, and a second person always has a look.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from sqlalchemy import case, select, update
from sqlalchemy.orm import Session

from directory import eid_links
from directory.base.audit import Actor
from directory.changes import lines, personal
from directory.changes.asks import Ask, Fields
from directory.changes.drafting import Draft, Ground, people_of, require_over
from directory.changes.field_types import CitizenNumber
from directory.changes.kind import Kind
from directory.changes.model import Change, Line, Plan, Spec
from directory.changes.table import Event
from directory.people import User, UserStatus
from directory.permissions import visible_people

_FORMS = ("citizen_hash", "citizen_sealed", "citizen_masked")


class Asks(Fields):
    """The number she has by her papers."""

    citizen_number: Annotated[
        CitizenNumber,
        Ask(
            "Số định danh cá nhân",
            says="Her personal identification number: twelve digits.",
            help="Việc này luôn cần người thứ hai phê duyệt.",
            secret=True,
        ),
    ]


def plan(session: Session, spec: Spec, ground: Ground) -> Plan:
    """The number replaces what was, unless it is somebody's. Of two files of one person this makes
    no one. Raises InvalidInput, NotAllowed.
    """
    personal.at_once(spec, ground)
    said = _said(spec)
    draft = Draft(spec, ground)
    for user, before in people_of(session, spec):
        require_over(ground, before, ground.today)
        number = said[user.id]
        if user.citizen_hash == number["citizen_hash"]:
            personal.nothing(draft, user)
        _refuse_known(session, draft, ground, user, number["citizen_hash"])
        event = Event.NUMBER if user.citizen_hash else Event.NUMBER_ADDED
        if event == Event.NUMBER and user.eid_subject:
            draft.warn(
                "eid_unlinked",
                "{name}: liên kết định danh điện tử bị gỡ.",
                user,
                name=user.full_name,
            )
        draft.person(user, event, before, [])
        draft.lines.append(
            Line(
                "users",
                "update",
                user.id,
                user.id,
                None,
                user.full_name,
                {"citizen_number": user.citizen_masked},
                {"citizen_number": number["citizen_masked"]},
            )
        )
    return draft.done(units_touched=set())


def _said(spec: Spec) -> dict[int, Mapping[str, Any]]:
    """The three stored forms of the number, by person."""
    if spec.rows:
        return {row["user"]: row["said"] for row in spec.rows}
    personal.one_only(spec)
    number = spec.ask(Asks).citizen_number or {}
    return dict.fromkeys(spec.users, number)


def _refuse_known(
    session: Session, draft: Draft, ground: Ground, user: User, digest: str | None
) -> None:
    seen = visible_people(ground.rights, ground.today)
    other = session.execute(
        select(User.id, case((seen, User.full_name)).label("name")).where(
            User.citizen_hash == digest, User.id != user.id
        )
    ).one_or_none()
    if other is None:
        return
    if other.name is None:  # whose number it is is told to nobody who may not see that person
        draft.conflict(
            "number_taken",
            "Số định danh này thuộc về một người ngoài phạm vi của bạn; hãy hỏi quản trị viên.",
            user,
        )
        return
    draft.conflict(
        "number_taken",
        "Số định danh này đã là của {name}; hai hồ sơ có thể là của một người.",
        user,
        name=other.name,
    )


def write(session: Session, plan: Plan, change: Change) -> Plan:
    """The number in its three stored forms; a link to an electronic identity went with the old."""
    said = _said(plan.spec)
    for person in plan.people:
        columns = {name: said[person.id][name] for name in _FORMS}
        session.execute(update(User).where(User.id == person.id).values(**columns))
    ended = [person.id for person in plan.people if person.event == Event.NUMBER]
    actor = Actor(change.actor_kind, change.actor_id, change.actor_label)
    eid_links.end(
        session, ended, why=f"change:{change.id}", now=plan.now, actor=actor, change_id=change.id
    )
    return lines.write(session, plan, change)


def fed(user: User, brought: Mapping[str, Any]) -> Mapping[str, Any]:
    """A later load brings a number where none is known; another one wants a decision."""
    if "citizen_hash" not in brought or user.citizen_hash is not None:
        return {}
    return {name: brought[name] for name in _FORMS}


KIND = Kind(
    code="number",
    title="Đổi số định danh cá nhân",
    summary="USER has another personal identification number.",
    asks=Asks,
    plan=plan,
    write=write,
    fed=fed,
    needs_approval=True,
    offered_to=frozenset({UserStatus.ACTIVE, UserStatus.SUSPENDED}),
    order=75,
)
