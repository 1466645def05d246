"""Who is signing in, as she stands at this moment: one statement, or a part of the one about the sign-in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Date, bindparam, exists, func, select
from sqlalchemy.orm import Session, aliased

from directory.assignments import Assignment, HeldAs, Position
from directory.base import hot
from directory.base.clock import local_day
from directory.base.db import Json, core
from directory.base.errors import NotFound
from directory.base.rows import in_force
from directory.entitlements import Installation
from directory.people import Standing, User
from directory.permissions import AdminRole, counting
from idp.factors import second_factors
from idp.factors.second_factors import SecondFactors


@dataclass(frozen=True)
class Who:
    """A person, and what of her a sign-in asks about."""

    standing: Standing
    capacities: tuple[int, ...]
    """Ids of her assignments in force today, the primary one first."""
    positions: Mapping[int, tuple[str, str]]
    """(code, name) of the position of each."""
    holds_role: bool
    """Whether she has an administrative role today, in whichever capacity."""
    unconfirmed_since: datetime | None
    """Since when only administrators are let in (``Installation``)."""
    beside: SecondFactors


_TODAY: Any = bindparam("today", type_=Date())
_OF_ROLE = aliased(Assignment)


_POST = (Assignment.kind, Position.rank, Assignment.id, Position.code, Position.name)


def _columns(dialect: str, together: Any, listed: Any) -> tuple[Any, ...]:
    held = (
        select(together(listed(*_POST), type_=Json))
        .join(Position, Position.id == Assignment.position_id)
        .where(Assignment.user_id == User.id, in_force(Assignment, _TODAY))
    )
    role = (
        select(AdminRole.id)
        .outerjoin(_OF_ROLE, _OF_ROLE.id == AdminRole.assignment_id)
        .where(AdminRole.user_id == User.id, counting(_TODAY, _OF_ROLE))
    )
    return (
        User.id.label("who"),
        User.username,
        User.access_epoch,
        User.status,
        User.leaves_on,
        held.correlate(User).scalar_subquery().label("held"),
        exists(role).correlate(User).label("holds_role"),
        select(Installation.unconfirmed_since).scalar_subquery().label("unconfirmed_since"),
        *second_factors.COLUMNS[dialect],
    )


COLUMNS = {
    "postgresql": _columns("postgresql", func.jsonb_agg, func.jsonb_build_array),
    "sqlite": _columns("sqlite", func.json_group_array, func.json_array),
}
"""Of whoever is selected from ``User``, by the database's name; ``of`` takes the row. Their parameter is
``today``.
"""
NAMES = frozenset(column.name for column in COLUMNS["sqlite"])
_READ = hot.read(
    {
        name: select(*columns).where(User.id == bindparam("user", type_=BigInteger()))
        for name, columns in COLUMNS.items()
    }
)


def read(where: Connection | Session, user_id: int, *, now: datetime) -> Who:
    """The person with this id. Raises NotFound."""
    row = _READ.one(core(where), user=user_id, today=local_day(now))
    if row is None:
        raise NotFound("user_unknown", "Không tìm thấy người dùng.")
    return of(row)


def of(row: Any) -> Who:
    """The person of a row with ``COLUMNS``."""
    held = sorted((kind != HeldAs.PRIMARY, rank, id_) for kind, rank, id_, *_ in row.held or ())
    return Who(
        Standing(row.who, row.username, row.access_epoch, row.status, row.leaves_on),
        tuple(each for _, _, each in held),
        {id_: (code, name) for _, _, id_, code, name in row.held or ()},
        bool(row.holds_role),
        row.unconfirmed_since,
        second_factors.read(row),
    )
