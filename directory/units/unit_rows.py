"""The tables of units, and one unit as others read it.

The truth is in dated facts: ``UnitName`` (name, short name, kind), ``UnitEdge`` (parent) and
``UnitCode``. The same columns of ``OrgUnit`` and its ``path`` (``/1/5/17/``) are those of today, kept
for the queries that run often (``boundary``).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.base.db import AUTOINCREMENT, Base, Key
from directory.base.errors import NotFound


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
    """An organisational unit, as it is called and where it stands today."""

    __tablename__ = "org_unit"
    __table_args__ = (
        Index("ix_org_unit_path", "path", postgresql_ops={"path": "text_pattern_ops"}),
        Index("ix_org_unit_sort", "sort_key", "id"),
        AUTOINCREMENT,
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str]
    """Today's, like short name and kind; the truth is UnitName."""
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
        return ids_of(self.path)


class DatedFact:
    """What a unit is from a day on, until the day on which the next fact of its sort begins.

    ``valid_to`` follows from the facts that stand (``facts``). One that was taken back holds on no
    day and stays for the record.
    """

    opened_by: Mapped[str | None]
    """The change that recorded it; None for what came with the unit."""
    recorded_at: Mapped[datetime | None]
    """When it became known; None: as long as the unit itself."""
    taken_back_at: Mapped[datetime | None]


class UnitName(DatedFact, Base):
    """What a unit is called, and which kind of unit it is."""

    __tablename__ = "unit_name"
    __table_args__ = (AUTOINCREMENT,)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("org_unit.id"), index=True)
    name: Mapped[str]
    short_name: Mapped[str]
    kind: Mapped[str]
    search_key: Mapped[str]
    sort_key: Mapped[str]
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]


class UnitEdge(DatedFact, Base):
    """The parent of a unit."""

    __tablename__ = "unit_edge"
    __table_args__ = (AUTOINCREMENT,)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("org_unit.id"), index=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"), index=True)
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]


_OPEN = text("valid_to IS NULL AND value <> ''")


class UnitCode(DatedFact, Base):
    """A typed code of a unit: at no time borne by two, and resolvable for ever."""

    __tablename__ = "unit_code"
    __table_args__ = (
        Index("ix_unit_code_value", "scheme", "value"),
        Index(
            "uq_unit_code_open",
            "scheme",
            "value",
            unique=True,
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
        AUTOINCREMENT,
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("org_unit.id"), index=True)
    scheme: Mapped[str]
    value: Mapped[str]
    """Empty: from that day on the unit has no code of this scheme."""
    issuer: Mapped[str]
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


def ids_of(path: str) -> list[int]:
    """Ids from the root down to the unit at ``path``."""
    return [int(part) for part in path.strip("/").split("/") if part]


def get(session: Session, unit_id: int) -> OrgUnit:
    """The unit with this id. Raises NotFound."""
    unit = session.get(OrgUnit, unit_id)
    if unit is None:
        raise NotFound("unit_unknown", "Không tìm thấy đơn vị.")
    return unit


JOINED = (
    OrgUnit.id.label("unit_id"),
    OrgUnit.name.label("unit_name"),
    OrgUnit.short_name,
    OrgUnit.kind.label("unit_kind"),
    OrgUnit.bloc,
    OrgUnit.tier,
    OrgUnit.legal_person,
    OrgUnit.path,
)
"""The columns of a unit beside those of other tables; read by ``joined``."""


def joined(row: Any) -> UnitView:
    """The view of the unit in such a row."""
    return UnitView(
        row.unit_id,
        row.unit_name,
        row.short_name,
        row.unit_kind,
        row.bloc,
        row.tier,
        row.legal_person,
        row.path,
    )


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
    """Views of many units by id, as they are today."""
    wanted = set(ids)
    rows = session.scalars(select(OrgUnit).where(OrgUnit.id.in_(wanted))) if wanted else ()
    return {u.id: view(u) for u in rows}


def columns(unit: UnitView) -> dict[str, Any]:
    """What the API shows of a unit."""
    return {"id": unit.id, "name": unit.name, "short_name": unit.short_name}
