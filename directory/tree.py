"""The tree of units as pages show it: whole or within what the asker may see, on any day."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, false, func, literal, or_, select, true, tuple_
from sqlalchemy.orm import Session

from directory import assignments, units
from directory.assignments import Assignment, Kind, Position
from directory.base.errors import NotFound
from directory.base.rows import in_force
from directory.base.text import clean
from directory.permissions import Do, Rights
from directory.units import OrgUnit, UnitCode, UnitView

_CODE = re.compile(r"(?:([a-z0-9]+):)?([A-Z0-9][A-Z0-9.\-]*)", re.IGNORECASE)
_LONGEST = 100


@dataclass(frozen=True)
class Node:
    """A unit in the tree with how many people hold their primary post in or below it."""

    unit: OrgUnit
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
    for unit in session.scalars(
        select(OrgUnit)
        .where(OrgUnit.id.in_(over), _within(granted))
        .order_by(OrgUnit.sort_key, OrgUnit.id)
    ):
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
    query = select(OrgUnit).where(*there, *units.named(clean(words)[:_LONGEST]))
    last = session.get(OrgUnit, after) if after is not None else None
    if last is not None:
        place = tuple_(OrgUnit.sort_key, OrgUnit.id)
        query = query.where(place > tuple_(literal(last.sort_key), literal(last.id)))
    rows = session.scalars(query.order_by(OrgUnit.sort_key, OrgUnit.id).limit(limit + 1)).all()
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
    return [_ids(path)[-1] for path in outermost]


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
        .where(Assignment.kind == Kind.PRIMARY.value, in_force(Assignment, on))
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
    session: Session, granted: Rights, words: str, *, action: Do = Do.SEE, limit: int = 20
) -> list[OrgUnit]:
    """Units by name or code, in any order of words, where the asker may do ``action``."""
    words = clean(words)[:_LONGEST]
    by_code = unit_of_code(session, words) if words else None
    found = units.search(session, words, within=granted.paths(action), limit=limit) if words else []
    if by_code is not None and by_code.valid_to is None and granted.may(action, by_code.path):
        found = [by_code, *(u for u in found if u.id != by_code.id)]
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
    ids = {i for u in wanted.values() for i in _ids(u.path)}
    known = units.views(session, ids - set(wanted)) | wanted
    return {
        unit.id: next(
            (known[i] for i in reversed(_ids(unit.path)) if i in known and known[i].legal_person),
            unit,
        )
        for unit in wanted.values()
    }


def _ids(path: str) -> list[int]:
    return [int(part) for part in path.strip("/").split("/") if part]


def unit_of_code(session: Session, words: str) -> OrgUnit | None:
    """The unit with this code (``scheme:code``, or a code that does not look like a word)."""
    code = _CODE.fullmatch(words)
    if code is None or not (code[1] or re.search(r"[\d.]", words)):
        return None
    query = (
        select(OrgUnit)
        .join(UnitCode, UnitCode.unit_id == OrgUnit.id)
        .where(UnitCode.value == code[2].upper())
        .order_by(OrgUnit.id)
        .limit(1)
    )
    if code[1]:
        query = query.where(UnitCode.scheme == code[1].lower())
    return session.scalars(query).first()
