"""The client credentials grant (RFC 6749 §4.4): a client on its own account.

One SELECT and no write: the token is a handle that carries the client's counters, and it is
good while they stand. While a restored installation waits for its staff list to be confirmed,
none is given: a client may have been disabled, or its secret replaced, since the backup. Scopes
about a person are not given.
"""

from typing import Any

from authlib.oauth2.rfc6749 import InvalidScopeError, OAuth2Error

from directory.base.failpoints import failpoint
from idp.oidc.clients.kinds import API_SCOPES
from idp.oidc.grant_types.issuing import described
from idp.oidc.request import Call


class Unconfirmed(OAuth2Error):  # type: ignore[misc]
    """503: only administrators are let in for now."""

    error = "temporarily_unavailable"
    description = "A backup was put back; its contents have not been confirmed yet."
    status_code = 503

    def get_headers(self) -> list[tuple[str, str]]:
        """With Retry-After."""
        return [*super().get_headers(), ("Retry-After", "60")]


def backup_confirmed(call: Call) -> None:
    """No backup has been put back whose contents wait to be confirmed."""
    if call.client.unconfirmed_since is not None:
        raise Unconfirmed


def own_scope_allowed(call: Call) -> None:
    """``scope`` holds nothing but the client's own scopes, all of them where none is named."""
    may = [s for s in call.client.scopes if s in API_SCOPES]
    named = call.request.payload.scope
    wanted = may if named is None else named.split()
    if not set(wanted) <= set(may):
        raise InvalidScopeError
    call.scopes = [s for s in may if s in wanted]


def answer(call: Call) -> dict[str, Any]:
    """The token answer for the client itself."""
    failpoint("token.before_issue")
    text, expires_at = call.provider.tokens.machine(
        call.client,
        scopes=call.scopes,
        resources=call.resources,
        bound_to=call.request.bound_to,
        now=call.request.now,
    )
    return described(call, text, expires_at, call.scopes)
