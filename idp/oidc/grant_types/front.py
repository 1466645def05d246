"""What the authorization endpoint itself gives: one grant row, and what its response type names.

    code                                a code
    id_token [token]                    tokens at once (OIDC Core §3.2)
    code id_token | code token | …      both (OIDC Core §3.3)

Everything given hangs on the one row, as everywhere.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import (
    InvalidRequestError,
    InvalidScopeError,
    UnauthorizedClientError,
)
from authlib.oidc.core.errors import ConsentRequiredError, LoginRequiredError
from authlib.oidc.core.grants import OpenIDHybridGrant, OpenIDImplicitGrant

from directory.base.crypto import random_id
from directory.base.failpoints import failpoint
from idp.assurance import Demand
from idp.oidc import grants
from idp.oidc.authorization import giving
from idp.oidc.clients.kinds import GrantType, ResponseType
from idp.oidc.clients.view import ClientView
from idp.oidc.grant_types.issuing import Issues
from idp.oidc.id_token import id_token
from idp.oidc.opaque_tokens import Code

if TYPE_CHECKING:
    from idp.sessions import SessionView


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

    def give(self, view: "SessionView", *, consent_id: int | None) -> dict[str, str]:
        """The parameters of a successful response. One INSERT, and one SELECT for tokens.

        Raises LoginRequiredError when the session has ended meanwhile, and ConsentRequiredError
        when the consent it rests on was taken back.
        """
        request, server, words = self.request, self.server, self.response_type.words
        grant_id = random_id()
        failpoint("authorize.before_code")
        columns = self._columns(grant_id, view)
        if not giving.issue(request.connection, columns, consent_id=consent_id):
            ended = giving.session_ended(request.connection, view.id)
            raise LoginRequiredError if ended else ConsentRequiredError
        said: dict[str, str] = {}
        if "code" in words:
            said["code"] = server.tokens.handles.code(Code(grant_id))
        if words == {"code"}:
            return said
        grant = grants.read_with_person(request.connection, grant_id, now=request.now)
        if grant is None:
            raise InvalidRequestError
        if "token" in words:
            text, expires_at = server.tokens.access(
                self.client_view,
                grant,
                scopes=grant.scopes,
                resources=grant.resources,
                now=request.now,
            )
            said |= {
                "access_token": text,
                "token_type": "Bearer",
                "expires_in": str(int((expires_at - request.now).total_seconds())),
                "scope": " ".join(grant.scopes),
            }
        if "id_token" in words:
            said["id_token"] = id_token(
                server,
                self.client_view,
                grant,
                connection=request.connection,
                now=request.now,
                nonce=grant.nonce,
                access_token=said.get("access_token"),
                code=said.get("code"),
                alone=words == {"id_token"},
            )
        return said

    def _columns(self, grant_id: str, view: "SessionView") -> dict[str, Any]:
        request, client, now = self.request, self.client_view, self.request.now
        settings = self.server.tools.settings
        scopes = request.scope.split()
        by_code = "code" in self.response_type.words
        offline = "offline_access" in scopes
        lifetime = timedelta(seconds=settings.refresh_lifetime)
        code_lifetime = timedelta(seconds=settings.code_lifetime if by_code else 0)
        return {
            "id": grant_id,
            "user_id": view.user_id,
            "client_id": client.id,
            "session_id": view.id,
            "assignment_id": view.assignment_id,
            "scopes": scopes,
            "claims": self.claims_request,
            "nonce": request.get("nonce"),
            "redirect_uri": self.redirect_uri,
            "code_challenge": request.get("code_challenge") or "",
            "code_jkt": self.code_jkt,
            "resources": self.resources,
            "front_channel": self.response_type is not ResponseType.CODE,
            "auth_time": view.auth_time,
            "acr": self.demand.stated(view.acr),
            "amr": list(view.amr),
            # The session's epochs, not today's: what raced an open commit is dead.
            "user_epoch": view.user_epoch,
            "installation_epoch": view.installation_epoch,
            "client_epoch": client.epoch,
            "application_epoch": client.application_epoch,
            "offline": offline,
            "refreshable": by_code and client.check_grant_type(GrantType.REFRESH),
            "issued_at": now,
            "expires_at": now + lifetime if offline else view.expires_at,
            "code_expires_at": now + code_lifetime,
            "refresh_generation": 0,
        }


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
