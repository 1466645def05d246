"""The refresh token grant (RFC 6749 §6) with rotation and reuse detection (RFC 9700 §4.14.2).

Each refresh token is used once. Of two at once exactly one answer carries tokens; the loser, or
the same client trying again within ten seconds with the token just replaced, hears
``invalid_grant`` and nothing is lost, if that client proves who it is. Any other reuse by the
client means that two parties hold the token: the whole grant is revoked. Of two who come as a
public client either may be the thief, also where she comes first. Another client that brings a
used token ends nothing: it is not its own.

A grant that belongs to a key does not rotate (FAPI 2.0 §5.3.2.1 item 9): its refresh token is
useless without a key (of a public client: that key), and is checked without being spent.
"""

from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError
from authlib.oauth2.rfc6749.grants import RefreshTokenGrant

from idp.oidc import grants
from idp.oidc.grant_types.issuing import EVERY_METHOD, Call, Issues, answer, require_fit, revoke
from idp.oidc.grants import GRACE, GrantView
from idp.oidc.proofs import possession


class RefreshGrant(Issues, RefreshTokenGrant):  # type: ignore[misc]
    """Authlib's grant: consumed before anything is issued."""

    TOKEN_ENDPOINT_AUTH_METHODS = EVERY_METHOD
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> GrantView | None:
        """The grant of a refresh token that this client may use."""
        return usable(self.call, refresh_token)

    def authenticate_user(self, refresh_token: GrantView) -> GrantView:
        """Consume this generation. Raises InvalidGrantError for whoever comes second."""
        return refreshed(self.call, refresh_token)

    def generate_token(
        self, user: GrantView, scope: str | None = None, **_options: Any
    ) -> dict[str, Any]:
        """The token answer, with the refresh token of the next generation where one is used up."""
        return answer(self.call, user, scope=scope, generation=_next(user))

    def revoke_old_credential(self, refresh_token: Any) -> None:
        """Nothing left to do: the old token was consumed before the new one was made."""


def usable(call: Call, refresh_token: str) -> GrantView | None:
    """The grant of a refresh token that this client may use. One SELECT."""
    presented = call.provider.tokens.handles.open_refresh(refresh_token)
    if presented is None:
        return None
    request = call.request
    grant = grants.read_with_person(request.connection, presented.grant_id, now=request.now)
    if grant is None or not grant.check_client(call.client):
        return None
    if presented.generation < grant.refresh_generation:
        _reused(call, grant, presented.generation)
    # A later one was given after the backup that was put back.
    own = presented.generation == grant.refresh_generation
    return grant if own and grant.living else None


def refreshed(call: Call, grant: GrantView) -> GrantView:
    """The grant, its generation consumed. Raises InvalidGrantError for whoever comes second."""
    request, client = call.request, call.client
    possession.require_same(client, request.bound_to, grant.bound_to)
    require_fit(call, grant)
    if grant.bound_to is not None:
        if not grant.refreshable or grant.code_used_at is None:
            raise InvalidGrantError
        return grant
    generation = grant.refresh_generation
    if not grants.consume_refresh(
        request.connection, grant.id, client.id, generation=generation, now=request.now
    ):
        again = grants.read(request.connection, grant.id, now=request.now)
        if again is not None and generation < again.refresh_generation:
            _reused(call, again, generation)
        raise InvalidGrantError
    return grant


def _next(grant: GrantView) -> int:
    """The generation after a refresh of this grant, as it was read before."""
    return grant.refresh_generation + (grant.bound_to is None)


def _reused(call: Call, grant: GrantView, generation: int) -> None:
    """Revoke, unless it is the retry, of the token just replaced, of a client that has proven
    who it is.
    """
    retry = (
        not call.client.public
        and generation == grant.refresh_generation - 1
        and grant.refreshed_at is not None
        and call.request.now - grant.refreshed_at <= GRACE
    )
    if not retry:
        revoke(call, grant, "refresh_reuse")
