"""An ID token of an upstream, checked (OIDC Core §3.1.3.7): by the keys it publishes, for us, for this
visit, now.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any

from connectors.eid.calling import Calls
from connectors.eid.documents import claims as signed_claims
from connectors.eid.refusals import EidRefused, Why
from directory.base import base64url, jws

SKEW = timedelta(seconds=60)
"""By which upstream's clock may differ from ours."""


@dataclass(frozen=True)
class Expected:
    """What must stand in it."""

    issuer: str
    client_id: str
    nonce: str
    algorithms: Sequence[str]
    began: datetime
    """When she left us."""
    max_age: int | None = None
    """Seconds; None where nothing was asked about her sign-in there."""


def checked(
    calls: Calls,
    text: Any,
    *,
    keys: str,
    expected: Expected,
    access_token: str = "",
    code: str = "",
) -> dict[str, Any]:
    """The claims of an ID token. Raises EidRefused."""
    if not isinstance(text, str):
        raise EidRefused(Why.UNTRUSTED, "no id_token")
    try:
        found = jws.read(text, algorithms=expected.algorithms)
    except jws.Untrusted as exc:
        raise EidRefused(Why.UNTRUSTED, f"id_token: {exc.why}") from exc
    said = signed_claims(calls, keys, found)
    _for_us(said, expected)
    _for_now(said, expected, calls.now)
    _hash(said, "at_hash", access_token)
    _hash(said, "c_hash", code)
    return said


def _for_us(said: Mapping[str, Any], expected: Expected) -> None:
    if said.get("iss") != expected.issuer:
        raise EidRefused(Why.UNTRUSTED, "id_token: another issuer")
    # Others in the audience could be handed this token and bring it to us: none is trusted with that.
    if said.get("aud") not in (expected.client_id, [expected.client_id]):
        raise EidRefused(Why.UNTRUSTED, "id_token: another audience")
    if "azp" in said and said["azp"] != expected.client_id:
        raise EidRefused(Why.UNTRUSTED, "id_token: another party")
    nonce = said.get("nonce")
    if not isinstance(nonce, str) or not compare_digest(nonce.encode(), expected.nonce.encode()):
        raise EidRefused(Why.UNTRUSTED, "id_token: nonce")


def _for_now(said: Mapping[str, Any], expected: Expected, now: datetime) -> None:
    ends, made = jws.moment(said.get("exp")), jws.moment(said.get("iat"))
    if ends is None or ends <= now - SKEW:
        raise EidRefused(Why.UNTRUSTED, "id_token: expired")
    if made is None or not expected.began - SKEW <= made <= now + SKEW:
        raise EidRefused(Why.UNTRUSTED, "id_token: not made for this visit")
    begins = jws.moment(said.get("nbf"))
    if begins is not None and begins > now + SKEW:
        raise EidRefused(Why.UNTRUSTED, "id_token: not yet valid")
    asked = jws.moment(said.get("auth_time"))
    if "auth_time" in said and (asked is None or asked > now + SKEW):
        raise EidRefused(Why.UNTRUSTED, "id_token: auth_time")
    if expected.max_age is None:
        return
    oldest = expected.began - timedelta(seconds=expected.max_age) - SKEW
    if asked is None or asked < oldest:
        raise EidRefused(Why.STALE, "no auth_time" if asked is None else "auth_time too old")


def _hash(said: Mapping[str, Any], name: str, of: str) -> None:
    """§3.1.3.6: the left half of the SHA-256 of what it came with, where it is said."""
    if name not in said:
        return
    digest = hashlib.sha256(of.encode()).digest()
    if said[name] != base64url.encode(digest[: len(digest) // 2]):
        raise EidRefused(Why.UNTRUSTED, f"id_token: {name}")
