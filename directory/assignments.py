"""Position, Post and Assignment: who holds which post, from when until before when.

An assignment is in force on the days ``valid_from <= day < valid_to``. A person has at most one
primary assignment open at a time; concurrent posts are the normal case at commune level. A
session acts in one capacity: one assignment.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    ForeignKey,
    Index,
    UniqueConstraint,
    bindparam,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory import units
from directory.base.db import AUTOINCREMENT, Base, Key, core
from directory.base.errors import InvalidInput, NotFound
from directory.base.rows import batches, in_force, is_fact, not_over
from directory.base.text import by_name
from directory.units import OrgUnit, UnitView


class HeldAs(StrEnum):
    """How an assignment is held."""

    PRIMARY = "primary"
    CONCURRENT = "concurrent"
    SECONDMENT = "secondment"
    ACTING = "acting"


class Position(Base):
    """A catalogue entry: chức vụ, chức danh."""

    __tablename__ = "position"
    __table_args__ = (AUTOINCREMENT,)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    group: Mapped[str | None]
    rank: Mapped[int]
    bloc: Mapped[str]
    leadership: Mapped[bool]
    signing_authority: Mapped[bool]
    sensitivity: Mapped[str]


class Post(Base):
    """A position in a unit with a headcount (biên chế)."""

    __tablename__ = "post"
    __table_args__ = (UniqueConstraint("unit_id", "position_id"), AUTOINCREMENT)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("org_unit.id"))
    position_id: Mapped[int] = mapped_column(ForeignKey("position.id"))
    headcount: Mapped[int]


class Assignment(Base):
    """A user holds a position in a unit, from one day until before another."""

    __tablename__ = "assignment"
    __table_args__ = (
        Index(
            "uq_assignment_open_primary",
            "user_id",
            unique=True,
            sqlite_where=text("kind = 'primary' AND valid_to IS NULL"),
            postgresql_where=text("kind = 'primary' AND valid_to IS NULL"),
        ),
        Index("ix_assignment_user", "user_id", "valid_from"),
        Index("ix_assignment_unit", "unit_id", "valid_to"),
        Index("ix_assignment_post", "unit_id", "position_id"),
        AUTOINCREMENT,
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("org_unit.id"))
    position_id: Mapped[int] = mapped_column(ForeignKey("position.id"))
    kind: Mapped[str]
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    planned_end: Mapped[date | None]
    decision_number: Mapped[str | None]
    decision_issued_on: Mapped[date | None]
    decision_issuer: Mapped[str | None]
    source_key: Mapped[str | None] = mapped_column(unique=True)
    opened_by: Mapped[str] = mapped_column(index=True)
    """The change that opened it."""
    closed_by: Mapped[str | None] = mapped_column(index=True)


@dataclass(frozen=True)
class Held:
    """One assignment with what rules, claims and pages need of its unit and position."""

    id: int
    user_id: int
    kind: str
    valid_from: date
    valid_to: date | None
    unit: UnitView
    position_id: int
    position_code: str
    position_name: str
    position_rank: int
    leadership: bool

    def in_force(self, on: date) -> bool:
        """Whether it holds on that day; the end is exclusive."""
        return in_force(self, on)

    @property
    def void(self) -> bool:
        """Whether it never was in force: opened by a change that was undone."""
        return not is_fact(self)


_HELD = (
    Assignment.id,
    Assignment.user_id,
    Assignment.kind,
    Assignment.valid_from,
    Assignment.valid_to,
    *units.JOINED,
    Position.id.label("position_id"),
    Position.code,
    Position.name.label("position_name"),
    Position.rank,
    Position.leadership,
)


def _held(row: Any) -> Held:
    return Held(
        row.id,
        row.user_id,
        row.kind,
        row.valid_from,
        row.valid_to,
        units.joined(row),
        row.position_id,
        row.code,
        row.position_name,
        row.rank,
        row.leadership,
    )


_WHOLE = (
    select(*_HELD)
    .join(OrgUnit, OrgUnit.id == Assignment.unit_id)
    .join(Position, Position.id == Assignment.position_id)
)
_IN_FORCE = _WHOLE.where(
    Assignment.user_id == bindparam("user"),
    in_force(Assignment, bindparam("on", type_=Date())),
)


def timeline(session: Session, user_ids: Iterable[int]) -> dict[int, list[Held]]:
    """Every assignment, past, present and future, of each person, oldest first.

    What was taken back before it began is not among them: it never was hers.
    """
    return _timelines(session, user_ids, is_fact(Assignment))


def recorded(session: Session, user_ids: Iterable[int]) -> dict[int, list[Held]]:
    """``timeline`` with every row that was ever written, void ones too: for whoever takes a change
    back, and for nobody else.
    """
    return _timelines(session, user_ids)


def _timelines(
    session: Session, user_ids: Iterable[int], *conditions: ColumnElement[bool]
) -> dict[int, list[Held]]:
    wanted = list(user_ids)
    found: dict[int, list[Held]] = {user_id: [] for user_id in wanted}
    for some in batches(wanted):
        mine = Assignment.user_id.in_(some)
        for row in session.execute(
            _WHOLE.where(mine, *conditions).order_by(
                Assignment.user_id, Assignment.valid_from, Assignment.id
            )
        ):
            found[row.user_id].append(_held(row))
    return found


def last_of(held: Iterable[Held]) -> Held | None:
    """Where somebody was last, or will be: the post that ends last, her own before one beside it.
    What began last may have been over for years.
    """
    return max(
        held,
        key=lambda h: (h.valid_to or date.max, h.kind == HeldAs.PRIMARY, h.valid_from, h.id),
        default=None,
    )


def stands_in(timeline: Iterable[Held], on: date) -> Held | None:
    """The post that says whose she is on a day: her own, else one beside it, else where she was last
    or will be.
    """
    held = list(timeline)
    now = [h for h in held if h.in_force(on)]
    own = min(now, key=lambda h: (h.kind != HeldAs.PRIMARY, h.position_rank, h.id), default=None)
    return own or last_of(held)


def begins_on(timeline: Iterable[Held], on: date) -> date | None:
    """The day from which somebody serves who holds no post yet; None for who holds one, or is to
    hold none.
    """
    held = list(timeline)
    if any(h.in_force(on) for h in held):
        return None
    return min((h.valid_from for h in held if not_over(h, on)), default=None)


def current(where: Connection | Session, user_id: int, on: date) -> list[Held]:
    """The capacities a person may act in on a day: primary first, then by rank."""
    held = [_held(row) for row in core(where).execute(_IN_FORCE, {"user": user_id, "on": on})]
    return sorted(held, key=lambda h: (h.kind != HeldAs.PRIMARY, h.position_rank, h.id))


def position_by_code(session: Session, code: str, *, field: str = "position") -> Position:
    """A catalogue entry by its code. Raises InvalidInput naming ``field``."""
    found = session.scalars(
        select(Position).where(Position.code == str(code).strip().upper())
    ).one_or_none()
    if found is None:
        raise InvalidInput(
            "position_unknown", "Không có chức vụ với mã {ref}.", field=field, ref=str(code)[:60]
        )
    return found


def get_position(session: Session, position_id: int) -> Position:
    """A catalogue entry by id. Raises NotFound."""
    found = session.get(Position, position_id)
    if found is None:
        raise NotFound("position_unknown", "Không tìm thấy chức vụ.")
    return found


def positions(session: Session) -> list[Position]:
    """The whole catalogue, highest rank first, then by name."""
    return in_order(session.scalars(select(Position)))


def in_order(positions: Iterable[Position]) -> list[Position]:
    """Catalogue entries as they are listed: highest rank first, then by name."""
    return sorted(positions, key=lambda p: (p.rank, by_name(p.name), p.id))


def places_left(
    session: Session,
    pairs: Iterable[tuple[int, int]],
    on: date,
    *,
    leaving: Iterable[int] = (),
) -> dict[tuple[int, int], int]:
    """Free places on a day of those (unit, position) pairs that have a headcount.

    People in ``leaving`` are not counted: the plan at hand moves them.
    """
    wanted = set(pairs)
    unit_ids = {unit_id for unit_id, _ in wanted}
    headcounts = select(Post.unit_id, Post.position_id, Post.headcount)
    limits = {
        (p.unit_id, p.position_id): p.headcount
        for p in _in_chunks(session, headcounts, Post.unit_id, unit_ids)
        if (p.unit_id, p.position_id) in wanted
    }
    if not limits:
        return {}
    going = set(leaving)
    holders: dict[tuple[int, int], set[int]] = {pair: set() for pair in limits}
    open_then = select(Assignment.unit_id, Assignment.position_id, Assignment.user_id).where(
        not_over(Assignment, on)
    )
    for a in _in_chunks(session, open_then, Assignment.unit_id, {u for u, _ in limits}):
        if (a.unit_id, a.position_id) in holders and a.user_id not in going:
            holders[a.unit_id, a.position_id].add(a.user_id)
    return {pair: limit - len(holders[pair]) for pair, limit in limits.items()}


def _in_chunks(session: Session, query: Any, column: Any, values: set[int]) -> Iterable[Any]:
    ordered = sorted(values)
    for some in batches(ordered):
        yield from session.execute(query.where(column.in_(some)))
