"""Signed requests (RFC 9101, OIDC Core §6): what a client says in a JWT, and nothing else.

    request        the JWT itself
    request_uri    an https address the client has registered, where we fetch it

    signature      by the client's own keys, never ``none``; by the algorithm it registered
    typ            ``oauth-authz-req+jwt``, ``JWT`` or none: no other kind of JWT passes
    iss sub aud    from this client, not an assertion of its identity (§10.8), for us
    nbf exp        in force; of FAPI clients both, and for an hour at most

Only the parameters inside count (§6.3), as text, as if the browser had brought them.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urldefrag

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error

from connectors.errors import ConnectorError
from directory.base import jws
from directory.base.jws import Untrusted
from idp.oidc.clients.call_limits import Slots
from idp.oidc.clients.keyset import NoKeys, opened
from idp.oidc.clients.view import ClientView
from idp.oidc.request import Provider, bounded

TYPES = frozenset({"oauth-authz-req+jwt", "jwt"})
OF_THE_JWT = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti", "sub"})
"""Claims that say something about the JWT and are no parameters."""
FAPI_LIFETIME = timedelta(minutes=60)
"""FAPI 2.0 Message Signing §5.3.1: as old as this, and good as long as this, at most."""
SKEW = timedelta(seconds=jws.SKEW)
SLOWEST = 5.0
"""Seconds one call for a request may take."""
AT_ONCE = 4
"""Calls under way at the same time, one per client: slow servers of clients must not take all our
threads, nor one client all calls."""
PATIENCE = 2.0
"""Seconds the next may wait: two people of one application often come at the same moment."""
WAITING = 4
_calls = Slots(AT_ONCE, patience=PATIENCE, most_waiting=WAITING)


class InvalidRequestObject(OAuth2Error):  # type: ignore[misc]
    """RFC 9101 §7, OIDC Core §3.1.2.6."""

    error = "invalid_request_object"


class InvalidRequestUri(OAuth2Error):  # type: ignore[misc]
    """RFC 9101 §7, OIDC Core §3.1.2.6."""

    error = "invalid_request_uri"


def signed(given: Mapping[str, str]) -> bool:
    """Whether these parameters bring a signed request."""
    return "request" in given or "request_uri" in given


def read(
    provider: Provider, client: ClientView, given: Mapping[str, str], *, now: datetime
) -> dict[str, str]:
    """The parameters this client has signed. Raises OAuth2Error. May call out."""
    if "request" in given and "request_uri" in given:
        raise InvalidRequestError("Either request or request_uri.")
    text = given.get("request") or _fetched(provider, client, given["request_uri"])
    header, claims = _opened(provider, client, text, now=now)
    _require_kind(header)
    _require_parties(claims, client, provider.tools.settings.issuer)
    _require_time(claims, client, now)
    return _parameters(claims, client)


def algorithms(client: ClientView) -> tuple[str, ...]:
    """What this client may sign with."""
    chosen = client.options.request_object_signing_alg
    may = jws.FAPI if client.options.profile.fapi else jws.ASYMMETRIC
    return tuple(alg for alg in may if chosen in (None, alg))


def _fetched(provider: Provider, client: ClientView, uri: str) -> str:
    """The fragment says which version of the content is meant (OIDC Core §6.2): it is no part
    of the address, and since nothing is kept here nothing depends on it.
    """
    address = urldefrag(uri).url
    known = {urldefrag(each).url for each in client.options.request_uris}
    if not uri.startswith("https://") or address not in known:
        raise InvalidRequestUri("The request_uri is not registered.")
    with _calls.one(client.id) as free:
        if not free:
            raise OAuth2Error(error="temporarily_unavailable")
        try:
            answer = provider.tools.outbound.request(
                "GET",
                address,
                headers={"Accept": "application/oauth-authz-req+jwt, application/jwt"},
                timeout=SLOWEST,
            )
        except ConnectorError as exc:
            raise InvalidRequestUri("The request_uri could not be read.") from exc
    if answer.status != 200 or len(answer.body) > jws.LONGEST:
        raise InvalidRequestUri("The request_uri could not be read.")
    return answer.body.decode("ascii", "replace").strip()


def _opened(
    provider: Provider, client: ClientView, text: str, *, now: datetime
) -> tuple[dict[str, Any], dict[str, Any]]:
    if text.count(".") == 4:
        raise InvalidRequestObject("Encrypted request objects are not supported.")
    try:
        found = opened(provider.client_keys, client, text, algorithms=algorithms(client), now=now)
    except NoKeys as exc:
        raise InvalidRequestObject("No key of the client's fits.") from exc
    except Untrusted as exc:
        raise InvalidRequestObject(exc.why) from exc
    return found.header, found.claims


def _require_kind(header: Mapping[str, Any]) -> None:
    typ = header.get("typ", "JWT")
    # RFC 7515 §4.1.9: the prefix may be left out.
    if not isinstance(typ, str) or typ.lower().removeprefix("application/") not in TYPES:
        raise InvalidRequestObject("The JWT is of another type.")


def _require_parties(claims: Mapping[str, Any], client: ClientView, issuer: str) -> None:
    if claims.get("iss", client.client_id) != client.client_id:
        raise InvalidRequestObject("The iss is another.")
    if claims.get("client_id", client.client_id) != client.client_id:
        raise InvalidRequestObject("The client_id is another.")
    # RFC 9101 §10.8: what proves who the client is (RFC 7523) must not pass for a request.
    if claims.get("sub") == client.client_id:
        raise InvalidRequestObject("The JWT is a client assertion.")
    audience = claims.get("aud")
    if audience is None:
        if client.options.profile.fapi:
            raise InvalidRequestObject("Missing aud.")
    elif issuer not in (audience if isinstance(audience, list) else [audience]):
        raise InvalidRequestObject("The aud is another.")
    # §4: a request in a request would let the inner one be changed.
    if signed(claims):
        raise InvalidRequestObject("A request object holds no request or request_uri.")


def _require_time(claims: Mapping[str, Any], client: ClientView, now: datetime) -> None:
    begins, ends, made = (_moment(claims, name) for name in ("nbf", "exp", "iat"))
    if ends is not None and ends <= now - SKEW:
        raise InvalidRequestObject("The request object has expired.")
    if any(each is not None and each > now + SKEW for each in (begins, made)):
        raise InvalidRequestObject("The request object is not yet valid.")
    if client.options.profile.fapi:
        if begins is None or ends is None:
            raise InvalidRequestObject("Missing nbf or exp.")
        if begins < now - FAPI_LIFETIME or ends - begins > FAPI_LIFETIME:
            raise InvalidRequestObject("The request object lives longer than 60 minutes.")


def _moment(claims: Mapping[str, Any], name: str) -> datetime | None:
    if name not in claims:
        return None
    found = jws.moment(claims[name])
    if found is None:
        raise InvalidRequestObject(f"Invalid {name}.")
    return found


def _parameters(claims: Mapping[str, Any], client: ClientView) -> dict[str, str]:
    """RFC 9101 §4: numbers and objects as JSON has them; here all is text."""
    found = {
        name: text
        for name, value in claims.items()
        if name not in OF_THE_JWT and (text := _text(value))
    }
    try:
        return bounded(found | {"client_id": client.client_id})
    except InvalidRequestError as exc:
        raise InvalidRequestObject(exc.get_error_description()) from exc


def _text(value: Any) -> str | None:
    """A parameter's value; None for null, which is as good as left out."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return " ".join(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
