"""The authorization code grant with PKCE (RFC 6749 §4.1, RFC 7636, OIDC Core §3.1).

A code is good for one redemption. Presented again, whatever the first redemption gave is revoked
(RFC 6749 §4.1.2), also when the two came at once: exactly one answer carries tokens, and those
die with the second.
"""

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import (
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Error,
    UnauthorizedClientError,
)
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge

from directory.base.crypto import random_id
from directory.base.failpoints import failpoint
from idp.oidc import grants
from idp.oidc.client_view import ClientView
from idp.oidc.clients import GrantType
from idp.oidc.grants import GrantView
from idp.oidc.handles import Code
from idp.oidc.redirects import with_query
from idp.oidc.token import EVERY_METHOD, Issues

if TYPE_CHECKING:
    from idp.oidc.request import Request
    from idp.sessions import SessionView

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


class CodeGrant(Issues, AuthorizationCodeGrant):  # type: ignore[misc]
    """Authlib's grant: codes are handles, consumed before anything is issued."""

    TOKEN_ENDPOINT_AUTH_METHODS = EVERY_METHOD
    claims_request: dict[str, Any]

    def validate_authorization_request(self) -> str:
        """Response type, scope and PKCE; client and redirect URI have been checked before.

        Raises OAuth2Error, to be told to the client.
        """
        client = self.client_view
        if not client.check_response_type(self.request.payload.response_type):
            raise UnauthorizedClientError("The client may not use this response type.")
        scope = client.get_allowed_scope(self.request.payload.scope)
        if scope is None:
            raise InvalidScopeError
        self.request.scope = _usable(scope, client)
        self.execute_hook("after_validate_authorization_request_payload", self.redirect_uri)
        return str(self.redirect_uri)

    def create_authorization_response(
        self, redirect_uri: str, grant_user: "SessionView"
    ) -> tuple[int, str, list[tuple[str, str]]]:
        """A code for the person of this session. One INSERT."""
        self.request.user = grant_user
        grant_id = random_id()
        code = self.server.tokens.handles.code(Code(grant_id))
        failpoint("authorize.before_code")
        grants.issue(self.request.connection, self._columns(grant_id, grant_user))
        said = [("code", code), *answer(self.request, self.server.tools.settings.issuer)]
        return 302, "", [("Location", with_query(redirect_uri, said))]

    def _columns(self, grant_id: str, view: "SessionView") -> dict[str, Any]:
        request, client, now = self.request, self.client_view, self.request.now
        settings = self.server.tools.settings
        scopes = request.scope.split()
        offline = "offline_access" in scopes
        lifetime = timedelta(seconds=settings.refresh_lifetime)
        return {
            "id": grant_id,
            "user_id": view.user_id,
            "client_id": client.id,
            "session_id": view.id,
            "assignment_id": view.assignment_id,
            "scopes": scopes,
            "claims": self.claims_request,
            "nonce": request.get("nonce"),
            "redirect_uri": request.payload.redirect_uri,
            "code_challenge": request.get("code_challenge"),
            "auth_time": view.auth_time,
            "acr": view.acr,
            "amr": list(view.amr),
            # The session's epochs, not today's: what raced an open commit is dead.
            "user_epoch": view.user_epoch,
            "installation_epoch": view.installation_epoch,
            "client_epoch": client.epoch,
            "application_epoch": client.application_epoch,
            "offline": offline,
            "refreshable": client.check_grant_type(GrantType.REFRESH),
            "issued_at": now,
            "expires_at": now + lifetime if offline else view.expires_at,
            "code_expires_at": now + timedelta(seconds=settings.code_lifetime),
            "refresh_generation": 0,
        }

    def query_authorization_code(self, code: str, client: ClientView) -> GrantView | None:
        """The grant of a code that this client may still redeem. One SELECT."""
        handle = self.server.tokens.handles.open_code(code)
        if handle is None:
            return None
        request = self.request
        grant = grants.read_with_person(request.connection, handle.grant_id, now=request.now)
        if grant is None:
            return None
        if grant.code_used_at is not None:
            request.client = client
            self.revoke(grant, "code_replay")
            return None
        return grant if grant.check_client(client) and grant.living else None

    def authenticate_user(self, authorization_code: GrantView) -> GrantView | None:
        """Consume the code. None for whoever comes second, or too late."""
        request, client = self.request, self.client_view
        self.require_entitled(authorization_code)
        if grants.consume_code(
            request.connection, authorization_code.id, client.id, now=request.now
        ):
            return authorization_code
        again = grants.read(request.connection, authorization_code.id, now=request.now)
        if again is not None and again.code_used_at is not None:
            self.revoke(again, "code_replay")
        return None

    def delete_authorization_code(self, authorization_code: GrantView) -> None:
        """Nothing left to do: the code was consumed before tokens were made."""


class Pkce(CodeChallenge):  # type: ignore[misc]
    """PKCE for every client and S256 only (RFC 9700 §2.1.1); Authlib defaults to ``plain``."""

    DEFAULT_CODE_CHALLENGE_METHOD = "S256"
    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: CodeGrant, redirect_uri: str) -> None:
        """Raises InvalidRequestError unless there is an S256 challenge of the right length."""
        challenge = grant.request.get("code_challenge") or ""
        if grant.request.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(
            challenge
        ):
            raise InvalidRequestError("PKCE with code_challenge_method S256 is required.")
        super().validate_code_challenge(grant, redirect_uri)


def answer(request: "Request", issuer: str) -> list[tuple[str, str]]:
    """What every authorization response carries: state, and who answers (RFC 9207)."""
    state = request.get("state")
    return [*([("state", state)] if state is not None else []), ("iss", issuer)]


def told(error: OAuth2Error, request: "Request", redirect_uri: str, issuer: str) -> str:
    """Where the browser takes an error to its client (RFC 6749 §4.1.2.1)."""
    said = [("error", str(error.error))]
    if description := error.get_error_description():
        said.append(("error_description", description))
    return with_query(redirect_uri, [*said, *answer(request, issuer)])


def _usable(scope: str, client: ClientView) -> str:
    """OIDC Core §11: offline access is ignored where no refresh token can be had."""
    refreshable = client.check_grant_type(GrantType.REFRESH)
    return " ".join(s for s in scope.split() if refreshable or s != "offline_access")
