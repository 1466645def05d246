"""Taking up a post: whether the unit is there, whether a place is free, whether she may, until when."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from directory import assignments, units
from directory.assignments import Held, Position
from directory.base.errors import InvalidInput
from directory.base.rows import ends_after, not_over
from directory.changes import places
from directory.changes.drafting import Draft, Ground, said
from directory.changes.promises import Promises
from directory.changes.table import Event
from directory.people import User
from directory.permissions import Do
from directory.units import UnitView


def destination(session: Session, draft: Draft, ground: Ground, unit_id: int) -> UnitView:
    """The unit somebody goes to, on the day. Raises NotAllowed."""
    unit = units.get(session, unit_id)
    ground.rights.require(Do.CHANGE, unit.path, missing="destination")
    on = draft.spec.effective_on
    if not ends_after(unit.valid_to, on):
        draft.conflict("unit_closed", "Đơn vị đến không còn hoạt động vào ngày hiệu lực.")
    if unit.valid_from > on:
        draft.conflict(
            "before_unit",
            "{unit} thành lập ngày {day}; phân công không thể bắt đầu sớm hơn.",
            unit=unit.name,
            day=said(unit.valid_from),
        )
    return units.view(unit)


def refuse_full(
    session: Session,
    draft: Draft,
    unit: UnitView,
    taken: Sequence[tuple[User, Position]],
    *,
    leaving: Collection[int] = (),
) -> None:
    """A conflict for each who finds no place left; whoever is ``leaving`` holds none."""
    pairs = [(unit.id, position.id) for _, position in taken]
    left = assignments.places_left(session, pairs, draft.spec.effective_on, leaving=leaving)
    for user, position in taken:
        place = (unit.id, position.id)
        if place not in left:
            continue
        left[place] -= 1
        if left[place] < 0:
            draft.conflicts.append(places.full(unit.name, position.name, user_id=user.id))


def leave_waiting(user: User, promised: Promises) -> str | None:
    """The waiting change whose day is her day of leaving."""
    return next(
        (
            w.id
            for w in promised.waiting
            if w.event in (Event.LEAVE, Event.DIE) and w.effective_on == user.leaves_on
        ),
        None,
    )


def until(
    draft: Draft, user: User, promised: Promises, end: date | None
) -> tuple[date | None, str | None]:
    """The end of a further post, and the waiting change whose day that is: its own term, or the
    day she leaves.
    """
    leaves = user.leaves_on
    if leaves is None or (end is not None and end <= leaves):
        return end, None
    if end is not None:
        draft.conflict(
            "term_after_leaving",
            "{name} thôi việc từ ngày {day}; thời hạn không thể sau ngày đó.",
            user,
            name=user.full_name,
            day=said(leaves),
        )
    return leaves, leave_waiting(user, promised)


def holds_already(
    before: Sequence[Held], unit: UnitView, position: Position, on: date, end: date | None
) -> bool:
    """Whether she holds the very post on one of these days."""
    return any(
        (h.unit.id, h.position_id) == (unit.id, position.id)
        and lasts(h, on)
        and (end is None or h.valid_from < end)
        for h in before
    )


def opened(
    user: User, unit: UnitView, position: Position, kind: str, since: date, end: date | None
) -> Held:
    """The post she takes up; a negative id until a commit writes it."""
    return Held(
        -user.id,
        user.id,
        kind,
        since,
        end,
        unit,
        position.id,
        position.code,
        position.name,
        position.rank,
        position.leadership,
    )


@dataclass(frozen=True)
class Further:
    """A post that somebody takes up beside what she holds."""

    event: Event
    unit: UnitView
    position: Position
    held_as: str
    ends: date | None = None
    """Its term."""
    planned_end: date | None = None
    """The day it is meant to end; another decision ends it."""
    paused: Held | None = None
    """The post she stops acting in, in another unit."""


def take_up(
    draft: Draft, user: User, before: tuple[Held, ...], promised: Promises, post: Further
) -> None:
    """She holds it from the day on, until its term or until she leaves."""
    on = draft.spec.effective_on
    end, owner = until(draft, user, promised, post.ends)
    at_home = post.paused is not None and post.paused.unit.id == post.unit.id
    if at_home or holds_already(before, post.unit, post.position, on, end):
        draft.conflict("no_change", "{name} đã giữ đúng vị trí này.", user, name=user.full_name)
    draft.person(
        user,
        post.event,
        before,
        [],
        [opened(user, post.unit, post.position, post.held_as, on, end)],
        promised=promised,
        opened_until=owner,
        planned_end=post.planned_end,
        paused=[post.paused.id] if post.paused is not None else [],
    )


def chosen(before: Sequence[Held], ref: int | None, kinds: Collection[str], on: date) -> Held:
    """The one post of these kinds that is meant, in force on the day. Raises InvalidInput."""
    found = [h for h in before if h.kind in kinds and h.in_force(on)]
    if ref is None and len(found) > 1:
        raise InvalidInput(
            "post_missing", "Người này giữ nhiều vị trí; hãy ghi vị trí nào.", field="post"
        )
    for held in found:
        if ref in (None, held.id):
            return held
    raise InvalidInput(
        "post_unknown", "Không có phân công như vậy vào ngày hiệu lực.", field="post"
    )


def not_begun_then(draft: Draft, user: User, post: Held) -> None:
    """A conflict for a post that would end on the day it begins: whatever opened it is taken back."""
    if post.valid_from == draft.spec.effective_on:
        draft.conflict(
            "begins_then",
            "{position} tại {unit} bắt đầu đúng ngày này; hãy hoàn tác việc đó.",
            user,
            position=post.position_name,
            unit=post.unit.name,
        )


def lasts(held: Held, on: date) -> bool:
    """Whether she holds it on that day, or will on a later one."""
    return not_over(held, on)
