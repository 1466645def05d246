"""Relying parties: those of a file, those a test registers, and one that is always there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from dinhdanh.eid_simulator.jose import ALGORITHMS
from dinhdanh.eid_simulator.people import WrongFile

DEMO = "demo"
"""Id of the client that is always there."""
DEMO_SECRET = "simulation-only"  # noqa: S105 (printed on the first page)
LOOPBACK = ("localhost", "127.0.0.1", "::1")
FIELDS = (
    "client_id",
    "client_secret",
    "redirect_uris",
    "post_logout_redirect_uris",
    "id_token_signed_response_alg",
    "jwks",
    "public_key",
)


@dataclass(frozen=True)
class Client:
    """A relying party as the providers know it."""

    client_id: str
    secret: str | None = field(default=None, repr=False)
    redirect_uris: tuple[str, ...] = ()
    """Compared as they are written. Empty: any address on this machine."""
    post_logout_redirect_uris: tuple[str, ...] = ()
    id_token_alg: str = "RS256"  # noqa: S105
    jwks: Mapping[str, Any] | None = None
    """Public keys of a client that signs its requests for tokens (``private_key_jwt``)."""
    encryption_key: rsa.RSAPublicKey | None = None
    """Whom the 2026 profile encrypts to."""

    def may_return_to(self, uri: str) -> bool:
        """Whether an answer may be sent there."""
        return _allowed(uri, self.redirect_uris)

    def may_leave_to(self, uri: str) -> bool:
        """Whether a browser may be sent there after signing out."""
        return _allowed(uri, self.post_logout_redirect_uris)


def _allowed(uri: str, registered: tuple[str, ...]) -> bool:
    if registered:
        return uri in registered
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.hostname in LOOPBACK and not parts.fragment


def read(file: Path) -> tuple[Client, ...]:
    """Clients from a JSON list of objects with ``FIELDS``. Raises WrongFile naming the field."""
    try:
        entries = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise WrongFile(f"{file}: {exc}") from exc
    if not isinstance(entries, list):
        raise WrongFile(f"{file}: a list of clients is expected")
    return tuple(made_of(entry, said_by=f"{file}[{n}]") for n, entry in enumerate(entries))


def made_of(entry: Any, *, said_by: str) -> Client:
    """A client from what a file (or a caller) says. Raises WrongFile naming the field."""
    if not isinstance(entry, dict):
        raise WrongFile(f"{said_by}: an object is expected")
    if unknown := set(entry) - set(FIELDS):
        raise WrongFile(f"{said_by}: unknown {', '.join(sorted(unknown))}")
    if not isinstance(entry.get("client_id"), str) or not entry["client_id"]:
        raise WrongFile(f"{said_by}.client_id: text is expected")
    for name in ("redirect_uris", "post_logout_redirect_uris"):
        found = entry.get(name, [])
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise WrongFile(f"{said_by}.{name}: a list of addresses is expected")
    alg = entry.get("id_token_signed_response_alg", "RS256")
    if alg not in ALGORITHMS:
        raise WrongFile(f"{said_by}.id_token_signed_response_alg: {' or '.join(ALGORITHMS)}")
    return Client(
        client_id=entry["client_id"],
        secret=entry.get("client_secret"),
        redirect_uris=tuple(entry.get("redirect_uris", ())),
        post_logout_redirect_uris=tuple(entry.get("post_logout_redirect_uris", ())),
        id_token_alg=alg,
        jwks=_key_set(entry.get("jwks"), said_by),
        encryption_key=_public_key(entry.get("public_key"), said_by),
    )


def _key_set(value: Any, said_by: str) -> Mapping[str, Any] | None:
    if value is None:
        return None
    try:
        KeySet.import_key_set(value)
    except (JoseError, ValueError, TypeError, KeyError) as exc:
        raise WrongFile(f"{said_by}.jwks: {exc}") from exc
    return dict(value)


def _public_key(pem: Any, said_by: str) -> rsa.RSAPublicKey | None:
    if pem is None:
        return None
    try:
        key = serialization.load_pem_public_key(str(pem).encode())
    except ValueError as exc:
        raise WrongFile(f"{said_by}.public_key: {exc}") from exc
    if not isinstance(key, rsa.RSAPublicKey):
        raise WrongFile(f"{said_by}.public_key: an RSA key is expected")
    return key
