"""User: a natural person known to the directory, at most once.

``access_epoch`` and the dated cuts decide what still opens doors: a session, grant or token
carries the epoch it was issued under and is good only while that is equal, and while no cut
lies between its issue and now. Both are evaluated at use.
"""

import unicodedata
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import (
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    and_,
    bindparam,
    case,
    exists,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from directory.base import values
from directory.base.crypto import Keyring
from directory.base.db import AUTOINCREMENT, Base, Key, core, read_anew
from directory.base.errors import InvalidInput, NotFound
from directory.base.rows import ends_after


class UserStatus(StrEnum):
    """Whether a person may act at all."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    LEFT = "left"


class User(Base):
    """A natural person (SCIM User). Not an account: that is her record in one application."""

    __tablename__ = "users"
    __table_args__ = (
        Index("ix_users_sort", "sort_key", "id"),
        Index("ix_users_search", "search_key"),
        AUTOINCREMENT,
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    sub: Mapped[str] = mapped_column(unique=True)
    """Opaque, random, for ever: the OIDC subject."""
    username: Mapped[str] = mapped_column(unique=True)
    """ASCII, stable, never reused, no unit in it."""
    username_stem: Mapped[str] = mapped_column(index=True)
    """The username without its number; counts how often a stem was given."""
    full_name: Mapped[str]
    family_name: Mapped[str]
    middle_name: Mapped[str]
    given_name: Mapped[str]
    birth_date: Mapped[str | None]
    """ISO date, or a bare year where only that is known."""
    gender: Mapped[str | None]
    citizen_hash: Mapped[str | None] = mapped_column(unique=True)
    citizen_sealed: Mapped[str | None]
    citizen_masked: Mapped[str | None]
    email: Mapped[str | None] = mapped_column(index=True)
    phone: Mapped[str | None] = mapped_column(index=True)
    eid_issuer: Mapped[str | None]
    eid_subject: Mapped[str | None]
    eid_level: Mapped[int | None]
    eid_verified_at: Mapped[datetime | None]
    search_key: Mapped[str]
    sort_key: Mapped[str]
    source_key: Mapped[str | None] = mapped_column(unique=True)
    """The person's key in the personnel system."""
    status: Mapped[str] = mapped_column(default=UserStatus.ACTIVE.value)
    leaves_on: Mapped[date | None]
    """The first day she no longer belongs to the agency; evaluated at use."""
    access_epoch: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]

    def may_act(self, on: date) -> bool:
        """Whether she may sign in on a day, as far as her status goes."""
        return _may_act(self.status, self.leaves_on, on)

    def has_left(self, on: date) -> bool:
        """Whether her day of leaving has come by then, whatever her status still says."""
        return not ends_after(self.leaves_on, on)


def _may_act(status: str, leaves_on: date | None, on: date) -> bool:
    return status == UserStatus.ACTIVE.value and ends_after(leaves_on, on)


def active(on: date | ColumnElement[date]) -> ColumnElement[bool]:
    """The SQL condition on ``User``: as ``User.may_act``."""
    return and_(User.status == UserStatus.ACTIVE.value, ends_after(User.leaves_on, on))


@dataclass(frozen=True)
class Standing:
    """What a sign-in needs to know about a person."""

    id: int
    username: str
    access_epoch: int
    status: str
    leaves_on: date | None

    def may_act(self, on: date) -> bool:
        """As ``User.may_act``."""
        return _may_act(self.status, self.leaves_on, on)


class UserCut(Base):
    """A dated cut: what was issued before ``at`` is dead once ``at`` has come.

    With ``assignment_id`` it cuts only what acts under that assignment.
    """

    __tablename__ = "user_cut"
    __table_args__ = (Index("ix_user_cut_user", "user_id", "at"), AUTOINCREMENT)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    assignment_id: Mapped[int | None] = mapped_column(ForeignKey("assignment.id"))
    at: Mapped[datetime]
    change_id: Mapped[str]


def citizen_columns(keyring: Keyring, number: str | None) -> dict[str, str | None]:
    """The three stored forms of a citizen number: hash for look-up, sealed, masked.

    Twelve digits is the only hard rule (domain: structure deviations are legitimate). Raises
    InvalidInput.
    """
    number = values.citizen_number(number)
    if number is None:
        return {"citizen_hash": None, "citizen_sealed": None, "citizen_masked": None}
    return {
        "citizen_hash": keyring.keyed_hash("citizen", number),
        "citizen_sealed": keyring.encrypt("citizen", number.encode()),
        "citizen_masked": f"{number[:3]}*****{number[-4:]}",
    }


def sole_email() -> ColumnElement[str | None]:
    """The e-mail address of ``User`` in a statement, where it is nobody else's.

    What two people have may be answered to by either: until it is settled, it identifies neither.
    """
    other = aliased(User)
    shared = exists(
        select(other.id).where(
            other.email == User.email,
            other.id != User.id,
            other.status != UserStatus.LEFT.value,
        )
    ).correlate_except(other)
    return case((~shared, User.email))


def get(session: Session, user_id: int) -> User:
    """The person with this id. Raises NotFound."""
    user = session.get(User, user_id)
    if user is None:
        raise NotFound("user_unknown", "Không tìm thấy người dùng.")
    return user


_STANDING = select(User.id, User.username, User.access_epoch, User.status, User.leaves_on).where(
    User.id == bindparam("user")
)


def standing(where: Connection | Session, user_id: int) -> Standing:
    """The person with this id, as far as a sign-in goes. Raises NotFound."""
    row = core(where).execute(_STANDING, {"user": user_id}).one_or_none()
    if row is None:
        raise NotFound("user_unknown", "Không tìm thấy người dùng.")
    return Standing(*row)


def by_ref(session: Session, ref: int | str, *, field: str = "user") -> User:
    """A person by id or username. Raises InvalidInput naming ``field``."""
    text = str(ref).strip()
    user = (
        session.get(User, int(text))
        if text.isdecimal() and len(text) < 16
        else session.scalars(select(User).where(User.username == text.lower())).one_or_none()
    )
    if user is None:
        raise InvalidInput("user_unknown", "Không có người dùng {ref}.", field=field, ref=text[:60])
    return user


def folded(username: str) -> str:
    """A user name as it is looked up, however it was typed: ``BOB `` is ``bob``."""
    return unicodedata.normalize("NFKC", username.strip()[:200]).lower()


def by_username(session: Session, username: str) -> User | None:
    """A person by exact username, as typed at sign-in (case does not matter)."""
    return session.scalars(select(User).where(User.username == folded(username))).one_or_none()


def by_citizen_number(session: Session, keyring: Keyring, number: str) -> User | None:
    """A person by her whole citizen number."""
    digest = keyring.keyed_hash("citizen", number)
    return session.scalars(select(User).where(User.citizen_hash == digest)).one_or_none()


def cut(session: Session, user_id: int) -> None:
    """Her access epoch is raised: what was issued to her is dead as soon as this commits, and so
    is what a sign-in, or a request, that has begun by then still gives.
    """
    session.execute(
        update(User)
        .where(User.id == user_id)
        .values(access_epoch=User.access_epoch + 1)
        .execution_options(synchronize_session=False)
    )
    read_anew(session)


def lock(session: Session, ids: list[int]) -> list[User]:
    """Lock people in id order for the rest of the transaction (SQLite: the writer holds all).

    The lock leaves their key alone: whoever starts a session or a grant of theirs refers to the
    row and need not wait, and so cannot come to wait for us while we wait for the session she
    ends. What she starts carries the old epoch.
    """
    return list(
        session.scalars(
            select(User)
            .where(User.id.in_(ids))
            .order_by(User.id)
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
    )
