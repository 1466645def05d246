"""The authorization code grant with PKCE (RFC 6749 §4.1, RFC 7636, OIDC Core §3.1).

A code is good for one redemption. Presented again by whoever could have redeemed it, whatever the
first redemption gave is revoked (RFC 6749 §4.1.2), also when the two came at once: exactly one
answer carries tokens, and those die with the second. Who has only seen the code (in a log, in an
address) is another client, or lacks the verifier: that ends nothing.
"""

import hmac
import re

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError
from authlib.oauth2.rfc7636 import CodeChallenge, create_s256_code_challenge

from idp.oidc import grants
from idp.oidc.clients.refusals import Reason
from idp.oidc.clients.view import ClientView
from idp.oidc.grant_types.issuing import revoke
from idp.oidc.grants import GrantView
from idp.oidc.request import Call, Request

METHOD = "S256"
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


class Pkce(CodeChallenge):  # type: ignore[misc]
    """PKCE by S256 only (RFC 9700 §2.1.1); Authlib defaults to ``plain`` and to none at all.

    Every client must use it but a confidential one that says at its registration that it does
    not. A verifier without a challenge is refused, so that nobody can take the challenge away
    unnoticed (§4.8.2).
    """

    DEFAULT_CODE_CHALLENGE_METHOD = METHOD
    SUPPORTED_CODE_CHALLENGE_METHOD = (METHOD,)


_PKCE = Pkce(required=True)


def code_redeemable(call: Call) -> None:
    """The code is of ours, this client's, unused and its grant living."""
    text = call.request.get("code")
    if text is None:
        raise InvalidRequestError("Missing code.")
    grant = _redeemable(call, text)
    if grant is None:
        raise InvalidGrantError("Invalid code.")
    call.request.belongs(grant)


def _redeemable(call: Call, text: str) -> GrantView | None:
    handle = call.provider.tokens.handles.open_code(text)
    if handle is None:
        return None
    grant = call.request.grant_named(handle.grant_id)
    if grant is None or not grant.check_client(call.client):
        return None
    if grant.code_used_at is not None:
        if _could_redeem(call, grant):
            revoke(call, grant, "code_replay")
        return None
    return grant if grant.living else None


def redirect_uri_same(call: Call) -> None:
    """``redirect_uri`` is the one the code was sent to (RFC 6749 §4.1.3)."""
    given_to = call.grant.redirect_uri
    if given_to and call.request.get("redirect_uri") != given_to:
        raise InvalidGrantError("The redirect_uri is another.")


def verifier_fits(call: Call) -> None:
    """``code_verifier`` belongs to the challenge (RFC 7636 §4.6), and there is none without one."""
    # One that is missing proves as little as a wrong one; Authlib calls it ``invalid_request``.
    if call.grant.code_challenge and call.request.get("code_verifier") is None:
        raise InvalidGrantError("Missing code_verifier.")
    _PKCE.validate_code_verifier(call, None)


def code_by_its_key(call: Call) -> None:
    """A code bound to a DPoP key is redeemed with it, or not at all (RFC 9449 §10)."""
    if not _by_its_key(call, call.grant):
        raise InvalidGrantError("The code belongs to another DPoP key.")


def code_used_up(call: Call) -> None:
    """The code, by whoever comes first. One UPDATE."""
    request, grant = call.request, call.grant
    if grants.consume_code(
        request.connection, grant.id, call.client.id, now=request.now, bound_to=request.bound_to
    ):
        return
    again = grants.read(request.connection, grant.id, now=request.now)
    if again is not None and again.code_used_at is not None:
        revoke(call, again, "code_replay")
    raise InvalidGrantError("Invalid code.")


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
