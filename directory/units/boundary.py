"""The days on which a name, a parent or a code begins: today's columns are brought up to date.

``OrgUnit`` keeps its name, short name, kind, parent and path of today. They are right on a day once
``catch_up`` has run for it, and stay so: what is decided for today is written with its decision. Whether
they are is seen from the facts themselves, not from a note that somebody must not forget to make.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Date, and_, bindparam, exists, func, or_, select, text, update
from sqlalchemy.orm import Session

from directory.base.db import read_anew
from directory.base.rows import batches, in_force
from directory.base.text import search_key
from directory.units.codes import borne
from directory.units.tree import tree_as_of
from directory.units.unit_rows import OrgUnit, UnitCode, UnitEdge, UnitName

_LOCK = 7_233_114_029
"""PostgreSQL advisory lock: who changes the tree is alone at it until her transaction ends."""


def lock_tree(session: Session) -> None:
    """Be the only one who changes names, parents and codes. Taken before any row is locked."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))


_CALLED_OTHERWISE = or_(
    UnitName.name != OrgUnit.name,
    UnitName.short_name != OrgUnit.short_name,
    UnitName.kind != OrgUnit.kind,
)
_ELSEWHERE = UnitEdge.parent_id.is_distinct_from(OrgUnit.parent_id)
_BARE_CODE: Any = func.lower(func.replace(func.replace(UnitCode.value, ".", " "), "-", " "))
_NOT_FOUND_BY = ~OrgUnit.search_key.contains(_BARE_CODE)


def _renamed(on: date) -> Any:
    there = and_(UnitName.unit_id == OrgUnit.id, in_force(UnitName, on))
    return select(OrgUnit.id).join(UnitName, there).where(_CALLED_OTHERWISE)


def _moved(on: date) -> Any:
    there = and_(UnitEdge.unit_id == OrgUnit.id, in_force(UnitEdge, on))
    return select(OrgUnit.id).join(UnitEdge, there).where(_ELSEWHERE)


def _coded(on: date) -> Any:
    there = and_(UnitCode.unit_id == OrgUnit.id, in_force(UnitCode, on), borne())
    return select(OrgUnit.id).join(UnitCode, there).where(_NOT_FOUND_BY)


_ON: Any = bindparam("on", type_=Date())
_BEHIND = select(or_(exists(_renamed(_ON)), exists(_moved(_ON)), exists(_coded(_ON))))


def is_behind(where: Connection | Session, on: date) -> bool:
    """Whether today's columns are not yet those of that day."""
    return bool(where.execute(_BEHIND, {"on": on}).scalar())


@dataclass(frozen=True)
class Turned:
    """What a day has turned."""

    renamed: tuple[int, ...] = ()
    """Units that are called otherwise, or are of another kind."""
    moved: tuple[int, ...] = ()
    """Units with another parent; what lies below them has another path."""
    coded: tuple[int, ...] = ()

    @property
    def all(self) -> tuple[int, ...]:
        """Every unit whose columns were not those of the day."""
        return tuple(sorted({*self.renamed, *self.moved, *self.coded}))


def what_turns(session: Session, on: date) -> Turned:
    """What ``catch_up`` would bring up to date."""
    return Turned(*(tuple(sorted(session.scalars(q(on)))) for q in (_renamed, _moved, _coded)))


def catch_up(session: Session, turned: Turned, on: date) -> None:
    """Write that day's columns; units in id order. The tree is locked by the caller."""
    for some in batches(turned.all):
        _write_names(session, some, on)
    if turned.moved:
        _write_paths(session, on)
    read_anew(session)


def _write_names(session: Session, ids: list[int], on: date) -> None:
    names = {
        n.unit_id: n
        for n in session.scalars(
            select(UnitName).where(UnitName.unit_id.in_(ids), in_force(UnitName, on))
        )
    }
    codes: dict[int, list[str]] = {unit_id: [] for unit_id in ids}
    for unit_id, value in session.execute(
        select(UnitCode.unit_id, UnitCode.value)
        .where(UnitCode.unit_id.in_(ids), borne(), UnitCode.valid_from <= on)
        .order_by(UnitCode.id)
    ):
        codes[unit_id].append(value)  # also those it bore: people go on typing them
    wanted = []
    for unit in session.scalars(select(OrgUnit).where(OrgUnit.id.in_(ids)).order_by(OrgUnit.id)):
        own: Any = names.get(unit.id, unit)
        wanted.append(
            {
                "id": unit.id,
                "name": own.name,
                "short_name": own.short_name,
                "kind": own.kind,
                "sort_key": own.sort_key,
                "search_key": search_key(own.name, own.short_name, *codes[unit.id]),
            }
        )
    session.execute(update(OrgUnit), wanted)


def _write_paths(session: Session, on: date) -> None:
    rows = {
        row.id: row for row in session.execute(select(OrgUnit.id, OrgUnit.parent_id, OrgUnit.path))
    }
    parents: dict[int, int | None] = {row.id: row.parent_id for row in rows.values()}
    parents |= dict(tree_as_of(session, on))
    paths: dict[int, str] = {}

    def path(unit_id: int) -> str:
        chain: list[int] = []
        at: int | None = unit_id
        while at is not None and at not in paths and at not in chain:
            chain.append(at)
            at = parents[at]
        for each in reversed(chain):
            over = parents[each] if parents[each] in paths else None
            paths[each] = f"{paths[over] if over is not None else '/'}{each}/"
        return paths[unit_id]

    wanted = [
        {"id": row.id, "parent_id": parents[row.id], "path": path(row.id)}
        for row in sorted(rows.values(), key=lambda row: row.id)
        if (row.parent_id, row.path) != (parents[row.id], path(row.id))
    ]
    if wanted:
        session.execute(update(OrgUnit), wanted)
