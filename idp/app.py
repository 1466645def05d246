"""The first composition root: the web application.

    Alive               /healthz
    discovery.Ready     discovery and keys, as ready bytes
    Flask               everything else; what every request goes through is in idp.security

Each hands on what it does not answer. The first two cost a quarter of a Flask request.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask

from idp import api, health, i18n, pages, pki, security, sessions
from idp.console import views as console
from idp.login import views as login
from idp.oidc import discovery, logout, routes
from idp.portal import views as portal
from idp.wiring import Services

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BLUEPRINTS = (
    routes.blueprint,
    login.blueprint,
    portal.blueprint,
    console.blueprint,
    api.blueprint,
    pki.blueprint,
    health.blueprint,
)


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


def create_app(services: Services) -> Flask:
    """The Flask application over these services."""
    app = Flask("idp")
    security.install(
        app, services, resolve_session=sessions.resolve, on_session_end=logout.enqueue_logout
    )
    i18n.install(app)
    pages.install(app)
    health.install(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
        if blueprint.name in security.MACHINES:
            security.csrf.exempt(blueprint)
    ready = discovery.Ready(app.wsgi_app, services)
    app.wsgi_app = Alive(ready)  # type: ignore[method-assign]
    return app
