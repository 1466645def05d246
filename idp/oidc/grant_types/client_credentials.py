"""The client credentials grant (RFC 6749 §4.4): a client on its own account.

One SELECT and no write: the token is a handle that carries the client's counters, and it is
good while they stand.
"""

from authlib.oauth2.rfc6749 import InvalidScopeError
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant

from idp.oidc import resources
from idp.oidc.clients.kinds import API_SCOPES
from idp.oidc.grant_types.issuing import EVERY_METHOD, Issues


class MachineGrant(Issues, ClientCredentialsGrant):  # type: ignore[misc]
    """Authlib's grant with our tokens. Scopes about a person are not given."""

    TOKEN_ENDPOINT_AUTH_METHODS = EVERY_METHOD

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
            issuer=self.server.tools.settings.issuer,
        )
