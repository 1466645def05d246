"""Passwords that a person has had: their hashes, so that she does not take one of them again."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, ForeignKey, delete, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.base.db import AUTOINCREMENT, Base, Key, core

MOST = 24
"""How many are kept of one person: more than any rule asks about."""


class EarlierPassword(Base):
    """One password of one person, from the moment it was no longer hers."""

    __tablename__ = "earlier_password"
    __table_args__ = (AUTOINCREMENT,)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    hash: Mapped[str]
    set_at: Mapped[datetime]


def keep(session: Session, present: Any) -> None:
    """``present`` selects (person, hash, since when) of passwords that are about to be theirs no more."""
    columns = ["user_id", "hash", "set_at"]
    moved = session.execute(
        insert(EarlierPassword)
        .from_select(columns, present, include_defaults=False)
        .returning(EarlierPassword.user_id)
    )
    for user_id in moved.scalars().all():
        _forget_oldest(session, user_id)


def _forget_oldest(session: Session, user_id: int) -> None:
    mine = EarlierPassword.user_id == user_id
    newest = select(EarlierPassword.id).where(mine).order_by(EarlierPassword.id.desc()).limit(MOST)
    session.execute(
        delete(EarlierPassword)
        .where(mine, EarlierPassword.id.not_in(newest))
        .execution_options(synchronize_session=False)
    )


def hashes(where: Connection | Session, user_id: int, *, most: int) -> tuple[str, ...]:
    """Her newest ones, at most so many; her present one is not among them."""
    if most <= 0:
        return ()
    found = (
        select(EarlierPassword.hash)
        .where(EarlierPassword.user_id == user_id)
        .order_by(EarlierPassword.id.desc())
        .limit(most)
    )
    return tuple(core(where).execute(found).scalars())
