"""What may be asked of the authorization endpoint, by the response type.

    code                                a code, with PKCE
    id_token [token]                    tokens at once (OIDC Core §3.2)
    code id_token | code token | …      both (OIDC Core §3.3)

What comes of it ``giving`` gives.
"""

from authlib.oauth2.rfc6749 import (
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Error,
    UnauthorizedClientError,
)

from idp.oidc.clients.kinds import GrantType, ResponseType
from idp.oidc.clients.view import ClientView
from idp.oidc.grant_types.code import require_challenge
from idp.oidc.provider import Provider
from idp.oidc.request import Request


def response_type(provider: Provider, request: Request) -> ResponseType:
    """The response type, its words in any order. Raises OAuth2Error."""
    words = request.payload.response_type
    if words is None:
        raise InvalidRequestError("Missing response_type.")
    for known in ResponseType:
        if known.words == frozenset(words.split()) and len(words.split()) == len(known.words):
            if known.value in provider.tools.settings.response_types:
                return known
            break
    raise OAuth2Error(error="unsupported_response_type")


def scopes(client: ClientView, wanted: ResponseType, request: Request) -> list[str]:
    """The scopes that will be granted, if the client may ask so: response type, scope, nonce and
    PKCE; client and redirect URI have been checked before. Raises OAuth2Error, to be told to the
    client.
    """
    if not _allowed(client, wanted):
        raise UnauthorizedClientError("The client may not use this response type.")
    allowed = client.get_allowed_scope(request.payload.scope) or ""
    found = _usable(allowed, client, wanted.words)
    if not found:
        raise InvalidScopeError
    if "id_token" in wanted.words:
        if "openid" not in found:
            raise InvalidScopeError("An ID token needs the scope openid.")
        # OIDC Core §3.2.2.1, §3.3.2.11.
        if request.get("nonce") is None:
            raise InvalidRequestError("Missing nonce.")
    if "code" in wanted.words:
        require_challenge(client, request)
    return found


def _allowed(client: ClientView, response_type: ResponseType) -> bool:
    """Whether the client has registered it, and its profile leaves it (FAPI 2.0 §5.3.2.2: code
    only). An access token that passes through the browser is bound to no key: none is given to
    a client whose tokens must be.
    """
    options = client.options
    bare = "token" in response_type.words and options.sender_constrained
    kept = response_type is ResponseType.CODE or not options.profile.fapi
    return kept and not bare and client.check_response_type(response_type.value)


def _usable(scope: str, client: ClientView, words: frozenset[str]) -> list[str]:
    """OIDC Core §11: offline access is ignored where no refresh token can be had."""
    refreshable = "code" in words and client.check_grant_type(GrantType.REFRESH)
    return [s for s in scope.split() if refreshable or s != "offline_access"]
