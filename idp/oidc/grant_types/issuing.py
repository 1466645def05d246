"""What a token answer holds, for every grant: access, refresh and ID token.

Our grants differ from Authlib's in order: it saves tokens and then deletes the code (or revokes
the old refresh token), so that of two parallel requests both win. Here ``authenticate_user``,
which Authlib calls before it makes tokens, consumes code or refresh token by one UPDATE … WHERE
unused RETURNING; nothing needs saving afterwards, since tokens are handles.
"""

from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError
from authlib.oidc.core.grants.code import OpenIDToken

from directory.base.audit import Actor, Tag, record
from directory.base.clock import local_day
from directory.base.failpoints import failpoint
from idp import assurance
from idp.oidc import entitlement, grants
from idp.oidc import resources as targets
from idp.oidc.clients.kinds import AuthMethod
from idp.oidc.clients.view import ClientView
from idp.oidc.grants import GrantView
from idp.oidc.id_token import id_token
from idp.oidc.opaque_tokens import Refresh
from idp.oidc.provider import Provider
from idp.oidc.request import Request
from idp.oidc.tokens import token_type

EVERY_METHOD = [method.value for method in AuthMethod]


class Issues:
    """Mixed into Authlib's grants: how tokens are made, and that none is stored."""

    request: Request
    server: Any
    """Authlib's, which carries the provider."""
    resources: list[str]
    """What the access token is for (RFC 8707); none: its client's own audience."""

    @property
    def provider(self) -> Provider:
        """What it takes to answer."""
        found: Provider = self.server.provider
        return found

    def generate_token(
        self,
        user: GrantView | None = None,
        scope: str | None = None,
        grant_type: str | None = None,
        expires_in: int | None = None,
        include_refresh_token: bool = True,
    ) -> dict[str, Any]:
        """The token answer for a consumed grant, or for the client itself."""
        failpoint("token.before_issue")
        client, now = self.client_view, self.request.now
        scopes = (scope or "").split()
        bound_to = self.request.bound_to
        answer: dict[str, Any] = {"token_type": token_type(bound_to)}
        made: dict[str, Any] = {
            "scopes": scopes,
            "resources": self.resources,
            "bound_to": bound_to,
            "now": now,
        }
        if user is None:
            text, expires_at = self.provider.tokens.machine(client, **made)
        else:
            text, expires_at = self.provider.tokens.access(client, user, **made)
            if user.refreshable:
                answer["refresh_token"] = self.provider.tokens.handles.refresh(
                    Refresh(user.id, self.generation)
                )
        answer["access_token"] = text
        answer["expires_in"] = max(0, int((expires_at - now).total_seconds() + 0.999))
        answer["scope"] = " ".join(scopes)
        return answer

    @property
    def generation(self) -> int:
        """The refresh generation the tokens of this answer belong to."""
        return 0

    @property
    def client_view(self) -> ClientView:
        """The authenticated client."""
        if self.request.client is None:
            raise InvalidGrantError
        return self.request.client

    def save_token(self, token: dict[str, Any]) -> None:
        """Nothing to save: tokens are handles, and their grant has been written."""

    def require_fit(self, grant: GrantView) -> None:
        """Whether what is asked for may be had of this grant now, before anything is used up.

        Raises InvalidGrantError, and InvalidTarget for a resource that was not granted.
        """
        self.resources = targets.narrowed(self.request.get("resource"), grant.resources)
        self.require_assured(grant)
        self.require_entitled(grant)

    def require_assured(self, grant: GrantView) -> None:
        """Minimums may have been raised since the grant was given. Raises InvalidGrantError."""
        minimum, of_scopes = self.client_view.options.minimum_acr, self.provider.tools.settings
        wanted = assurance.least(minimum, grant.scopes, of_scopes.scope_acr)
        if not all(assurance.reaches(grant.acr, level) for level in wanted):
            raise InvalidGrantError("The sign-in is weaker than is required now.")

    def require_entitled(self, grant: GrantView) -> None:
        """Rules may have changed since the grant was given. Raises InvalidGrantError and ends
        the grant when she may no longer use the application.
        """
        day = local_day(self.request.now)
        if not entitlement.entitled(self.provider.tools.db, self.client_view, grant.person, on=day):
            self.revoke(grant, "entitlement_lost")
            raise InvalidGrantError

    def revoke(self, grant: GrantView, reason: str) -> None:
        """End the grant and everything that hangs on it, and say so in the audit trail."""
        now = self.request.now
        with self.provider.tools.db.write() as session:
            if grants.revoke(session, [grant.id], now=now, reason=reason):
                client = self.client_view
                record(
                    session,
                    Tag.GRANT_REVOKE,
                    at=now,
                    actor=Actor("client", client.id, client.name),
                    subject=("user", grant.user_id),
                    data={"client": grant.client_id, "grant": grant.id, "reason": reason},
                )


class IdToken(OpenIDToken):  # type: ignore[misc]
    """The ID token beside an access token whose scopes hold ``openid`` (OIDC Core §3.1.3.3)."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def encode_id_token(self, token: dict[str, Any], request: Request) -> str:
        """§12.2: a refreshed ID token SHOULD NOT carry a nonce."""
        if request.user is None or request.client is None:
            raise InvalidGrantError
        nonce = request.user.nonce if request.authorization_code is not None else None
        return id_token(
            self._provider,
            request.client,
            request.user,
            connection=request.connection,
            now=request.now,
            nonce=nonce,
            access_token=token["access_token"],
            scopes=token["scope"].split(),
        )
