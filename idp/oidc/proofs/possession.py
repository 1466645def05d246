"""The key that tokens belong to: proven where they are given, and again where they are used.

a DPoP proof          jkt:…   RFC 9449 §5, §7
a TLS certificate     x5t:…   RFC 8705 §3
"""

from datetime import datetime

from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError

from idp.oidc.clients.view import ClientView
from idp.oidc.connection import Arrival
from idp.oidc.proofs import dpop, mtls
from idp.oidc.proofs.mtls import BadCertificate
from idp.oidc.request import Call, Provider, Request


def key_proven(call: Call) -> None:
    """The key that tokens will belong to, by a DPoP proof or a certificate: as the client must
    (RFC 9449 §5, RFC 8705 §3), before any code or token is looked at.
    """
    call.request.bind(_bound_to(call.provider, call.request, call.client))


def _bound_to(provider: Provider, request: Request, client: ClientView) -> str | None:
    """The key the tokens of the answer will belong to; None: whoever holds them may use them.

    A DPoP proof binds to its key whoever brings one, a certificate only for clients whose
    registration says so (RFC 8705 §3.4), and both for FAPI 2.0, which gives no other tokens
    (§5.3.2.1 item 4). Raises InvalidRequestError when the client must prove a key and does not,
    InvalidProof, UseNonce.
    """
    options = client.options
    proof = dpop.proof(provider, request)
    if options.tls_client_certificate_bound_access_tokens:
        if proof is not None:
            raise InvalidRequestError("Tokens of this client belong to its certificate.")
        return _certificate(request.arrival, request.now)
    if proof is not None:
        return proof.bound_to
    if options.dpop_bound_access_tokens:
        # RFC 9449 §5.2.
        raise InvalidRequestError("A DPoP proof is required.")
    if options.profile.fapi:
        return _certificate(request.arrival, request.now)
    return None


def _certificate(arrival: Arrival, now: datetime) -> str:
    """Raises InvalidRequestError."""
    try:
        found = mtls.certificate(arrival)
    except BadCertificate:
        found = None
    if found is None or not mtls.in_force(found, now):
        raise InvalidRequestError("Proof of possession of a key is required.")
    return mtls.bound_to(found)


def require_same(client: ClientView, proven: str | None, wanted: str | None) -> None:
    """That who brings a refresh token holds what it belongs to. Raises InvalidGrantError,
    InvalidRequestError.

    A public client has nothing but that key (RFC 9449 §5, RFC 8705 §4). A confidential one has
    proven who it is, and that binds the token to it (RFC 9449 §5, RFC 8705 §7.1): it may have
    taken another DPoP key or renewed its certificate since, but must prove a key of that kind.
    """
    if wanted is None:
        return
    if proven is None:
        raise InvalidRequestError("Proof of possession of a key is required.")
    if proven == wanted:
        return
    same_kind = proven.partition(":")[0] == wanted.partition(":")[0]
    if client.public or not same_kind:
        raise InvalidGrantError("The token belongs to another key.")
