"""The one check of what can be guessed: slowed down, looked at, counted.

    the source has not failed too often → whom it is about is read → a place is taken on the account
    → looked at → right: the place is given back by whoever goes on (``throttle.succeeded``)
                  wrong: counted against account and source, audited, perhaps locked

Sign-in, the console's password asked again and the portal's change of password come here alike.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from sqlalchemy import Connection

from directory.base.audit import Actor
from directory.base.config import Settings
from directory.base.db import Database
from idp.factors import throttle
from idp.factors.throttle import Attempt

T = TypeVar("T")


@dataclass(frozen=True)
class Guess(Generic[T]):
    """What is about to be looked at."""

    key: str
    """What wrong ones are counted under."""
    user_id: int | None
    about: T
    most: int | None = None
    """How many wrong ones lock it; None: as many as lock an account."""


@dataclass(frozen=True)
class Right(Generic[T]):
    """It was right. Whoever goes on settles the attempt in her own transaction."""

    about: T
    attempt: Attempt


def guarded(
    database: Database,
    read: Callable[[Connection], Guess[T]],
    fits: Callable[[T], bool],
    *,
    factor: str,
    now: datetime,
    settings: Settings,
    actor: Actor,
) -> Right[T] | None:
    """What was read, if it fits; None if not. ``fits`` runs outside transactions; ``factor`` is
    whose check it is, for the audit.

    Raises Locked while source or account must wait, and when this failure locks the account.
    """
    with database.hot() as connection:
        throttle.check_source(connection, actor.ip or "", now=now, settings=settings)
        guess = read(connection)
    with database.write() as session:
        attempt = throttle.claim(session, guess.key, now=now, settings=settings, most=guess.most)
    if throttle.looked_at(database, attempt, lambda: fits(guess.about)):
        return Right(guess.about, attempt)
    with database.write() as session:
        throttle.count_source(session, actor.ip or "", now=now)
        until = throttle.failed(
            session,
            attempt,
            now=now,
            settings=settings,
            user_id=guess.user_id,
            actor=actor,
            factor=factor,
        )
    if until is not None:
        raise throttle.locked(attempt, until)
    return None
