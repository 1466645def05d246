"""How often may be guessed: what a wrong guess counts against, and when the next is looked at. Pure.

    what is guessed at                       counts against          wrong ones, then
    ────────────────────────────────────────────────────────────────────────────────────────────────
    a name's password, unknown browser       the name, from there    ``lock_after``: closed for ``lock_for``
                                             the name, anywhere      ``name_failures`` a day
                                             the source              see below
    a name's password, from a browser        that browser            ``browser_failures``: it is a browser
    in which she has signed in                                       like any other
    her password, asked again in a session   that sign-in            ``lock_after``: she signs in anew
    her codes, each kind for itself          her                     ``code_lock_after``
    codes of slips                           the source, and all     ``MOST_SLIPS`` in an hour
                                             of them together
    codes of devices                         her, and the source     ``lock_after`` in ten minutes
    visits elsewhere that lead to no         the browser, where      ``unfinished_visits`` in ten
    sign-in (nothing is guessed at)          somebody has signed in, minutes
                                             else the source

Nobody else than she herself counts against a browser in which she has signed in, and nothing else
closes it: so neither an outsider nor a colleague locks her out where she works. What an unknown
browser gets wrong closes her name to unknown browsers alone.

A *source* is an IPv4 address; of IPv6 a /64, and the /56 around it with four times as much, for a
subscriber may have as many (RFC 6177 §2). It is slowed by how many *names* go wrong there, hardly by how
often: the first wrong one of a name counts, and then the fourth and fifth. So ten people with three
typing errors each are ten, and once a name has signed in from there, what it had counted is taken
back. After half of ``source_failures`` in ten minutes the next one waits, 1, 2, 4 … 30 seconds, and is
looked at alone; after all of them the source is closed until the ten minutes are over.
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from directory.base import hosts
from directory.base.config import Settings
from directory.base.errors import Locked

SOURCE_WINDOW = timedelta(minutes=10)
DEVICE_WINDOW = timedelta(minutes=10)
DAY = timedelta(days=1)
SLIPS_WINDOW = timedelta(hours=1)
MOST_SLIPS = 2_000_000
"""So many that nobody reaches it who is not a network of her own, and few enough beside 10¹⁵ codes."""
SLOT = 30
"""Seconds. A reserved place counts in the slot it was taken in and in the next."""
LONGEST_WAIT = 30
"""Seconds between two guesses of a slowed source."""
_SUBSCRIBER = 4
"""How much more than a /64 the /56 around it may get wrong."""


class Kind(StrEnum):
    """What wrong ones are counted of."""

    HERE = "here"
    """One name, from the unknown browsers of one source."""
    NAME = "name"
    """One name, from all unknown browsers."""
    BROWSER = "browser"
    """One name, from a browser in which she has signed in."""
    SOURCE = "source"
    AGAIN = "again"
    CODE = "code"
    DEVICE = "device"
    SLIPS = "slips"
    """Codes on paper, of everybody together."""
    VISITS = "visits"


WHY = {
    Kind.HERE: "account",
    Kind.NAME: "account",
    Kind.BROWSER: "browser",
    Kind.SOURCE: "source",
    Kind.AGAIN: "again",
    Kind.CODE: "code",
    Kind.DEVICE: "account",
    Kind.SLIPS: "rate",
    Kind.VISITS: "visits",
}
"""What whoever must wait is told (``Locked``)."""


@dataclass(frozen=True)
class Limit:
    """One counter, and how far it goes."""

    kind: Kind
    key: str
    most: int
    """Wrong ones after which nothing more is looked at."""
    window: timedelta
    """In which they count, from the first."""
    lasts: timedelta | None = None
    """How long it is closed then; None: until the window is over."""
    about: str | None = None
    """Whose it is: an administrator's unlocking takes all of hers away."""
    slow_from: int | None = None
    """Wrong ones after which the next one waits."""


@dataclass(frozen=True)
class Counted:
    """How a counter stands, with the place that was just taken."""

    failures: int
    unsettled: int
    """Attempts whose outcome is not known, this one among them."""
    slot: int
    ends: datetime
    """When its window is over."""
    locked_until: datetime | None = None
    last_at: datetime | None = None
    """When the last wrong one was counted."""


def refusal(limit: Limit, now: datetime, counted: Counted) -> Locked | None:
    """Why an attempt is not looked at, and until when; None where it is."""
    why = WHY[limit.kind]
    if counted.locked_until is not None and counted.locked_until > now:
        return Locked(counted.locked_until, why=why)
    if counted.failures >= limit.most:
        return Locked(counted.ends, why=why)
    if limit.slow_from is not None:
        return _slowed(limit.slow_from, now, counted)
    if counted.failures + counted.unsettled > limit.most:
        # Others took the last places, and their outcome is not known: by then it is, or they died.
        return Locked(
            datetime.fromtimestamp((counted.slot + 2) * SLOT, now.tzinfo), why="unsettled"
        )
    return None


def _slowed(slow_from: int, now: datetime, counted: Counted) -> Locked | None:
    wait = wait_after(counted.failures, slow_from)
    ready = now if counted.last_at is None else counted.last_at + wait
    if ready > now:
        return Locked(ready, why="slowed")
    if wait and counted.unsettled > 1:
        return Locked(now + wait, why="slowed")
    return None


def wait_after(failures: int, slow_from: int) -> timedelta:
    """How long after the last wrong one a source waits for the next guess."""
    over = failures - slow_from
    return timedelta(seconds=min(2**over, LONGEST_WAIT) if over >= 0 else 0)


def weight(failures: int) -> int:
    """What the n-th wrong one of a name counts against its source."""
    return 1 if failures == 1 or failures > 3 else 0


def weights(failures: int) -> int:
    """What so many of one name have counted."""
    return sum(weight(n) for n in range(1, failures + 1))


# ---- which counters there are ------------------------------------------------------------------


def of_browser(who: str, browser: str, settings: Settings) -> tuple[Limit, ...]:
    """Of a password from a browser in which she has signed in; ``who`` is her ``user:<id>``."""
    lasts = timedelta(days=settings.known_browser_days)
    most = settings.browser_failures
    return (Limit(Kind.BROWSER, f"{who}#{browser}", most, lasts, lasts, about=who),)


def of_name(who: str, ip: str, settings: Settings) -> tuple[Limit, ...]:
    """Of a name's password from any other browser. Always in this order: two attempts wait for each
    other, never both.
    """
    lasts, there = timedelta(seconds=settings.lock_for), networks(ip)[-1]
    return (
        Limit(Kind.HERE, f"{who}@{there}", settings.lock_after, lasts, lasts, about=who),
        Limit(Kind.NAME, who, settings.name_failures, DAY, about=who),
        *of_source(ip, settings),
    )


def of_source(ip: str, settings: Settings) -> tuple[Limit, ...]:
    """Of everything that is guessed from an address."""
    found = []
    for times, network in zip((1, _SUBSCRIBER), networks(ip), strict=False):
        most = settings.source_failures * times
        slow = max(1, most // 2)
        key = f"source:{network}"
        found.append(Limit(Kind.SOURCE, key, most, SOURCE_WINDOW, slow_from=slow))
    return tuple(found)


def of_confirming(user_id: int, signed_in: datetime, settings: Settings) -> tuple[Limit, ...]:
    """Of the password of somebody who has signed in at that moment. It goes with that sign-in,
    whatever becomes of the session: whoever holds a stolen one cannot make another.
    """
    lasts = timedelta(seconds=settings.lock_for)
    key = f"again:{user_id}:{int(signed_in.timestamp())}"
    return (Limit(Kind.AGAIN, key, settings.lock_after, lasts, lasts, about=f"user:{user_id}"),)


def of_codes(kind: str, user_id: int, settings: Settings) -> tuple[Limit, ...]:
    """Of one person's codes of one kind, over all sign-ins and addresses."""
    lasts, who = timedelta(seconds=settings.lock_for), f"user:{user_id}"
    most = settings.code_lock_after
    return (Limit(Kind.CODE, f"{kind}:{user_id}", most, lasts, lasts, about=who),)


def of_devices(user_id: int, ip: str, settings: Settings) -> tuple[Limit, ...]:
    """Of the codes that devices show (RFC 8628 §5.1)."""
    mine = Limit(Kind.DEVICE, f"device:{user_id}", settings.lock_after, DEVICE_WINDOW)
    return (mine, *of_source(ip, settings))


def of_slips(ip: str, settings: Settings) -> tuple[Limit, ...]:
    """Of codes of slips: nobody's in particular, so that no outsider can void a slip. All of them
    together have a bound: with ten thousand slips about, guessing one then takes years, and its question
    is still to be answered.
    """
    everybody = Limit(Kind.SLIPS, "slips", MOST_SLIPS, SLIPS_WINDOW)
    return (everybody, *of_source(ip, settings))


def of_visits(ip: str, browser: str | None, settings: Settings) -> tuple[Limit, ...]:
    """Of visits elsewhere; ``browser`` names one in which somebody has signed in."""
    most, window = settings.unfinished_visits, SOURCE_WINDOW
    if browser is not None:
        return (Limit(Kind.VISITS, f"visits#{browser}", most, window),)
    return tuple(
        Limit(Kind.VISITS, f"visits:{network}", most * times, window)
        for times, network in zip((1, _SUBSCRIBER), networks(ip), strict=False)
    )


def networks(ip: str) -> tuple[str, ...]:
    """What an address belongs to, the narrower first. An IPv4 one may come written as IPv6."""
    found = hosts.address(ip)
    if isinstance(found, ipaddress.IPv6Address):
        return tuple(str(ipaddress.IPv6Network((found, bits), strict=False)) for bits in (64, 56))
    return (str(found) if found is not None else ip,)
