"""The authorization code grant with PKCE (RFC 6749 §4.1, RFC 7636, OIDC Core §3.1).

A code is good for one redemption. Presented again by whoever could have redeemed it, whatever the
first redemption gave is revoked (RFC 6749 §4.1.2), also when the two came at once: exactly one
answer carries tokens, and those die with the second. Who has only seen the code (in a log, in an
address) is another client, or lacks the verifier: that ends nothing.
"""

import hmac
import re

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge, create_s256_code_challenge

from idp.oidc import grants
from idp.oidc.clients.refusals import Reason
from idp.oidc.clients.view import ClientView
from idp.oidc.grant_types.issuing import EVERY_METHOD, Call, Issues, require_fit, revoke
from idp.oidc.grants import GrantView
from idp.oidc.request import Request

METHOD = "S256"
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


class CodeGrant(Issues, AuthorizationCodeGrant):  # type: ignore[misc]
    """Authlib's grant: codes are handles, consumed before anything is issued."""

    TOKEN_ENDPOINT_AUTH_METHODS = EVERY_METHOD

    def query_authorization_code(self, code: str, client: ClientView) -> GrantView | None:
        """The grant of a code that this client may still redeem."""
        return redeemable(self.call, code)

    def authenticate_user(self, authorization_code: GrantView) -> GrantView | None:
        """Consume the code. None for whoever comes second, or too late."""
        return redeemed(self.call, authorization_code)

    def delete_authorization_code(self, authorization_code: GrantView) -> None:
        """Nothing left to do: the code was consumed before tokens were made."""


def redeemable(call: Call, code: str) -> GrantView | None:
    """The grant of a code that this client may still redeem. One SELECT."""
    handle = call.provider.tokens.handles.open_code(code)
    if handle is None:
        return None
    request = call.request
    grant = grants.read_with_person(request.connection, handle.grant_id, now=request.now)
    if grant is None or not grant.check_client(call.client):
        return None
    if grant.code_used_at is not None:
        if _could_redeem(call, grant):
            revoke(call, grant, "code_replay")
        return None
    return grant if grant.living else None


def redeemed(call: Call, grant: GrantView) -> GrantView | None:
    """The grant, its code consumed; None for whoever comes second, or too late. One UPDATE.

    Raises InvalidGrantError, InvalidTarget; the code stays good then.
    """
    request = call.request
    if not _by_its_key(call, grant):
        raise InvalidGrantError("The code belongs to another DPoP key.")
    require_fit(call, grant)
    if grants.consume_code(
        request.connection, grant.id, call.client.id, now=request.now, bound_to=request.bound_to
    ):
        return grant
    again = grants.read(request.connection, grant.id, now=request.now)
    if again is not None and again.code_used_at is not None:
        revoke(call, again, "code_replay")
    return None


def _could_redeem(call: Call, grant: GrantView) -> bool:
    """Whether the client, which is the grant's, brings what its code was given for."""
    if not _by_its_key(call, grant):
        return False
    verifier = call.request.get("code_verifier") or ""
    if not grant.code_challenge:
        return not call.client.public
    return hmac.compare_digest(
        create_s256_code_challenge(verifier).encode(), grant.code_challenge.encode()
    )


def _by_its_key(call: Call, grant: GrantView) -> bool:
    """RFC 9449 §10: a code bound to a DPoP key is redeemed with it, or not at all."""
    return grant.code_jkt is None or call.request.bound_to == f"jkt:{grant.code_jkt}"


class PkceNeeded(InvalidRequestError):  # type: ignore[misc]
    """There is no challenge, or none that counts."""

    reason = Reason.PKCE


def require_challenge(client: ClientView, request: Request) -> None:
    """Raises PkceNeeded unless an authorization request brings an S256 challenge of the right
    length, or brings none and need not.
    """
    challenge, method = request.get("code_challenge"), request.get("code_challenge_method")
    if challenge is None and method is None and not client.pkce_required:
        return
    if method != METHOD or not _CHALLENGE.fullmatch(challenge or ""):
        raise PkceNeeded("PKCE with code_challenge_method S256 is required.")


class Pkce(CodeChallenge):  # type: ignore[misc]
    """PKCE by S256 only (RFC 9700 §2.1.1); Authlib defaults to ``plain`` and to none at all.

    Every client must use it but a confidential one that says at its registration that it does
    not. A verifier without a challenge is refused, so that nobody can take the challenge away
    unnoticed (§4.8.2).
    """

    DEFAULT_CODE_CHALLENGE_METHOD = METHOD
    SUPPORTED_CODE_CHALLENGE_METHOD = (METHOD,)

    def validate_code_verifier(self, grant: CodeGrant, result: object) -> None:
        """A verifier that is missing proves as little as a wrong one: ``invalid_grant``
        (RFC 7636 §4.6); Authlib calls it ``invalid_request``.
        """
        challenge = self.get_authorization_code_challenge(grant.request.authorization_code)
        if challenge and grant.request.get("code_verifier") is None:
            raise InvalidGrantError("Missing code_verifier.")
        super().validate_code_verifier(grant, result)
