"""Guessing slowed down: an attempt takes its places, and what comes of it is counted.

Every attempt *reserves a place* on each of its counters (``limits``) before anything is looked at, so that
a hundred parallel guesses are not a hundred guesses. The outcome settles it: right forgets what was
wrong before, wrong counts, anything else gives the places back. Where the process dies in between, they
come back by themselves within a minute: an outage locks nobody out. What is refused takes
no place: a flood from a closed source counts against nobody.

A lock stands in one place, ``locked_until`` of a counter's row: sign-in and console read it there, and
the audit is written with it.

A name that nobody has is counted under a keyed hash and locks exactly like a real one. Therefore
the page may say "locked" at once, without the password being right, and still tells an outsider
nothing about who exists. What was typed is never stored: it is sometimes a password.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, and_, delete, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.crypto import Keyring
from directory.base.db import Database, core
from directory.base.errors import Locked
from directory.base.rows import batches
from directory.people import folded
from idp.factors import counts, limits
from idp.factors.counts import Throttle
from idp.factors.limits import SLOT, WHY, Counted, Kind, Limit

T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """On one counter."""

    limit: Limit
    slot: int
    failures: int
    """Wrong ones before this attempt."""
    began: datetime
    """When the first of them was."""


@dataclass(frozen=True)
class Attempt:
    """An attempt that was admitted and is not settled yet."""

    places: tuple[Place, ...]

    @property
    def known(self) -> bool:
        """Whether it comes from where she has signed in, and counts there alone."""
        return all(place.limit.kind in (Kind.BROWSER, Kind.AGAIN) for place in self.places)


def who(keyring: Keyring, username: str, user_id: int | None) -> str:
    """Whom attempts on a name are counted for, also when nobody has it."""
    if user_id is not None:
        return f"user:{user_id}"
    return "name:" + keyring.keyed_hash("throttle", folded(username))


def source_key(ip: str) -> str:
    """What requests of an address are counted under: of IPv6 those of its /64."""
    return f"source:{limits.networks(ip)[0]}"


def claim(session: Session, of: Sequence[Limit], *, now: datetime) -> Attempt:
    """Admit one attempt: a place is reserved on each counter until it is settled. Raises Locked, and
    the transaction is to be rolled back.
    """
    rows = _sent(session, counts.claiming, of, now=now, at=int(now.timestamp()) // SLOT)
    # The source is told first: whoever sits behind a closed one learns nothing about a name.
    for limit in sorted(of, key=lambda one: one.kind is not Kind.SOURCE):
        row = rows[limit.key]
        refused = limits.refusal(limit, now, _counted(row, limit))
        if refused is not None:
            raise refused
    found = (rows[limit.key] for limit in of)
    return Attempt(
        tuple(
            Place(limit, row.slot, row.failures, row.window_start)
            for limit, row in zip(of, found, strict=True)
        )
    )


def _sent(
    session: Session, statement: Any, of: Sequence[Limit], *, now: datetime, **values: Any
) -> dict[str, Any]:
    for n, limit in enumerate(of):
        values |= {f"key{n}": limit.key, f"end{n}": now + limit.window, f"about{n}": limit.about}
    found = statement(len(of)).all(core(session), now=now, **values)
    return {row.key: row for row in found}


def _counted(row: Any, limit: Limit) -> Counted:
    return Counted(
        row.failures,
        row.reserved + row.reserved_before,
        row.slot,
        row.window_end or row.window_start + limit.window,
        row.locked_until,
        row.last_at,
    )


def admit(session: Session, key: str, *, most: int, window: timedelta, now: datetime) -> None:
    """Count one more of something of which ``most`` are let through in a window. Raises Locked."""
    row = _settled(session, [(Limit(Kind.SOURCE, key, most, window), 0, 1, 0)], now=now)[key]
    if row.failures > most:
        raise Locked(row.window_end, why="rate")


def count(session: Session, of: Sequence[Limit], *, now: datetime) -> tuple[Locked | None, bool]:
    """Count one more of something on each of these. Why it is let through no more, if it is not, and whether
    this is the first to hear so.
    """
    rows = _settled(session, [(limit, 0, 1, 0) for limit in of], now=now)
    over = [(limit, rows[limit.key]) for limit in of if rows[limit.key].failures > limit.most]
    if not over:
        return None, False
    closed = Locked(max(row.window_end for _, row in over), why=WHY[over[0][0].kind])
    return closed, any(row.failures == limit.most + 1 for limit, row in over)


def take_back(session: Session, of: Sequence[Limit], times: int, *, now: datetime) -> None:
    """So many that were counted did no harm."""
    _settled(session, [(limit, 0, 0, times) for limit in of], now=now)


def release(session: Session, attempt: Attempt) -> None:
    """The attempt was no guess: its places are free again. Wrong ones before it still count: else
    whoever knows one right answer could guess between two of them for ever.
    """
    now = max(place.began for place in attempt.places)
    _settled(session, [(place.limit, place.slot, 0, 0) for place in attempt.places], now=now)


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


def wrong(session: Session, attempt: Attempt, *, now: datetime) -> Locked | None:
    """The attempt was looked at and did not fit: it counts. What closes by it, if anything does.

    First what is hers, then the source, by which of hers it was.
    """
    own = [p for p in attempt.places if p.limit.kind is not Kind.SOURCE]
    rows = _settled(session, [(p.limit, p.slot, 1, 0) for p in own], now=now)
    first = own[0].limit
    at_source = limits.weight(rows[first.key].failures) if first.kind is Kind.HERE else 1
    more = [(p.limit, p.slot, at_source, 0) for p in attempt.places if p not in own]
    if more:
        _settled(session, more, now=now)
    closed = [
        _closed(session, p.limit, rows[p.limit.key].window_end, now=now)
        for p in own
        if rows[p.limit.key].failures >= p.limit.most
    ]
    return max(closed, key=lambda one: one.until) if closed else None


def _closed(session: Session, limit: Limit, ends: datetime, *, now: datetime) -> Locked:
    until = ends if limit.lasts is None else now + limit.lasts
    session.execute(update(Throttle).where(Throttle.key == limit.key).values(locked_until=until))
    return Locked(until, why=WHY[limit.kind])


def failed(
    session: Session,
    attempt: Attempt,
    *,
    now: datetime,
    user_id: int | None,
    actor: Actor,
    factor: str,
) -> Locked | None:
    """What was given did not fit: counted, and audited; what closes by it, if anything does."""
    subject = ("user", user_id if user_id is not None else "unknown")
    audit.record(
        session, Tag.LOGIN_FAIL, at=now, actor=actor, subject=subject, data={"factors": [factor]}
    )
    closed = wrong(session, attempt, now=now)
    if closed is not None:
        audit.record(
            session,
            Tag.LOGIN_LOCK,
            at=now,
            actor=actor,
            subject=subject,
            data={"until": closed.until.isoformat(), "of": closed.why},
        )
    return closed


def succeeded(session: Session, attempt: Attempt, *, now: datetime) -> None:
    """It fitted: what was wrong before is forgotten, but for those of other places, and what it had
    counted against the source is taken back. One statement.
    """
    first, *others = attempt.places
    if not others:
        counts.FORGET.run(core(session), key=first.limit.key)
        return
    _settled(
        session, [(p.limit, p.slot, 0, _taken_back(p, first)) for p in attempt.places], now=now
    )


def _taken_back(place: Place, first: Place) -> int:
    if place == first:
        return counts.ALL
    if place.limit.kind is Kind.SOURCE and place.began <= first.began:
        return limits.weights(first.failures)
    return 0


def _settled(
    session: Session, of: Sequence[tuple[Limit, int, int, int]], *, now: datetime
) -> dict[str, Any]:
    """Of each counter: its limit, the slot of its place, wrong ones to count, and to take back."""
    values: dict[str, Any] = {}
    for n, (_, at, plus, minus) in enumerate(of):
        values |= {f"at{n}": at, f"plus{n}": plus, f"minus{n}": minus}
    return _sent(session, counts.settling, [one[0] for one in of], now=now, **values)


# ---- locks -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lock:
    """Something of hers that is closed."""

    until: datetime
    of: Kind
    source: str = ""
    """From where, if from one place."""


def unlock(session: Session, user_id: int, *, now: datetime, actor: Actor) -> bool:
    """An administrator lets a person try again, whatever of hers was closed; False if nothing was."""
    whose = f"user:{user_id}"
    hers = or_(Throttle.about == whose, Throttle.key == whose)
    # In the order in which attempts take their places, and no row that comes about meanwhile: neither
    # waits for the other for ever.
    found = session.execute(
        select(Throttle.key, Throttle.locked_until)
        .where(hers)
        .order_by(Throttle.key == whose, Throttle.key)
        .with_for_update()
    ).all()
    for some in batches(row.key for row in found):
        session.execute(delete(Throttle).where(Throttle.key.in_(some)))
    gone = [row.locked_until for row in found]
    if not any(until is not None and until > now for until in gone):
        return False
    audit.record(session, Tag.LOGIN_UNLOCK, at=now, actor=actor, subject=("user", user_id))
    return True


def locks(connection: Connection | Session, user_id: int, *, now: datetime) -> list[Lock]:
    """What of a person's sign-in is closed, the longest first. What she confirms in a session, and
    a browser that has become like any other, is no lock of her sign-in.
    """
    whose = f"user:{user_id}"
    rows: Any = connection.execute(
        select(Throttle.key, Throttle.locked_until)
        .where(or_(Throttle.about == whose, Throttle.key == whose), Throttle.locked_until > now)
        .order_by(Throttle.locked_until.desc(), Throttle.key)
    )
    found = []
    for key, until in rows:
        name, _, source = key.partition("@")
        if key == whose:
            found.append(Lock(until, Kind.NAME))
        elif name == whose and source:
            found.append(Lock(until, Kind.HERE, source))
        elif not key.startswith((whose, "again:")):
            found.append(Lock(until, Kind.CODE))
    return found


def people_locked(session: Session, *, now: datetime) -> dict[int, datetime]:
    """Whose sign-in is closed in some way, and until when at the latest."""
    rows: Any = session.execute(
        select(Throttle.key, Throttle.about, Throttle.locked_until).where(
            Throttle.locked_until > now
        )
    )
    found: dict[int, datetime] = {}
    for key, about, until in rows:
        user_id = _person(about or key.partition("@")[0])
        if user_id is not None and not key.startswith("again:"):
            found[user_id] = max(until, found.get(user_id, until))
    return found


def _person(whose: str) -> int | None:
    kind, _, number = whose.partition(":")
    return int(number) if kind == "user" and number.isdecimal() else None


def locked_until(
    connection: Connection | Session, user_id: int, *, now: datetime
) -> datetime | None:
    """Until when something of a person's sign-in is closed, if anything is."""
    found = locks(connection, user_id, now=now)
    return found[0].until if found else None


def purge(session: Session, *, now: datetime) -> None:
    """Forget what no longer counts, and what nothing is counted in."""
    settled = int(now.timestamp()) // SLOT - 2
    over = or_(Throttle.locked_until.is_(None), Throttle.locked_until <= now)
    done = select(Throttle.key).where(
        or_(
            and_(Throttle.window_end <= now, over),
            # Of the release before: no window of it was longer.
            and_(Throttle.window_end.is_(None), Throttle.window_start <= now - limits.DAY, over),
            and_(Throttle.failures == 0, Throttle.slot < settled, over),
        )
    )
    session.execute(
        delete(Throttle)
        .where(Throttle.key.in_(done.with_for_update(skip_locked=True)))
        .execution_options(synchronize_session=False)
    )
