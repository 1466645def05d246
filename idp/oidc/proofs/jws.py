"""A signed text (RFC 7515) that somebody else made, read with care.

joserfc verifies; what it would let through is closed here: headers it does not know are ignored
as §4 wants, none may be critical (§4.1.11: we understand no extension, the unencoded payload of
RFC 7797 least of all), and nested or outsized input ends in ``Untrusted`` like any other.
"""

import base64
import binascii
import json
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry, deserialize_compact

from directory.base.errors import DinhdanhError

ASYMMETRIC = ("RS256", "PS256", "ES256", "ES384", "ES512")
"""What others may sign with by a key pair of theirs. EdDSA is in no Vietnamese list."""
FAPI = ("PS256", "ES256")
"""Those of them FAPI 2.0 (§5.4.1) leaves."""
HMAC = ("HS256",)
"""With a client secret: ours have 43 characters, too few for HS384 (RFC 7518 §3.2)."""
LONGEST = 16 * 1024
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
class Read:
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


def read(text: str, *, algorithms: Collection[str]) -> Read:
    """A text in compact form, signed by one of these algorithms. Raises Untrusted."""
    parts = text.split(".")
    if len(text) > LONGEST or len(parts) != 3:
        raise Untrusted("Not a signed JWT.")
    header = _object(parts[0])
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in algorithms:
        raise Untrusted("The signature algorithm is not allowed.")
    if "crit" in header or "b64" in header:
        raise Untrusted("A header parameter is critical and not understood.")
    return Read(text, header, alg)


def claims(found: Read, keys: Iterable[Key]) -> dict[str, Any]:
    """What it says, if one of the keys has signed it. Raises Untrusted."""
    registry = _Registry(algorithms=[found.alg], strict_check_header=False)
    for key in keys:
        try:
            payload = deserialize_compact(found.text, key, registry=registry).payload
        except (JoseError, ValueError, TypeError, RecursionError):
            continue
        return _json(payload)
    raise Untrusted("The signature does not fit.")


def unverified_claims(found: Read) -> dict[str, Any]:
    """What it says, whoever has signed it: good for a look-up and nothing else. Raises
    Untrusted.
    """
    return _object(found.text.split(".")[1])


def moment(value: Any) -> datetime | None:
    """A NumericDate (RFC 7519 §2); None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not math.isfinite(value) or not 0 <= value < 1e11:
        return None
    return datetime.fromtimestamp(value, UTC)


def _object(segment: str) -> dict[str, Any]:
    try:
        raw = base64.b64decode(segment + "=" * (-len(segment) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError) as exc:
        raise Untrusted("Not a signed JWT.") from exc
    return _json(raw)


def _json(raw: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(raw or b"")
    except (ValueError, RecursionError) as exc:
        raise Untrusted("Not a signed JWT.") from exc
    if not isinstance(found, dict):
        raise Untrusted("Not a signed JWT.")
    return found
