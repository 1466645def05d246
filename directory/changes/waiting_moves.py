"""Moves of people that wait for their day, where a unit is moved before it.

A transfer inside one legal person ends the post she leaves, and what acts in it. Once a unit of the two
is to belong to another legal person by then, it is a transfer to another one: on its day everything
ends, whatever its own preview said. Her further posts stay for those to decide who see the warning.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory import units
from directory.base.db import insert_rows
from directory.base.rows import batches
from directory.changes.model import Change, ChangeLine, ChangeState
from directory.changes.promises import superseded
from directory.changes.table import Event
from directory.people import UserCut


@dataclass
class _Within:
    """A transfer within one legal person, as it was decided."""

    user_id: int
    change: Change
    sides: dict[str, int] = field(default_factory=dict)
    """``open`` and ``close`` → the unit."""


def cut(session: Session, *, now: datetime) -> None:
    """Have everything end on the day of each that leads to another legal person by the tree as it
    is recorded now.
    """
    moves = list(_waiting(session, now))
    days = [(unit, m.change.effective_on) for m in moves for unit in m.sides.values()]
    places = units.places(session, days)
    rows = []
    for move in moves:
        owners = {places[u, move.change.effective_on].owner.id for u in move.sides.values()}
        known = select(UserCut.id).where(
            UserCut.user_id == move.user_id,
            UserCut.assignment_id.is_(None),
            UserCut.change_id == move.change.id,
        )
        if len(owners) > 1 and session.scalar(known.limit(1)) is None:
            rows.append(
                {
                    "user_id": move.user_id,
                    "assignment_id": None,
                    "at": move.change.effective_at,
                    "change_id": move.change.id,
                }
            )
    insert_rows(session, UserCut, rows)


def across(session: Session, path: str, since: date, *, now: datetime) -> int:
    """How many people are to go, on that day or later, into the subtree or out of it."""
    below = set(session.scalars(select(units.OrgUnit.id).where(units.subtree(path))))
    return sum(
        move.change.effective_on >= since
        and len({unit in below for unit in move.sides.values()}) > 1
        for move in _waiting(session, now)
    )


def _waiting(session: Session, now: datetime) -> Iterator[_Within]:
    found: dict[tuple[int, str], _Within] = {}
    for line, change in session.execute(
        select(ChangeLine, Change)
        .join(Change, Change.id == ChangeLine.change_id)
        .where(
            Change.state == ChangeState.SCHEDULED.value,
            Change.effective_at > now,
            ChangeLine.table == "assignment",
            ChangeLine.action.in_(("open", "close")),
            ChangeLine.user_id.is_not(None),
        )
        .order_by(ChangeLine.id)
    ):
        user_id, unit_id = line.user_id or 0, line.unit_id or 0
        if change.event_of(user_id) is Event.TRANSFER_WITHIN:
            move = found.setdefault((user_id, change.id), _Within(user_id, change))
            move.sides[line.action] = unit_id
    aside: set[tuple[int, str]] = set()
    for some in batches(sorted({user_id for user_id, _ in found})):
        aside |= superseded(session, some)
    return (move for key, move in found.items() if key not in aside and len(move.sides) > 1)
