"""The one check of what can be guessed: slowed down, looked at, counted.

    whom it is about is read → a place is taken on each of its counters (``limits``) → looked at
      → right: the places are given back by whoever goes on (``throttle.succeeded``)
        wrong: counted, audited, perhaps closed

Sign-in, the console's password asked again and the portal's change of password come here alike. What
cannot be guessed (a passkey, a certificate, another provider's word) never does: it adds nothing
to a lock, and none stops it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from sqlalchemy import Connection

from directory.base.audit import Actor
from directory.base.db import Database
from directory.base.errors import Locked
from idp.factors import throttle
from idp.factors.limits import Limit
from idp.factors.throttle import Attempt

T = TypeVar("T")


@dataclass(frozen=True)
class Guess(Generic[T]):
    """What is about to be looked at."""

    counted: tuple[Limit, ...]
    """What wrong ones count against."""
    user_id: int | None
    about: T
    otherwise: tuple[Limit, ...] = ()
    """Instead of a browser that has been wrong too often to be known any longer."""


@dataclass(frozen=True)
class Right(Generic[T]):
    """It was right. Whoever goes on settles the attempt in her own transaction."""

    about: T
    attempt: Attempt


def guarded(
    database: Database,
    read: Callable[[Connection], Guess[T]],
    fits: Callable[[T, bool], bool],
    *,
    factor: str,
    now: datetime,
    actor: Actor,
) -> Right[T] | None:
    """What was read, if it fits; None if not. ``fits`` runs outside transactions, and is told whether
    the attempt comes from where she is known: so she need not wait for strangers. ``factor`` is
    whose check it is, for the audit.

    Raises Locked while it must wait, and when this failure closes something.
    """
    with database.hot() as connection:
        guess = read(connection)
    attempt = _claimed(database, guess, now)
    if throttle.looked_at(database, attempt, lambda: fits(guess.about, attempt.known)):
        return Right(guess.about, attempt)
    with database.write() as session:
        closed = throttle.failed(
            session, attempt, now=now, user_id=guess.user_id, actor=actor, factor=factor
        )
    if closed is not None and closed.why != "browser":
        raise closed
    return None


def _claimed(database: Database, guess: Guess[T], now: datetime) -> Attempt:
    try:
        with database.write() as session:
            return throttle.claim(session, guess.counted, now=now)
    except Locked:
        if not guess.otherwise:
            raise
    with database.write() as session:
        return throttle.claim(session, guess.otherwise, now=now)
