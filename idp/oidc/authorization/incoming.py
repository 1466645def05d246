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
    pushed_id: str | None = None
    jkt: str | None = None
    """The DPoP key it was pushed with."""
    signed: bool = False
    pushed_at: datetime | None = None
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
    settled = found.pushed_id is not None or found.fault is not None
    if settled or not request_object.signed(found.values):
        return found
    try:
        values = request_object.read(provider, found.client, found.values, now=now)
    except OAuth2Error as fault:
        return replace(found, fault=fault)
    return replace(found, values=values, signed=True)


def remember(
    provider: Provider,
    connection: Connection,
    incoming: Incoming,
    *,
    now: datetime,
    until: datetime,
) -> Incoming:
    """The same request, that a browser may bring until then. A pushed one lives on; a signed one
    gets a short name of ours, so that it is neither fetched nor found too old when it comes
    again.
    """
    if incoming.pushed_id is not None and incoming.pushed_at is not None:
        lifetime = provider.tools.settings.flow_lifetime
        latest = pushed.ends(incoming.pushed_at, flow_lifetime=lifetime)
        pushed.prolong(connection, incoming.pushed_id, until=latest)
        return incoming
    if not incoming.signed:
        return incoming
    request_id = pushed.keep(
        connection, incoming.client, incoming.values, now=now, lifetime=until - now, signed=True
    )
    return replace(
        incoming,
        pushed_id=request_id,
        pushed_at=now,
        brought=_by_name(incoming.client, pushed.uri(provider, request_id)),
    )


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
            pushed_id=found.id,
            jkt=found.jkt,
            signed=found.signed,
            pushed_at=found.pushed_at,
        )
    return Incoming(client, brought, brought, flow)


def _by_name(client: ClientView, uri: str) -> dict[str, str]:
    return {"client_id": client.client_id, "request_uri": uri}
