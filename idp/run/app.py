"""The first composition root: the web application.

    Alive               /healthz
    discovery.Ready     discovery and keys, as ready bytes
    FrontDoor           what programs and signed-in browsers ask all day: idp.oidc.endpoints
    Flask               everything else; what every request of its goes through is in idp.web.gate

Each hands on what it does not answer.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, Response
from flask.sessions import SecureCookieSessionInterface

from idp import api, sessions
from idp.api import authority
from idp.console import views as console
from idp.login import views as login
from idp.login import views_certificate as certificate
from idp.login import views_elsewhere as elsewhere
from idp.oidc import discovery, logout, routes
from idp.portal import views as portal
from idp.run import health
from idp.services import Services
from idp.web import away, form_keys, gate, i18n, language_switch, page_policy, pages, unwritten
from idp.web.front_door import FrontDoor

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BLUEPRINTS = (
    routes.blueprint,
    login.blueprint,
    elsewhere.blueprint,
    certificate.blueprint,
    form_keys.blueprint,
    unwritten.blueprint,
    portal.blueprint,
    console.blueprint,
    api.blueprint,
    authority.blueprint,
    health.blueprint,
)


NOT_BY_HEAD = (
    "oidc.authorization",
    "oidc.logout",
    "console.client_tried",
    "elsewhere.returned",
    "elsewhere.begun_at_once",
    "certificate.seen",
)
"""A GET that gives or ends something, as the protocols want it: who asks for its head, as programs
do that look at links before people follow them, gets nothing of it."""


class Alive:
    """Answers ``/healthz``: this process takes requests, whatever the state of the rest."""

    BODY = b"ok\n"
    HEADERS = (
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(BODY))),
        ("Cache-Control", "no-store"),
    )

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """One request (PEP 3333)."""
        method = environ["REQUEST_METHOD"]
        if environ.get("PATH_INFO") != "/healthz" or method not in ("GET", "HEAD"):
            return self._app(environ, start_response)
        start_response("200 OK", list(self.HEADERS))
        return [b"" if method == "HEAD" else self.BODY]


class FormCookie(SecureCookieSessionInterface):
    """Flask's own, its signer made once (the key stays while the process lives), and nothing
    read where no cookie came: programs send none.
    """

    def __init__(self) -> None:
        self._signer: Any = None

    def get_signing_serializer(self, app: Flask) -> Any:
        """What signs and reads the cookie of the forms' tokens."""
        if self._signer is None:
            self._signer = super().get_signing_serializer(app)
        return self._signer

    def open_session(self, app: Flask, request: Request) -> Any:
        """What the cookie says; empty without one."""
        if "HTTP_COOKIE" not in request.environ:
            return self.session_class()
        return super().open_session(app, request)


class OnePiece(Response):
    """An answer that goes to the server in one piece, unless it is a stream: piece by piece the
    server's threads would wait for Python's lock once for each.
    """

    def get_app_iter(self, environ: "WSGIEnvironment") -> Iterable[bytes]:
        """The body (PEP 3333)."""
        pieces = super().get_app_iter(environ)
        if not self.is_sequence or self.direct_passthrough:
            return pieces
        try:
            return [b"".join(pieces)]
        finally:
            self.close()


class WebApplication(Flask):
    """Its addresses and pages are those of every installation; it answers for the one it serves."""

    response_class = OnePiece

    def __init__(self) -> None:
        super().__init__("idp")
        i18n.install(self)  # first: whoever is refused by the next is told so in her language
        gate.install(
            self,
            resolve_session=sessions.resolve,
            on_session_end=logout.enqueue_logout,
            onward=routes.arrived,
            around_tokens=form_keys.install,
        )
        unwritten.install(self)
        page_policy.install(self)
        pages.install(self)
        language_switch.install(self)
        away.install(self)
        health.install(self)
        for blueprint in BLUEPRINTS:
            self.register_blueprint(blueprint)
            if blueprint.name in gate.MACHINES:
                gate.csrf.exempt(blueprint)
        for rule in self.url_map.iter_rules():
            if rule.endpoint in NOT_BY_HEAD and rule.methods is not None:
                rule.methods = rule.methods - {"HEAD"}

    def serve(self, services: Services) -> None:
        """Answer for this installation from now on, and remember nothing of another."""
        gate.furnish(self, services)
        part = routes.furnish(self, services)
        count = health.furnish(self, services).answered
        self.session_interface = FormCookie()
        door = FrontDoor(super().wsgi_app, part, services, count=count)
        ready = discovery.Ready(door, services)
        self.wsgi_app = Alive(ready)  # type: ignore[method-assign]


def create_app(services: Services) -> Flask:
    """The Flask application over these services."""
    app = WebApplication()
    app.serve(services)
    return app
