"""Planners of changes to people who exist: transfer, suspend, resume, leave. They only read.

Each takes what the door has gathered (``Ground``) and gives lines, people, warnings and
conflicts. Rights are asked for here, so that a preview refuses what a commit would refuse.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from directory import assignments, people, units
from directory.assignments import Held, Kind
from directory.base.clock import local_day
from directory.base.errors import InvalidInput
from directory.changes.model import Line, Notice, Person, Plan, Spec
from directory.effects import Event
from directory.entitlements import Rulebook
from directory.people import User, UserStatus
from directory.permissions import Do, Rights


@dataclass(frozen=True)
class Ground:
    """What every planner stands on."""

    now: datetime
    rights: Rights
    rulebook: Rulebook

    @property
    def today(self) -> date:
        """Today in Viet Nam."""
        return local_day(self.now)


def plan_transfer(session: Session, spec: Spec, ground: Ground) -> Plan:
    """điều động: each person's primary assignment ends and another begins elsewhere.

    To another legal person every post she holds ends, except those the decision keeps; inside
    the same legal person only the primary one. Raises InvalidInput, NotAllowed.
    """
    if spec.to_unit is None:
        raise InvalidInput("to_unit_missing", "Thiếu đơn vị đến.", field="to_unit")
    destination = units.get(session, spec.to_unit)
    ground.rights.require(Do.CHANGE, destination.path, missing="destination")
    target = units.view(destination)
    target_body = units.legal_person_of(session, destination).id
    plan = _Draft(spec, ground)
    if destination.valid_to is not None and destination.valid_to <= spec.effective_on:
        plan.conflict("unit_closed", "Đơn vị đến không còn hoạt động vào ngày hiệu lực.")
    asked = assignments.get_position(session, spec.position) if spec.position else None
    if asked and asked.bloc not in (destination.bloc, "other"):
        plan.warn("bloc_differs", "Chức vụ {name} thường thuộc khối khác với đơn vị đến.", name=asked.name)
    moving: list[tuple[User, tuple[Held, ...], Held, int]] = []
    for user, before in _people(session, spec):
        primary = _primary_on(before, spec.effective_on)
        if primary is None:
            plan.conflict("no_primary", "{name} không có phân công chính vào ngày hiệu lực.", user, name=user.full_name)
            continue
        ground.rights.require(Do.CHANGE, primary.unit.path, missing="source")
        plan.usable(user, before)
        position_id = asked.id if asked else primary.position_id
        if (primary.unit.id, primary.position_id) == (target.id, position_id):
            plan.conflict("no_change", "{name} đã giữ đúng vị trí này.", user, name=user.full_name)
        moving.append((user, before, primary, position_id))
    left = assignments.places_left(
        session,
        [(target.id, position_id) for *_, position_id in moving],
        spec.effective_on,
        leaving=[user.id for user, *_ in moving],
    )
    for user, before, primary, position_id in moving:
        position = asked or assignments.get_position(session, position_id)
        if (pair := (target.id, position_id)) in left:
            left[pair] -= 1
            if left[pair] < 0:
                plan.conflict("post_full", "{unit} đã đủ số lượng {position}.", user, unit=target.name, position=position.name)
        source = units.get(session, primary.unit.id)
        same_body = units.legal_person_of(session, source).id == target_body
        event = Event.TRANSFER_WITHIN if same_body else Event.TRANSFER_OTHER
        ending = [primary] if same_body else _open_after(before, spec)
        for held in ending:
            ground.rights.require(Do.CHANGE, held.unit.path, missing="source")
            if held.id != primary.id:
                plan.warn("post_ends_too", "{name}: {position} tại {unit} cũng kết thúc.", user, name=user.full_name, position=held.position_name, unit=held.unit.name)
        opened = Held(
            -user.id,
            user.id,
            Kind.PRIMARY.value,
            spec.effective_on,
            None,
            target,
            position.id,
            position.code,
            position.name,
            position.rank,
            position.leadership,
        )
        plan.person(user, event, before, ending, opened)
    return plan.done(units_touched={target.id, *(p.unit.id for _, _, p, _ in moving)})


def plan_suspend(session: Session, spec: Spec, ground: Ground) -> Plan:
    """tạm đình chỉ công tác: reversible; assignments stay, access ends."""
    return _status_change(
        session, spec, ground, UserStatus.ACTIVE, UserStatus.SUSPENDED, Event.SUSPEND
    )


def plan_resume(session: Session, spec: Spec, ground: Ground) -> Plan:
    """End of a suspension."""
    return _status_change(
        session, spec, ground, UserStatus.SUSPENDED, UserStatus.ACTIVE, Event.RESUME
    )


def _status_change(  # noqa: PLR0913 (two statuses and an event are the whole difference)
    session: Session,
    spec: Spec,
    ground: Ground,
    expected: UserStatus,
    target: UserStatus,
    event: Event,
) -> Plan:
    if spec.effective_on > ground.today:
        raise InvalidInput(
            "not_in_future", "Việc này có hiệu lực ngay, không đặt ngày sau hôm nay.", field="effective_on"
        )
    plan = _Draft(spec, ground)
    for user, before in _people(session, spec):
        _require_over(ground.rights, before, spec.effective_on)
        if user.status != expected.value:
            plan.conflict("wrong_status", "Trạng thái hiện tại của {name} không cho phép việc này.", user, name=user.full_name)
        plan.person(user, event, before, [], None, status=target)
    return plan.done(units_touched=set())


LEAVE_REASONS = {
    "retire": "Nghỉ hưu",
    "resign": "Thôi việc",
    "dismiss": "Buộc thôi việc",
    "die": "Từ trần",
    "end_of_contract": "Chấm dứt hợp đồng",
}


def plan_leave(session: Session, spec: Spec, ground: Ground) -> Plan:
    """nghỉ hưu, thôi việc, từ trần …: every assignment ends, access ends at that instant."""
    if spec.reason not in LEAVE_REASONS:
        raise InvalidInput("reason", "Lý do thôi việc không hợp lệ.", field="reason")
    event = Event.DIE if spec.reason == "die" else Event.LEAVE
    plan = _Draft(spec, ground)
    touched: set[int] = set()
    for user, before in _people(session, spec):
        ending = _open_after(before, spec)
        _require_over(ground.rights, before, spec.effective_on)
        for held in ending:
            ground.rights.require(Do.CHANGE, held.unit.path, missing="source")
            touched.add(held.unit.id)
        if user.status == UserStatus.LEFT.value or user.leaves_on is not None:
            plan.conflict("already_left", "{name} đã thôi việc.", user, name=user.full_name)
        plan.started(user, before)
        plan.person(user, event, before, ending, None, status=UserStatus.LEFT)
    return plan.done(units_touched=touched)


# ---------------------------------------------------------------------- drafting


def _people(session: Session, spec: Spec) -> Iterable[tuple[User, tuple[Held, ...]]]:
    if not spec.users:
        raise InvalidInput("users_missing", "Thiếu người cần thay đổi.", field="user")
    timelines = assignments.timeline(session, spec.users)
    for user_id in spec.users:
        yield people.get(session, user_id), tuple(timelines[user_id])


def _primary_on(before: Iterable[Held], on: date) -> Held | None:
    """The open primary post that a change on that day would end (it may start that very day)."""
    return next((h for h in before if h.kind == Kind.PRIMARY and h.in_force(on)), None)


def _open_after(before: Iterable[Held], spec: Spec) -> list[Held]:
    return [
        h
        for h in before
        if (h.valid_to is None or h.valid_to > spec.effective_on) and h.id not in spec.keep
    ]


def _require_over(rights: Rights, before: tuple[Held, ...], on: date) -> None:
    """The right over the person: over her primary unit, or the installation if she has none."""
    primary = _primary_on(before, on) or (before[-1] if before else None)
    rights.require(Do.CHANGE, primary.unit.path if primary else None, missing="source")


class _Draft:
    """Collects what a planner finds."""

    def __init__(self, spec: Spec, ground: Ground) -> None:
        self.spec = spec
        self.ground = ground
        self.people: list[Person] = []
        self.lines: list[Line] = []
        self.warnings: list[Notice] = []
        self.conflicts: list[Notice] = []
        if spec.effective_on < ground.today:
            self.warn("back_dated", "Ngày hiệu lực đã qua: quyền truy cập bị cắt khi xác nhận.")
        if spec.decision is None:
            self.warn("no_decision", "Chưa ghi số, ngày và cơ quan ban hành quyết định.")

    def warn(self, code: str, message: str, user: User | None = None, **args: Any) -> None:
        self.warnings.append(Notice(code, message, user.id if user else None, args=args))

    def conflict(self, code: str, message: str, user: User | None = None, **args: Any) -> None:
        self.conflicts.append(Notice(code, message, user.id if user else None, args=args))

    def usable(self, user: User, before: tuple[Held, ...]) -> None:
        """Only an active person without a change that waits for its day can be moved."""
        if user.status != UserStatus.ACTIVE.value:
            self.conflict("not_active", "{name} đang bị đình chỉ hoặc đã thôi việc.", user, name=user.full_name)
        if user.leaves_on is not None:
            self.conflict("already_left", "{name} đã thôi việc.", user, name=user.full_name)
        self.started(user, before)

    def started(self, user: User, before: tuple[Held, ...]) -> None:
        """A change waiting for its day must be undone before another is planned over it."""
        after = self.spec.effective_on
        if any(h.valid_from > after for h in before) or any(
            h.kind == Kind.PRIMARY and h.valid_to is not None and h.valid_to > max(after, self.ground.today)
            for h in before
        ):
            self.conflict("waiting_change", "{name} đã có thay đổi đang chờ đến ngày hiệu lực.", user, name=user.full_name)

    def person(  # noqa: PLR0913 (what a planner knows of one person)
        self,
        user: User,
        event: Event,
        before: tuple[Held, ...],
        ending: list[Held],
        opened: Held | None,
        status: UserStatus | None = None,
    ) -> None:
        """Write down what happens to one person and the directory lines it takes."""
        end = self.spec.effective_on
        closed = {h.id for h in ending}
        after = tuple(replace(h, valid_to=end) if h.id in closed else h for h in before)
        for held in ending:
            self.lines.append(
                Line(
                    "assignment",
                    "close",
                    held.id,
                    user.id,
                    held.unit.id,
                    f"{held.position_name}, {held.unit.name}",
                    {"valid_to": _iso(held.valid_to)},
                    {"valid_to": end.isoformat()},
                )
            )
        if opened is not None:
            after += (opened,)
            self.lines.append(
                Line(
                    "assignment",
                    "open",
                    None,
                    user.id,
                    opened.unit.id,
                    f"{opened.position_name}, {opened.unit.name}",
                    None,
                    {
                        "kind": opened.kind,
                        "unit": opened.unit.id,
                        "position": opened.position_id,
                        "valid_from": opened.valid_from.isoformat(),
                        "valid_to": None,
                    },
                )
            )
        after_status = (status or UserStatus(user.status)).value
        if status is not None:
            self.lines.append(
                Line(
                    "users",
                    "update",
                    user.id,
                    user.id,
                    None,
                    user.full_name,
                    {"status": user.status, "leaves_on": _iso(user.leaves_on)},
                    {
                        "status": after_status,
                        "leaves_on": end.isoformat() if status == UserStatus.LEFT else None,
                    },
                )
            )
        self.people.append(
            Person(
                user.id,
                user.sub,
                user.username,
                user.full_name,
                user.status,
                after_status,
                event,
                before,
                after,
                tuple(closed),
            )
        )

    def done(self, *, units_touched: set[int]) -> Plan:
        """The plan, still without the artefacts' effects."""
        return Plan(
            spec=self.spec,
            now=self.ground.now,
            rights=self.ground.rights,
            rulebook=self.ground.rulebook,
            people=tuple(self.people),
            lines=tuple(self.lines),
            warnings=tuple(self.warnings),
            conflicts=tuple(self.conflicts),
            units=tuple(sorted(units_touched)),
        )


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
