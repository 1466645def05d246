"""``transfer``: điều động; the primary post ends and another begins elsewhere."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from sqlalchemy.orm import Session

from directory import assignments, units
from directory.assignments import Held, HeldAs, Position
from directory.base.errors import InvalidInput
from directory.changes import posts, promises
from directory.changes.asks import Ask, Fields
from directory.changes.drafting import (
    Draft,
    Ground,
    ending_on,
    people_of,
    primary_on,
    require_over,
)
from directory.changes.field_types import HeldRefs, MaybePosition, UnitRef
from directory.changes.kind import Kind, Subjects, of_taking_up
from directory.changes.model import Plan, Spec
from directory.changes.promises import Promises
from directory.changes.table import Event
from directory.people import User, UserStatus
from directory.permissions import Do
from directory.units import UnitView


class Asks(Fields):
    """Where she goes, as what, and what the decision lets her keep."""

    to_unit: Annotated[
        UnitRef,
        Ask(
            "Đơn vị đến",
            says="The unit: id, scheme:code (gso:14758: whoever bears it on the effective day) or scheme:code@day.",
            option="--to",
            missing=("to_unit_missing", "Thiếu đơn vị đến."),
        ),
    ]
    position: Annotated[
        MaybePosition,
        Ask(
            "Chức vụ, chức danh",
            says="The position's catalogue code; kept when left out.",
            empty="Giữ nguyên chức vụ hiện tại",
        ),
    ] = None
    keep: Annotated[
        HeldRefs,
        Ask(
            "Phân công khác được quyết định giữ lại",
            says="Assignments that would end and the decision keeps.",
            wrong="Danh sách phân công giữ lại không hợp lệ.",
        ),
    ] = ()


def subjects(session: Session, spec: Spec) -> Subjects:
    """Everybody, their units and the destination, and the places they may take there."""
    asked = spec.ask(Asks)
    return of_taking_up(session, spec, asked.to_unit, asked.position)


@dataclass(frozen=True)
class _Move:
    """One person of a transfer: the post she leaves and the position she takes up."""

    user: User
    before: tuple[Held, ...]
    primary: Held
    position: Position
    promised: Promises


def plan(session: Session, spec: Spec, ground: Ground) -> Plan:
    """điều động: each person's primary assignment ends and another begins elsewhere.

    To another legal person every post she holds ends, except those the decision keeps; inside
    the same legal person only the primary one. What waits for a later day stays: the new post
    ends when that begins. Raises InvalidInput, NotAllowed.
    """
    asked = spec.ask(Asks)
    draft = Draft(spec, ground)
    target = posts.destination(session, draft, ground, asked.to_unit)
    moves = _moves(session, spec, ground, draft, target)
    posts.refuse_full(
        session,
        draft,
        target,
        [(m.user, m.position) for m in moves],
        leaving=[m.user.id for m in moves],
    )
    day = max(spec.effective_on, ground.today)  # on which access is cut
    places = units.places(
        session, [(u, day) for u in {target.id, *(move.primary.unit.id for move in moves)}]
    )
    for move in moves:
        within = places[move.primary.unit.id, day].owner.id == places[target.id, day].owner.id
        ending = [move.primary] if within else ending_on(move.before, spec.effective_on, asked.keep)
        for held in ending:
            ground.rights.require(Do.CHANGE, held.unit.path, missing="source")
            if held.id != move.primary.id:
                draft.warn(
                    "post_ends_too",
                    "{name}: {position} tại {unit} cũng kết thúc.",
                    move.user,
                    name=move.user.full_name,
                    position=held.position_name,
                    unit=held.unit.name,
                )
        event = Event.TRANSFER_WITHIN if within else Event.TRANSFER_OTHER
        until, owner = _until(draft, move, target, spec)
        draft.terms(move.user, ending, move.promised)
        draft.person(
            move.user,
            event,
            move.before,
            ending,
            [
                posts.opened(
                    move.user,
                    target,
                    move.position,
                    HeldAs.PRIMARY.value,
                    spec.effective_on,
                    until,
                )
            ],
            promised=move.promised,
            opened_until=owner,
        )
    return draft.done(units_touched={target.id, *(m.primary.unit.id for m in moves)})


def _until(
    draft: Draft, move: _Move, target: UnitView, spec: Spec
) -> tuple[date | None, str | None]:
    """The end of the post she takes up, and the waiting change whose day that is."""
    following = promises.next_begin(move.before, spec.effective_on)
    until, owner = move.user.leaves_on, posts.leave_waiting(move.user, move.promised)
    if following is not None and (until is None or following.valid_from <= until):
        if (following.unit.id, following.position_id) == (target.id, move.position.id):
            draft.waiting(move.user)
        until, owner = following.valid_from, move.promised.opener(following)
    return until, owner if move.promised.is_waiting(owner) else None


def _moves(
    session: Session, spec: Spec, ground: Ground, draft: Draft, target: UnitView
) -> list[_Move]:
    fields = spec.ask(Asks)
    asked = assignments.get_position(session, fields.position) if fields.position else None
    if asked and asked.bloc not in (target.bloc, "other"):
        draft.warn(
            "bloc_differs",
            "Chức vụ {name} thường thuộc khối khác với đơn vị đến.",
            name=asked.name,
        )
    moves, keep = [], set(fields.keep)
    promised = promises.read(session, spec.users, now=ground.now)
    for user, before in people_of(session, spec):
        keep -= {h.id for h in before if h.in_force(spec.effective_on)}
        require_over(ground, before, spec.effective_on)
        if not draft.movable(user, before, promised[user.id]):
            continue
        primary = primary_on(before, spec.effective_on)
        if primary is None:
            draft.conflict(
                "no_primary",
                "{name} không có phân công chính vào ngày hiệu lực.",
                user,
                name=user.full_name,
            )
            continue
        if primary.id in fields.keep:
            draft.conflict(
                "keep_primary",
                "{name} không thể giữ lại phân công chính mà mình rời đi.",
                user,
                name=user.full_name,
            )
            continue
        position = asked or assignments.get_position(session, primary.position_id)
        if (primary.unit.id, primary.position_id) == (target.id, position.id):
            draft.conflict("no_change", "{name} đã giữ đúng vị trí này.", user, name=user.full_name)
        moves.append(_Move(user, before, primary, position, promised[user.id]))
    if keep:
        raise InvalidInput("keep", "Danh sách phân công giữ lại không hợp lệ.", field="keep")
    return moves


KIND = Kind(
    code="transfer",
    title="Điều động",
    summary="Move USER to another unit.",
    asks=Asks,
    subjects=subjects,
    plan=plan,
    undoable=True,
    offered_to=frozenset({UserStatus.ACTIVE}),
    order=20,
    icon="switch",
)
