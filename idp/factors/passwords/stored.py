"""The table of passwords, and who has one."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    ForeignKey,
    bindparam,
    delete,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.assignments import Assignment
from directory.base import audit, hot
from directory.base.audit import Actor, Tag
from directory.base.db import Base, core
from directory.base.rows import batches, insert_into
from directory.entitlements import Installation
from directory.people import User, folded
from directory.permissions import AdminRole, counting
from idp.factors.passwords import earlier


class PasswordCredential(Base):
    """A person's password, as a PHC string with its own parameters."""

    __tablename__ = "password_credential"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    hash: Mapped[str]
    must_change: Mapped[bool]
    set_at: Mapped[datetime]
    changed_by: Mapped[str]
    """Key of the actor: the person herself, an administrator, the operator."""
    generation: Mapped[int] = mapped_column(default=1, server_default="1")
    """Raised by each new password, never by a new hash of the same."""


@dataclass(frozen=True)
class Candidate:
    """What one read gives a sign-in: who has this name, her password, and the epochs now.

    The epochs are read before the password is checked; the session will carry them.
    """

    user_id: int
    username: str
    full_name: str
    user_epoch: int
    hash: str | None
    must_change: bool
    installation_epoch: int = 0
    set_at: datetime | None = None
    holds_role: bool = False
    """Whether she administers anything on the day that was asked about."""

    def outlived(self, days: int, *, now: datetime) -> bool:
        """Whether it has been an administrator's for so many days; 0: that is no reason."""
        if not days or self.set_at is None or not self.holds_role:
            return False
        return now - self.set_at >= timedelta(days=days)


_TODAY: Any = bindparam("today", type_=Date())
_HOLDS_ROLE = exists(
    select(AdminRole.id)
    .outerjoin(Assignment, Assignment.id == AdminRole.assignment_id)
    .where(AdminRole.user_id == User.id, counting(_TODAY))
).correlate(User)
_CANDIDATE = hot.read(
    select(
        User.id,
        User.username,
        User.full_name,
        User.access_epoch,
        PasswordCredential.hash,
        PasswordCredential.must_change,
        PasswordCredential.set_at,
        _HOLDS_ROLE.label("holds_role"),
        select(Installation.epoch).scalar_subquery().label("epoch"),
    )
    .outerjoin(PasswordCredential, PasswordCredential.user_id == User.id)
    .where(User.username == bindparam("username"))
)


def candidate(
    connection: Connection | Session, username: str, *, on: date = date.min
) -> Candidate | None:
    """The person with this username, with or without a password; what she administers on that day,
    by default on none. One SELECT.
    """
    row = _CANDIDATE.one(core(connection), username=folded(username), today=on)
    if row is None:
        return None
    return Candidate(
        row.id,
        row.username,
        row.full_name,
        row.access_epoch,
        row.hash,
        must_change=bool(row.must_change),
        installation_epoch=row.epoch,
        set_at=row.set_at,
        holds_role=bool(row.holds_role),
    )


def store(
    session: Session,
    user_id: int,
    phc: str,
    *,
    must_change: bool,
    now: datetime,
    actor: Actor,
) -> None:
    """Set a person's password to an already computed hash; the one before it is kept as such."""
    _keep(session, PasswordCredential.user_id == user_id)
    columns = {"hash": phc, "must_change": must_change, "set_at": now, "changed_by": actor.key}
    session.execute(
        insert_into(session, PasswordCredential)
        .values(user_id=user_id, **columns)
        .on_conflict_do_update(
            index_elements=["user_id"],
            set_=columns | {"generation": PasswordCredential.generation + 1},
        )
    )
    _tell(session, user_id, must_change=must_change, now=now, actor=actor)


def _keep(session: Session, mine: Any) -> None:
    present = (PasswordCredential.user_id, PasswordCredential.hash, PasswordCredential.set_at)
    earlier.keep(session, select(*present).where(mine))


def _tell(
    session: Session, user_id: int, *, must_change: bool, now: datetime, actor: Actor
) -> None:
    audit.record(
        session,
        Tag.PASSWORD_SET,
        at=now,
        actor=actor,
        subject=("user", user_id),
        data={"must_change": must_change},
    )


def store_first(
    session: Session,
    user_id: int,
    phc: str,
    *,
    must_change: bool,
    now: datetime,
    actor: Actor,
) -> bool:
    """Give a person her first password; False where she has one."""
    columns = {"hash": phc, "must_change": must_change, "set_at": now, "changed_by": actor.key}
    new = session.execute(
        insert_into(session, PasswordCredential)
        .values(user_id=user_id, **columns)
        .on_conflict_do_nothing(index_elements=["user_id"])
        .returning(PasswordCredential.user_id)
    ).one_or_none()
    if new is not None:
        _tell(session, user_id, must_change=must_change, now=now, actor=actor)
    return new is not None


def replace_hash(session: Session, user_id: int, *, old: str, new: str) -> None:
    """Store the same password under today's parameters, unless it was changed meanwhile."""
    session.execute(
        update(PasswordCredential)
        .where(PasswordCredential.user_id == user_id, PasswordCredential.hash == old)
        .values(hash=new)
    )


def has_one() -> ColumnElement[bool]:
    """The SQL condition on ``User``: she has a password."""
    return exists().where(PasswordCredential.user_id == User.id).correlate(User)


def having(session: Session, user_ids: Iterable[int]) -> list[int]:
    """Those of these people who have a password."""
    found: list[int] = []
    for some in batches(sorted(set(user_ids))):
        mine = PasswordCredential.user_id.in_(some)
        found += session.scalars(select(PasswordCredential.user_id).where(mine))
    return sorted(found)


def forget(session: Session, user_ids: Iterable[int]) -> list[int]:
    """These people have no password any more; whose there was one."""
    found = having(session, user_ids)
    for some in batches(found):
        mine = PasswordCredential.user_id.in_(some)
        _keep(session, mine)
        session.execute(delete(PasswordCredential).where(mine))
    return found


def of_other_systems(session: Session) -> int:
    """How many passwords are still kept as another system hashed them."""
    ours = PasswordCredential.hash.startswith("$argon2id$")
    return session.scalar(select(func.count()).where(~ours)) or 0
