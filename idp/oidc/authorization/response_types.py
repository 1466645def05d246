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

from idp.oidc.authorization.checked_request import CheckedRequest
from idp.oidc.clients.kinds import GrantType, ResponseType
from idp.oidc.grant_types.code import require_challenge


def response_type_known(checked: CheckedRequest) -> None:
    """``response_type``, its words in any order, is known and switched on by the installation."""
    words = checked.request.payload.response_type
    if words is None:
        raise InvalidRequestError("Missing response_type.")
    for known in ResponseType:
        if known.words == frozenset(words.split()) and len(words.split()) == len(known.words):
            if known.value in checked.provider.tools.settings.response_types:
                checked.response_type = known
                return
            break
    raise OAuth2Error(error="unsupported_response_type")


def response_type_registered(checked: CheckedRequest) -> None:
    """The client has registered it, and its profile leaves it (FAPI 2.0 §5.3.2.2: code only)."""
    options, wanted = checked.client.options, checked.response_type
    # An access token that passes through the browser is bound to no key: none is given to a client
    # whose tokens must be.
    bare = "token" in wanted.words and options.sender_constrained
    kept = wanted is ResponseType.CODE or not options.profile.fapi
    if bare or not kept or not checked.client.check_response_type(wanted.value):
        raise UnauthorizedClientError("The client may not use this response type.")


def scope_allowed(checked: CheckedRequest) -> None:
    """``scope`` holds something the client may have, and ``openid`` where an ID token is wanted."""
    client, words = checked.client, checked.response_type.words
    allowed = client.get_allowed_scope(checked.request.payload.scope) or ""
    # OIDC Core §11: offline access is ignored where no refresh token can be had.
    refreshable = "code" in words and client.check_grant_type(GrantType.REFRESH)
    checked.scopes = [s for s in allowed.split() if refreshable or s != "offline_access"]
    if not checked.scopes:
        raise InvalidScopeError
    if "id_token" in words and "openid" not in checked.scopes:
        raise InvalidScopeError("An ID token needs the scope openid.")


def nonce_given(checked: CheckedRequest) -> None:
    """There is a ``nonce`` where an ID token comes by the browser (OIDC Core §3.2.2.1, §3.3.2.11)."""
    if "id_token" in checked.response_type.words and checked.request.get("nonce") is None:
        raise InvalidRequestError("Missing nonce.")


def challenge_given(checked: CheckedRequest) -> None:
    """There is a PKCE challenge by S256, where a code is wanted of a client that must (RFC 9700
    §2.1.1), and none that counts for less.
    """
    if "code" in checked.response_type.words:
        require_challenge(checked.client, checked.request)
