"""What may be asked of the authorization endpoint, by the response type.

    code                                a code
    id_token [token]                    tokens at once (OIDC Core §3.2)
    code id_token | code token | …      both (OIDC Core §3.3)

What comes of it ``authorization.giving`` gives.
"""

from typing import Any

from authlib.oauth2.rfc6749 import (
    InvalidRequestError,
    InvalidScopeError,
    UnauthorizedClientError,
)
from authlib.oidc.core.grants import OpenIDHybridGrant, OpenIDImplicitGrant

from idp.assurance import Demand
from idp.oidc.clients.kinds import GrantType, ResponseType
from idp.oidc.clients.view import ClientView
from idp.oidc.grant_types.issuing import Issues


class Front(Issues):
    """Mixed into Authlib's grants that answer at the authorization endpoint."""

    claims_request: dict[str, Any]
    response_type: ResponseType
    code_jkt: str | None
    demand: Demand
    redirect_uri: str

    def validate_authorization_request(self) -> str:
        """Response type, scope, nonce and PKCE; client and redirect URI have been checked before.

        Raises OAuth2Error, to be told to the client.
        """
        client, words = self.client_view, self.response_type.words
        if not _allowed(client, self.response_type):
            raise UnauthorizedClientError("The client may not use this response type.")
        allowed = client.get_allowed_scope(self.request.payload.scope) or ""
        scope = _usable(allowed, client, words)
        if not scope:
            raise InvalidScopeError
        self.request.scope = scope
        if "id_token" in words:
            if "openid" not in self.request.scope.split():
                raise InvalidScopeError("An ID token needs the scope openid.")
            # OIDC Core §3.2.2.1, §3.3.2.11.
            if self.request.get("nonce") is None:
                raise InvalidRequestError("Missing nonce.")
        if "code" in words:
            self.execute_hook("after_validate_authorization_request_payload", self.redirect_uri)  # type: ignore[attr-defined]
        return self.redirect_uri


class ImplicitGrant(Front, OpenIDImplicitGrant):  # type: ignore[misc]
    """``id_token`` and ``id_token token`` (OIDC Core §3.2)."""

    RESPONSE_TYPES = frozenset({ResponseType.ID_TOKEN.value, ResponseType.ID_TOKEN_TOKEN.value})


class HybridGrant(Front, OpenIDHybridGrant):  # type: ignore[misc]
    """A code and tokens at once (OIDC Core §3.3)."""

    RESPONSE_TYPES = frozenset(
        {
            ResponseType.CODE_ID_TOKEN.value,
            ResponseType.CODE_TOKEN.value,
            ResponseType.CODE_ID_TOKEN_TOKEN.value,
        }
    )


def _allowed(client: ClientView, response_type: ResponseType) -> bool:
    """Whether the client has registered it, and its profile leaves it (FAPI 2.0 §5.3.2.2: code
    only). An access token that passes through the browser is bound to no key: none is given to
    a client whose tokens must be.
    """
    options = client.options
    bare = "token" in response_type.words and options.sender_constrained
    kept = response_type is ResponseType.CODE or not options.profile.fapi
    return kept and not bare and client.check_response_type(response_type.value)


def _usable(scope: str, client: ClientView, words: frozenset[str]) -> str:
    """OIDC Core §11: offline access is ignored where no refresh token can be had."""
    refreshable = "code" in words and client.check_grant_type(GrantType.REFRESH)
    return " ".join(s for s in scope.split() if refreshable or s != "offline_access")
