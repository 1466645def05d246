"""The client credentials grant (RFC 6749 §4.4): a client on its own account.

One SELECT and no write: the token is a handle that carries the client's counters, and it is
good while they stand. While a restored installation waits for its staff list to be confirmed,
none is given: a client may have been disabled, or its secret replaced, since the backup.
"""

from authlib.oauth2.rfc6749 import InvalidScopeError, OAuth2Error
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant

from idp.oidc import resources
from idp.oidc.clients.kinds import API_SCOPES
from idp.oidc.grant_types.issuing import EVERY_METHOD, Issues


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

    def validate_token_request(self) -> None:
        """Raises Unconfirmed."""
        super().validate_token_request()
        if self.client_view.unconfirmed_since is not None:
            raise Unconfirmed

    def validate_requested_scope(self) -> None:
        """All it may have when none is named (RFC 6749 §3.3), and the resources it names.

        Raises InvalidScopeError, InvalidTarget.
        """
        may = [s for s in self.client_view.scopes if s in API_SCOPES]
        asked = self.request.payload.scope
        wanted = may if asked is None else asked.split()
        if not set(wanted) <= set(may):
            raise InvalidScopeError
        self.request.payload.data["scope"] = " ".join(s for s in may if s in wanted)
        self.resources = resources.granted(
            self.request.connection,
            self.client_view,
            self.request.get("resource"),
            issuer=self.provider.tools.settings.issuer,
        )
