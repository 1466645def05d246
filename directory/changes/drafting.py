"""What planners share: the ground they stand on and the draft they fill."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from directory import assignments, people
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


def people_of(session: Session, spec: Spec) -> Iterable[tuple[User, tuple[Held, ...]]]:
    if not spec.users:
        raise InvalidInput("users_missing", "Thiếu người cần thay đổi.", field="user")
    timelines = assignments.timeline(session, spec.users)
    for user_id in spec.users:
        yield people.get(session, user_id), tuple(timelines[user_id])


def primary_on(before: Iterable[Held], on: date) -> Held | None:
    """The open primary post that a change on that day would end (it may start that very day)."""
    return next((h for h in before if h.kind == Kind.PRIMARY and h.in_force(on)), None)


def open_after(before: Iterable[Held], spec: Spec) -> list[Held]:
    return [
        h
        for h in before
        if (h.valid_to is None or h.valid_to > spec.effective_on)
        and h.id not in spec.keep
        and not h.void
    ]


def require_over(rights: Rights, before: tuple[Held, ...], on: date) -> None:
    """The right over the person: over her primary unit, or the installation if she has none."""
    primary = primary_on(before, on) or (before[-1] if before else None)
    rights.require(Do.CHANGE, primary.unit.path if primary else None, missing="source")


class Draft:
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
            self.conflict(
                "not_active",
                "{name} đang bị đình chỉ hoặc đã thôi việc.",
                user,
                name=user.full_name,
            )
        if user.leaves_on is not None:
            self.conflict("already_left", "{name} đã thôi việc.", user, name=user.full_name)
        self.started(user, before)

    def started(self, user: User, before: tuple[Held, ...]) -> None:
        """A change waiting for its day must be undone before another is planned over it."""
        after = self.spec.effective_on
        before = tuple(h for h in before if not h.void)
        if any(h.valid_from > after for h in before) or any(
            h.kind == Kind.PRIMARY
            and h.valid_to is not None
            and h.valid_to > max(after, self.ground.today)
            for h in before
        ):
            self.conflict(
                "waiting_change",
                "{name} đã có thay đổi đang chờ đến ngày hiệu lực.",
                user,
                name=user.full_name,
            )

    def person(
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
                    {"valid_to": iso(held.valid_to)},
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
                    {"status": user.status, "leaves_on": iso(user.leaves_on)},
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


def iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
