"""Where the parameters of an authorization request come from.

    front channel   what the browser brings
    pushed          what the client has pushed before (RFC 9126): nothing else counts
    signed          what the client has signed (RFC 9101): nothing else counts

Whatever it was, it is used up when the client is answered, not when a browser first brings it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from authlib.oauth2.rfc6749 import OAuth2Error
from sqlalchemy import Connection

from idp.oidc.authorization import pushed, request_object
from idp.oidc.authorization.page_error import PageError
from idp.oidc.authorization.pushed import UsableRequest
from idp.oidc.clients import view as client_view
from idp.oidc.clients.refusals import NewRefusal, Reason
from idp.oidc.clients.view import ClientView
from idp.oidc.provider import Provider

FLOW = "flow"
"""Names the sign-in that was done for this very request."""


@dataclass(frozen=True)
class Incoming:
    """A request, as it counts and as the browser brings it again."""

    client: ClientView
    values: Mapping[str, str]
    """The parameters that count."""
    brought: Mapping[str, str]
    """What brings the same request again."""
    flow: str | None
    kept: UsableRequest | None = None
    """What the browser brings by our name for it: a pushed request, or a signed one that was read
    before."""
    jkt: str | None = None
    """The DPoP key it was pushed with."""
    signed: bool = False
    fault: OAuth2Error | None = None
    """What is wrong with the signed request; ``values`` are then those the browser brought, to
    find the client by."""

    @property
    def query(self) -> str:
        """``brought``, as a query."""
        return urlencode(self.brought)


def read(provider: Provider, given: Mapping[str, str], *, now: datetime) -> Incoming:
    """The request a browser brings. Raises PageError. Calls out for a signed one, and so opens and
    closes its own connection before.
    """
    with provider.tools.db.hot() as connection:
        found = _brought(provider, connection, given, now=now)
    settled = found.kept is not None or found.fault is not None
    if settled or not request_object.signed(found.values):
        return found
    try:
        values = request_object.read(provider, found.client, found.values, now=now)
    except OAuth2Error as fault:
        return replace(found, fault=fault)
    return replace(found, values=values, signed=True)


def remember(
    provider: Provider, connection: Connection, incoming: Incoming, *, now: datetime
) -> Incoming:
    """The same request, that a browser may bring again after a sign-in and a consent. A pushed one
    lives on; a signed one gets a name of ours, so that it is neither fetched nor found too old when
    it comes again. Raises OAuth2Error.
    """
    if incoming.kept is not None:
        pushed.prolong(provider, connection, incoming.kept)
        return incoming
    if not incoming.signed:
        return incoming
    kept, name = pushed.carried(provider, incoming.client, incoming.values, now=now)
    return replace(incoming, kept=kept, brought=_by_name(incoming.client, name))


def _brought(
    provider: Provider, connection: Connection, given: Mapping[str, str], *, now: datetime
) -> Incoming:
    client_id = given.get("client_id")
    client = client_view.view(connection, client_id) if client_id else None
    if client is None:
        if client_id:
            switched_off = NewRefusal(Reason.DISABLED, "/oauth2/authorize")
            provider.refusals.note(connection, client_id, switched_off, now=now)
        raise PageError(
            "client_unknown", "Ứng dụng gửi bạn đến đây chưa được đăng ký hoặc đã bị khóa."
        )
    flow = given.get(FLOW)
    brought = {name: value for name, value in given.items() if name != FLOW}
    uri = given.get("request_uri", "")
    if uri.startswith(pushed.URN) and "request" not in given:
        try:
            found = pushed.find(provider, connection, uri, client, now=now)
        except PageError:
            # Beside it some clients say where they are to be told (FAPI 2.0 allows it).
            if not client.check_redirect_uri(given.get("redirect_uri", "")):
                raise
            fault = OAuth2Error(error="invalid_request_uri", description="Used, or too old.")
            return Incoming(client, brought, brought, flow, fault=fault)
        named = _by_name(client, uri)
        return Incoming(
            client,
            found.parameters,
            named,
            flow,
            kept=found,
            jkt=found.jkt,
            signed=found.signed,
        )
    return Incoming(client, brought, brought, flow)


def _by_name(client: ClientView, uri: str) -> dict[str, str]:
    return {"client_id": client.client_id, "request_uri": uri}
