"""OrgUnit: the tree in time, typed codes, lineage.

The truth of the tree is the dated parent edge. ``path`` (``/1/5/17/``) materialises today's tree
for prefix-range queries and is brought up to date when an edge takes effect.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, Index, UniqueConstraint, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.base.db import AUTOINCREMENT, Base, Key
from directory.base.errors import InvalidInput, NotFound
from directory.base.rows import in_force
from directory.base.text import search_key


class Bloc(StrEnum):
    """khối: the branch of the political system a unit or a position belongs to."""

    PARTY = "party"
    GOVERNMENT = "government"
    COUNCIL = "council"
    FRONT = "front"
    JUDICIARY = "judiciary"
    OTHER = "other"


class Tier(StrEnum):
    """cấp; ``internal`` is a part of another body."""

    PROVINCE = "province"
    COMMUNE = "commune"
    INTERNAL = "internal"


class OrgUnit(Base):
    """An organisational unit."""

    __tablename__ = "org_unit"
    __table_args__ = (
        Index("ix_org_unit_path", "path", postgresql_ops={"path": "text_pattern_ops"}),
        Index("ix_org_unit_sort", "sort_key", "id"),
        AUTOINCREMENT,
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str]
    short_name: Mapped[str]
    kind: Mapped[str] = mapped_column(index=True)
    bloc: Mapped[str]
    tier: Mapped[str]
    legal_person: Mapped[bool]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"), index=True)
    """Today's parent, like ``path``; the truth is UnitEdge."""
    path: Mapped[str]
    search_key: Mapped[str]
    sort_key: Mapped[str]
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]

    @property
    def ancestor_ids(self) -> list[int]:
        """Ids from the root down to this unit."""
        return [int(part) for part in self.path.strip("/").split("/")]


class UnitCode(Base):
    """A typed code of a unit; never reused, resolvable for ever."""

    __tablename__ = "unit_code"
    __table_args__ = (UniqueConstraint("scheme", "value"), AUTOINCREMENT)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("org_unit.id"), index=True)
    scheme: Mapped[str]
    value: Mapped[str]
    issuer: Mapped[str]
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]


class UnitEdge(Base):
    """The parent of a unit, with validity; end exclusive."""

    __tablename__ = "unit_edge"
    __table_args__ = (AUTOINCREMENT,)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("org_unit.id"), index=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"), index=True)
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]


class UnitLineage(Base):
    """predecessor → successor after a merge, split or conversion."""

    __tablename__ = "unit_lineage"
    __table_args__ = (UniqueConstraint("predecessor_id", "successor_id"), AUTOINCREMENT)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    predecessor_id: Mapped[int] = mapped_column(ForeignKey("org_unit.id"), index=True)
    successor_id: Mapped[int] = mapped_column(ForeignKey("org_unit.id"), index=True)
    kind: Mapped[str]
    effective_on: Mapped[date]


@dataclass(frozen=True)
class UnitView:
    """What other parts need of a unit, read once."""

    id: int
    name: str
    short_name: str
    kind: str
    bloc: str
    tier: str
    legal_person: bool
    path: str


def subtree(path: str) -> ColumnElement[bool]:
    """The condition "in this unit or below it" as a prefix range that an index serves."""
    return OrgUnit.path.like(path + "%")


def by_ref(session: Session, ref: int | str, *, field: str = "unit") -> OrgUnit:
    """A unit by id or ``scheme:code``. Raises InvalidInput naming ``field`` when unknown."""
    unit: OrgUnit | None = None
    text = str(ref).strip()
    if text.isdecimal() and len(text) < 16:
        unit = session.get(OrgUnit, int(text))
    elif ":" in text:
        scheme, value = text.split(":", 1)
        unit = session.scalars(
            select(OrgUnit)
            .join(UnitCode, UnitCode.unit_id == OrgUnit.id)
            .where(UnitCode.scheme == scheme.lower(), UnitCode.value == value.upper())
        ).one_or_none()
    if unit is None:
        raise InvalidInput(
            "unit_unknown", "Không có đơn vị với mã {ref}.", field=field, ref=text[:60]
        )
    return unit


def get(session: Session, unit_id: int) -> OrgUnit:
    """The unit with this id. Raises NotFound."""
    unit = session.get(OrgUnit, unit_id)
    if unit is None:
        raise NotFound("unit_unknown", "Không tìm thấy đơn vị.")
    return unit


def legal_person_of(session: Session, unit: OrgUnit) -> OrgUnit:
    """The nearest unit at or above this one that is a legal person; the root if none is."""
    rows = session.scalars(
        select(OrgUnit).where(OrgUnit.id.in_(unit.ancestor_ids)).order_by(func.length(OrgUnit.path))
    ).all()
    return next((u for u in reversed(rows) if u.legal_person), rows[0])


def full_name(session: Session, unit: OrgUnit) -> str:
    """``Phòng Kinh tế, UBND xã Hà Trung``: the unit and its legal person, for lists and claims."""
    owner = legal_person_of(session, unit)
    return unit.name if owner.id == unit.id else f"{unit.name}, {owner.name}"


def children(session: Session, parent_id: int | None) -> list[OrgUnit]:
    """Today's units directly under one, in Vietnamese order."""
    return list(
        session.scalars(
            select(OrgUnit)
            .where(OrgUnit.parent_id == parent_id, OrgUnit.valid_to.is_(None))
            .order_by(OrgUnit.sort_key, OrgUnit.id)
        )
    )


def ancestors(session: Session, unit: OrgUnit) -> list[OrgUnit]:
    """From the root down to the unit itself."""
    rows = {
        u.id: u for u in session.scalars(select(OrgUnit).where(OrgUnit.id.in_(unit.ancestor_ids)))
    }
    return [rows[i] for i in unit.ancestor_ids]


def codes(session: Session, unit_id: int) -> list[UnitCode]:
    """All codes the unit ever had, newest first."""
    return list(
        session.scalars(
            select(UnitCode).where(UnitCode.unit_id == unit_id).order_by(UnitCode.valid_from.desc())
        )
    )


def tree_as_of(session: Session, on: date) -> list[tuple[int, int | None]]:
    """(unit, parent) edges in force on a day, from the dated edges: the truth, not the path."""
    return [
        (unit_id, parent_id)
        for unit_id, parent_id in session.execute(
            select(UnitEdge.unit_id, UnitEdge.parent_id).where(in_force(UnitEdge, on))
        )
    ]


def search(
    session: Session, words: str, *, within: Iterable[str] | None = None, limit: int = 20
) -> list[OrgUnit]:
    """Units whose name holds all the words, in any order, with or without diacritics.

    ``within`` are paths of the subtrees that may be seen; None means all.
    """
    query = select(OrgUnit).where(OrgUnit.valid_to.is_(None), *named(words))
    if within is not None:
        query = query.where(or_(*(subtree(path) for path in within), OrgUnit.id < 0))
    return list(
        session.scalars(query.order_by(func.length(OrgUnit.path), OrgUnit.sort_key).limit(limit))
    )


def named(words: str) -> list[ColumnElement[bool]]:
    """The conditions "the name holds each of the words", with or without diacritics."""
    return [
        OrgUnit.search_key.contains(word, autoescape=True) for word in search_key(words).split()
    ]


def view(unit: OrgUnit) -> UnitView:
    """The read-only view of a row."""
    return UnitView(
        unit.id,
        unit.name,
        unit.short_name,
        unit.kind,
        unit.bloc,
        unit.tier,
        unit.legal_person,
        unit.path,
    )


def views(session: Session, ids: Iterable[int]) -> dict[int, UnitView]:
    """Views of many units by id."""
    wanted = set(ids)
    rows = session.scalars(select(OrgUnit).where(OrgUnit.id.in_(wanted))) if wanted else ()
    return {u.id: view(u) for u in rows}


def columns(unit: UnitView) -> dict[str, Any]:
    """What the API shows of a unit."""
    return {"id": unit.id, "name": unit.name, "short_name": unit.short_name}
