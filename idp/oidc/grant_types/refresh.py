"""The refresh token grant (RFC 6749 §6) with rotation and reuse detection (RFC 9700 §4.14.2).

Each refresh token is used once. Of two at once exactly one answer carries tokens; the loser, or
the same client trying again within ten seconds with the token just replaced, hears
``invalid_grant`` and nothing is lost. Any other reuse means that two parties hold the token: the
whole grant is revoked.
"""

from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError
from authlib.oauth2.rfc6749.grants import RefreshTokenGrant

from idp.oidc import grants
from idp.oidc.grant_types.issuing import EVERY_METHOD, Issues
from idp.oidc.grants import GRACE, GrantView
from idp.oidc.handles import Refresh


class RefreshGrant(Issues, RefreshTokenGrant):  # type: ignore[misc]
    """Authlib's grant: consumed before anything is issued."""

    TOKEN_ENDPOINT_AUTH_METHODS = EVERY_METHOD
    INCLUDE_NEW_REFRESH_TOKEN = True
    _presented: Refresh

    def authenticate_refresh_token(self, refresh_token: str) -> GrantView | None:
        """The grant of a refresh token that this client may use. One SELECT."""
        presented = self.server.tokens.handles.open_refresh(refresh_token)
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
        self.require_entitled(refresh_token)
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

    def _reused(self, grant: GrantView) -> None:
        """Revoke, unless it is the same client's retry of the token just replaced."""
        retry = (
            grant.check_client(self.client_view)
            and self._presented.generation == grant.refresh_generation - 1
            and grant.refreshed_at is not None
            and self.request.now - grant.refreshed_at <= GRACE
        )
        if not retry:
            self.revoke(grant, "refresh_reuse")

    @property
    def generation(self) -> int:
        """The next one: this is used up."""
        return self._presented.generation + 1

    def revoke_old_credential(self, refresh_token: Any) -> None:
        """Nothing left to do: the old token was consumed before the new one was made."""
