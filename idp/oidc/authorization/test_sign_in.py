"""A trial sign-in: an application's owner sees what the application would be told about her.

It is the real thing: the authorization endpoint, its pages and its refusals, with the client's
own registration. Only the answer ends at a page of ours instead of the application's. Nothing is
registered for that, and nothing the client has is weakened:

    the request    is kept as a pushed request that only the console makes, under a ``state`` of
                   ours that names client, session and moment; with it alone, and only pushed,
                   does the endpoint answer at the console's address
    the code       can only be brought to that address, counts only in the session that asked, and
                   belongs to a PKCE verifier nobody but we can derive
    the grant      is consumed, read and revoked in one go: no token leaves the server

The client's secret is not tried: we keep none that could be presented.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from sqlalchemy import Connection

from directory.base import base64url, signed_values
from directory.base.crypto import random_id
from idp.oidc import claims, grants
from idp.oidc.authorization import pushed
from idp.oidc.clients.kinds import IDENTITY_SCOPES, GrantType
from idp.oidc.clients.view import ClientView
from idp.oidc.id_token import id_token
from idp.oidc.request import Provider

if TYPE_CHECKING:
    from idp.sessions import SessionView

WAITS = timedelta(minutes=15)
"""How long the owner may take on the pages in between."""
REASON = "trial"
"""Why a grant of a trial is revoked."""
_PURPOSE = "trial"


class Failed(Exception):
    """The answer cannot be taken. ``code`` is that of OAuth, or ours."""

    def __init__(self, code: str, description: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.description = description


@dataclass(frozen=True)
class Told:
    """What the client would know."""

    scopes: list[str]
    id_token: dict[str, Any]
    userinfo: dict[str, Any]


def address(issuer: str, client_id: str) -> str:
    """Where the answer to a trial of this client ends."""
    return f"{issuer}/console/clients/{quote(client_id, safe='')}/test-sign-in/answer"


def possible(client: ClientView) -> bool:
    """Whether there is a code to be had: a client without people signs nobody in."""
    return client.check_grant_type(GrantType.CODE) and client.check_response_type("code")


def begin(
    provider: Provider,
    connection: Connection,
    client: ClientView,
    view: "SessionView",
    *,
    now: datetime,
) -> str:
    """Keep the request; the path and query that take the owner to the authorization endpoint."""
    keyring, issuer = provider.tools.keyring, provider.tools.settings.issuer
    state = signed_values.seal(
        keyring, _PURPOSE, f"{client.id}.{view.id}.{int(now.timestamp())}.{random_id()}"
    )
    signed = client.options.signed_response_required
    values = {
        "client_id": client.client_id,
        "response_type": "code",
        "redirect_uri": address(issuer, client.client_id),
        "scope": " ".join(s for s in _scopes(client)),
        "state": state,
        "nonce": random_id(),
        "code_challenge": _challenge(provider, state),
        "code_challenge_method": "S256",
        **({"response_mode": "query.jwt"} if signed else {}),
    }
    request_id = pushed.keep(
        connection,
        client,
        values,
        now=now,
        lifetime=WAITS,
        # We ask in its name, and know that nobody has changed what we ask.
        signed=client.options.signed_request_required,
    )
    query = {"client_id": client.client_id, "request_uri": pushed.uri(provider, request_id)}
    return "/oauth2/authorize?" + urlencode(query)


def _scopes(client: ClientView) -> list[str]:
    return [s for s in client.scopes if s in IDENTITY_SCOPES and s != "offline_access"]


def _challenge(provider: Provider, state: str) -> str:
    """The S256 challenge of the verifier that belongs to this state."""
    verifier = provider.tools.keyring.mac("trial-verifier", state.encode(), size=32).hex()
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64url.encode(digest)


def allows(provider: Provider, client: ClientView, uri: str, state: str | None) -> bool:
    """Whether a pushed request of this client may be answered at this address of ours."""
    if uri != address(provider.tools.settings.issuer, client.client_id):
        return False
    body = signed_values.unseal(provider.tools.keyring, _PURPOSE, state or "")
    return body is not None and body.partition(".")[0] == str(client.id)


def finish(
    provider: Provider,
    connection: Connection,
    client: ClientView,
    view: "SessionView",
    answer: Mapping[str, str],
    *,
    now: datetime,
) -> Told:
    """What the answer gives; whatever was granted ends here. Raises Failed."""
    said = _said(provider, client, answer, now=now)
    state = said.get("state", "")
    if not _began_here(provider, client, view, state, now=now):
        raise Failed("trial_unknown")
    if "error" in said:
        raise Failed(said["error"], said.get("error_description", ""))
    handle = provider.tokens.handles.open_code(said.get("code", ""))
    grant = (
        grants.read_with_person(connection, handle.grant_id, now=now)
        if handle is not None
        else None
    )
    if (
        grant is None
        or grant.person is None
        or grant.client_id != client.id
        or grant.session_id != view.id
        or not hmac.compare_digest(grant.code_challenge, _challenge(provider, state))
        or not grants.consume_code(connection, grant.id, client.id, now=now)
    ):
        raise Failed("invalid_grant")
    try:
        scopes = sorted({*grant.scopes} & claims.CLAIMS.keys())
        about = claims.complete(connection, grant.person, scopes, asked={}, now=now)
        domains = provider.tools.settings.mail_domains
        told = claims.claims(about, scopes, asked={}, mail_domains=domains)
        told["sub"] = provider.tokens.subject(grant)
        text = id_token(provider, client, grant, connection=connection, now=now, nonce=grant.nonce)
        keys = provider.tokens.keys.at(client.keys_stamp)
        signed = provider.tokens.signed_by_us(text, typ="JWT", keys=keys, now=now)
        if signed is None:
            raise Failed("id_token_unverified")
        return Told(grant.scopes, signed, told if "openid" in grant.scopes else {})
    finally:
        grants.revoke(connection, [grant.id], now=now, reason=REASON)


def _said(
    provider: Provider, client: ClientView, answer: Mapping[str, str], *, now: datetime
) -> Mapping[str, str]:
    """The answer's parameters, out of the JWT where it is one (JARM §4.4)."""
    if "response" not in answer:
        return answer
    keys = provider.tokens.keys.at(client.keys_stamp)
    found = provider.tokens.signed_by_us(answer["response"], typ="JWT", keys=keys, now=now) or {}
    if found.get("aud") != client.client_id:
        raise Failed("trial_unknown")
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _began_here(
    provider: Provider, client: ClientView, view: "SessionView", state: str, *, now: datetime
) -> bool:
    body = signed_values.unseal(provider.tools.keyring, _PURPOSE, state)
    parts = (body or "").split(".")
    if len(parts) != 4 or parts[:2] != [str(client.id), view.id]:
        return False
    return now - datetime.fromtimestamp(int(parts[2]), UTC) <= WAITS
