"""The client credentials grant (RFC 6749 §4.4): a client on its own account.

One SELECT and no write: the token is a handle that carries the client's counters, and it is
good while they stand. While a restored installation waits for its staff list to be confirmed,
none is given: a client may have been disabled, or its secret replaced, since the backup.
"""

from typing import Any

from authlib.oauth2.rfc6749 import InvalidScopeError, OAuth2Error
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant

from directory.base.failpoints import failpoint
from idp.oidc import resources
from idp.oidc.clients.kinds import API_SCOPES
from idp.oidc.grant_types.issuing import EVERY_METHOD, Call, Issues, described


class Unconfirmed(OAuth2Error):  # type: ignore[misc]
    """503: only administrators are let in for now."""

    error = "temporarily_unavailable"
    description = "A backup was put back; its contents have not been confirmed yet."
    status_code = 503

    def get_headers(self) -> list[tuple[str, str]]:
        """With Retry-After."""
        return [*super().get_headers(), ("Retry-After", "60")]


class MachineGrant(Issues, ClientCredentialsGrant):  # type: ignore[misc]
    """Authlib's grant with our tokens. Scopes about a person are not given."""

    TOKEN_ENDPOINT_AUTH_METHODS = EVERY_METHOD

    def validate_requested_scope(self) -> None:
        """Nothing yet: what it may have is looked at when it is made."""

    def generate_token(self, *_given: Any, **_options: Any) -> dict[str, Any]:
        """The token answer for the client itself."""
        return answer(self.call)


def answer(call: Call) -> dict[str, Any]:
    """The token answer for the client itself: all it may have when no scope is named (RFC 6749
    §3.3), and the resources it names. Raises Unconfirmed, InvalidScopeError, InvalidTarget.
    """
    failpoint("token.before_issue")
    request, client, provider = call.request, call.client, call.provider
    if client.unconfirmed_since is not None:
        raise Unconfirmed
    may = [s for s in client.scopes if s in API_SCOPES]
    named = request.payload.scope
    wanted = may if named is None else named.split()
    if not set(wanted) <= set(may):
        raise InvalidScopeError
    scopes = [s for s in may if s in wanted]
    text, expires_at = provider.tokens.machine(
        client,
        scopes=scopes,
        resources=resources.granted(
            request.connection,
            client,
            request.get("resource"),
            issuer=provider.tools.settings.issuer,
        ),
        bound_to=request.bound_to,
        now=request.now,
    )
    return described(call, text, expires_at, scopes)
