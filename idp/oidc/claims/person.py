"""One person and the capacity she acts in, as claims need them: read beside whatever names her.

``complete`` adds what only the scope ``org`` tells, all posts of today and the codes of their
units, for one SELECT more.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Date, Select, and_, bindparam, case, func, select
from sqlalchemy.orm import aliased

from directory import units
from directory.assignments import Assignment, Held, HeldAs, Position
from directory.base import hot
from directory.base.clock import local_day
from directory.base.db import UTCDateTime
from directory.base.rows import in_force
from directory.changes.model import Change, ChangeLine
from directory.people import User, sole_email
from directory.units import OrgUnit, UnitCode
from idp.oidc.claims import scopes as known


@dataclass(frozen=True)
class Above:
    """The unit itself, or one above it."""

    id: int
    name: str
    tier: str
    legal_person: bool


@dataclass(frozen=True)
class TypedCode:
    """A typed code of a unit."""

    scheme: str
    value: str


@dataclass(frozen=True)
class Posts:
    """What she holds today, the primary post first, and the codes of the units, by unit."""

    held: tuple[Held, ...]
    codes: dict[int, tuple[TypedCode, ...]]


@dataclass(frozen=True)
class ActingPerson:
    """A person and the capacity she acts in."""

    user_id: int
    sub: str
    username: str
    full_name: str
    family_name: str
    middle_name: str
    given_name: str
    gender: str | None
    birth_date: str | None
    email: str | None
    phone: str | None
    eid_level: int | None
    updated_at: datetime
    """When the directory last changed anything about her."""
    held: Held | None
    above: tuple[Above, ...]
    """Her unit, its parent and so on, as far up as the statement looks."""
    posts: Posts | None = None
    """None until ``complete`` has read them."""

    @property
    def legal_person(self) -> Above | None:
        """The nearest unit at or above hers that is a legal person; the topmost where none is."""
        own = next((each for each in self.above if each.legal_person), None)
        return own or (self.above[-1] if self.above else None)


@dataclass(frozen=True)
class Capacity:
    """As much of the capacity somebody acts in as decides what she may use."""

    eid_level: int | None
    held: Held | None


_UP = (aliased(OrgUnit), aliased(OrgUnit), aliased(OrgUnit))
"""Parents of the unit: its legal person is hardly ever further up."""

_CHANGED = (
    select(func.max(Change.effective_at))
    .join(ChangeLine, ChangeLine.change_id == Change.id)
    .where(
        ChangeLine.user_id == User.id,
        # What has been decided for a later day has not changed anything yet.
        Change.effective_at <= bindparam("now", type_=UTCDateTime()),
    )
    .correlate(User)
    .scalar_subquery()
)

_HELD = (
    Assignment.id.label("held_id"),
    Assignment.kind.label("held_kind"),
    Assignment.valid_from,
    Assignment.valid_to,
    *units.JOINED,
    Position.id.label("position_id"),
    Position.code.label("position_code"),
    Position.name.label("position_name"),
    Position.rank,
    Position.leadership,
)
_COLUMNS = (
    User.sub,
    User.username,
    User.full_name,
    User.family_name,
    User.middle_name,
    User.given_name,
    User.gender,
    User.birth_date,
    sole_email().label("email"),
    User.phone,
    User.eid_level,
    User.created_at.label("known_since"),
    _CHANGED.label("changed_at"),
    *_HELD,
    *(
        column.label(f"up{n}_{name}")
        for n, up in enumerate(_UP)
        for name, column in (
            ("id", up.id),
            ("name", up.name),
            ("tier", up.tier),
            ("legal", up.legal_person),
        )
    ),
)


def with_person(statement: Any) -> Select[Any]:
    """Add what ``person`` reads to a statement that joins ``User``, outer-joins ``Assignment``
    and names a column ``user_id``; it is then executed with the parameter ``now``. What it selects
    already, under the same name, is not selected twice.
    """
    statement = _with_post(statement, _COLUMNS)
    below: Any = OrgUnit
    for up in _UP:
        statement = statement.outerjoin(up, up.id == below.parent_id)
        below = up
    found: Select[Any] = statement
    return found


def with_capacity(statement: Any) -> Select[Any]:
    """The same for ``capacity``."""
    return _with_post(statement, (User.eid_level, *_HELD))


def _with_post(statement: Any, columns: Iterable[Any]) -> Select[Any]:
    selected = set(statement.selected_columns.keys())
    found: Select[Any] = (
        statement.add_columns(*(each for each in columns if each.key not in selected))
        .outerjoin(OrgUnit, OrgUnit.id == Assignment.unit_id)
        .outerjoin(Position, Position.id == Assignment.position_id)
    )
    return found


def capacity(row: Any) -> Capacity:
    """The capacity of a row selected by ``with_capacity``."""
    return Capacity(row.eid_level, _held(row) if row.held_id is not None else None)


def person(row: Any) -> ActingPerson:
    """The person of a row selected by ``with_person``."""
    return ActingPerson(
        row.user_id,
        row.sub,
        row.username,
        row.full_name,
        row.family_name,
        row.middle_name,
        row.given_name,
        row.gender,
        row.birth_date,
        row.email,
        row.phone,
        row.eid_level,
        max(row.known_since, row.changed_at or row.known_since),
        _held(row) if row.held_id is not None else None,
        _above(row),
    )


def _held(row: Any) -> Held:
    return Held(
        id=row.held_id,
        user_id=row.user_id,
        kind=row.held_kind,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        unit=units.joined(row),
        position_id=row.position_id,
        position_code=row.position_code,
        position_name=row.position_name,
        position_rank=row.rank,
        leadership=row.leadership,
    )


def _above(row: Any) -> tuple[Above, ...]:
    if row.unit_id is None:
        return ()
    found = [Above(row.unit_id, row.unit_name, row.tier, row.legal_person)]
    for n in range(len(_UP)):
        unit_id, name, tier, legal = (
            getattr(row, f"up{n}_{part}") for part in ("id", "name", "tier", "legal")
        )
        if unit_id is None:
            break
        found.append(Above(unit_id, name, tier, legal))
    return tuple(found)


_TODAY = bindparam("today", type_=Date())
_POSTS = hot.read(
    select(Assignment.user_id, *_HELD, UnitCode.scheme, UnitCode.value)
    .join(OrgUnit, OrgUnit.id == Assignment.unit_id)
    .join(Position, Position.id == Assignment.position_id)
    .outerjoin(
        UnitCode,
        and_(
            UnitCode.unit_id == OrgUnit.id,
            in_force(UnitCode, _TODAY),
        ),
    )
    .where(
        Assignment.user_id == bindparam("user"),
        in_force(Assignment, _TODAY),
    )
    .order_by(
        case((Assignment.kind == HeldAs.PRIMARY.value, 0), else_=1),
        Position.rank,
        Assignment.id,
        UnitCode.scheme,
        UnitCode.value,
    )
)


def complete(
    connection: Connection,
    about: ActingPerson,
    scopes: Iterable[str],
    *,
    asked: Iterable[str] = (),
    now: datetime,
) -> ActingPerson:
    """The person with all that these scopes and claims tell. One SELECT where ``org`` is told."""
    if "org" not in known.names(scopes, asked):
        return about
    rows = _POSTS.all(connection, user=about.user_id, today=local_day(now))
    held = {row.held_id: _held(row) for row in rows}
    codes: dict[int, dict[TypedCode, None]] = {}
    for row in rows:
        if row.scheme is not None:
            codes.setdefault(row.unit_id, {})[TypedCode(row.scheme, row.value)] = None
    posts = Posts(tuple(held.values()), {unit: tuple(each) for unit, each in codes.items()})
    return replace(about, posts=posts)
