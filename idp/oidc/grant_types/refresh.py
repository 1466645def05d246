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

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError, InvalidScopeError

from idp.oidc import grants
from idp.oidc.grant_types import issuing
from idp.oidc.grant_types.issuing import revoke
from idp.oidc.grants import GRACE, GrantView
from idp.oidc.proofs import possession
from idp.oidc.request import Call


def refresh_token_usable(call: Call) -> None:
    """The refresh token is of ours, this client's, its newest and its grant living."""
    text = call.request.get("refresh_token")
    if text is None:
        raise InvalidRequestError("Missing refresh_token.")
    grant = _usable(call, text)
    if grant is None:
        raise InvalidGrantError
    call.request.belongs(grant)


def _usable(call: Call, text: str) -> GrantView | None:
    presented = call.provider.tokens.handles.open_refresh(text)
    if presented is None:
        return None
    grant = call.request.grant_named(presented.grant_id)
    if grant is None or not grant.check_client(call.client):
        return None
    if presented.generation < grant.refresh_generation:
        _reused(call, grant, presented.generation)
    # A later one was given after the backup that was put back.
    own = presented.generation == grant.refresh_generation
    return grant if own and grant.living else None


def refresh_token_by_its_key(call: Call) -> None:
    """A refresh token that belongs to a key is used with it (RFC 9449 §5, RFC 8705 §4, §7.1)."""
    possession.require_same(call.client, call.request.bound_to, call.grant.bound_to)


def scope_granted(call: Call) -> None:
    """``scope`` holds nothing that was not granted (RFC 6749 §6)."""
    wanted = set((call.request.payload.scope or "").split())
    if not wanted <= set(call.grant.scopes):
        raise InvalidScopeError


def generation_used_up(call: Call) -> None:
    """This generation of the refresh token, by whoever comes first. One UPDATE."""
    request, client, grant = call.request, call.client, call.grant
    if grant.bound_to is not None:
        if not grant.refreshable or grant.code_used_at is None:
            raise InvalidGrantError
        return
    generation = grant.refresh_generation
    if not grants.consume_refresh(
        request.connection, grant.id, client.id, generation=generation, now=request.now
    ):
        again = grants.read(request.connection, grant.id, now=request.now)
        if again is not None and generation < again.refresh_generation:
            _reused(call, again, generation)
        raise InvalidGrantError


def answer(call: Call, grant: GrantView, *, scope: str | None = None) -> dict[str, Any]:
    """The token answer, with the refresh token of the next generation where one is used up."""
    generation = grant.refresh_generation + (grant.bound_to is None)
    return issuing.answer(call, grant, scope=scope, generation=generation)


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
