"""What a profile says of one sort of upstream, and what it is given: values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from connectors.eid.calling import Calls
from connectors.eid.settings import Endpoint, Settings
from connectors.eid.vouched import Vouched


@dataclass(frozen=True)
class Party:
    """An upstream as it is spoken to."""

    name: str
    title: str
    issuer: str
    settings: Settings
    secret: str = field(default="", repr=False)
    key: RSAPrivateKey | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Visit:
    """One visit, as whoever signs in needs it."""

    redirect_uri: str
    state: str
    anew: bool = False
    """Whether she is to be asked there whoever she was before."""
    max_age: int | None = None
    """Seconds her sign-in there may be old."""
    levels: tuple[str, ...] = ()
    """What is demanded, of our own levels: forwarded where upstream has a word for it."""


@dataclass(frozen=True)
class Begun:
    """Where she goes, and what must be remembered until she is back."""

    url: str
    kept: Mapping[str, str]


@dataclass(frozen=True)
class Back:
    """What must be known to believe what comes back."""

    redirect_uri: str
    query: str = field(repr=False)
    kept: Mapping[str, str] = field(repr=False)
    began: datetime


@dataclass(frozen=True)
class EidProfile:
    """How one sort of upstream is spoken to."""

    code: str
    """In the table of upstreams; never changed."""
    says: str
    """For the command line, in English."""
    defaults: Callable[[str], Mapping[str, Any]]
    """Settings that are meant where nothing else is said, by issuer."""
    begin: Callable[[Calls, Party, Visit], Begun]
    code_of: Callable[[Back], str]
    """What may be brought once. Raises EidRefused where there is none."""
    vouch: Callable[[Calls, Party, Back], Vouched]
    """Raises EidRefused, whatever is wrong."""
    leave: Callable[[Calls, Party, str, str], str]
    """Where she ends her sign-in there (hint, way back); nothing where that cannot be."""
    look: Callable[[Calls, Party], None]
    """Whether it can be spoken to. Raises EidRefused."""
    tells_when: bool = False
    """Whether upstream signs when she was asked."""
    needs_key: bool = False
    """Whether we need a private key to read its answers."""
    endpoints: tuple[Endpoint, ...] = ()
    """Which there must be."""
