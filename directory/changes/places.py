"""The places of posts: which ones a plan may take, held so that no other plan takes them too.

A commit locks the posts whose places it may take (``FOR UPDATE``, in id order, after people and
units) before it plans again: what it then counts, another commit has either written or waits to
count.
"""

from collections.abc import Iterable
from datetime import date

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from directory import assignments
from directory.assignments import Held, Post
from directory.base.rows import batches
from directory.changes.model import Line
from directory.changes.notices import Notice

Place = tuple[int, int]
"""A place: (unit, position)."""


def lock(session: Session, places: Iterable[Place]) -> None:
    """Nobody else takes one of these places before this transaction ends (SQLite: the writer
    holds all).
    """
    ordered, ids = sorted(set(places)), set()
    for part in batches(ordered):
        ids |= set(
            session.scalars(select(Post.id).where(tuple_(Post.unit_id, Post.position_id).in_(part)))
        )
    for some in batches(sorted(ids)):
        session.scalars(
            select(Post)
            .where(Post.id.in_(some))
            .order_by(Post.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).all()


def gone(session: Session, lines: Iterable[Line], held: Iterable[Held], on: date) -> list[Notice]:
    """A conflict for each place that taking a change back needs again and others have got."""
    by_id = {h.id: h for h in held}
    needed = [
        by_id[line.row_id]
        for line in lines
        if line.action == "reopen"
        and line.row_id in by_id
        and _still_to_come((line.after or {}).get("valid_to"), on)
    ]
    left = assignments.places_left(
        session,
        [(h.unit.id, h.position_id) for h in needed],
        on,
        leaving={h.user_id for h in by_id.values()},
    )
    found = []
    for one in needed:
        place = (one.unit.id, one.position_id)
        if place not in left:
            continue
        left[place] -= 1
        if left[place] < 0:
            found.append(full(one.unit.name, one.position_name, user_id=one.user_id))
    return found


def _still_to_come(end: str | None, on: date) -> bool:
    return end is None or date.fromisoformat(end) > on


def full(unit: str, position: str, *, user_id: int | None = None) -> Notice:
    """The conflict of a post without a place left."""
    return Notice(
        "post_full",
        "{unit} đã đủ số lượng {position}.",
        user_id,
        args={"unit": unit, "position": position},
    )
