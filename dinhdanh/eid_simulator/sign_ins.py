"""One sign-in from the request to the end of its token, and where all of them are remembered.

Everything is in memory and ends with the process; old entries make room for new ones.
"""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from dinhdanh.eid_simulator.clients import Client
from dinhdanh.eid_simulator.people import Person

T = TypeVar("T")

MOST = 5000
"""Entries of one sort that are remembered."""
ABSENT = object()
"""A claim that is not there at all."""
AS_RECORDED = "recorded"
LEVELS = (AS_RECORDED, "1", "2", "none")
"""What can be chosen: the person's own level, another, or no word about it."""
ASSURANCES = tuple(f"urn:vn:aal:{n}" for n in (1, 2, 3, 4))
"""The four levels of Decree 69/2024, as the standard provider names them (an assumption)."""
ACCOUNTS = ("vneid", "dvcqg")
"""Which account is used at the national portal."""
CHOICES = {
    "level": LEVELS,
    "account": ACCOUNTS,
    "acr": ASSURANCES,
    "decision": ("sign_in", "decline"),
}
"""What can be chosen beside person, faults and seconds."""


@dataclass(frozen=True)
class Asked:
    """A relying party's request, checked."""

    provider: str
    client: Client
    redirect_uri: str
    state: str | None
    nonce: str | None = None
    challenge: str | None = None
    scope: str = "openid"
    max_age: int | None = None
    acr_values: tuple[str, ...] = ()
    by_post: bool = False


@dataclass(frozen=True)
class Choice:
    """Who signs in, how strongly, and what goes wrong."""

    person: str = ""
    """Key of a person; empty: the first."""
    level: str = AS_RECORDED
    account: str = "vneid"
    acr: str = "urn:vn:aal:2"
    faults: tuple[str, ...] = ()
    seconds: float = 20
    """How long "slow" and "down" last."""
    declined: bool = False


@dataclass
class Shown:
    """What a provider will say of a person. Faults change it before it is put into claims."""

    subject: str
    full_name: str
    citizen_number: Any
    birth_date: str
    gender: str
    level: Any
    organisation: bool = False
    written_birth_date: str | None = None
    """Said in place of the birth date as the profile would write it."""


@dataclass
class SignIn:
    """What was asked, what was chosen, and what came of it."""

    asked: Asked
    choice: Choice
    person: Person
    other: Person
    """Somebody else, for faults that mix two people up."""
    shown: Shown
    auth_time: datetime
    code: str
    code_client: str
    """The client the code was issued to; not the one that asked, if a fault wants it so."""
    code_until: datetime
    code_used: bool = False
    encrypt_key: str | None = None
    access_token: str | None = field(default=None, repr=False)
    token_until: datetime | None = None
    id_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Session:
    """Somebody is signed in at a provider, in one browser."""

    choice: Choice
    auth_time: datetime


class Shelf(Generic[T]):
    """Things by a key, at most ``MOST`` of them; whoever comes first goes first."""

    def __init__(self) -> None:
        self._things: OrderedDict[str, T] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, thing: T, key: str | None = None) -> str:
        """Remember it; the key, a new one unless one is given."""
        key = key or secrets.token_urlsafe(16)
        with self._lock:
            self._things[key] = thing
            while len(self._things) > MOST:
                self._things.popitem(last=False)
        return key

    def get(self, key: str | None) -> T | None:
        """What is under the key."""
        with self._lock:
            return self._things.get(key) if key else None

    def take(self, key: str | None) -> T | None:
        """What was under the key; exactly one caller gets it."""
        with self._lock:
            return self._things.pop(key, None) if key else None

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._things.clear()


class Memory:
    """All that is going on."""

    def __init__(self) -> None:
        self.waiting: Shelf[Asked] = Shelf()
        """Requests for which nobody has been chosen yet."""
        self.codes: Shelf[SignIn] = Shelf()
        self.tokens: Shelf[SignIn] = Shelf()
        self.sessions: Shelf[Session] = Shelf()
        self.assertions: Shelf[bool] = Shelf()
        """Client assertions that have been used."""
        self._lock = threading.Lock()

    def redeem(self, code: str, now: datetime) -> SignIn | None:
        """The sign-in of an unused code that is still good; nobody else gets it again."""
        with self._lock:
            found = self.codes.get(code)
            if found is None or found.code_used or now >= found.code_until:
                return None
            found.code_used = True
            return found

    def clear(self) -> None:
        """Forget everything."""
        for shelf in (self.waiting, self.codes, self.tokens, self.sessions, self.assertions):
            shelf.clear()


def chosen(form: Mapping[str, Any], faults: tuple[str, ...], *, prefix: str = "") -> Choice:
    """A choice from a form, from the parameters of a request, or from a test's words.

    What is not understood counts as not said: a browser may remember what an older version had.
    """

    def said(name: str, default: str) -> str:
        value = str(form.get(prefix + name, default))
        return value if value in CHOICES[name] else default

    usual = Choice()
    choice = Choice(
        person=str(form.get(f"{prefix}person", "")),
        level=said("level", usual.level),
        account=said("account", usual.account),
        acr=said("acr", usual.acr),
        faults=faults,
        declined=said("decision", "sign_in") == "decline",
    )
    try:
        seconds = float(form.get(f"{prefix}seconds", choice.seconds))
    except (TypeError, ValueError):
        return choice
    return replace(choice, seconds=min(max(seconds, 0.0), 600.0))


def soon(now: datetime, seconds: float) -> datetime:
    """So many seconds from now."""
    return now + timedelta(seconds=seconds)
