"""What a token answer holds, for every grant, and what is looked at once more before there is one.

Whatever may be used once is consumed by the last of the checks (``order``), by one UPDATE … WHERE
unused RETURNING, before tokens are made; nothing needs saving afterwards, since tokens are
handles. Authlib saves tokens and then deletes the code (or revokes the old refresh token), so
that of two parallel requests both win.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from authlib.oauth2.rfc6749 import (
    InvalidGrantError,
    InvalidRequestError,
    OAuth2Error,
    UnauthorizedClientError,
)

from directory.base.audit import Actor, Tag, record
from directory.base.clock import local_day
from directory.base.failpoints import failpoint
from idp import demands
from idp.demands import Rules, Situation
from idp.oidc import entitlement, grants
from idp.oidc import resources as targets
from idp.oidc.active import token_type
from idp.oidc.clients.kinds import GrantType
from idp.oidc.grants import GrantView
from idp.oidc.id_token import id_token
from idp.oidc.opaque_tokens import Refresh
from idp.oidc.request import Call, Provider, Request, Sent

GRANT_TYPES = frozenset(
    {
        GrantType.CODE,
        GrantType.REFRESH,
        GrantType.CLIENT,
        GrantType.DEVICE,
        GrantType.EXCHANGE,
    }
)
"""What the token endpoint answers."""


def grant_type_known(sent: Sent) -> None:
    """``grant_type`` names one that the token endpoint answers (RFC 6749 §5.2)."""
    grant_type = sent.parameters.get("grant_type")
    if grant_type is None:
        raise InvalidRequestError("Missing grant_type.")
    if grant_type not in GRANT_TYPES:
        raise OAuth2Error(error="unsupported_grant_type")


def grant_type_registered(call: Call) -> None:
    """The client has registered the grant type (RFC 6749 §5.2)."""
    grant_type = call.request.payload.grant_type
    if not call.client.check_grant_type(grant_type):
        raise UnauthorizedClientError(f"The client may not use the grant type {grant_type}.")


def resource_granted(call: Call) -> None:
    """Each ``resource`` is one that was granted (RFC 8707 §2.2)."""
    call.resources = targets.narrowed(call.request.get("resource"), call.grant.resources)


def still_strong_enough(call: Call) -> None:
    """Her sign-in is as strong as client, scopes and her post demand today: minimums may have been raised."""
    require_assured(call, call.grant)


def still_entitled(call: Call) -> None:
    """Her capacity still earns the application, or the grant ends: rules may have changed."""
    require_entitled(call, call.grant)


def require_assured(call: Call, grant: GrantView) -> None:
    """Raises InvalidGrantError. Her network is not asked about: the program's is another."""
    held = grant.person.held if grant.person is not None else None
    at = Situation(
        minimum=call.client.options.minimum_acr,
        scopes=grant.scopes,
        position=held.position_code if held is not None else "",
    )
    if demands.short(demands.of(Rules.of(call.provider.tools.settings), at), grant.acr):
        raise InvalidGrantError("The sign-in is weaker than is required now.")


def require_entitled(call: Call, grant: GrantView) -> None:
    """Raises InvalidGrantError and ends the grant when she may no longer use the application."""
    day = local_day(call.request.now)
    if not entitlement.entitled(call.provider.tools.db, call.client, grant.person, on=day):
        revoke(call, grant, "entitlement_lost")
        raise InvalidGrantError


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
        resources=call.resources,
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


def id_token_beside(provider: Provider, request: Request, token: dict[str, Any]) -> str:
    """The ID token beside an access token whose scopes hold ``openid`` (OIDC Core §3.1.3.3).
    §12.2: a refreshed one SHOULD NOT carry a nonce.
    """
    call = Call(provider, request, "token")
    by_code = request.payload.grant_type == GrantType.CODE
    return id_token(
        provider,
        call.client,
        call.grant,
        connection=request.connection,
        now=request.now,
        nonce=call.grant.nonce if by_code else None,
        access_token=token["access_token"],
        scopes=token["scope"].split(),
    )


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
