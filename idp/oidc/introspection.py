"""Token introspection (RFC 7662): is it good at this very moment, and what does it say?

A client sees tokens given to itself; a resource server those meant for its application; the
installation's own probe any. Of everything else, as of dead tokens, it learns only
``{"active": false}``.
"""

from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from idp.oidc.clients.view import ClientView
from idp.oidc.grant_types.issuing import EVERY_METHOD
from idp.oidc.request import Request
from idp.oidc.tokens import Active, audience


class Introspection(IntrospectionEndpoint):  # type: ignore[misc]
    """Two SELECTs: the client, the token."""

    CLIENT_AUTH_METHODS = EVERY_METHOD

    def authenticate_token(self, request: Request, client: ClientView) -> Active | None:
        """The token, if it is good and this client may see it."""
        text = request.get("token")
        if text is None:
            raise InvalidRequestError("Missing token.")
        # §2.1: the hint only speeds up the search; ours needs none.
        tokens = self.server.tokens
        found: Active | None = (
            tokens.active(request.connection, text, now=request.now)
            if not text.startswith("ddr_")
            else tokens.active_refresh(request.connection, text, now=request.now)
        )
        return found if found is not None and _may_see(client, found) else None

    def create_introspection_payload(self, token: Active | None) -> dict[str, Any]:
        """§2.2."""
        if token is None:
            return {"active": False}
        body: dict[str, Any] = {
            "active": True,
            "iss": self.server.tools.settings.issuer,
            "aud": audience(token.resources, token.audience[0]),
            "client_id": token.public_client_id,
            "scope": " ".join(token.scopes),
            "iat": int(token.issued_at.timestamp()),
            "exp": int(token.expires_at.timestamp()),
            "jti": token.jti,
            "sub": token.public_client_id,
        }
        if not token.refresh:
            body["token_type"] = "Bearer"  # noqa: S105 (a word)
        if token.grant is not None:
            body |= {
                "sub": token.grant.sub,
                "username": token.grant.username,
                "auth_time": int(token.grant.auth_time.timestamp()),
                "acr": token.grant.acr,
                "amr": token.grant.amr,
            }
        return body


def _may_see(client: ClientView, token: Active) -> bool:
    if client.id == token.client_id or client.introspect_all:
        return True
    return (
        client.resource_server
        and not token.refresh
        and client.application_id is not None
        and client.application_id == token.application_id
    )
