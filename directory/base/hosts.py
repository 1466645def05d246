"""Hosts and addresses as they are written, each read to the one name it has.

What the product hears of them comes in many spellings: the setting of an operator, a browser's
``Host`` and ``Origin``, a proxy's ``X-Forwarded-For``, the socket's own peer, an address that is to
be called. All are read here, so that two spellings of one host are equal wherever they meet.

    Host       a name or an address, and a port: of a Host header, a URL, ``host:port``
    Peer       an address somebody speaks from, and her port if it is told
    network    an address or a network, of those whose headers are believed

    names      small letters (RFC 4343), A-labels (RFC 5890), no dot at the end; an underscore,
               which is no host's by RFC 952 and in use within agencies, is one of the letters
    IPv4       four decimal numbers and nothing else: what ends in a number is an address or
               nothing (WHATWG URL §3.5)
    IPv6       at its shortest (RFC 5952), in brackets wherever a port may follow; with a zone
               (RFC 4007) only as a peer, who is known without it
    mapped     IPv4 within IPv6 (``::ffff:192.0.2.1``), as sockets that listen on ``::`` tell of
               it: as a peer the IPv4 address itself
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Self
from urllib.parse import urlsplit

STANDARD = {"http": 80, "https": 443}
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_AUTHORITY = re.compile(r"(?P<name>\[[^\[\]]*\]|[^\[\]:]*)(?P<colon>:(?P<port>[0-9]{0,5}))?")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_LONGEST = 253


@dataclass(frozen=True)
class Host:
    """A host and a port. Equal where they are the same however they were written."""

    name: str
    """A name, or an address without brackets."""
    port: int | None = None

    @classmethod
    def read(cls, text: str) -> Self | None:
        """``host`` or ``host:port`` (RFC 3986 §3.2); None for what is neither."""
        found = _AUTHORITY.fullmatch(text)
        name = _name(found["name"]) if found is not None else None
        if found is None or name is None:
            return None
        port = int(found["port"]) if found["port"] else None
        # WHATWG: a colon with nothing behind it says nothing; behind an address it is a slip.
        slip = found["colon"] == ":" and ":" in name
        return None if slip or (port is not None and not 0 < port < 65536) else cls(name, port)

    @classmethod
    def of(cls, url: str) -> Self | None:
        """The host of a URL, the standard port of its scheme left out; None where it has none,
        or names a user.
        """
        try:
            parts = urlsplit(url)
        except ValueError:
            return None
        found = cls.read(parts.netloc) if parts.netloc else None
        return found.at(parts.scheme) if found is not None else None

    def at(self, scheme: str) -> Self:
        """The same where this scheme is spoken: without its standard port."""
        return type(self)(self.name) if self.port == STANDARD.get(scheme) else self

    @property
    def spelt(self) -> str:
        """As it stands in a URL."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port is None else f"{name}:{self.port}"


@lru_cache(maxsize=256)
def origin(url: str) -> tuple[str, Host] | None:
    """Scheme and host of a URL or of an Origin header (RFC 6454 §4): equal for the same origin."""
    scheme, host = url.partition(":")[0].lower(), Host.of(url)
    return None if host is None else (scheme, host)


def address(text: str) -> Address | None:
    """Whom somebody speaks as: without zone, IPv4 as itself. None for what is no address."""
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


@dataclass(frozen=True)
class Peer:
    """Who speaks, and from which port."""

    address: Address
    port: int | None = None

    @classmethod
    def read(cls, entry: str) -> Self | None:
        """One entry of ``X-Forwarded-For`` or ``Forwarded`` (RFC 7239 §6): an address, alone or
        with a port, in quotes or not. None for everything else, names that hide too.
        """
        text, port = entry.strip().strip('"'), None
        if found := re.fullmatch(r"\[([^\[\]]*)\](?::([0-9]{1,5}))?|([0-9.]+):([0-9]{1,5})", text):
            text = found[1] if found[3] is None else found[3]
            port = int(found[2] or found[4] or 0) or None
        who = address(text)
        return None if who is None or (port or 1) > 65535 else cls(who, port)


@lru_cache(maxsize=256)
def network(text: str) -> Network:
    """An address, alone or with the length of its prefix. Raises ValueError for what is neither."""
    host, slash, length = text.strip().partition("/")
    found = ipaddress.ip_network(host.strip("[]") + slash + length, strict=False)
    # One of IPv4 written as IPv6 means those addresses, which is how their peers are read.
    mapped = getattr(found.network_address, "ipv4_mapped", None)
    if mapped is not None and found.prefixlen >= 96:
        return ipaddress.ip_network(f"{mapped}/{found.prefixlen - 96}", strict=False)
    return found


def within(who: Address | None, networks: Iterable[str]) -> bool:
    """Whether an address is one of these, or lies in one of these networks."""
    return who is not None and any(who in network(each) for each in networks)


def listening(text: str) -> str:
    """An address to listen at, as sockets take it: brackets are for URLs."""
    text = text.strip()
    return text[1:-1] if text.startswith("[") and text.endswith("]") else text


@lru_cache(maxsize=1024)
def _name(text: str) -> str | None:
    if text.startswith("["):
        return _within_brackets(text[1:-1])
    if not text.isascii():
        try:
            text = text.encode("idna").decode()
        except UnicodeError:
            return None
    name = text.lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > _LONGEST or not all(map(_LABEL.fullmatch, labels)):
        return None
    if labels[-1].isdecimal() or re.fullmatch(r"0x[0-9a-f]*", labels[-1]):
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            return None
    return name


def _within_brackets(text: str) -> str | None:
    try:
        found = ipaddress.IPv6Address(text)
    except ValueError:
        return None
    if "%" in text:
        return None
    if found.ipv4_mapped is None:
        return str(found)
    # As browsers write it; Python has done so and will not again.
    low = int(found) & 0xFFFFFFFF
    return f"::ffff:{low >> 16:x}:{low & 0xFFFF:x}"
