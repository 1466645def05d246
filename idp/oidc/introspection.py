"""Token introspection (RFC 7662): is it good at this very moment, and what does it say?

A client sees tokens given to itself; a resource server those that name it (RFC 8707) or, where
they name nobody, those of its application; the installation's own probe any. Of everything
else, as of dead tokens, it learns only ``{"active": false}``. Whoever accepts it rather is
answered by a signed JWT (RFC 9701).
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from joserfc import jwt
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from idp.oidc.active import Active, token_type
from idp.oidc.clients.view import ClientView
from idp.oidc.request import Provider, Request
from idp.oidc.tokens import audience

JSON = "application/json"
JWT_TYPE = "token-introspection+jwt"
JWT = "application/" + JWT_TYPE
NOT_STORED = [("Cache-Control", "no-store"), ("Pragma", "no-cache")]


class Introspection(IntrospectionEndpoint):  # type: ignore[misc]
    """One SELECT: the client, and the token it brings."""

    def authenticate_token(self, request: Request, client: ClientView) -> Active | None:
        """The token, if it is good and this client may see it."""
        return seen(self.server.provider, request, client)

    def create_introspection_payload(self, token: Active | None) -> dict[str, Any]:
        """What is said of it."""
        return said(self.server.provider, token)

    def create_endpoint_response(self, request: Request) -> tuple[int, Any, list[tuple[str, str]]]:
        """JSON, or a signed JWT for whoever accepts that rather."""
        return as_wanted(self.server.provider, request, super().create_endpoint_response(request))


def seen(provider: Provider, request: Request, client: ClientView) -> Active | None:
    """The token of the request, if it is good and this client may see it. Raises
    InvalidRequestError.
    """
    text = request.get("token")
    if text is None or request.asking is None:
        raise InvalidRequestError("Missing token.")
    # §2.1: the hint only speeds up the search; ours needs none.
    tokens = provider.tokens
    found = (
        tokens.active_of(request.asking, text, now=request.now)
        if not text.startswith("ddr_")
        else tokens.active_refresh(request.asking, text)
    )
    return _part_of(client, found) if found is not None else None


def said(provider: Provider, token: Active | None) -> dict[str, Any]:
    """What is said of a token (§2.2)."""
    if token is None:
        return {"active": False}
    body: dict[str, Any] = {
        "active": True,
        "iss": provider.tools.settings.issuer,
        "aud": audience(token.audience),
        "client_id": token.public_client_id,
        "scope": " ".join(token.scopes),
        "iat": int(token.issued_at.timestamp()),
        "exp": int(token.expires_at.timestamp()),
        "jti": token.jti,
        "sub": token.public_client_id,
    }
    if not token.refresh:
        body["token_type"] = token_type(token.bound_to)
    if token.cnf:
        # RFC 9449 §6.2, RFC 8705 §3.2.
        body["cnf"] = token.cnf
    if token.grant is not None:
        body |= {
            "sub": provider.tokens.subject(token.grant),
            "auth_time": int(token.grant.auth_time.timestamp()),
            "acr": token.grant.acr,
            "amr": token.grant.amr,
        }
        # Her user name is a claim of ``profile`` (OIDC Core §5.4), and would undo a pairwise
        # ``sub``: told where the token may be told it.
        if "profile" in token.scopes:
            body["username"] = token.grant.username
    return body


EndpointAnswer = tuple[int, Any, list[tuple[str, str]]]
"""Status, body and headers."""


def as_wanted(provider: Provider, request: Request, answer: EndpointAnswer) -> EndpointAnswer:
    """The answer as JSON, or as a signed JWT for whoever accepts that rather (RFC 9701)."""
    status, body, _ = answer
    if not _wants_jwt(request) or request.client is None:
        return answer
    signed = _signed(provider, body, request.client, request.now)
    return status, signed, [("Content-Type", JWT), *NOT_STORED]


def _signed(provider: Provider, body: dict[str, Any], client: ClientView, now: datetime) -> str:
    """RFC 9701 §5."""
    alg = client.options.introspection_signed_response_alg or "RS256"
    signer = provider.tokens.keys.signer(alg, client.keys_stamp)
    claims = {
        "iss": provider.tools.settings.issuer,
        "aud": client.client_id,
        "iat": int(now.timestamp()),
        "token_introspection": body,
    }
    return jwt.encode(signer.header(typ=JWT_TYPE), claims, signer.key, [signer.alg])


def _part_of(client: ClientView, token: Active) -> Active | None:
    """The token as this client may see it: §4 wants a resource server told only its own part."""
    if client.id == token.client_id or client.introspect_all:
        return token
    if not client.resource_server or token.refresh:
        return None
    if token.resources:
        own = tuple(uri for uri in token.resources if uri in client.options.resources)
        return replace(token, resources=own, audience=own) if own else None
    same = client.application_id is not None and client.application_id == token.application_id
    return token if same else None


def _wants_jwt(request: Request) -> bool:
    """RFC 9701 §4: by the Accept header, and by nothing else."""
    accepted = parse_accept_header(request.headers.get("Accept"), MIMEAccept)
    return accepted.best_match([JSON, JWT], JSON) == JWT
