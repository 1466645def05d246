"""Planners of changes to people who exist: transfer, suspend, resume, leave. They only read.

Each takes what the door has gathered (``Ground``) and gives lines, people, warnings and
conflicts. Rights are asked for here, so that a preview refuses what a commit would refuse.
"""

from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from directory import assignments, units
from directory.assignments import Held, Kind, Position
from directory.base.errors import InvalidInput
from directory.changes import promises
from directory.changes.drafting import (
    Draft,
    Ground,
    ending_on,
    people_of,
    primary_on,
    require_over,
)
from directory.changes.model import ChangeKind, Plan, Spec
from directory.changes.promises import Promises
from directory.changes.table import Event
from directory.people import User, UserStatus
from directory.permissions import Do
from directory.units import UnitView


@dataclass(frozen=True)
class _Move:
    """One person of a transfer: the post she leaves and the position she takes up."""

    user: User
    before: tuple[Held, ...]
    primary: Held
    position: Position
    promised: Promises


def plan_transfer(session: Session, spec: Spec, ground: Ground) -> Plan:
    """điều động: each person's primary assignment ends and another begins elsewhere.

    To another legal person every post she holds ends, except those the decision keeps; inside
    the same legal person only the primary one. What waits for a later day stays: the new post
    ends when that begins. Raises InvalidInput, NotAllowed.
    """
    if spec.to_unit is None:
        raise InvalidInput("to_unit_missing", "Thiếu đơn vị đến.", field="to_unit")
    destination = units.get(session, spec.to_unit)
    ground.rights.require(Do.CHANGE, destination.path, missing="destination")
    plan = Draft(spec, ground)
    if destination.valid_to is not None and destination.valid_to <= spec.effective_on:
        plan.conflict("unit_closed", "Đơn vị đến không còn hoạt động vào ngày hiệu lực.")
    target = units.view(destination)
    moves = _moves(session, spec, ground, plan, target)
    _refuse_full_posts(session, spec, plan, target, moves)
    body = units.legal_person_of(session, destination).id
    for move in moves:
        source = units.get(session, move.primary.unit.id)
        within = units.legal_person_of(session, source).id == body
        ending = [move.primary] if within else ending_on(move.before, spec)
        for held in ending:
            ground.rights.require(Do.CHANGE, held.unit.path, missing="source")
            if held.id != move.primary.id:
                plan.warn(
                    "post_ends_too",
                    "{name}: {position} tại {unit} cũng kết thúc.",
                    move.user,
                    name=move.user.full_name,
                    position=held.position_name,
                    unit=held.unit.name,
                )
        event = Event.TRANSFER_WITHIN if within else Event.TRANSFER_OTHER
        until, owner = _until(plan, move, target, spec)
        plan.terms(move.user, ending, move.promised)
        plan.person(
            move.user,
            event,
            move.before,
            ending,
            _opened(move, target, spec, until),
            promised=move.promised,
            opened_until=owner,
        )
    return plan.done(units_touched={target.id, *(m.primary.unit.id for m in moves)})


def _until(
    plan: Draft, move: _Move, target: UnitView, spec: Spec
) -> tuple[date | None, str | None]:
    """The end of the post she takes up, and the waiting change whose day that is."""
    following = promises.next_begin(move.before, spec.effective_on)
    until, owner = move.user.leaves_on, None
    if until is not None:
        leave = [w for w in move.promised.waiting if w.kind == ChangeKind.LEAVE]
        owner = next((w.id for w in leave if w.effective_on == until), None)
    if following is not None and (until is None or following.valid_from <= until):
        if (following.unit.id, following.position_id) == (target.id, move.position.id):
            plan.waiting(move.user)
        until, owner = following.valid_from, move.promised.opener(following)
    return until, owner if move.promised.is_waiting(owner) else None


def _moves(
    session: Session, spec: Spec, ground: Ground, plan: Draft, target: UnitView
) -> list[_Move]:
    asked = assignments.get_position(session, spec.position) if spec.position else None
    if asked and asked.bloc not in (target.bloc, "other"):
        plan.warn(
            "bloc_differs",
            "Chức vụ {name} thường thuộc khối khác với đơn vị đến.",
            name=asked.name,
        )
    moves, keep = [], set(spec.keep)
    promised = promises.read(session, spec.users, now=ground.now)
    for user, before in people_of(session, spec):
        keep -= {h.id for h in before if h.in_force(spec.effective_on)}
        require_over(ground, before, spec.effective_on)
        if not plan.movable(user, before, promised[user.id]):
            continue
        primary = primary_on(before, spec.effective_on)
        if primary is None:
            plan.conflict(
                "no_primary",
                "{name} không có phân công chính vào ngày hiệu lực.",
                user,
                name=user.full_name,
            )
            continue
        if primary.id in spec.keep:
            plan.conflict(
                "keep_primary",
                "{name} không thể giữ lại phân công chính mà mình rời đi.",
                user,
                name=user.full_name,
            )
            continue
        position = asked or assignments.get_position(session, primary.position_id)
        if (primary.unit.id, primary.position_id) == (target.id, position.id):
            plan.conflict("no_change", "{name} đã giữ đúng vị trí này.", user, name=user.full_name)
        moves.append(_Move(user, before, primary, position, promised[user.id]))
    if keep:
        raise InvalidInput("keep", "Danh sách phân công giữ lại không hợp lệ.", field="keep")
    return moves


def _refuse_full_posts(
    session: Session, spec: Spec, plan: Draft, target: UnitView, moves: list[_Move]
) -> None:
    left = assignments.places_left(
        session,
        [(target.id, m.position.id) for m in moves],
        spec.effective_on,
        leaving=[m.user.id for m in moves],
    )
    for move in moves:
        pair = (target.id, move.position.id)
        if pair not in left:
            continue
        left[pair] -= 1
        if left[pair] < 0:
            plan.conflict(
                "post_full",
                "{unit} đã đủ số lượng {position}.",
                move.user,
                unit=target.name,
                position=move.position.name,
            )


def _opened(move: _Move, target: UnitView, spec: Spec, until: date | None) -> Held:
    """The post she takes up; a negative id until a commit writes it."""
    return Held(
        -move.user.id,
        move.user.id,
        Kind.PRIMARY.value,
        spec.effective_on,
        until,
        target,
        move.position.id,
        move.position.code,
        move.position.name,
        move.position.rank,
        move.position.leadership,
    )


def plan_suspend(session: Session, spec: Spec, ground: Ground) -> Plan:
    """tạm đình chỉ công tác: reversible; assignments stay, access ends."""
    return _status_change(
        session, spec, ground, UserStatus.ACTIVE, UserStatus.SUSPENDED, Event.SUSPEND
    )


def plan_resume(session: Session, spec: Spec, ground: Ground) -> Plan:
    """End of a suspension. A day of leaving that was decided meanwhile stays."""
    return _status_change(
        session, spec, ground, UserStatus.SUSPENDED, UserStatus.ACTIVE, Event.RESUME
    )


def _status_change(
    session: Session,
    spec: Spec,
    ground: Ground,
    expected: UserStatus,
    target: UserStatus,
    event: Event,
) -> Plan:
    if spec.effective_on > ground.today:
        raise InvalidInput(
            "not_in_future",
            "Việc này có hiệu lực ngay, không đặt ngày sau hôm nay.",
            field="effective_on",
        )
    plan = Draft(spec, ground)
    for user, before in people_of(session, spec):
        # It takes effect now, whatever day the decision names: a former officer has no say.
        require_over(ground, before, ground.today)
        if user.status != expected.value or _gone(user, ground):
            plan.conflict(
                "wrong_status",
                "Trạng thái hiện tại của {name} không cho phép việc này.",
                user,
                name=user.full_name,
            )
        plan.person(user, event, before, [], None, status=target)
    return plan.done(units_touched=set())


def _gone(user: User, ground: Ground) -> bool:
    """Whether her day of leaving has come, whatever her status still says."""
    return user.leaves_on is not None and user.leaves_on <= ground.today


LEAVE_REASONS = {
    "retire": "Nghỉ hưu",
    "resign": "Thôi việc",
    "dismiss": "Buộc thôi việc",
    "die": "Từ trần",
    "end_of_contract": "Chấm dứt hợp đồng",
}


def plan_leave(session: Session, spec: Spec, ground: Ground) -> Plan:
    """nghỉ hưu, thôi việc, từ trần …: every assignment ends, access ends at that instant.

    It goes over what waits for that day or a later one, and says what it puts aside.
    """
    if spec.reason not in LEAVE_REASONS:
        raise InvalidInput("reason", "Lý do thôi việc không hợp lệ.", field="reason")
    event = Event.DIE if spec.reason == "die" else Event.LEAVE
    plan = Draft(spec, ground)
    on = spec.effective_on
    touched: set[int] = set()
    promised = promises.read(session, spec.users, now=ground.now)
    for user, before in people_of(session, spec):
        never = [h for h in before if h.valid_from >= on and h.valid_from > ground.today]
        never = [h for h in never if not h.void]
        ending = [h for h in ending_on(before, spec) if h not in never]
        require_over(ground, before, on)
        for held in ending:
            ground.rights.require(Do.CHANGE, held.unit.path, missing="source")
        touched.update(held.unit.id for held in (*ending, *never))
        if (
            user.status == UserStatus.LEFT.value
            or _gone(user, ground)
            or (user.leaves_on is not None and user.leaves_on <= on)
        ):
            plan.conflict("already_left", "{name} đã thôi việc.", user, name=user.full_name)
        plan.not_beneath(user, before)
        own = promised[user.id]
        plan.terms(user, ending, own)
        plan.supersede(user, own.from_day(on), never, own)
        plan.person(
            user, event, before, [*ending, *never], None, status=UserStatus.LEFT, promised=own
        )
    return plan.done(units_touched=touched)
