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
from idp.oidc.grant_types.issuing import EVERY_METHOD, Issues
from idp.oidc.resources import InvalidTarget
from idp.oidc.tokens import Active, token_type

_TYPE = "urn:ietf:params:oauth:token-type:"
ACCESS_TOKEN = _TYPE + "access_token"
JWT = _TYPE + "jwt"


class ExchangeGrant(Issues, BaseGrant, TokenEndpointMixin):  # type: ignore[misc]
    """§2. Two SELECTs: the client, the token."""

    GRANT_TYPE = GrantType.EXCHANGE.value
    TOKEN_ENDPOINT_AUTH_METHODS = EVERY_METHOD
    _subject: Active

    def validate_token_request(self) -> None:
        """Raises OAuth2Error."""
        client = self.authenticate_token_endpoint_client()
        # Whoever keeps no secret cannot prove that a token it brings was given to it.
        if client.public or not client.check_grant_type(self.GRANT_TYPE):
            raise UnauthorizedClientError("The client may not exchange tokens.")
        self._refuse_what_is_not_honoured()
        self._subject = self._read_subject()
        self.request.user = self._subject.grant

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """§2.2.1. No refresh token: it would outlive the subject token."""
        named = resources.narrowed(self.request.get("resource"), self._subject.resources)
        answer = self.narrowed(self._subject, self._scopes(), named)
        answer["issued_token_type"] = ACCESS_TOKEN
        return 200, answer, self.TOKEN_RESPONSE_HEADER

    def _refuse_what_is_not_honoured(self) -> None:
        """Ignored, each of these would give a token that means more than was understood."""
        asked = self.request
        if asked.get("audience") is not None:
            raise InvalidTarget("Tokens are not issued for another audience.")
        if asked.get("actor_token") is not None or asked.get("actor_token_type") is not None:
            raise InvalidRequestError("Delegation is not supported.")
        if asked.get("requested_token_type") not in (None, ACCESS_TOKEN):
            raise InvalidRequestError("Only access tokens are issued.")

    def _read_subject(self) -> Active:
        """The subject token, good at this moment and this client's own. Raises OAuth2Error.

        §2.2.2: whatever is wrong with it is invalid_request.
        """
        request = self.request
        text, kind = request.get("subject_token"), request.get("subject_token_type")
        if text is None or kind is None:
            raise InvalidRequestError("Missing subject_token or subject_token_type.")
        if kind not in (ACCESS_TOKEN, JWT) or (kind == JWT and text.count(".") != 2):
            raise InvalidRequestError("The subject_token_type is not supported.")
        found = self.provider.tokens.active(
            request.connection, text, now=request.now, with_person=True
        )
        if found is None or found.client_id != self.client_view.id:
            raise InvalidRequestError("The subject_token is not valid.")
        if found.bound_to not in (None, request.bound_to):
            raise InvalidRequestError("The subject_token belongs to another key.")
        if found.grant is not None:
            try:
                self.require_assured(found.grant)
                self.require_entitled(found.grant)
            except InvalidGrantError as exc:
                raise InvalidRequestError("The subject_token is not valid.") from exc
        return found

    def _scopes(self) -> list[str]:
        """Those asked for, all of the subject token's when none is. Raises InvalidScopeError."""
        held = self._subject.scopes
        asked = self.request.payload.scope
        wanted = set(held) if asked is None else set(asked.split())
        if not wanted or not wanted <= set(held):
            raise InvalidScopeError
        return [scope for scope in held if scope in wanted]

    def narrowed(self, subject: Active, scopes: list[str], named: list[str]) -> dict[str, Any]:
        """The answer's token: of the subject's grant or client, key and end."""
        request, client, tokens = self.request, self.client_view, self.provider.tokens
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
        return {
            "access_token": text,
            "token_type": token_type(request.bound_to),
            "expires_in": int((expires_at - request.now).total_seconds()),
            "scope": " ".join(scopes),
        }
