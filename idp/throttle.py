"""Guessing is slowed down per source first, then per account.

Order matters: a source with ``source_failures`` failures in ten minutes is answered 429 before
the account is looked at, so that a flood from one address does not lock people out. Then every
attempt on an account is *claimed before* the password is checked, so that a hundred parallel
guesses are not a hundred guesses: ``lock_after`` attempts are admitted until one of them fits.

A name that nobody has is counted under a keyed hash and locks exactly like a real one. Therefore
the page may say "locked" at once, without the password being right, and still tells an outsider
nothing about who exists. What was typed is never stored: it is sometimes a password.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, bindparam, case, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.db import Base, Database, UTCDateTime, core
from directory.base.errors import Busy, Locked

SOURCE_WINDOW = timedelta(minutes=10)


class Throttle(Base):
    """Failures of one source or on one account since ``window_start``."""

    __tablename__ = "throttle"

    key: Mapped[str] = mapped_column(primary_key=True)
    window_start: Mapped[datetime] = mapped_column(index=True)
    failures: Mapped[int]
    locked_until: Mapped[datetime | None]


@dataclass(frozen=True)
class Attempt:
    """An attempt on an account that was admitted."""

    key: str
    failures: int
    """Counting this one, which is taken back when the password fits."""
    last: bool
    """Whether a failure of this one locks the account."""


def account_key(keyring: Keyring, username: str, user_id: int | None) -> str:
    """What attempts on an account are counted under, also when nobody has that name."""
    if user_id is not None:
        return f"user:{user_id}"
    return "name:" + keyring.keyed_hash("throttle", username.strip().lower()[:200])


_OF_SOURCE = select(Throttle.window_start, Throttle.failures).where(
    Throttle.key == bindparam("key"),
    Throttle.window_start > bindparam("since", type_=UTCDateTime()),
)
_FORGET = delete(Throttle).where(Throttle.key == bindparam("key"))


def check_source(
    connection: Connection | Session, ip: str, *, now: datetime, settings: Settings
) -> None:
    """Raises Locked while this address has failed too often."""
    values = {"key": source_key(ip), "since": now - SOURCE_WINDOW}
    row = core(connection).execute(_OF_SOURCE, values).one_or_none()
    if row is not None and row.failures >= settings.source_failures:
        raise Locked(row.window_start + SOURCE_WINDOW)


def count_source(session: Session, ip: str, *, now: datetime) -> int:
    """Count one failure of this address; how many it has in the window."""
    failures, _ = _count(session, source_key(ip), now=now, window=SOURCE_WINDOW)
    return failures


def source_key(ip: str) -> str:
    """What failures of an address are counted under. An IPv6 subscriber has a whole /64
    (RFC 6177 §2), an IPv4 one may come written as IPv6.
    """
    try:
        found = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return f"source:{ip}"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return f"source:{ipaddress.IPv6Network((found, 64), strict=False)}"
        found = found.ipv4_mapped
    return f"source:{found}"


def claim(session: Session, key: str, *, now: datetime, settings: Settings) -> Attempt:
    """Admit one attempt on an account, counted as failed until ``succeeded``. Raises Locked."""
    window = timedelta(seconds=settings.lock_for)
    failures, locked_until = _count(session, key, now=now, window=window)
    if locked_until is not None and locked_until > now:
        raise Locked(locked_until)
    if failures > settings.lock_after:
        # Others took the last attempts at this very moment and their outcome is not known yet.
        raise Locked(now + timedelta(seconds=60))
    return Attempt(key, failures, failures >= settings.lock_after)


def admit(session: Session, key: str, *, most: int, window: timedelta, now: datetime) -> None:
    """Count one try at something that can be guessed; ``most`` are let through in a window.

    Raises Locked.
    """
    failures, _ = _count(session, key, now=now, window=window)
    if failures > most:
        began = session.scalars(select(Throttle.window_start).where(Throttle.key == key)).one()
        raise Locked(began + window)


def give_back(session: Session, key: str) -> None:
    """The try that was just counted was no guess. Those before it still count: else whoever
    knows one right answer could guess between two of them for ever.
    """
    session.execute(
        update(Throttle)
        .where(Throttle.key == key, Throttle.failures > 0)
        .values(failures=Throttle.failures - 1)
    )


def tried(database: Database, attempt: Attempt, fits: Callable[[], bool]) -> bool:
    """Whether the password fits. An attempt that nobody could look at is given back: a flood
    that keeps the hasher busy must not lock those who try to sign in meanwhile.
    """
    try:
        return fits()
    except Busy:
        with database.write() as session:
            give_back(session, attempt.key)
        raise


def failed(
    session: Session,
    attempt: Attempt,
    *,
    now: datetime,
    settings: Settings,
    user_id: int | None,
    actor: Actor,
) -> datetime | None:
    """The attempt did not fit; until when the account is locked now, if it is."""
    subject = ("user", user_id if user_id is not None else "unknown")
    audit.record(session, Tag.LOGIN_FAIL, at=now, actor=actor, subject=subject)
    if not attempt.last:
        return None
    until = now + timedelta(seconds=settings.lock_for)
    session.execute(update(Throttle).where(Throttle.key == attempt.key).values(locked_until=until))
    audit.record(
        session,
        Tag.LOGIN_LOCK,
        at=now,
        actor=actor,
        subject=subject,
        data={"until": until.isoformat(), "failures": attempt.failures},
    )
    return until


def succeeded(session: Session, attempt: Attempt) -> None:
    """The password fitted: earlier failures are forgotten."""
    core(session).execute(_FORGET, {"key": attempt.key})


def unlock(session: Session, user_id: int, *, now: datetime, actor: Actor) -> bool:
    """An administrator lets a person try again; False if she was not locked."""
    gone = session.execute(
        delete(Throttle).where(Throttle.key == f"user:{user_id}").returning(Throttle.locked_until)
    ).one_or_none()
    if gone is None or gone.locked_until is None or gone.locked_until <= now:
        return False
    audit.record(session, Tag.LOGIN_UNLOCK, at=now, actor=actor, subject=("user", user_id))
    return True


def locked_until(
    connection: Connection | Session, user_id: int, *, now: datetime
) -> datetime | None:
    """Until when a person's account is locked, if it is."""
    until: datetime | None = connection.execute(
        select(Throttle.locked_until).where(
            Throttle.key == f"user:{user_id}", Throttle.locked_until > now
        )
    ).scalar_one_or_none()
    return until


def purge(session: Session, *, now: datetime, settings: Settings) -> None:
    """Forget what no longer counts."""
    session.execute(
        delete(Throttle).where(
            Throttle.window_start < now - timedelta(seconds=settings.lock_for),
            or_(Throttle.locked_until.is_(None), Throttle.locked_until < now),
        )
    )


def _count(
    session: Session, key: str, *, now: datetime, window: timedelta
) -> tuple[int, datetime | None]:
    """One atomic upsert: a new window when the old one or its lock is over, else one more."""
    connection = core(session)
    values = {"of": key, "now": now, "since": now - window}
    row = connection.execute(_COUNT[connection.dialect.name], values).one()
    return row.failures, row.locked_until


def _counting(dialect: Any) -> Any:
    now = bindparam("now", type_=UTCDateTime())
    since = bindparam("since", type_=UTCDateTime())
    over = or_(
        and_(Throttle.locked_until.is_(None), Throttle.window_start <= since),
        Throttle.locked_until <= now,
    )
    return (
        dialect.insert(Throttle)
        .values(key=bindparam("of"), window_start=now, failures=1)
        .on_conflict_do_update(
            index_elements=["key"],
            set_={
                "failures": case((over, 1), else_=Throttle.failures + 1),
                "window_start": case((over, now), else_=Throttle.window_start),
                "locked_until": case((over, None), else_=Throttle.locked_until),
            },
        )
        .returning(Throttle.failures, Throttle.locked_until)
    )


_COUNT = {each.__name__.rpartition(".")[2]: _counting(each) for each in (sqlite, postgresql)}
