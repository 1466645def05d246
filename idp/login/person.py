"""Who is signing in, as she stands at this moment: one statement."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Date, and_, bindparam, exists, select
from sqlalchemy.orm import Session, aliased

from directory.assignments import Assignment, HeldAs, Position
from directory.base import hot
from directory.base.clock import local_day
from directory.base.db import core
from directory.base.errors import NotFound
from directory.base.rows import in_force
from directory.entitlements import Installation
from directory.people import Standing, User
from directory.permissions import AdminRole, counting


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


_TODAY: Any = bindparam("today", type_=Date())
_OF_ROLE = aliased(Assignment)
_READ = hot.read(
    select(
        User.id,
        User.username,
        User.access_epoch,
        User.status,
        User.leaves_on,
        Assignment.id.label("held"),
        Assignment.kind,
        Position.rank,
        Position.code,
        Position.name,
        exists(
            select(AdminRole.id)
            .outerjoin(_OF_ROLE, _OF_ROLE.id == AdminRole.assignment_id)
            .where(AdminRole.user_id == User.id, counting(_TODAY, _OF_ROLE))
        )
        .correlate(User)
        .label("holds_role"),
        select(Installation.unconfirmed_since).scalar_subquery().label("unconfirmed_since"),
    )
    .outerjoin(Assignment, and_(Assignment.user_id == User.id, in_force(Assignment, _TODAY)))
    .outerjoin(Position, Position.id == Assignment.position_id)
    .where(User.id == bindparam("user", type_=BigInteger()))
)


def read(where: Connection | Session, user_id: int, *, now: datetime) -> Who:
    """The person with this id. Raises NotFound."""
    rows = _READ.all(core(where), user=user_id, today=local_day(now))
    if not rows:
        raise NotFound("user_unknown", "Không tìm thấy người dùng.")
    first = rows[0]
    held = sorted(
        (row.kind != HeldAs.PRIMARY, row.rank, row.held) for row in rows if row.held is not None
    )
    return Who(
        Standing(first.id, first.username, first.access_epoch, first.status, first.leaves_on),
        tuple(each for _, _, each in held),
        {row.held: (row.code, row.name) for row in rows if row.held is not None},
        bool(first.holds_role),
        first.unconfirmed_since,
    )
