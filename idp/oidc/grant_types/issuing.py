"""What a token answer holds, for every grant: access, refresh and ID token.

Our grants differ from Authlib's in order: it saves tokens and then deletes the code (or revokes
the old refresh token), so that of two parallel requests both win. Here ``authenticate_user``,
which Authlib calls before it makes tokens, consumes code or refresh token by one UPDATE … WHERE
unused RETURNING; nothing needs saving afterwards, since tokens are handles.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
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


@dataclass(frozen=True)
class Call:
    """One call of the token endpoint by a client that has proven who it is."""

    provider: Provider
    request: Request
    client: ClientView


class Issues:
    """Mixed into Authlib's grants: how tokens are made, and that none is stored."""

    request: Request
    server: Any
    """Authlib's, which carries the provider."""

    @property
    def call(self) -> Call:
        """What our own functions are given. Raises InvalidGrantError before the client is known."""
        if self.request.client is None:
            raise InvalidGrantError
        return Call(self.server.provider, self.request, self.request.client)

    def generate_token(
        self, user: GrantView, scope: str | None = None, **_options: Any
    ) -> dict[str, Any]:
        """The token answer for a consumed grant."""
        return answer(self.call, user, scope=scope)

    def save_token(self, token: dict[str, Any]) -> None:
        """Nothing to save: tokens are handles, and their grant has been written."""


def answer(
    call: Call, grant: GrantView, *, scope: str | None = None, generation: int = 0
) -> dict[str, Any]:
    """The token answer for a consumed grant: of these scopes, of all where none are named.

    ``generation`` is that of its refresh token.
    """
    failpoint("token.before_issue")
    scopes = scope.split() if scope else grant.scopes
    text, expires_at = call.provider.tokens.access(
        call.client,
        grant,
        scopes=scopes,
        resources=targets.narrowed(call.request.get("resource"), grant.resources),
        bound_to=call.request.bound_to,
        now=call.request.now,
    )
    found = described(call, text, expires_at, scopes)
    if grant.refreshable:
        refresh = Refresh(grant.id, generation)
        found["refresh_token"] = call.provider.tokens.handles.refresh(refresh)
    return found


def described(call: Call, text: str, expires_at: datetime, scopes: Sequence[str]) -> dict[str, Any]:
    """An access token, and what is said of it (RFC 6749 §5.1)."""
    lasts = (expires_at - call.request.now).total_seconds()
    return {
        "access_token": text,
        "token_type": token_type(call.request.bound_to),
        "expires_in": max(0, int(lasts + 0.999)),
        "scope": " ".join(scopes),
    }


def require_fit(call: Call, grant: GrantView) -> None:
    """Whether what is asked for may be had of this grant now, before anything is used up.

    Raises InvalidGrantError, and InvalidTarget for a resource that was not granted.
    """
    targets.narrowed(call.request.get("resource"), grant.resources)
    require_assured(call, grant)
    require_entitled(call, grant)


def require_assured(call: Call, grant: GrantView) -> None:
    """Minimums may have been raised since the grant was given. Raises InvalidGrantError."""
    minimum, of_scopes = call.client.options.minimum_acr, call.provider.tools.settings.scope_acr
    wanted = assurance.least(minimum, grant.scopes, of_scopes)
    if not all(assurance.reaches(grant.acr, level) for level in wanted):
        raise InvalidGrantError("The sign-in is weaker than is required now.")


def require_entitled(call: Call, grant: GrantView) -> None:
    """Rules may have changed since the grant was given. Raises InvalidGrantError and ends the
    grant when she may no longer use the application.
    """
    day = local_day(call.request.now)
    if not entitlement.entitled(call.provider.tools.db, call.client, grant.person, on=day):
        revoke(call, grant, "entitlement_lost")
        raise InvalidGrantError


def revoke(call: Call, grant: GrantView, reason: str) -> None:
    """End the grant and everything that hangs on it, and say so in the audit trail."""
    now, client = call.request.now, call.client
    with call.provider.tools.db.write() as session:
        if grants.revoke(session, [grant.id], now=now, reason=reason):
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
