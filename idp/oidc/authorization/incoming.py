"""Where the parameters of an authorization request come from.

    front channel   what the browser brings
    pushed          what the client has pushed before (RFC 9126): nothing else counts
    signed          what the client has signed (RFC 9101): nothing else counts

Whatever it was, it is used up when the client is answered, not when a browser first brings it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from sqlalchemy import Connection

from idp.oidc.authorization import pushed
from idp.oidc.authorization.shown import Shown
from idp.oidc.clients import view as client_view
from idp.oidc.clients.view import ClientView

if TYPE_CHECKING:
    from idp.oidc.server import Server

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
    signed: bool = field(default=False)

    @property
    def query(self) -> str:
        """``brought``, as a query."""
        return urlencode(self.brought)


def read(
    server: "Server", connection: Connection, given: Mapping[str, str], *, now: datetime
) -> Incoming:
    """The request a browser brings. Raises Shown."""
    client_id = given.get("client_id")
    client = client_view.view(connection, client_id) if client_id else None
    if client is None:
        raise Shown("client_unknown", "Ứng dụng gửi bạn đến đây chưa được đăng ký hoặc đã bị khóa.")
    flow = given.get(FLOW)
    brought = {name: value for name, value in given.items() if name != FLOW}
    uri = given.get("request_uri")
    if uri is not None and uri.startswith(pushed.URN):
        found = pushed.find(server, connection, uri, client, now=now)
        brought = {"client_id": client.client_id, "request_uri": uri}
        return Incoming(client, found.parameters, brought, flow, found.id, found.jkt, found.signed)
    return Incoming(client, brought, brought, flow)
