"""The pushed authorization request endpoint (RFC 9126): a request is checked before any browser.

client          authenticated as at the token endpoint; a public one names itself, and its
                address is counted
request_uri     none: what is pushed is the request itself
request         if signed, only what is inside counts (§3)
DPoP            a proof, or ``dpop_jkt``, binds the code to a key (RFC 9449 §10.1)
everything      that the authorization endpoint checks without a person
── then one INSERT ──
"""

from dataclasses import dataclass
from datetime import timedelta

from authlib.oauth2.rfc6749 import InvalidRequestError

from idp.oidc import rate_limit
from idp.oidc.authorization import checked_request, pushed, request_object
from idp.oidc.authorization.incoming import Incoming
from idp.oidc.authorization.page_error import PageError
from idp.oidc.clients.refusals import Reason
from idp.oidc.grant_types.issuing import EVERY_METHOD
from idp.oidc.proofs import dpop
from idp.oidc.request import Request
from idp.oidc.server import Server

CREDENTIALS = frozenset({"client_secret", "client_assertion", "client_assertion_type"})
"""How the client proves who it is: no part of its request, and not to be kept."""


@dataclass(frozen=True)
class PushedUri:
    """What the client may send a browser with."""

    request_uri: str
    expires_in: int


def push(server: Server, request: Request) -> PushedUri:
    """Remember the client's request. Raises OAuth2Error."""
    client = server.authenticate_client(request, EVERY_METHOD, "pushed_authorization_request")
    rate_limit.admit(server.provider, client, "par", now=request.now)
    given = {k: v for k, v in request.payload.data.items() if k not in CREDENTIALS}
    if "request_uri" in given:
        raise InvalidRequestError("A request_uri cannot be pushed.")
    values, signed = given, request_object.signed(given)
    if signed:
        values = request_object.read(server.provider, client, given, now=request.now)
    proof = dpop.proof(server.provider, request)
    jkt = proof.jkt if proof is not None else None
    if jkt is not None and values.get("dpop_jkt", jkt) != jkt:
        raise dpop.InvalidProof("The proof is by another key than dpop_jkt names.")
    incoming = Incoming(client, values, values, None, jkt=jkt, signed=signed)
    _check(server, request, incoming)
    lifetime = server.provider.tools.settings.pushed_request_lifetime
    request_id = pushed.keep(
        request.connection,
        client,
        values,
        now=request.now,
        lifetime=timedelta(seconds=lifetime),
        jkt=jkt,
        signed=signed,
    )
    return PushedUri(pushed.uri(server.provider, request_id), lifetime)


def _check(server: Server, request: Request, incoming: Incoming) -> None:
    wanted = Request(
        request.method,
        incoming.values,
        request.headers,
        connection=request.connection,
        now=request.now,
        arrival=request.arrival,
    )
    try:
        channel = checked_request.channel(server.provider, wanted, incoming)
    except PageError as exc:
        sent = wanted.get("redirect_uri")
        reason = Reason.REDIRECT_URI_MISSING if sent is None else Reason.REDIRECT_URI
        request.keep_refusal(server.provider.refusals, incoming.client, reason, sent or "")
        # RFC 9126 §2.3.
        raise InvalidRequestError("The redirect_uri is missing or not registered.") from exc
    checked_request.check(server.provider, wanted, incoming, channel)
