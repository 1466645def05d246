"""Which path is answered by which function: the front door's table."""

from collections.abc import Callable
from functools import partial

from idp.oidc.connection import ENDPOINTS, USERINFO
from idp.oidc.endpoints import calls, headers
from idp.oidc.server import Server
from idp.web.exchange import Answer, HttpRequest
from idp.web.front_door import Endpoint, Part

POST = frozenset({"POST"})
BOTH = frozenset({"GET", "HEAD", "POST"})

TABLE: dict[str, tuple[frozenset[str], Callable[[Server, HttpRequest], Answer]]] = {
    ENDPOINTS["token"]: (POST, calls.token),
    ENDPOINTS["introspection"]: (POST, calls.introspect),
    ENDPOINTS["revocation"]: (POST, calls.revoke),
    ENDPOINTS["device_authorization"]: (POST, calls.device_authorization),
    ENDPOINTS["pushed_authorization_request"]: (POST, calls.push),
    USERINFO: (BOTH, calls.userinfo),
}


def part(server: Server) -> Part:
    """These endpoints, answered by this server."""
    return Part(
        "oidc",
        {path: Endpoint(methods, partial(by, server)) for path, (methods, by) in TABLE.items()},
        preflight=headers.preflight,
        more=lambda asked, there: headers.more(asked, there, server.provider.tools),
    )
