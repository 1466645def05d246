"""What a token answer holds, for every grant: access, refresh and ID token.

Our grants differ from Authlib's in order: it saves tokens and then deletes the code (or revokes
the old refresh token), so that of two parallel requests both win. Here ``authenticate_user``,
which Authlib calls before it makes tokens, consumes code or refresh token by one UPDATE … WHERE
unused RETURNING; nothing needs saving afterwards, since tokens are handles.
"""

from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import InvalidGrantError
from authlib.oidc.core.grants.code import OpenIDToken

from directory.base.audit import Actor, Tag, record
from directory.base.clock import local_day
from directory.base.failpoints import failpoint
from idp.oidc import grants
from idp.oidc.authorization import entitlement
from idp.oidc.clients.kinds import AuthMethod
from idp.oidc.clients.view import ClientView
from idp.oidc.grants import GrantView
from idp.oidc.handles import Refresh
from idp.oidc.id_token import id_token
from idp.oidc.request import Request

if TYPE_CHECKING:
    from idp.oidc.server import Server

EVERY_METHOD = [method.value for method in AuthMethod]


class Issues:
    """Mixed into Authlib's grants: how tokens are made, and that none is stored."""

    request: Request
    server: "Server"

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
        answer: dict[str, Any] = {"token_type": "Bearer"}
        if user is None:
            text, expires_at = self.server.tokens.machine(client, scopes=scopes, now=now)
        else:
            text, expires_at = self.server.tokens.access(client, user, scopes=scopes, now=now)
            if user.refreshable:
                answer["refresh_token"] = self.server.tokens.handles.refresh(
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

    def require_entitled(self, grant: GrantView) -> None:
        """Rules may have changed since the grant was given. Raises InvalidGrantError and ends
        the grant when its capacity no longer earns the application.
        """
        held = grant.person.held if grant.person else None
        day = local_day(self.request.now)
        if not entitlement.entitled(self.server.tools.db, self.client_view, held, on=day):
            self.revoke(grant, "entitlement_lost")
            raise InvalidGrantError

    def revoke(self, grant: GrantView, reason: str) -> None:
        """End the grant and everything that hangs on it, and say so in the audit trail."""
        now = self.request.now
        with self.server.tools.db.write() as session:
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

    def __init__(self, server: "Server") -> None:
        self._server = server

    def encode_id_token(self, token: dict[str, Any], request: Request) -> str:
        """§12.2: a refreshed ID token SHOULD NOT carry a nonce."""
        if request.user is None or request.client is None:
            raise InvalidGrantError
        nonce = request.user.nonce if request.authorization_code is not None else None
        return id_token(
            self._server,
            request.client,
            request.user,
            now=request.now,
            nonce=nonce,
            access_token=token["access_token"],
        )
