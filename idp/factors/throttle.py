"""Guessing is slowed down per source first, then per account.

Order matters: a source with ``source_failures`` failures in ten minutes is answered 429 before
the account is looked at, so that a flood from one address does not lock people out. Then every
attempt on an account *reserves a place before* the password is checked, so that a hundred parallel
guesses are not a hundred guesses. The outcome settles it: right forgets what was wrong before,
wrong counts, anything else gives the place back. Where the process dies in between, the place
comes back by itself within ``_SLOT * 2`` seconds: an outage locks nobody out.

A lock stands in one place, ``locked_until`` of the account's row: sign-in and console read it
there, and the audit is written with it.

A name that nobody has is counted under a keyed hash and locks exactly like a real one. Therefore
the page may say "locked" at once, without the password being right, and still tells an outsider
nothing about who exists. What was typed is never stored: it is sometimes a password.
"""

import contextlib
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Connection,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.base import audit, hosts, hot
from directory.base.audit import Actor, Tag
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.db import Base, Database, Key, UTCDateTime, core
from directory.base.errors import Locked
from directory.base.rows import for_each_dialect

SOURCE_WINDOW = timedelta(minutes=10)


_SLOT = 30
"""Seconds. A reserved place counts in the slot it was taken in and in the next."""


T = TypeVar("T")


class Throttle(Base):
    """Failures of one source or on one account since ``window_start``."""

    __tablename__ = "throttle"

    key: Mapped[str] = mapped_column(primary_key=True)
    window_start: Mapped[datetime] = mapped_column(index=True)
    failures: Mapped[int]
    locked_until: Mapped[datetime | None]
    slot: Mapped[int] = mapped_column(Key, default=0, server_default="0")
    """The half minute in which a place was last reserved, counted from 1970."""
    reserved: Mapped[int] = mapped_column(default=0, server_default="0")
    """Attempts of that slot whose outcome is not known."""
    reserved_before: Mapped[int] = mapped_column(default=0, server_default="0")
    """Those of the slot before it."""


@dataclass(frozen=True)
class Attempt:
    """An attempt on an account that was admitted and is not settled yet."""

    key: str
    slot: int
    window: timedelta
    most: int
    """How many wrong ones lock it."""


CODES = ("totp", "recovery_code")
"""Kinds of codes, each counted by itself for each person, over all sign-ins and addresses."""


def code_key(kind: str, user_id: int) -> str:
    """What wrong codes of a kind are counted under: they mean that her password is known."""
    return f"{kind}:{user_id}"


def locked(attempt: "Attempt", until: datetime) -> Locked:
    """What whoever must wait is told, by what was guessed at."""
    return Locked(until, why="code" if attempt.key.startswith(CODES) else "account")


def account_key(keyring: Keyring, username: str, user_id: int | None) -> str:
    """What attempts on an account are counted under, also when nobody has that name."""
    if user_id is not None:
        return f"user:{user_id}"
    return "name:" + keyring.keyed_hash("throttle", username.strip().lower()[:200])


_OF_SOURCE = hot.read(
    select(Throttle.window_start, Throttle.failures).where(
        Throttle.key == bindparam("key"),
        Throttle.window_start > bindparam("since", type_=UTCDateTime()),
    )
)
_FORGET = hot.write(delete(Throttle).where(Throttle.key == bindparam("key")))


def check_source(
    connection: Connection | Session, ip: str, *, now: datetime, settings: Settings
) -> None:
    """Raises Locked while this address has failed too often."""
    row = _OF_SOURCE.one(core(connection), key=source_key(ip), since=now - SOURCE_WINDOW)
    if row is not None and row.failures >= settings.source_failures:
        raise Locked(row.window_start + SOURCE_WINDOW, why="source")


def count_source(session: Session, ip: str, *, now: datetime) -> int:
    """Count one failure of this address; how many it has in the window."""
    failures, _ = _count(session, source_key(ip), now=now, window=SOURCE_WINDOW)
    return failures


def source_key(ip: str) -> str:
    """What failures of an address are counted under. An IPv6 subscriber has a whole /64
    (RFC 6177 §2), an IPv4 one may come written as IPv6.
    """
    found = hosts.address(ip)
    if found is None:
        return f"source:{ip}"
    if isinstance(found, ipaddress.IPv6Address):
        return f"source:{ipaddress.IPv6Network((found, 64), strict=False)}"
    return f"source:{found}"


def claim(
    session: Session,
    key: str,
    *,
    now: datetime,
    settings: Settings,
    window: timedelta | None = None,
    most: int | None = None,
) -> Attempt:
    """Admit one attempt on an account: a place is reserved until it is settled. ``most`` wrong ones
    lock it; None: as many as the settings say. Raises Locked.
    """
    window = window or timedelta(seconds=settings.lock_for)
    most = settings.lock_after if most is None else most
    slot = int(now.timestamp()) // _SLOT
    row = _CLAIM.one(core(session), of=key, now=now, since=now - window, at=slot)
    attempt = Attempt(key, row.slot, window, most)
    if row.locked_until is not None and row.locked_until > now:
        raise locked(attempt, row.locked_until)
    if row.failures >= most:
        raise locked(attempt, row.window_start + window)
    if row.failures + row.reserved + row.reserved_before > most:
        # Others took the last places, and their outcome is not known: by then it is, or they died.
        raise Locked(datetime.fromtimestamp((row.slot + 2) * _SLOT, now.tzinfo), why="unsettled")
    return attempt


def admit(session: Session, key: str, *, most: int, window: timedelta, now: datetime) -> None:
    """Count one more of something of which ``most`` are let through in a window. Raises Locked."""
    failures, _ = _count(session, key, now=now, window=window)
    if failures > most:
        began = session.scalars(select(Throttle.window_start).where(Throttle.key == key)).one()
        raise Locked(began + window, why="rate")


def release(session: Session, attempt: Attempt) -> None:
    """The attempt was no guess: its place is free again. Wrong ones before it still count: else
    whoever knows one right answer could guess between two of them for ever.
    """
    _RELEASE.run(core(session), of=attempt.key, at=attempt.slot)


def looked_at(database: Database, attempt: Attempt, check: Callable[[], T]) -> T:
    """What the check says. An attempt that nobody could look at is given back: neither a
    flood that keeps the hasher busy nor a fault may lock those who try to sign in meanwhile.
    """
    try:
        return check()
    except Exception:
        with contextlib.suppress(SQLAlchemyError), database.write() as session:
            release(session, attempt)
        raise


def wrong(session: Session, attempt: Attempt, *, now: datetime) -> int:
    """The attempt was looked at and did not fit; how many have not in this window."""
    _RELEASE.run(core(session), of=attempt.key, at=attempt.slot)
    failures, _ = _count(session, attempt.key, now=now, window=attempt.window)
    return failures


def failed(
    session: Session,
    attempt: Attempt,
    *,
    now: datetime,
    settings: Settings,
    user_id: int | None,
    actor: Actor,
    factor: str,
) -> datetime | None:
    """What was given did not fit; until when the account is locked now, if it is."""
    subject = ("user", user_id if user_id is not None else "unknown")
    audit.record(
        session, Tag.LOGIN_FAIL, at=now, actor=actor, subject=subject, data={"factors": [factor]}
    )
    failures = wrong(session, attempt, now=now)
    if failures < attempt.most:
        return None
    until = now + timedelta(seconds=settings.lock_for)
    session.execute(update(Throttle).where(Throttle.key == attempt.key).values(locked_until=until))
    audit.record(
        session,
        Tag.LOGIN_LOCK,
        at=now,
        actor=actor,
        subject=subject,
        data={"until": until.isoformat(), "failures": failures},
    )
    return until


def succeeded(session: Session, attempt: Attempt) -> None:
    """The password fitted: earlier failures are forgotten."""
    _FORGET.run(core(session), key=attempt.key)


def unlock(session: Session, user_id: int, *, now: datetime, actor: Actor) -> bool:
    """An administrator lets a person try again, her password and her codes; False if she was not
    locked.
    """
    gone = session.scalars(
        delete(Throttle).where(Throttle.key.in_(_keys(user_id))).returning(Throttle.locked_until)
    ).all()
    if not any(until is not None and until > now for until in gone):
        return False
    audit.record(session, Tag.LOGIN_UNLOCK, at=now, actor=actor, subject=("user", user_id))
    return True


def locked_until(
    connection: Connection | Session, user_id: int, *, now: datetime
) -> datetime | None:
    """Until when a person's account is locked, if it is: her password, or one kind of her codes."""
    until: datetime | None = connection.execute(
        select(func.max(Throttle.locked_until)).where(
            Throttle.key.in_(_keys(user_id)), Throttle.locked_until > now
        )
    ).scalar_one_or_none()
    return until


def _keys(user_id: int) -> list[str]:
    return [f"user:{user_id}", *(code_key(kind, user_id) for kind in CODES)]


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
    row = _COUNT.one(core(session), of=key, now=now, since=now - window)
    return row.failures, row.locked_until


_NOW = bindparam("now", type_=UTCDateTime())
_OVER = or_(
    and_(
        Throttle.locked_until.is_(None),
        Throttle.window_start <= bindparam("since", type_=UTCDateTime()),
    ),
    Throttle.locked_until <= _NOW,
)
"""A window that has run out, or a lock."""


def _counting(insert: Any) -> Any:
    now, over = _NOW, _OVER
    return (
        insert(Throttle)
        .values(
            key=bindparam("of"),
            window_start=now,
            failures=1,
            slot=0,
            reserved=0,
            reserved_before=0,
        )
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


def _claiming(insert: Any) -> Any:
    at = bindparam("at", type_=BigInteger())
    # Another node's clock may be a moment ahead: its slot is ours then.
    here = or_(Throttle.slot == at, Throttle.slot == at + 1)
    return (
        insert(Throttle)
        .values(
            key=bindparam("of"),
            window_start=_NOW,
            failures=0,
            slot=at,
            reserved=1,
            reserved_before=0,
        )
        .on_conflict_do_update(
            index_elements=["key"],
            set_={
                "failures": case((_OVER, 0), else_=Throttle.failures),
                "window_start": case((_OVER, _NOW), else_=Throttle.window_start),
                "locked_until": case((_OVER, None), else_=Throttle.locked_until),
                "reserved": case((here, Throttle.reserved + 1), else_=1),
                "reserved_before": case(
                    (here, Throttle.reserved_before),
                    (Throttle.slot == at - 1, Throttle.reserved),
                    else_=0,
                ),
                "slot": case((here, Throttle.slot), else_=at),
            },
        )
        .returning(
            Throttle.failures,
            Throttle.window_start,
            Throttle.locked_until,
            Throttle.slot,
            Throttle.reserved,
            Throttle.reserved_before,
        )
    )


_COUNT = hot.write(for_each_dialect(_counting))
_CLAIM = hot.write(for_each_dialect(_claiming))
_RELEASE = hot.write(
    update(Throttle)
    .where(Throttle.key == bindparam("of"))
    .values(
        reserved=case(
            (
                and_(Throttle.slot == bindparam("at", type_=BigInteger()), Throttle.reserved > 0),
                Throttle.reserved - 1,
            ),
            else_=Throttle.reserved,
        ),
        reserved_before=case(
            (
                and_(
                    Throttle.slot == bindparam("at", type_=BigInteger()) + 1,
                    Throttle.reserved_before > 0,
                ),
                Throttle.reserved_before - 1,
            ),
            else_=Throttle.reserved_before,
        ),
    )
)
