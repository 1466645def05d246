"""Token exchange (RFC 8693), for one thing only: a client makes a token it holds smaller.

The new token is a child of the subject token: it hangs on the same grant (or the same client)
and dies with it, carries no scope and no resource the subject token lacks, belongs to the same
key, ends no later, and is told nothing that was asked for by name (OIDC Core §5.5) and its scopes
do not give. Nothing is written.

    requested_token_type    access_token, or left out           else invalid_request
    subject_token_type      access_token; jwt where it is one   else invalid_request
    subject_token           of ours, good now, this client's    else invalid_request
    scope                   of the subject token                else invalid_scope
    resource                of the subject token                else invalid_target
    audience                never                               invalid_target
    actor_token(_type)      never                               invalid_request

Nobody acts for anybody else here: delegation and impersonation (§1.1) are refused, not ignored.
"""

from typing import Any

from authlib.oauth2.rfc6749 import (
    BaseGrant,
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    TokenEndpointMixin,
    UnauthorizedClientError,
)

from idp.oidc import resources
from idp.oidc.clients.kinds import GrantType
from idp.oidc.grant_types.issuing import (
    EVERY_METHOD,
    Call,
    Issues,
    described,
    require_assured,
    require_entitled,
)
from idp.oidc.request import Request
from idp.oidc.resources import InvalidTarget
from idp.oidc.tokens import Active

_TYPE = "urn:ietf:params:oauth:token-type:"
ACCESS_TOKEN = _TYPE + "access_token"
JWT = _TYPE + "jwt"


class ExchangeGrant(Issues, BaseGrant, TokenEndpointMixin):  # type: ignore[misc]
    """§2. Two SELECTs: the client, the token."""

    GRANT_TYPE = GrantType.EXCHANGE.value
    TOKEN_ENDPOINT_AUTH_METHODS = EVERY_METHOD

    def validate_token_request(self) -> None:
        """Raises OAuth2Error."""
        self.authenticate_token_endpoint_client()

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """§2.2.1."""
        return 200, exchanged(self.call), self.TOKEN_RESPONSE_HEADER


def exchanged(call: Call) -> dict[str, Any]:
    """The answer's token: of the subject's grant or client, key and end. No refresh token: it would
    outlive the subject token. Raises OAuth2Error.
    """
    request, client, tokens = call.request, call.client, call.provider.tokens
    # Whoever keeps no secret cannot prove that a token it brings was given to it.
    if client.public or not client.check_grant_type(GrantType.EXCHANGE):
        raise UnauthorizedClientError("The client may not exchange tokens.")
    _refuse_what_is_not_honoured(request)
    subject = _subject(call)
    named = resources.narrowed(request.get("resource"), subject.resources)
    scopes = _scopes(request, subject)
    given: dict[str, Any] = {
        "scopes": scopes,
        "resources": named,
        "bound_to": request.bound_to,
        "now": request.now,
        "until": subject.expires_at,
    }
    if subject.grant is None:
        text, expires_at = tokens.machine(client, **given)
    else:
        text, expires_at = tokens.access(client, subject.grant, child=True, **given)
    lasts = int((expires_at - request.now).total_seconds())
    return described(call, text, expires_at, scopes) | {
        "expires_in": lasts,
        "issued_token_type": ACCESS_TOKEN,
    }


def _refuse_what_is_not_honoured(request: Request) -> None:
    """Ignored, each of these would give a token that means more than was understood."""
    if request.get("audience") is not None:
        raise InvalidTarget("Tokens are not issued for another audience.")
    if request.get("actor_token") is not None or request.get("actor_token_type") is not None:
        raise InvalidRequestError("Delegation is not supported.")
    if request.get("requested_token_type") not in (None, ACCESS_TOKEN):
        raise InvalidRequestError("Only access tokens are issued.")


def _subject(call: Call) -> Active:
    """The subject token, good at this moment and this client's own. Raises OAuth2Error.

    §2.2.2: whatever is wrong with it is invalid_request.
    """
    request = call.request
    text, kind = request.get("subject_token"), request.get("subject_token_type")
    if text is None or kind is None:
        raise InvalidRequestError("Missing subject_token or subject_token_type.")
    if kind not in (ACCESS_TOKEN, JWT) or (kind == JWT and text.count(".") != 2):
        raise InvalidRequestError("The subject_token_type is not supported.")
    found = call.provider.tokens.active(request.connection, text, now=request.now, with_person=True)
    if found is None or found.client_id != call.client.id:
        raise InvalidRequestError("The subject_token is not valid.")
    if found.bound_to not in (None, request.bound_to):
        raise InvalidRequestError("The subject_token belongs to another key.")
    if found.grant is not None:
        try:
            require_assured(call, found.grant)
            require_entitled(call, found.grant)
        except InvalidGrantError as exc:
            raise InvalidRequestError("The subject_token is not valid.") from exc
    return found


def _scopes(request: Request, subject: Active) -> list[str]:
    """Those asked for, all of the subject token's when none is. Raises InvalidScopeError."""
    held, named = subject.scopes, request.payload.scope
    wanted = set(held) if named is None else set(named.split())
    if not wanted or not wanted <= set(held):
        raise InvalidScopeError
    return [scope for scope in held if scope in wanted]
