"""What the endpoint for pushed requests (RFC 9126) looks at beside what the authorization endpoint
does, and what it keeps: a request is checked before any browser brings it.
"""

from dataclasses import dataclass
from datetime import timedelta

from authlib.oauth2.rfc6749 import InvalidRequestError

from idp.oidc.authorization import pushed
from idp.oidc.authorization.checked_request import CheckedRequest
from idp.oidc.proofs import dpop

CREDENTIALS = frozenset({"client_secret", "client_assertion", "client_assertion_type"})
"""How the client proves who it is: no part of its request, and not to be kept."""


@dataclass(frozen=True)
class PushedUri:
    """What the client may send a browser with."""

    request_uri: str
    expires_in: int


def request_itself_pushed(checked: CheckedRequest) -> None:
    """What is pushed is the request, no ``request_uri`` of another (RFC 9126 §2.1)."""
    request = checked.request
    request.counts({k: v for k, v in request.payload.data.items() if k not in CREDENTIALS})
    if request.get("request_uri") is not None:
        raise InvalidRequestError("A request_uri cannot be pushed.")


def code_bound_to_key(checked: CheckedRequest) -> None:
    """A DPoP proof is good and new, and by the key that ``dpop_jkt`` names (RFC 9449 §10.1)."""
    proof = checked.proof = dpop.unspent(checked.provider, checked.request)
    if proof is not None:
        checked.jkt = proof.jkt
        if (checked.request.get("dpop_jkt") or proof.jkt) != proof.jkt:
            raise dpop.InvalidProof("The proof is by another key than dpop_jkt names.")


def proof_spent(checked: CheckedRequest) -> None:
    """Whatever is refused, its proof is remembered (RFC 9449 §11.1). Raises InvalidProof when it was
    presented before, which comes before all that stands below it in ``order``.
    """
    if checked.proof is not None:
        checked.proof.spend(checked.request.connection)


def keep(checked: CheckedRequest) -> PushedUri:
    """Remember the client's request, and that its proof has been presented. One INSERT. Raises
    InvalidProof.
    """
    provider, request = checked.provider, checked.request
    lifetime = provider.tools.settings.pushed_request_lifetime
    request_id = pushed.keep(
        request.connection,
        checked.client,
        request.payload.data,
        now=request.now,
        lifetime=timedelta(seconds=lifetime),
        proof=checked.proof,
        signed=checked.signed,
    )
    return PushedUri(pushed.uri(provider, request_id), lifetime)
