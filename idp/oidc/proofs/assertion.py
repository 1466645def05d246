"""Client authentication by a signed assertion (RFC 7521, RFC 7523 §3, OIDC Core §9).

    private_key_jwt      by a key of the client's own
    client_secret_jwt    by its secret

Keys come from the client's registration and from nowhere else: what a header offers (``jwk``,
``jku``, ``x5u``) is refused. An assertion is good once, for us, and for minutes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from directory.base import jws, replay_cache
from directory.base.jws import Untrusted
from directory.base.storable import is_text
from idp.oidc.clients import keyset
from idp.oidc.clients.kinds import AuthMethod
from idp.oidc.clients.view import ClientView
from idp.oidc.connection import ENDPOINTS, places
from idp.oidc.request import Provider, Request

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SKEW = timedelta(seconds=jws.SKEW)
FARTHEST = timedelta(hours=1)
"""How far off ``exp`` may be: as long an assertion is remembered (RFC 7523 §3 item 4)."""
LONGEST_JTI = 256
_TYPES = frozenset({"jwt", "client-authentication+jwt"})
_KEYS_OF_ITS_OWN = frozenset({"jwk", "jku", "x5u"})
_ALLOWED: Mapping[str, tuple[str, ...]] = {
    AuthMethod.KEY_JWT.value: jws.ASYMMETRIC,
    AuthMethod.SECRET_JWT.value: jws.HMAC,
}


@dataclass(frozen=True)
class Asserted:
    """An assertion before anything about it has been checked."""

    text: str
    issuer: str
    """Who it claims to be from; nothing but a name to look up."""
    alg: str

    @property
    def method(self) -> AuthMethod:
        """The method it belongs to."""
        return AuthMethod.SECRET_JWT if self.alg in jws.HMAC else AuthMethod.KEY_JWT


def glance(text: str) -> Asserted:
    """Who an assertion claims to be from. Raises Untrusted."""
    found = jws.read(text, algorithms=(*jws.ASYMMETRIC, *jws.HMAC))
    said = jws.unverified_claims(found)
    issuer = said.get("iss")
    # RFC 7523 §3: the client speaks of itself.
    if not isinstance(issuer, str) or not issuer or said.get("sub") != issuer:
        raise Untrusted("iss and sub must be the client_id.")
    if not is_text(issuer):
        raise Untrusted("The client_id is no text.")
    return Asserted(text, issuer, found.alg)


def verify(
    provider: Provider, request: Request, client: ClientView, asserted: Asserted, *, endpoint: str
) -> None:
    """That the client has made it, for us, now, and presents it for the first time. One INSERT.

    Raises Untrusted, NoKeys.
    """
    options, now = client.options, request.now
    allowed = _ALLOWED[client.auth_method]
    if options.profile.fapi:
        allowed = tuple(alg for alg in allowed if alg in jws.FAPI)
    if options.token_endpoint_auth_signing_alg is not None:
        allowed = tuple(a for a in allowed if a == options.token_endpoint_auth_signing_alg)
    opened = keyset.opened(provider.client_keys, client, asserted.text, algorithms=allowed, now=now)
    _require_header(opened.header)
    said = opened.claims
    _require_audience(said.get("aud"), provider, client, endpoint)
    ends = _require_time(said, now)
    jti = said.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= LONGEST_JTI:
        raise Untrusted("Missing jti.")
    # RFC 7523 §3 item 7.
    digest = replay_cache.digest("assertion", client.client_id, jti)
    if not replay_cache.first(request.connection, digest, until=ends + SKEW):
        raise Untrusted("The assertion was used before.")


def _require_header(header: Mapping[str, Any]) -> None:
    if _KEYS_OF_ITS_OWN & header.keys():
        raise Untrusted("The header offers a key.")
    # RFC 8725 §3.11: what is typed as something else is something else.
    typ = header.get("typ", "JWT")
    if not isinstance(typ, str) or typ.lower().removeprefix("application/") not in _TYPES:
        raise Untrusted("The JWT is of another type.")


def _require_audience(audience: Any, provider: Provider, client: ClientView, endpoint: str) -> None:
    """Our issuer; the token endpoint and the one that is called too, but not for FAPI 2.0
    (§5.3.2.1 item 8), which wants a single string as well.
    """
    settings = provider.tools.settings
    if client.options.profile.fapi:
        if audience != settings.issuer:
            raise Untrusted("The aud must be the issuer, as a string.")
        return
    ours = {settings.issuer, *places(settings, ENDPOINTS["token"])}
    if endpoint in ENDPOINTS:
        ours.update(places(settings, ENDPOINTS[endpoint]))
    named = audience if isinstance(audience, list) else [audience]
    # Whoever else it is for could present it here (RFC 9700 §4.11).
    if not named or not all(isinstance(each, str) and each in ours for each in named):
        raise Untrusted("The aud is another.")


def _require_time(said: Mapping[str, Any], now: datetime) -> datetime:
    """``exp``. Raises Untrusted."""
    ends = jws.moment(said.get("exp"))
    if ends is None or not now - SKEW < ends <= now + FARTHEST:
        raise Untrusted("The exp is missing, past, or too far away.")
    for name in ("iat", "nbf"):
        begins = jws.moment(said.get(name)) if name in said else now
        # FAPI 2.0 §5.3.2.1 item 13.
        if begins is None or begins > now + SKEW:
            raise Untrusted(f"The {name} is in the future.")
    return ends
