"""A browser in which somebody has signed in shows so: in a sealed cookie, and stored nowhere.

It names each person who has, the epoch she had, and this sign-in: what goes wrong in her name from there is
counted by itself (``limits``). It is good for nothing else, for nobody else, and for
``known_browser_days``; whatever raises her epoch makes it worthless.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from directory.base.config import Settings
from directory.base.crypto import Keyring, random_id
from directory.base.errors import Misconfigured

PURPOSE = "known"
_SEALED = "known-browser"
_MOST = 8
"""People of one browser; a ninth takes the place of whoever signed in the longest ago."""
_LONGEST = 4000


@dataclass(frozen=True)
class Known:
    """What one browser shows of one person."""

    user_id: int
    epoch: int
    browser: str
    """Names the browser since her last sign-in there."""
    since: int
    """Seconds since 1970."""


def read(keyring: Keyring, shown: str) -> list[Known]:
    """Who has signed in there, the last one last; nobody where it is not ours."""
    if not shown or len(shown) > _LONGEST or not shown.isascii():
        return []
    try:
        told: list[Any] = json.loads(keyring.decrypt(_SEALED, shown))
    except Misconfigured:
        return []
    return [Known(*each) for each in told]


def of_person(
    keyring: Keyring, shown: str, user_id: int, epoch: int, *, now: datetime, settings: Settings
) -> str | None:
    """The name of this browser, if she has signed in there under this epoch and lately enough."""
    oldest = now - timedelta(days=settings.known_browser_days)
    for one in read(keyring, shown):
        if (one.user_id, one.epoch) == (user_id, epoch):
            return one.browser if datetime.fromtimestamp(one.since, UTC) > oldest else None
    return None


def names(keyring: Keyring, shown: str, user_id: int) -> bool:
    """Whether she has signed in there at all, under whatever epoch."""
    return any(one.user_id == user_id for one in read(keyring, shown))


def of_anybody(keyring: Keyring, shown: str, *, now: datetime, settings: Settings) -> str | None:
    """The name of this browser, if somebody has signed in there lately enough: for what is about nobody."""
    oldest = now - timedelta(days=settings.known_browser_days)
    lately = [
        one.browser
        for one in read(keyring, shown)
        if datetime.fromtimestamp(one.since, UTC) > oldest
    ]
    return lately[-1] if lately else None


def signed_in(keyring: Keyring, shown: str, user_id: int, epoch: int, *, now: datetime) -> str:
    """What the browser shows from now on."""
    others = [one for one in read(keyring, shown) if one.user_id != user_id]
    here = Known(user_id, epoch, random_id(), int(now.timestamp()))
    kept = [[one.user_id, one.epoch, one.browser, one.since] for one in [*others, here][-_MOST:]]
    return keyring.encrypt(_SEALED, json.dumps(kept, separators=(",", ":")).encode())
