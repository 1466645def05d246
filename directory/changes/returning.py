"""Somebody who has left comes back: the same person under the same ``sub``, in a new post.

Nothing of what she held comes back with her: her access epoch is raised, slips and the old password
are void, roles have ended, a certificate stays revoked (``table``: ``begins anew``).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory import assignments
from directory.assignments import Assignment, Held
from directory.base.rows import batches, ends_after
from directory.changes import promises
from directory.changes.drafting import iso, said
from directory.changes.model import Change, Line, Person
from directory.changes.notices import Notice
from directory.changes.table import Event
from directory.people import User, UserStatus
from directory.permissions import Do, Rights


def is_gone(user: User, on: date) -> bool:
    """Whether she is in service no more: by her status, or by a day that no job has seen come yet."""
    return user.status == UserStatus.LEFT.value or user.has_left(on)


def sources(before: Sequence[Held], written: Sequence[Held] = ()) -> list[str | None]:
    """The paths of the units whose right it takes: where she was last. Of somebody who never held a
    post for a day, everywhere one was ``written`` for her; the installation's, of nobody's.
    """
    last = assignments.last_of(before)
    if last is not None:
        return [last.unit.path]
    return [*sorted({held.unit.path for held in written})] or [None]


def never_served(
    session: Session, timelines: Mapping[int, Sequence[Held]]
) -> dict[int, list[Held]]:
    """By which posts those were taken in who held none for a day: who joined and left on one day, or
    whose joining was undone. What she was to be moved to and never was is none of them.
    """
    nobody = [who for who, held in timelines.items() if not held]
    written = assignments.recorded(session, nobody)
    opened: dict[int, str] = {}
    for some in batches(h.id for held in written.values() for h in held):
        rows = select(Assignment.id, Assignment.opened_by).where(Assignment.id.in_(some))
        opened |= {row.id: row.opened_by for row in session.execute(rows)}
    changes: dict[str, Change] = {}
    for ids in batches(sorted(set(opened.values()))):
        found = session.scalars(select(Change).where(Change.id.in_(ids)))
        changes |= {change.id: change for change in found}

    def by_joining(held: Held) -> bool:
        change = changes.get(opened[held.id])
        event = change.event_of(held.user_id) if change is not None else None
        return event in (None, Event.JOIN, Event.REJOIN)

    return {who: [h for h in held if by_joining(h)] for who, held in written.items()}


def may_take_back(granted: Rights, before: Sequence[Held], written: Sequence[Held] = ()) -> bool:
    """Whether the asker decides about somebody who has left and held these posts."""
    return all(granted.may(Do.CHANGE, path) for path in sources(before, written))


def hindrances(
    user: User, since: date, dead: Collection[int], *, row: int | None = None
) -> list[Notice]:
    """Why she cannot come back on a day, but for what hangs on the post."""
    found = []
    if user.leaves_on is not None and ends_after(user.leaves_on, since):
        found.append(
            Notice(
                "before_leaving",
                "{name} nghỉ từ ngày {day}; không thể trở lại trước ngày đó.",
                user.id,
                args={"name": user.full_name, "day": said(user.leaves_on)},
                row=row,
            )
        )
    if user.id in dead:
        found.append(
            Notice(
                "recorded_dead",
                "{name} đã được ghi là từ trần; nếu ghi nhầm, hãy hoàn tác việc đó.",
                user.id,
                args={"name": user.full_name},
                row=row,
            )
        )
    return found


def recorded_dead(session: Session, user_ids: Collection[int]) -> set[int]:
    """Those of whom a change that stands has written that they have died."""
    log = promises.log(session, user_ids)
    return {
        user_id
        for user_id, lines in log.lines.items()
        for change in (log.changes[line.change_id] for line in lines)
        if change.event_of(user_id) == Event.DIE and log.stands(change.id)
    }


def told(user: User, *, row: int | None = None) -> Notice:
    """What a preview says of her coming back."""
    args = {"name": user.full_name, "username": user.username}
    if user.leaves_on is None:
        return Notice(
            "returns",
            "{name} đã nghỉ; sẽ nhận lại cùng định danh (tên đăng nhập {username}). Mật khẩu và vai "
            "trò cũ không còn; cần phiếu kích hoạt mới.",
            user.id,
            args=args,
            row=row,
        )
    return Notice(
        "returns",
        "{name} đã nghỉ từ ngày {day}; sẽ nhận lại cùng định danh (tên đăng nhập {username}). Mật "
        "khẩu và vai trò cũ không còn; cần phiếu kích hoạt mới.",
        user.id,
        args=args | {"day": said(user.leaves_on)},
        row=row,
    )


def line(user: User, new: Mapping[str, Any]) -> Line:
    """She is in service again; ``new`` are columns of hers (``lines.PERSONAL``) that change too."""
    was = {"status": user.status, "leaves_on": iso(user.leaves_on)}
    will = {"status": UserStatus.ACTIVE.value, "leaves_on": None}
    return Line(
        "users",
        "update",
        user.id,
        user.id,
        None,
        user.full_name,
        was | {name: getattr(user, name, None) for name in new},
        will | dict(new),
    )


def person(
    user: User, before: Sequence[Held], opened: Sequence[Held], *, row: int | None = None
) -> Person:
    """Her part of a plan; her status may still be waiting for a job to write that she has left."""
    return Person(
        user.id,
        user.sub,
        user.username,
        user.full_name,
        UserStatus.LEFT.value,
        UserStatus.ACTIVE.value,
        Event.REJOIN,
        tuple(before),
        (*before, *(replace(held, user_id=user.id) for held in opened)),
        (),
        row=row,
    )
