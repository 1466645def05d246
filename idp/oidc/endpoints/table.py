"""Which path is answered by which function: the front door's table."""

from collections.abc import Callable
from functools import partial

from idp.oidc.authorization.authorize import PATH as AUTHORIZE
from idp.oidc.connection import ENDPOINTS, USERINFO
from idp.oidc.endpoints import authorization, calls, headers
from idp.oidc.server import Server
from idp.web.exchange import Answer, Handed, HttpRequest
from idp.web.front_door import Endpoint, PageEndpoint, Part

POST = frozenset({"POST"})
LOOKING = frozenset({"GET", "HEAD", "POST"})
GIVING = frozenset({"GET", "POST"})
"""Without HEAD: a code is given by GET, as the protocol wants it, and programs look at links before
people follow them."""

CALLS: dict[str, tuple[frozenset[str], Callable[[Server, HttpRequest], Answer]]] = {
    ENDPOINTS["token"]: (POST, calls.token),
    ENDPOINTS["introspection"]: (POST, calls.introspect),
    ENDPOINTS["revocation"]: (POST, calls.revoke),
    ENDPOINTS["device_authorization"]: (POST, calls.device_authorization),
    ENDPOINTS["pushed_authorization_request"]: (POST, calls.push),
    USERINFO: (LOOKING, calls.userinfo),
}
"""What programs call."""
PAGES: dict[str, tuple[frozenset[str], Callable[[Server, HttpRequest], Answer | Handed]]] = {
    AUTHORIZE: (GIVING, authorization.authorize),
}
"""Where a person's browser stands."""


def part(server: Server) -> Part:
    """These endpoints, answered by this server."""
    called = {path: Endpoint(ways, partial(by, server)) for path, (ways, by) in CALLS.items()}
    pages = {path: PageEndpoint(ways, partial(by, server)) for path, (ways, by) in PAGES.items()}
    return Part(
        "oidc",
        {**called, **pages},
        preflight=headers.preflight,
        more=lambda asked, there: headers.more(asked, there, server.provider.tools),
    )
