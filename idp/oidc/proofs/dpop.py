"""Proofs of possession (RFC 9449): a request is signed by the key its tokens belong to.

    read      everything a proof must say (§4.3), without asking the database
    spend     that it is presented for the first time (§11.1), for all nodes
    proof     both, for an endpoint of ours that clients call
    unspent   the first, where a statement that is made anyway does the second

A nonce (§8, §9) is a MAC over the minute it was made in: nothing is stored, every node knows it,
and it is good for that minute and the next. Where a proof carries one, its age is the nonce's
(§4.3 item 11: "or a server managed timestamp via the nonce claim").
"""

import hashlib
import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from authlib.oauth2.rfc6749 import OAuth2Error
from sqlalchemy import Connection

from connectors.tools import Tools
from directory.base import base64url, jws, replay_cache
from directory.base.config import Settings
from directory.base.hosts import Host
from directory.base.jwk import usable
from directory.base.jws import Untrusted
from idp.oidc.clients.view import ClientView
from idp.oidc.connection import Arrival
from idp.oidc.request import Provider, Request

ALGORITHMS = jws.FAPI
"""§4.3 item 5; the same for everybody, so that one list can be told in a challenge."""
TYPE = "dpop+jwt"
LIFETIME = timedelta(seconds=60)
"""How old a proof without a nonce may be."""
SKEW = timedelta(seconds=jws.SKEW)
WINDOW = 60
"""Seconds a nonce counts as the present one; it is accepted for another window."""
LONGEST_JTI = 256
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class InvalidProof(OAuth2Error):  # type: ignore[misc]
    """§5, §7.1."""

    error = "invalid_dpop_proof"


class UseNonce(OAuth2Error):  # type: ignore[misc]
    """§8, §9: the proof must carry this nonce."""

    error = "use_dpop_nonce"

    def __init__(self, nonce: str) -> None:
        super().__init__("The DPoP proof must carry the nonce we provide.")
        self.nonce = nonce

    def get_headers(self) -> list[tuple[str, str]]:
        """With the nonce."""
        return [*super().get_headers(), ("DPoP-Nonce", self.nonce)]


@dataclass(frozen=True)
class DpopProof:
    """A proof that says all it must. Whether it is presented for the first time, ``spend`` knows."""

    jkt: str
    """The thumbprint (RFC 7638) of the key."""
    digest: str
    until: datetime
    """When it would be refused for its age."""

    @property
    def bound_to(self) -> str:
        """What a token of this key is bound to."""
        return "jkt:" + self.jkt

    def spend(self, connection: Connection) -> None:
        """Raises InvalidProof when it was presented before. One INSERT."""
        if not replay_cache.first(connection, self.digest, until=self.until):
            raise used_before()


def used_before() -> InvalidProof:
    """§11.1."""
    return InvalidProof("The DPoP proof was used before.")


def unspent(provider: Provider, request: Request) -> DpopProof | None:
    """The proof a client sends to an endpoint of the provider; None where it sends none.

    Raises InvalidProof, UseNonce.
    """
    tools = provider.tools
    wanted = nonce_wanted(tools.settings, request.client)
    return read(tools, request.arrival, now=request.now, nonce_wanted=wanted)


def proof(provider: Provider, request: Request) -> DpopProof | None:
    """The same, spent. Raises InvalidProof, UseNonce."""
    found = unspent(provider, request)
    if found is not None:
        found.spend(request.connection)
    return found


def nonce_wanted(settings: Settings, client: ClientView | None) -> bool:
    """Whether proofs of this client must carry a nonce."""
    return settings.dpop_nonce_required or (client is not None and client.options.profile.fapi)


def read(
    tools: Tools,
    arrival: Arrival,
    *,
    now: datetime,
    nonce_wanted: bool,
    access_token: str | None = None,
) -> DpopProof | None:
    """The proof of a request, None where there is none. ``access_token`` is what it comes with
    at a resource. Raises InvalidProof, UseNonce.
    """
    if arrival.dpop is None:
        return None
    try:
        found = _signed(arrival.dpop)
        key = _key(found)
        said = jws.claims(found, [key])
        jti, made = _require_claims(said, arrival)
        _require_hash(said, access_token)
        until = _until(tools, said, made, nonce_wanted=nonce_wanted, now=now)
        if access_token is None:
            # FAPI 2.0 §5.3.2.1 item 13: at our own endpoints whatever the nonce says.
            _require_past(made, now)
    except Untrusted as exc:
        raise InvalidProof(exc.why) from exc
    # Not the key as it was spelt: one key has one thumbprint.
    jkt = type(key).import_key(key.public_key).thumbprint()
    return DpopProof(jkt, replay_cache.digest("dpop", jkt, jti), until)


def token_hash(access_token: str) -> str:
    """§4.2: ``ath``."""
    return base64url.encode(hashlib.sha256(access_token.encode()).digest())


def _signed(text: str) -> jws.Signed:
    # §4.3 item 1. Several equal headers reach us joined by a comma (RFC 9110 §5.2).
    if "," in text:
        raise Untrusted("There is more than one DPoP proof.")
    return jws.read(text.strip(), algorithms=ALGORITHMS)


def _key(found: jws.Signed) -> Any:
    """The public key the proof carries. Raises Untrusted."""
    if found.header.get("typ") != TYPE:
        raise Untrusted("The JWT is no DPoP proof.")
    jwk = found.header.get("jwk")
    if not isinstance(jwk, dict):
        raise Untrusted("Missing jwk.")
    if _PRIVATE & jwk.keys():
        raise Untrusted("The jwk holds a private key.")
    key = usable(jwk, found.alg)
    if key is None:
        raise Untrusted("The jwk is no key for this algorithm.")
    return key


def _require_claims(said: Mapping[str, Any], arrival: Arrival) -> tuple[str, datetime]:
    """``jti`` and ``iat``. Raises Untrusted."""
    jti, made = said.get("jti"), jws.moment(said.get("iat"))
    if not isinstance(jti, str) or not 0 < len(jti) <= LONGEST_JTI:
        raise Untrusted("Missing jti.")
    if made is None:
        raise Untrusted("Missing iat.")
    if said.get("htm") != arrival.method:
        raise Untrusted("The htm is another.")
    if not same_place(said.get("htu"), arrival.urls):
        raise Untrusted("The htu is another.")
    return jti, made


def _require_hash(said: Mapping[str, Any], access_token: str | None) -> None:
    if access_token is not None and said.get("ath") != token_hash(access_token):
        raise Untrusted("The ath is not that of the access token.")


def _require_past(made: datetime, now: datetime) -> None:
    if made > now + SKEW:
        raise Untrusted("The proof is from the future.")


def _until(
    tools: Tools, said: Mapping[str, Any], made: datetime, *, nonce_wanted: bool, now: datetime
) -> datetime:
    """Until when the proof could be presented. Raises Untrusted, UseNonce."""
    given = said.get("nonce")
    if given is not None or nonce_wanted:
        window = _window_of(tools, given, now) if isinstance(given, str) else None
        if window is None:
            raise UseNonce(nonce(tools, now=now))
        return datetime.fromtimestamp((window + 2) * WINDOW, UTC)
    _require_past(made, now)
    if made < now - LIFETIME - SKEW:
        raise Untrusted("The proof is too old.")
    return made + LIFETIME + SKEW


def nonce(tools: Tools, *, now: datetime) -> str:
    """The nonce of this moment, in characters a nonce may have (§8.1)."""
    return _nonce(tools, int(now.timestamp()) // WINDOW)


def _nonce(tools: Tools, window: int) -> str:
    number = struct.pack(">I", window)
    said = tools.settings.issuer.encode() + b"\0" + number
    return base64url.encode(number + tools.keyring.mac("dpop-nonce", said))


def _window_of(tools: Tools, given: str, now: datetime) -> int | None:
    """The window a nonce of ours was made in, if that was the present one or the one before."""
    present = int(now.timestamp()) // WINDOW
    for window in (present, present - 1):
        if given.isascii() and hmac.compare_digest(given, _nonce(tools, window)):
            return window
    return None


def same_place(htu: Any, urls: tuple[str, ...]) -> bool:
    """§4.3 item 9: query and fragment are ignored, the rest is normalised (RFC 3986 §6.2.2,
    §6.2.3) and then compared.
    """
    if not isinstance(htu, str) or len(htu) > 2000:
        return False
    found = _normal(htu)
    return found is not None and any(found == _normal(url) for url in urls)


def _normal(url: str) -> tuple[str, Host, str] | None:
    host = Host.of(url)
    if host is None:
        return None
    parts = urlsplit(url)
    known = parts.scheme in ("http", "https")
    return (parts.scheme, host, unquote(parts.path or "/")) if known else None
