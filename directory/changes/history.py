"""Which changes somebody may look at: lists of them, and one with its proof.

A change is seen by whoever may see a unit that was recorded with it when it was committed: one its
lines name (where it takes her, what it ends), or one she worked in then (``ChangeUnit``). So the
former officer goes on seeing the transfer and its proof, and nothing newer; and neither a later
change nor a day in the past that a decision names moves anybody's sight.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, false, null, or_, select, true
from sqlalchemy.orm import Session

from directory import units
from directory.base import page_marks
from directory.base.errors import NotFound
from directory.changes.model import Change, ChangeLine, ChangeUnit
from directory.changes.proof import Proof, proof
from directory.permissions import Do, Rights
from directory.units import OrgUnit

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class ChangePage:
    """One page of changes, newest first; ``after`` asks for the next, None on the last."""

    rows: list[Change]
    after: str | None


def visible(granted: Rights) -> ColumnElement[bool]:
    """The SQL condition on ``Change`` for those the actor may see."""
    paths = granted.paths(Do.SEE)
    if paths is None:
        return true()
    return or_(*(exists(found.where(of == Change.id)) for found, of in _recorded(paths)))


def _recorded(paths: Sequence[str]) -> "list[tuple[Select[Any, Any], Any]]":
    """What was recorded in these subtrees: (person, line), and the change it belongs to."""
    inside = or_(false(), *(units.subtree(path) for path in paths))
    named = (
        select(ChangeLine.user_id, ChangeLine.id)
        .join(OrgUnit, OrgUnit.id == ChangeLine.unit_id)
        .where(inside)
    )
    there = (
        select(ChangeUnit.user_id, null().label("id"))
        .join(OrgUnit, OrgUnit.id == ChangeUnit.unit_id)
        .where(inside)
    )
    return [(named, ChangeLine.change_id), (there, ChangeUnit.change_id)]


def find(session: Session, granted: Rights, change_id: str) -> Proof:
    """A change and its proof. Raises NotFound, also for one the actor may not see.

    Of a change about many people the actor is shown those who were in a unit of hers, or come into
    one by it: of them everything, of the others nothing.
    """
    if _ID.fullmatch(change_id) and session.scalar(
        select(Change.id).where(Change.id == change_id, visible(granted))
    ):
        found, paths = proof(session, change_id), granted.paths(Do.SEE)
        return found if paths is None else _narrowed(session, found, paths)
    raise NotFound("change_unknown", "Không tìm thấy thay đổi này.")


def _narrowed(session: Session, found: Proof, paths: Sequence[str]) -> Proof:
    shown = [
        row
        for recorded, of in _recorded(paths)
        for row in session.execute(recorded.where(of == found.change.id))
    ]
    ids = {row.id for row in shown if row.id is not None}
    people = {row.user_id for row in shown if row.user_id is not None}
    return replace(
        found,
        lines=[line for line in found.lines if line.id in ids or line.user_id in people],
        effects=[e for e in found.effects if e.user_id is None or e.user_id in people],
    )


def listed(
    session: Session,
    granted: Rights,
    *,
    user_id: int | None = None,
    state: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> ChangePage:
    """Changes the actor may see, newest first, one keyset page. Raises InvalidInput."""
    query = (
        select(Change)
        .where(visible(granted))
        .order_by(Change.committed_at.desc(), Change.id.desc())
        .limit(limit + 1)
    )
    if user_id is not None:
        about = select(ChangeLine.change_id).where(ChangeLine.user_id == user_id)
        query = query.where(Change.id.in_(about))
    if state == "attention":
        query = query.where(Change.needs_attention)
    elif state is not None:
        query = query.where(Change.state == state)
    if after:
        at, last = marked(after)
        query = query.where(
            or_(Change.committed_at < at, and_(Change.committed_at == at, Change.id < last))
        )
    rows = list(session.scalars(query))
    more = None
    if len(rows) > limit:
        rows = rows[:limit]
        more = mark(rows[-1].committed_at, rows[-1].id)
    return ChangePage(rows, more)


def mark(at: datetime, row_id: str) -> str:
    """Where a page ended, for whoever asks for the next."""
    return page_marks.mark(at.isoformat(), row_id)


def marked(text: str) -> tuple[datetime, str]:
    """What ``mark`` made. Raises InvalidInput."""
    at, row_id = page_marks.read(text, str, str)
    try:
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is not None and _ID.fullmatch(row_id):
            return moment.astimezone(UTC), row_id
    except (ValueError, OverflowError):
        pass
    raise page_marks.wrong()
