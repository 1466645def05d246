"""Token revocation (RFC 7009): a client gives back what it holds.

Tokens are not stored one by one, so that giving back any of them ends the grant with all that
hangs on it (§2.1 allows it). A client's token on its own account belongs to no grant and cannot
be revoked singly; it is answered ``unsupported_token_type`` (§2.2.1) and lapses in minutes.
"""

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError, OAuth2Error
from authlib.oauth2.rfc7009 import RevocationEndpoint

from idp.oidc import grants
from idp.oidc.clients.view import ClientView
from idp.oidc.grants import GrantView
from idp.oidc.opaque_tokens import Machine
from idp.oidc.request import Provider, Request


class CannotRevoke(OAuth2Error):  # type: ignore[misc]
    """§2.2.1."""

    error = "unsupported_token_type"


class Revocation(RevocationEndpoint):  # type: ignore[misc]
    """One SELECT and one UPDATE."""

    def authenticate_token(self, request: Request, client: ClientView) -> GrantView | None:
        """The grant of the token; None where there is nothing to revoke (§2.2: still 200)."""
        return given_back(self.server.provider, request, client)

    def revoke_token(self, token: GrantView, request: Request) -> None:
        """End the grant; a second time changes nothing."""
        grants.revoke_one(request.connection, token.id, now=request.now, reason="revoked_by_client")


def given_back(provider: Provider, request: Request, client: ClientView) -> GrantView | None:
    """The grant of the token a client gives back, None where there is nothing to end.

    Raises InvalidRequestError, CannotRevoke, InvalidGrantError for another client's.
    """
    text = request.get("token")
    if text is None:
        raise InvalidRequestError("Missing token.")
    tokens = provider.tokens
    keys = tokens.keys.at(client.keys_stamp)
    found = tokens.handles.open_refresh(text) or tokens.open(text, keys=keys, now=request.now)
    if isinstance(found, Machine):
        raise CannotRevoke
    if found is None:
        return None
    grant = request.grant_named(found.grant_id)
    # §2.1: whoever the token was not issued to is refused.
    if grant is not None and not grant.check_client(client):
        raise InvalidGrantError
    return grant
