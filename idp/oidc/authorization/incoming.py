"""Who sends an authorization request, and which parameters of it count.

    front channel   what the browser brings
    pushed          what the client has pushed before (RFC 9126): nothing else counts
    signed          what the client has signed (RFC 9101): nothing else counts

Whatever it was, it is used up when the client is answered, not when a browser first brings it.
"""

from authlib.oauth2.rfc6749 import OAuth2Error

from idp.oidc.authorization import arriving, pushed, request_object
from idp.oidc.authorization.checked_request import CheckedRequest
from idp.oidc.authorization.page_error import PageError
from idp.oidc.clients.refusals import Reason
from idp.oidc.clients.view import ClientView

FLOW = "flow"
"""Names the sign-in that was done for this very request."""


def client_known(checked: CheckedRequest) -> None:
    """``client_id`` names a client that is enabled. One SELECT, with whoever is signed in."""
    request = checked.request
    client_id = request.get("client_id")
    found = (
        arriving.read(
            checked.provider, request.connection, request, client_id, cookie=checked.cookie
        )
        if client_id
        else None
    )
    if found is None:
        if client_id:
            request.keep_refusal(checked.provider.refusals, client_id, Reason.DISABLED)
        raise PageError(
            "client_unknown", "Ứng dụng gửi bạn đến đây chưa được đăng ký hoặc đã bị khóa."
        )
    if checked.cookie:
        checked.view, checked.stood, checked.looked = found.view, found.standing, True
    checked.usable = found.pushed
    request.identified(found.client, None)
    checked.flow = request.get(FLOW)
    checked.brought = {k: v for k, v in request.payload.data.items() if k != FLOW}
    request.counts(checked.brought)


def pushed_request_found(checked: CheckedRequest) -> None:
    """A ``request_uri`` of ours was pushed by this client, is in time and unused (RFC 9126 §4)."""
    request, client = checked.request, checked.client
    uri = request.get("request_uri") or ""
    if not uri.startswith(pushed.URN) or request.get("request") is not None:
        return
    try:
        found = checked.usable or pushed.find(
            checked.provider, request.connection, uri, client, now=request.now
        )
    except PageError:
        # Beside it some clients say where they are to be told (FAPI 2.0 allows it).
        if not client.check_redirect_uri(request.get("redirect_uri") or ""):
            raise
        checked.fault = OAuth2Error(error="invalid_request_uri", description="Used, or too old.")
        return
    checked.kept, checked.jkt, checked.signed = found, found.jkt, found.signed
    checked.brought = _by_name(client, uri)
    request.counts(found.parameters)


def signed_parameters(checked: CheckedRequest) -> None:
    """Of a signed request only what is inside counts: by this client, for us, in time, nothing
    nested (RFC 9101 §6.3). May call out.
    """
    request, given = checked.request, checked.request.payload.data
    if request_object.signed(given):
        checked.stood = None  # the client's keys, or the request itself, may be fetched
        values = request_object.read(checked.provider, checked.client, given, now=request.now)
        request.counts(values)
        checked.signed = True


def signed_parameters_or_fault(checked: CheckedRequest) -> None:
    """The same; what is wrong with it is told once it is known where to (``faultless``)."""
    if checked.kept is None and checked.fault is None:
        try:
            signed_parameters(checked)
        except OAuth2Error as fault:
            checked.fault = fault


def faultless(checked: CheckedRequest) -> None:
    """Nothing was wrong with what it had pushed or signed."""
    if checked.fault is not None:
        raise checked.fault


def remember(checked: CheckedRequest) -> None:
    """A browser may bring it again after a sign-in and a consent. A pushed one lives on; a signed one
    gets a name of ours, so that it is neither fetched nor found too old when it comes again. Raises
    OAuth2Error.
    """
    provider, request = checked.provider, checked.request
    if checked.kept is not None:
        pushed.prolong(provider, request.connection, checked.kept)
    elif checked.signed:
        given = request.payload.data
        checked.kept, name = pushed.carried(provider, checked.client, given, now=request.now)
        checked.brought = _by_name(checked.client, name)


def _by_name(client: ClientView, uri: str) -> dict[str, str]:
    return {"client_id": client.client_id, "request_uri": uri}
