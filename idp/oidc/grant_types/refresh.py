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
from idp.oidc.grant_types.issuing import EVERY_METHOD, Issues
from idp.oidc.grants import GRACE, GrantView
from idp.oidc.opaque_tokens import Refresh
from idp.oidc.proofs import possession


class RefreshGrant(Issues, RefreshTokenGrant):  # type: ignore[misc]
    """Authlib's grant: consumed before anything is issued."""

    TOKEN_ENDPOINT_AUTH_METHODS = EVERY_METHOD
    INCLUDE_NEW_REFRESH_TOKEN = True
    _presented: Refresh
    _spent = 1

    def authenticate_refresh_token(self, refresh_token: str) -> GrantView | None:
        """The grant of a refresh token that this client may use. One SELECT."""
        presented = self.provider.tokens.handles.open_refresh(refresh_token)
        if presented is None:
            return None
        self._presented = presented
        request = self.request
        grant = grants.read_with_person(request.connection, presented.grant_id, now=request.now)
        if grant is None:
            return None
        if presented.generation < grant.refresh_generation:
            self._reused(grant)
            return None
        return grant if grant.living and grant.check_client(self.client_view) else None

    def authenticate_user(self, refresh_token: GrantView) -> GrantView:
        """Consume this generation. Raises InvalidGrantError for whoever comes second."""
        request, client = self.request, self.client_view
        possession.require_same(client, request.bound_to, refresh_token.bound_to)
        self.require_fit(refresh_token)
        if refresh_token.bound_to is not None:
            return self._unspent(refresh_token)
        if not grants.consume_refresh(
            request.connection,
            refresh_token.id,
            client.id,
            generation=self._presented.generation,
            now=request.now,
        ):
            again = grants.read(request.connection, refresh_token.id, now=request.now)
            if again is not None and self._presented.generation < again.refresh_generation:
                self._reused(again)
            raise InvalidGrantError
        return refresh_token

    def _unspent(self, grant: GrantView) -> GrantView:
        """The grant, if the token is its own and it may be refreshed. Raises
        InvalidGrantError.
        """
        own = self._presented.generation == grant.refresh_generation
        if not own or not grant.refreshable or grant.code_used_at is None:
            raise InvalidGrantError
        self._spent = 0
        return grant

    def _reused(self, grant: GrantView) -> None:
        """Revoke, unless it is the retry, of the token just replaced, of a client that has proven
        who it is.
        """
        if not grant.check_client(self.client_view):
            return
        retry = (
            not self.client_view.public
            and self._presented.generation == grant.refresh_generation - 1
            and grant.refreshed_at is not None
            and self.request.now - grant.refreshed_at <= GRACE
        )
        if not retry:
            self.revoke(grant, "refresh_reuse")

    @property
    def generation(self) -> int:
        """The next one, when this is used up."""
        return self._presented.generation + self._spent

    def revoke_old_credential(self, refresh_token: Any) -> None:
        """Nothing left to do: the old token was consumed before the new one was made."""
