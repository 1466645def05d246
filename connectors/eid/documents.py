"""What an upstream publishes: its metadata (OIDC Discovery 1.0) and its keys (RFC 7517).

A copy is kept for minutes. Keys are fetched afresh when a signature names one that the copy lacks or
fits none of it, so that a rotation needs no notice; after a failure not at once again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from joserfc.jwk import Key

from connectors.eid.calling import Calls, call, told
from connectors.eid.refusals import EidRefused, Why
from connectors.eid.settings import require_address
from directory.base import jws
from directory.base.jwk import usable

FRESH = timedelta(minutes=10)
AGAIN = timedelta(seconds=10)
"""Between two calls that an unknown key has caused: nobody makes us call out by sending rubbish."""
MOST_KEYS = 50
MOST_TRIED = 8
WELL_KNOWN = "/.well-known/openid-configuration"


@dataclass(frozen=True)
class _Copy:
    said: Any
    fetched_at: datetime
    not_before: datetime | None = None
    """Before that it is not fetched again for want of a key."""

    def barred(self, now: datetime) -> bool:
        """Whether somebody has just had it fetched again."""
        return self.not_before is not None and now < self.not_before


def metadata(calls: Calls, issuer: str) -> dict[str, Any]:
    """What an OpenID Provider says of itself. Raises EidRefused, also for another issuer's."""
    url = issuer.rstrip("/") + WELL_KNOWN

    def fetch() -> dict[str, Any]:
        said = told(call(calls, "GET", url), of="metadata")
        if said.get("issuer") != issuer:
            raise EidRefused(Why.UNTRUSTED, "metadata: another issuer")
        return said

    found: dict[str, Any] = _kept(calls, url, fetch).said
    return found


def endpoint(said: Mapping[str, Any], name: str, issuer: str) -> str:
    """An address that metadata give. Raises EidRefused; https stays https."""
    found = str(said.get(name))
    try:
        require_address(found)
    except ValueError as exc:
        raise EidRefused(Why.MISCONFIGURED, f"metadata: no {name}") from exc
    if urlsplit(issuer).scheme == "https" != urlsplit(found).scheme:
        raise EidRefused(Why.MISCONFIGURED, f"metadata: {name} is not https")
    return found


def claims(calls: Calls, url: str, found: jws.Signed) -> dict[str, Any]:
    """What a text says that a key of this set has signed. Raises EidRefused."""
    before: _Copy | None = calls.remembered.newest(("eid", url))
    copy = _kept(calls, url, lambda: _keys(calls, url))
    said = _opened(found, _fitting(copy.said, found))
    if said is None and copy is before and not copy.barred(calls.now):
        renewed = _keep(calls, url, _keys(calls, url), not_before=calls.now + AGAIN)
        said = _opened(found, _fitting(renewed.said, found))
    if said is None:
        raise EidRefused(Why.UNTRUSTED, "no key fits the signature")
    return said


def key_set(calls: Calls, url: str) -> Sequence[Mapping[str, Any]]:
    """The keys that are published there. Raises EidRefused."""
    found: Sequence[Mapping[str, Any]] = _kept(calls, url, lambda: _keys(calls, url)).said
    return found


def _opened(found: jws.Signed, keys: Sequence[Key]) -> dict[str, Any] | None:
    try:
        return jws.claims(found, keys)
    except jws.Untrusted:
        return None


def _fitting(keys: Sequence[Mapping[str, Any]], found: jws.Signed) -> list[Key]:
    """The key of the name that the text says; all of them where it says none."""
    named = [jwk for jwk in keys if found.kid is None or jwk.get("kid") == found.kid]
    fitting = (usable(jwk, found.alg) for jwk in named)
    return [key for key in fitting if key is not None][:MOST_TRIED]


def _keys(calls: Calls, url: str) -> list[dict[str, Any]]:
    keys = told(call(calls, "GET", url), of="keys").get("keys")
    if not isinstance(keys, list) or len(keys) > MOST_KEYS:
        raise EidRefused(Why.GARBAGE, "keys: no key set")
    return [key for key in keys if isinstance(key, dict)]


def _kept(calls: Calls, url: str, fetch: Callable[[], Any]) -> _Copy:
    copy: _Copy | None = calls.remembered.newest(("eid", url))
    if copy is not None and calls.now < copy.fetched_at + FRESH:
        return copy
    return _keep(calls, url, fetch())


def _keep(calls: Calls, url: str, said: Any, *, not_before: datetime | None = None) -> _Copy:
    copy = _Copy(said, calls.now, not_before)
    calls.remembered.keep(("eid", url), calls.now, copy)
    return copy
