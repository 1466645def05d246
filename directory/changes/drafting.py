"""What planners share: the ground they stand on and the draft they fill."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from directory import assignments, people
from directory.assignments import Held, HeldAs
from directory.base.clock import local_day
from directory.base.errors import InvalidInput
from directory.changes.model import Line, Person, Plan, Spec
from directory.changes.notices import Notice
from directory.changes.promises import NOTHING, Promises, Waiting, supersede_line
from directory.changes.table import Event
from directory.entitlements import Rulebook
from directory.people import User, UserStatus
from directory.permissions import Do, Rights

ONE_DAY = timedelta(days=1)


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
    return next((h for h in before if h.kind == HeldAs.PRIMARY and h.in_force(on)), None)


def ending_on(before: Iterable[Held], on: date, keep: Collection[int] = ()) -> list[Held]:
    """Every post in force on the day, but for those the decision keeps."""
    return [h for h in before if h.in_force(on) and h.id not in keep]


def require_over(ground: Ground, before: Iterable[Held], on: date) -> None:
    """The right over the person: over her primary unit, or the installation if she has none.

    A day in the past asks for the right over where she is today as well: whoever has lost her has
    no say, and is told nothing of where she went.
    """
    lived = [h for h in before if not h.void]
    for day in sorted({on, max(on, ground.today)}):
        primary = primary_on(lived, day) or assignments.last_of(lived)
        ground.rights.require(Do.CHANGE, primary.unit.path if primary else None, missing="source")


class Draft:
    """Collects what a planner finds."""

    def __init__(self, spec: Spec, ground: Ground, *, ordered: bool = True) -> None:
        """``ordered``: whether such a change is one that a decision orders and that cuts access."""
        self.spec = spec
        self.ground = ground
        self._rows = {row["user"]: row.get("row") for row in spec.rows if "user" in row}
        self.people: list[Person] = []
        self.lines: list[Line] = []
        self.warnings: list[Notice] = []
        self.conflicts: list[Notice] = []
        if ordered and spec.effective_on < ground.today:
            self.warn("back_dated", "Ngày hiệu lực đã qua: quyền truy cập bị cắt khi xác nhận.")
        if ordered and spec.decision is None:
            self.warn("no_decision", "Chưa ghi số, ngày và cơ quan ban hành quyết định.")

    def warn(self, code: str, message: str, user: User | None = None, **args: Any) -> None:
        self.warnings.append(self._notice(code, message, user, args))

    def conflict(self, code: str, message: str, user: User | None = None, **args: Any) -> None:
        self.conflicts.append(self._notice(code, message, user, args))

    def _notice(self, code: str, message: str, user: User | None, args: dict[str, Any]) -> Notice:
        user_id = user.id if user else None
        return Notice(code, message, user_id, args=args, row=self._rows.get(user_id))

    def works(self, user: User) -> bool:
        """Whether she may take up anything on the day; said where not."""
        on = max(self.spec.effective_on, self.ground.today)
        if user.status != UserStatus.ACTIVE.value:
            self.conflict(
                "not_active",
                "{name} đang bị đình chỉ hoặc đã thôi việc.",
                user,
                name=user.full_name,
            )
            return False
        if user.has_left(on):
            self.conflict("already_left", "{name} đã thôi việc.", user, name=user.full_name)
            return False
        return True

    def movable(self, user: User, before: tuple[Held, ...], promised: Promises) -> bool:
        """Whether she can be moved on the day, as far as her status and what waits go."""
        if not self.works(user):
            return False
        on = self.spec.effective_on
        waits = [
            h for h in before if h.kind == HeldAs.PRIMARY and h.valid_from == on and not h.void
        ]
        if any(promised.is_waiting(promised.opener(h)) for h in waits):
            self.waiting(user)
        self.not_beneath(user, before)
        return True

    def waiting(self, user: User) -> None:
        """A change that waits for its day leaves no room for this one."""
        self.conflict(
            "waiting_change",
            "{name} đã có thay đổi đang chờ đến ngày hiệu lực.",
            user,
            name=user.full_name,
        )

    def not_beneath(self, user: User, before: tuple[Held, ...]) -> None:
        """A back-dated change cannot slip beneath what has begun since."""
        on = self.spec.effective_on
        if any(on < h.valid_from <= self.ground.today and not h.void for h in before):
            self.conflict(
                "later_post",
                "{name} đã nhận phân công khác sau ngày hiệu lực này; hãy chọn ngày sau đó hoặc "
                "hoàn tác phân công ấy trước.",
                user,
                name=user.full_name,
            )

    def terms(self, user: User, ending: Iterable[Held], promised: Promises) -> None:
        """Say which end dates that came with a post no longer count."""
        for held in ending:
            end = promised.own_end(held)
            if end is not None and end > self.spec.effective_on:
                self.warn(
                    "term_ends_early",
                    "{name}: {position} tại {unit} có thời hạn đến trước ngày {day}, nay kết thúc "
                    "sớm hơn.",
                    user,
                    name=user.full_name,
                    position=held.position_name,
                    unit=held.unit.name,
                    day=said(end),
                )

    def supersede(
        self, user: User, waiting: Iterable[Waiting], posts: Iterable[Held], promised: Promises
    ) -> None:
        """Put aside what waits, and say so; ``posts`` are those that now never begin."""
        for change in waiting:
            self.lines.append(supersede_line(user.id, change))
            self.warn(
                "supersedes",
                "Thay thế việc đang chờ: {title}, có hiệu lực từ ngày {day}.",
                user,
                title=change.title,
                day=said(change.effective_on),
            )
        for held in posts:
            if not promised.is_waiting(promised.opener(held)):
                self.warn(
                    "supersedes",
                    "{name}: phân công {position} tại {unit} từ ngày {day} sẽ không bắt đầu.",
                    user,
                    name=user.full_name,
                    position=held.position_name,
                    unit=held.unit.name,
                    day=said(held.valid_from),
                )

    def person(  # noqa: PLR0913 (one keyword per thing that may change)
        self,
        user: User,
        event: Event,
        before: tuple[Held, ...],
        ending: list[Held],
        opened: Sequence[Held] = (),
        status: UserStatus | None = None,
        promised: Promises = NOTHING,
        opened_until: str | None = None,
        planned_end: date | None = None,
        said: Mapping[str, Any] | None = None,
        paused: Collection[int] = (),
    ) -> None:
        """Write down what happens to one person and the directory lines it takes.

        A post that would have begun later never begins. ``opened_until`` is the change whose day
        is the end of the posts that open, ``planned_end`` the day they are meant to end; ``said``
        gives columns of hers (``lines.PERSONAL``) other values; ``paused`` are posts she keeps and
        stops acting in.
        """
        end = self.spec.effective_on
        closed = {h.id: max(end, h.valid_from) for h in ending}
        after = tuple(replace(h, valid_to=closed[h.id]) if h.id in closed else h for h in before)
        for held in ending:
            was: dict[str, Any] = {"valid_to": iso(held.valid_to)}
            if (owner := promised.owner(held)) is not None:
                was["closed_by"] = owner
            self.lines.append(
                Line(
                    "assignment",
                    "void" if held.valid_from > max(end - ONE_DAY, self.ground.today) else "close",
                    held.id,
                    user.id,
                    held.unit.id,
                    f"{held.position_name}, {held.unit.name}",
                    was,
                    {"valid_to": closed[held.id].isoformat()},
                )
            )
        for held in opened:
            after += (held,)
            self._open(user.id, held, opened_until, planned_end)
        after_status = (status or UserStatus(user.status)).value
        if status is not None:
            # Only what this change decides: a day of leaving is no business of a suspension.
            was, will = {"status": user.status}, {"status": after_status}
            if status == UserStatus.LEFT:
                was["leaves_on"], will["leaves_on"] = iso(user.leaves_on), end.isoformat()
            self._about(user, was, will)
        if said:
            self._about(user, {name: getattr(user, name) for name in said}, dict(said))
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
                paused=tuple(paused),
            )
        )

    def _open(
        self, user_id: int, held: Held, until: str | None = None, planned_end: date | None = None
    ) -> None:
        self.lines.append(
            Line(
                "assignment",
                "open",
                None,
                user_id,
                held.unit.id,
                f"{held.position_name}, {held.unit.name}",
                None,
                {
                    "kind": held.kind,
                    "unit": held.unit.id,
                    "position": held.position_id,
                    "valid_from": held.valid_from.isoformat(),
                    "valid_to": iso(held.valid_to),
                    **({"closed_by": until} if until else {}),
                    **({"planned_end": iso(planned_end)} if planned_end else {}),
                },
            )
        )

    def come_back(self, person: Person, standing: Line, post: Held) -> None:
        """Write down that somebody who has left serves again, in this post."""
        self.lines.append(standing)
        self._open(person.id, post)
        self.people.append(person)

    def _about(self, user: User, was: dict[str, Any], will: dict[str, Any]) -> None:
        self.lines.append(
            Line("users", "update", user.id, user.id, None, user.full_name, was, will)
        )

    def done(self, *, units_touched: set[int]) -> Plan:
        """The plan, still without the cutters' effects."""
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


def named(plan: Plan) -> str:
    """The one a plan is about: a person, or a unit; empty where there are several."""
    if len(plan.people) == 1:
        return plan.people[0].full_name
    named = {line.label for line in plan.lines if line.unit_id is not None}
    return named.pop() if len(named) == 1 and not plan.people else ""


def iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def said(day: date) -> str:
    """A day as sentences name it."""
    return f"{day.day:02d}/{day.month:02d}/{day.year:04d}"
