"""The tree of units as pages show it: whole or within what the asker may see, on any day.

What may be seen is decided by today's tree; names, places and figures are those of the day asked for.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, false, func, literal, or_, select, true, tuple_
from sqlalchemy.orm import Session

from directory import assignments, units
from directory.assignments import Assignment, HeldAs, Position
from directory.base.errors import NotFound
from directory.base.rows import in_force
from directory.base.text import clean
from directory.permissions import Do, Rights
from directory.units import OrgUnit, UnitView, as_of, codes, ids_of, names

_LONGEST = 100


@dataclass(frozen=True)
class Node:
    """A unit in the tree with how many people hold their primary post in or below it."""

    unit: UnitView
    """As it is called on the day; its path is today's."""
    people: int
    has_children: bool


def below(session: Session, granted: Rights, parent_id: int | None, *, on: date) -> list[Node]:
    """The units directly under one on a day, or the tops of what the asker may see.

    Built from the dated edges: the tree as it was, or is going to be, on that day.
    """
    edges = dict(units.tree_as_of(session, on))
    children = _children(edges)
    wanted = _tops(granted, edges) if parent_id is None else children.get(parent_id, [])
    return _nodes(session, granted, {parent_id: wanted}, edges, on)[parent_id]


MOST_OPEN = 60
"""Nodes of the tree that are opened at once: every link of the page names them all."""
DEEPEST = 12


def unfolded(
    session: Session, granted: Rights, opened: Iterable[int], *, on: date
) -> dict[int | None, list[Node]]:
    """The tops of what the asker may see (under None), and what lies directly under each opened node
    that shows, by its id; the only top is opened unasked. So many statements however many are opened,
    and no more than ``MOST_OPEN``.
    """
    edges = dict(units.tree_as_of(session, on))
    children = _children(edges)
    asked = set(opened)
    shown: dict[int | None, list[int]] = {None: _tops(granted, edges)}
    if not asked and len(shown[None]) == 1:
        asked = set(shown[None])
    level = shown[None]
    for _ in range(DEEPEST):
        begun = [i for i in level if i in asked and i in children][: MOST_OPEN - len(shown) + 1]
        shown |= {i: children[i] for i in begun}
        level = [below for i in begun for below in children[i]]
    return _nodes(session, granted, shown, edges, on)


def _nodes(
    session: Session,
    granted: Rights,
    shown: dict[int | None, list[int]],
    edges: dict[int, int | None],
    on: date,
) -> dict[int | None, list[Node]]:
    """The nodes of these lists of units, each list in Vietnamese order."""
    parents, over = set(edges.values()), {i: at for at, ids in shown.items() for i in ids}
    totals = _totals(session, edges, on)
    found: dict[int | None, list[Node]] = {at: [] for at in shown}
    query = select(*names.COLUMNS).select_from(names.units_on(on))
    for row in session.execute(
        query.where(OrgUnit.id.in_(over), _within(granted)).order_by(names.SORT_KEY, OrgUnit.id)
    ):
        unit = names.called(row)
        found[over[unit.id]].append(Node(unit, totals.get(unit.id, 0), unit.id in parents))
    return found


@dataclass(frozen=True)
class NodePage:
    """Some of the units directly under one, by name; ``after`` asks for the next, None on the last."""

    rows: list[Node]
    total: int
    """How many there are in all, whatever was looked for."""
    after: int | None


def page_below(
    session: Session,
    granted: Rights,
    parent_id: int,
    *,
    on: date,
    words: str = "",
    after: int | None = None,
    limit: int = 30,
) -> NodePage:
    """One page of the units directly under one whose names hold all the words.

    ``after`` is the last unit of the page before; one that is not there means the first page.
    """
    edges = dict(units.tree_as_of(session, on))
    children = _children(edges)
    there = (OrgUnit.id.in_(children.get(parent_id, [])), _within(granted))
    called = select(*names.COLUMNS).select_from(names.units_on(on))
    query = called.where(*there, *names.named(clean(words)[:_LONGEST]))
    if after is not None:
        last = select(names.SORT_KEY).select_from(names.units_on(on)).where(OrgUnit.id == after)
        sort_key = session.scalar(last)
        if sort_key is not None:
            place = tuple_(names.SORT_KEY, OrgUnit.id)
            query = query.where(place > tuple_(literal(sort_key), literal(after)))
    query = query.order_by(names.SORT_KEY, OrgUnit.id).limit(limit + 1)
    rows = [names.called(row) for row in session.execute(query)]
    totals = _totals(session, edges, on)
    return NodePage(
        [Node(u, totals.get(u.id, 0), u.id in children) for u in rows[:limit]],
        session.scalar(select(func.count()).select_from(OrgUnit).where(*there)) or 0,
        rows[limit - 1].id if len(rows) > limit else None,
    )


def _children(edges: dict[int, int | None]) -> dict[int | None, list[int]]:
    found: dict[int | None, list[int]] = {}
    for unit_id, over in edges.items():
        found.setdefault(over, []).append(unit_id)
    return found


def _tops(granted: Rights, edges: dict[int, int | None]) -> list[int]:
    paths = granted.paths(Do.SEE)
    if paths is None:
        return [unit_id for unit_id, over in edges.items() if over is None]
    outermost = {p for p in paths if not any(p != q and p.startswith(q) for q in paths)}
    return [ids_of(path)[-1] for path in outermost]


def _within(granted: Rights) -> ColumnElement[bool]:
    paths = granted.paths(Do.SEE)
    if paths is None:
        return true()
    return or_(false(), *(units.subtree(path) for path in paths))


def _totals(session: Session, edges: dict[int, int | None], on: date) -> dict[int, int]:
    """People by unit, summed up the tree. Primary posts only: nobody is counted twice."""
    totals: dict[int, int] = {}
    for unit_id, count in session.execute(
        select(Assignment.unit_id, func.count())
        .where(Assignment.kind == HeldAs.PRIMARY.value, in_force(Assignment, on))
        .group_by(Assignment.unit_id)
    ):
        at: int | None = unit_id
        seen: set[int] = set()
        while at is not None and at not in seen:
            seen.add(at)
            totals[at] = totals.get(at, 0) + count
            at = edges.get(at)
    return totals


def unit(session: Session, granted: Rights, unit_id: int) -> OrgUnit:
    """A unit the asker may see. Raises NotFound."""
    found = units.get(session, unit_id)
    if not granted.may(Do.SEE, found.path):
        raise NotFound("unit_unknown", "Không tìm thấy đơn vị.")
    return found


def units_named(
    session: Session,
    granted: Rights,
    words: str,
    *,
    on: date,
    action: Do = Do.SEE,
    limit: int = 20,
) -> list[UnitView]:
    """Units of a day by name or code, in any order of words, where the asker may do ``action``.

    A code is read on that day, or on the one written behind it (``gso:14758@2025-06-30``).
    """
    words = clean(words)[:_LONGEST]
    if not words:
        return []
    found = units.search(session, words, on=on, within=granted.paths(action), limit=limit)
    coded = codes.of_words(session, words, on=on)
    wanted = coded is not None and (action == Do.SEE or in_force(coded, on))
    if coded is not None and wanted and granted.may(action, coded.path):
        first = as_of.place(session, coded.id, on).unit
        found = [first, *(u for u in found if u.id != coded.id)]
    return found[:limit]


@dataclass(frozen=True)
class PostView:
    """A post of a unit: its headcount and how many hold it on a day."""

    position: Position
    headcount: int | None
    holders: int


def posts(session: Session, unit_id: int, *, on: date) -> list[PostView]:
    """The posts of one unit, highest rank first; also positions held without a headcount."""
    limits: dict[int, int] = dict(
        session.execute(
            select(assignments.Post.position_id, assignments.Post.headcount).where(
                assignments.Post.unit_id == unit_id
            )
        ).all()
    )
    held: dict[int, int] = dict(
        session.execute(
            select(Assignment.position_id, func.count())
            .where(Assignment.unit_id == unit_id, in_force(Assignment, on))
            .group_by(Assignment.position_id)
        ).all()
    )
    wanted: Any = set(limits) | set(held)
    rows = assignments.in_order(session.scalars(select(Position).where(Position.id.in_(wanted))))
    return [PostView(p, limits.get(p.id), held.get(p.id, 0)) for p in rows]


def owners(session: Session, of: Iterable[UnitView]) -> dict[int, UnitView]:
    """For each unit the nearest legal person at or above it; itself if there is none."""
    wanted = {u.id: u for u in of}
    ids = {i for u in wanted.values() for i in ids_of(u.path)}
    known = units.views(session, ids - set(wanted)) | wanted
    return {
        unit.id: next(
            (known[i] for i in reversed(ids_of(unit.path)) if i in known and known[i].legal_person),
            unit,
        )
        for unit in wanted.values()
    }
