"""A signed JWT (RFC 7515, RFC 7519), read strictly: the one reader of them all, whoever made it.

Request objects, client assertions, proofs of possession, software statements, and what comes back
to us of our own: ID tokens as hints, access tokens, answers of a trial. joserfc checks signatures;
form is judged here, before and after:

    three parts     base64url without padding, each spelt in the one way there is (RFC 7515 §2)
    header, claims  ``strict_json``: each member once, finite numbers, bounded depth
    alg             one of those the caller names, never ``none``
    crit, b64       refused: we understand no extension (§4.1.11, RFC 7797)
    kid typ cty     text
    iss sub jti     text that a database can hold
    aud             text, or a list of texts
    exp nbf iat     numbers, no booleans or texts, of moments there are (RFC 7519 §2)

Whatever is wrong ends in ``Untrusted``. What a header or a claim must say is the caller's matter.
"""

import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry, deserialize_compact

from directory.base import base64url, strict_json
from directory.base.errors import DinhdanhError
from directory.base.storable import is_text

ASYMMETRIC = ("RS256", "PS256", "ES256", "ES384", "ES512")
"""What others may sign with by a key pair of theirs. EdDSA is in no Vietnamese list."""
FAPI = ("PS256", "ES256")
"""Those of them FAPI 2.0 (§5.4.1) leaves."""
HMAC = ("HS256",)
"""With a client secret: ours have 43 characters, too few for HS384 (RFC 7518 §3.2)."""
LONGEST = 16 * 1024
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")
_TEXTS_OF_HEADER = ("kid", "typ", "cty")
_TEXTS_OF_CLAIMS = ("iss", "sub", "jti")
_MOMENTS = ("exp", "nbf", "iat")
SKEW = 30
"""Seconds by which another clock may be ahead of ours: more than the 10 that FAPI 2.0
(§5.3.2.1) wants accepted, less than the 60 it wants refused."""


class Untrusted(DinhdanhError):
    """A signed text that is not what it should be. ``why`` is short and in English: it is for
    whoever made the text.
    """

    status = 400

    def __init__(self, why: str) -> None:
        super().__init__("signed_text", "Văn bản ký số gửi đến không hợp lệ.")
        self.why = why


@dataclass(frozen=True)
class Signed:
    """A signed text whose signature nobody has checked yet."""

    text: str
    header: dict[str, Any]
    alg: str

    @property
    def kid(self) -> str | None:
        """Which of the signer's keys it names."""
        found = self.header.get("kid")
        return found if isinstance(found, str) else None


class _Registry(JWSRegistry):
    """joserfc's limit of 512 bytes is too small for an RSA key in a header (RFC 9449)."""

    max_header_length = 4096
    max_payload_length = LONGEST


def read(text: str, *, algorithms: Collection[str]) -> Signed:
    """A text in compact form, signed by one of these algorithms. Raises Untrusted."""
    parts = text.split(".")
    if len(text) > LONGEST or len(parts) != 3:
        raise Untrusted("Not a signed JWT.")
    header = _object(_bytes(parts[0]))
    _bytes(parts[1])
    _bytes(parts[2])
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in algorithms:
        raise Untrusted("The signature algorithm is not allowed.")
    if "crit" in header or "b64" in header:
        raise Untrusted("A header parameter is critical and not understood.")
    if any(not _is_text(header[name]) for name in _TEXTS_OF_HEADER if name in header):
        raise Untrusted("A header parameter is of the wrong type.")
    return Signed(text, header, alg)


def claims(found: Signed, keys: Iterable[Key]) -> dict[str, Any]:
    """What it says, if one of the keys has signed it. Raises Untrusted."""
    registry = _Registry(algorithms=[found.alg], strict_check_header=False)
    for key in keys:
        try:
            payload = deserialize_compact(found.text, key, registry=registry).payload
        except (JoseError, ValueError, TypeError, RecursionError):
            continue
        return _claims(payload)
    raise Untrusted("The signature does not fit.")


def unverified_claims(found: Signed) -> dict[str, Any]:
    """What it says, whoever has signed it: good for a look-up and nothing else. Raises
    Untrusted.
    """
    return _claims(_bytes(found.text.split(".")[1]))


def moment(value: Any) -> datetime | None:
    """A NumericDate (RFC 7519 §2); None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not math.isfinite(value) or not 0 <= value < 1e11:
        return None
    return datetime.fromtimestamp(value, UTC)


def _bytes(segment: str) -> bytes:
    """What a part stands for, if it is spelt as it must be."""
    try:
        raw = base64url.decode(segment)
    except ValueError as exc:
        raise Untrusted("Not a signed JWT.") from exc
    if not segment:
        raise Untrusted("Not a signed JWT.")
    return raw


def _object(raw: bytes | None) -> dict[str, Any]:
    try:
        return strict_json.read(raw or b"")
    except strict_json.Unreadable as exc:
        raise Untrusted("Not a signed JWT.") from exc


def _claims(raw: bytes | None) -> dict[str, Any]:
    """The claims, those every JWT may have of their types (RFC 7519 §4.1)."""
    said = _object(raw)
    audience = said.get("aud", "")
    named = audience if isinstance(audience, list) else [audience]
    if (
        any(not _is_text(said[name]) for name in _TEXTS_OF_CLAIMS if name in said)
        or any(moment(said[name]) is None for name in _MOMENTS if name in said)
        or not all(map(_is_text, named))
    ):
        raise Untrusted("A claim is of the wrong type.")
    return said


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and is_text(value)
