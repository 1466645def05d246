"""Codes and tokens that are stored nowhere: identifiers and numbers under a MAC.

    code      ddc_  grant
    refresh   ddr_  grant, generation
    access    dda_  grant, serial, issued, expiry, which of the grant's scopes and resources, key
    machine   ddm_  client, its counters, issued, expiry, scopes, resources, key
                                                                      (client_credentials)
    pushed    ddp_  pushed request (RFC 9126)
    device    ddd_  device request (RFC 8628)

The MAC covers the kind, the issuer and everything said, so that no handle passes for another
kind or at another installation, and it is checked before the database is asked anything. What
the row says (used, revoked, epochs) is checked by whoever opens a handle. The prefixes let
people and secret scanners recognise a leaked one.
"""

import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from directory.base import base64url
from directory.base.crypto import Keyring

_MAC = 16
_LIMIT = 1000
_CHILD = 1 << 15
"""Beside the scopes, which are fewer."""


@dataclass(frozen=True)
class Code:
    """An authorization code: it names its grant, whose row knows the rest."""

    grant_id: str


@dataclass(frozen=True)
class Refresh:
    """A refresh token: good while its generation is the grant's unused one."""

    grant_id: str
    generation: int


@dataclass(frozen=True)
class Access:
    """An access token for a person's grant. ``scope_mask`` counts along the grant's scopes."""

    grant_id: str
    serial: str
    """Tells it from others of its grant; with it the token has a ``jti``."""
    issued_at: datetime
    expires_at: datetime
    scope_mask: int
    resource_mask: int = 0
    """Counts along the grant's resources; 0: the client's own audience."""
    bound_to: str | None = None
    """The key it is good with: ``jkt:…`` (RFC 9449) or ``x5t:…`` (RFC 8705)."""
    child: bool = False
    """Made of another token (RFC 8693): it is told what its scopes give and nothing by name."""

    @property
    def jti(self) -> str:
        """Its name."""
        return f"{self.grant_id}.{self.serial}"

    def resources(self, granted: Sequence[str]) -> list[str]:
        """Those of the granted resources this token is for."""
        return [uri for n, uri in enumerate(granted) if self.resource_mask >> n & 1]

    def scopes(self, granted: Sequence[str]) -> list[str]:
        """Those of the granted scopes this token carries."""
        return [scope for n, scope in enumerate(granted) if self.scope_mask >> n & 1]


@dataclass(frozen=True)
class Machine:
    """A client's token on its own account; good while all three counters are as they were."""

    client_id: int
    client_epoch: int
    application_epoch: int
    installation_epoch: int
    issued_at: datetime
    expires_at: datetime
    scopes: tuple[str, ...]
    jti: str
    resources: tuple[str, ...] = ()
    bound_to: str | None = None


def mask(some: Sequence[str], granted: Sequence[str]) -> int:
    """The bits of ``some`` along ``granted``."""
    return sum(1 << n for n, each in enumerate(granted) if each in some)


def serial() -> str:
    """A new serial: 64 random bits."""
    return base64url.encode(secrets.token_bytes(8))


class Handles:
    """Makes and opens handles of one installation."""

    def __init__(self, keyring: Keyring, issuer: str) -> None:
        self._keyring = keyring
        self._issuer = issuer.encode()

    def code(self, code: Code) -> str:
        """To text."""
        return self._seal("ddc_", base64url.decode(code.grant_id))

    def refresh(self, token: Refresh) -> str:
        """To text."""
        return self._seal(
            "ddr_", base64url.decode(token.grant_id) + struct.pack(">I", token.generation)
        )

    def access(self, token: Access) -> str:
        """To text."""
        return self._seal(
            "dda_",
            base64url.decode(token.grant_id)
            + base64url.decode(token.serial)
            + struct.pack(
                ">IIHB",
                int(token.issued_at.timestamp()),
                int(token.expires_at.timestamp()),
                token.scope_mask | (_CHILD if token.child else 0),
                token.resource_mask,
            )
            + _key(token.bound_to),
        )

    def pushed(self, request_id: str) -> str:
        """A pushed request, for ``request_uri``."""
        return self._seal("ddp_", base64url.decode(request_id))

    def open_pushed(self, text: str) -> str | None:
        """The id of the pushed request, if we gave it."""
        body = self._open("ddp_", text)
        return _text(body) if body is not None and len(body) == 16 else None

    def device(self, request_id: str) -> str:
        """A device code."""
        return self._seal("ddd_", base64url.decode(request_id))

    def open_device(self, text: str) -> str | None:
        """The id of the device request, if we gave it."""
        body = self._open("ddd_", text)
        return _text(body) if body is not None and len(body) == 16 else None

    def machine(self, token: Machine) -> str:
        """To text."""
        return self._seal(
            "ddm_",
            struct.pack(
                ">QIIIII",
                token.client_id,
                token.client_epoch,
                token.application_epoch,
                token.installation_epoch,
                int(token.issued_at.timestamp()),
                int(token.expires_at.timestamp()),
            )
            + base64url.decode(token.jti)
            + "\n".join(
                (" ".join(token.scopes), " ".join(token.resources), token.bound_to or "")
            ).encode(),
        )

    def open_code(self, text: str) -> Code | None:
        """The code, if we made it."""
        body = self._open("ddc_", text)
        return Code(_text(body)) if body is not None and len(body) == 16 else None

    def open_refresh(self, text: str) -> Refresh | None:
        """The refresh token, if we made it."""
        body = self._open("ddr_", text)
        if body is None or len(body) != 20:
            return None
        return Refresh(_text(body[:16]), *struct.unpack(">I", body[16:]))

    def open_access(self, text: str) -> Access | None:
        """The access token, if we made it; its expiry is the caller's to compare."""
        body = self._open("dda_", text)
        if body is None or len(body) not in (35, 35 + 33):
            return None
        issued, expiry, scope_mask, resource_mask = struct.unpack(">IIHB", body[24:35])
        return Access(
            _text(body[:16]),
            base64url.encode(body[16:24]),
            _moment(issued),
            _moment(expiry),
            scope_mask & ~_CHILD,
            resource_mask,
            _bound(body[35:]),
            bool(scope_mask & _CHILD),
        )

    def open_machine(self, text: str) -> Machine | None:
        """The client's token, if we made it; expiry and counters are the caller's to compare."""
        body = self._open("ddm_", text)
        if body is None or len(body) < 44:
            return None
        numbers = struct.unpack(">QIIIII", body[:28])
        scopes, resources, bound_to = body[44:].decode().split("\n")
        return Machine(
            client_id=numbers[0],
            client_epoch=numbers[1],
            application_epoch=numbers[2],
            installation_epoch=numbers[3],
            issued_at=_moment(numbers[4]),
            expires_at=_moment(numbers[5]),
            scopes=tuple(scopes.split()),
            jti=_text(body[28:44]),
            resources=tuple(resources.split()),
            bound_to=bound_to or None,
        )

    def _seal(self, prefix: str, body: bytes) -> str:
        return prefix + base64url.encode(body + self._mac(prefix, body))

    def _open(self, prefix: str, text: str) -> bytes | None:
        if not text.startswith(prefix) or len(text) > _LIMIT:
            return None
        encoded = text[len(prefix) :]
        try:
            # One token has one spelling: base64 leaves unused bits in the last character.
            raw = base64url.decode(encoded)
        except ValueError:
            return None
        body, tag = raw[:-_MAC], raw[-_MAC:]
        if len(raw) <= _MAC:
            return None
        return body if self._keyring.mac_fits("handle:" + prefix, self._said(body), tag) else None

    def _mac(self, prefix: str, body: bytes) -> bytes:
        return self._keyring.mac("handle:" + prefix, self._said(body), size=_MAC)

    def _said(self, body: bytes) -> bytes:
        return self._issuer + b"\0" + body


_KEYS = {"jkt": b"\x01", "x5t": b"\x02"}


def _key(bound_to: str | None) -> bytes:
    """``jkt:`` or ``x5t:`` and a SHA-256 in base64url, as 33 bytes."""
    if bound_to is None:
        return b""
    kind, _, digest = bound_to.partition(":")
    return _KEYS[kind] + base64url.decode(digest)


def _bound(raw: bytes) -> str | None:
    kinds = {tag: kind for kind, tag in _KEYS.items()}
    return f"{kinds[raw[:1]]}:{base64url.encode(raw[1:])}" if raw else None


def _text(raw: bytes) -> str:
    return base64url.encode(raw)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
