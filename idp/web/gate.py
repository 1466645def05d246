"""What every request that Flask answers goes through: host, session, CSRF, cookies.

``install`` is called when the application is built. It is handed what lies above this module: how
a session is resolved, and who is told when sessions end. ``furnish`` gives it its installation.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast
from urllib.parse import urlsplit

from flask import (
    Flask,
    Response,
    abort,
    after_this_request,
    current_app,
    g,
    redirect,
    request,
    url_for,
)
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import MethodNotAllowed

from directory.base import signed_values
from directory.base.audit import Actor
from directory.base.crypto import random_id
from directory.base.hosts import Host
from idp import demands
from idp.assurance import reaches
from idp.demands import Asked, Operation, Rules, Situation
from idp.factors import registry, second_factors
from idp.web import beyond_reach, exchange, threshold
from idp.web.asked_again import Why
from idp.web.exchange import BODY_LIMIT, Answer, HttpRequest

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from idp.services import Services
    from idp.sessions import SessionView

csrf = CSRFProtect()

MACHINES = ("oidc", "api", "scim", "pki")
"""Blueprints called by programs: no cookie authorises there, so no token against forgery. A page
of theirs with a form calls ``csrf.protect()`` itself.
"""
CONTROL = re.compile(r"[\x00-\x20\x7f\\]")

P = ParamSpec("P")
R = TypeVar("R")


def services() -> "Services":
    """The process's services."""
    return cast("Services", current_app.extensions["dinhdanh"])


# ---- addresses -------------------------------------------------------------------------------


def local_path(value: str | None) -> str | None:
    """The value if it is a path on this server, else None: never another origin.

    Refused: schemes, ``//host``, backslashes (browsers read them as slashes), control
    characters and spaces (browsers drop some of them).
    """
    if not value or not value.startswith("/") or value.startswith("//") or len(value) > 16_000:
        return None
    if CONTROL.search(value):
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    return None if parts.scheme or parts.netloc else value


def absolute(path: str) -> str:
    """The public URL of a path; the Host header is never asked."""
    return services().settings.issuer + path


def this_request() -> HttpRequest:
    """The request of this moment, as the front door knows it."""
    return exchange.at_flask(request.environ)


def respond(answer: Answer) -> Response:
    """An answer as Flask sends it."""
    return Response(answer.body, answer.status, answer.headers)


def client_address() -> tuple[str, int | None]:
    """(address, port) of whoever asks."""
    return threshold.client_address(this_request(), services().settings.trusted_proxies)


# ---- cookies and the session -----------------------------------------------------------------


def cookie_name(purpose: str = "") -> str:
    """``__Host-dinhdanh`` on https, ``dinhdanh`` otherwise; ``-purpose`` behind it."""
    return threshold.cookie_name(services().settings, purpose)


def set_cookie(response: Any, name: str, value: str, *, max_age: int | None = None) -> None:
    """Give the browser a cookie that scripts cannot read, for this host only."""
    response.set_cookie(
        name,
        value,
        max_age=max_age,
        path="/",
        secure=services().settings.secure,
        httponly=True,
        samesite="Lax",
    )


def set_session_cookie(response: Any, value: str) -> None:
    """Hand the browser its session."""
    set_cookie(response, cookie_name(), value)


def clear_session_cookie(response: Any) -> None:
    """Take it away again."""
    response.delete_cookie(
        cookie_name(),
        path="/",
        secure=services().settings.secure,
        httponly=True,
        samesite="Lax",
    )


def current_session() -> "SessionView | None":
    """The good session of this request, resolved once."""
    if "dinhdanh_session" not in g:
        found = exchange.handed(request.environ)
        known = found is not None and found.looked_up
        g.dinhdanh_session = found.session if found is not None else None
        value = request.cookies.get(cookie_name())
        if value and not known:
            has = services()
            resolve = current_app.extensions["dinhdanh-resolve"]
            with has.db.hot() as connection:
                g.dinhdanh_session = resolve(
                    connection, has.keyring, value, now=has.clock(), settings=has.settings
                )
    return cast("SessionView | None", g.dinhdanh_session)


def session_before() -> str | None:
    """The session of this browser, dead or alive; None for who has none, or has signed out."""
    value = request.cookies.get(cookie_name(), "")
    body = signed_values.unseal(services().keyring, "session", value)
    return body.partition(".")[0] if body else None


def forget_session() -> None:
    """Later code of this request sees nobody signed in."""
    g.dinhdanh_session = None


def actor() -> Actor:
    """The signed-in person as the actor of this request, with her address for the audit."""
    view = current_session()
    if view is None:
        ip, port = client_address()
        return Actor("anonymous", None, "", ip, port)
    return view.actor(*client_address())


def sessions_ended(session: "Session", ids: Sequence[str], *, now: datetime, reason: str) -> None:
    """Whoever must hear that sessions ended is told, in the caller's transaction."""
    if ids:
        current_app.extensions["dinhdanh-ended"](session, ids, now=now, reason=reason)


def onward(return_to: str, cookie: str) -> Response | None:
    """The answer to whoever has just signed in with this cookie on her way there, if it can be given
    at once.
    """
    found: Response | None = current_app.extensions["dinhdanh-onward"](return_to, cookie)
    return found


def browser_id() -> str:
    """An opaque id of this browser, kept in a cookie: what a sign-in under way is bound to."""
    name = cookie_name("browser")
    if "dinhdanh_browser" not in g:
        keyring = services().keyring
        known = signed_values.unseal(keyring, "browser", request.cookies.get(name, ""))
        g.dinhdanh_browser = known or random_id()
        if known is None:
            value = signed_values.seal(keyring, "browser", g.dinhdanh_browser)

            @after_this_request
            def _keep(response: Response) -> Response:
                set_cookie(response, name, value)
                return response

    return cast("str", g.dinhdanh_browser)


def login_url(
    return_to: str,
    *,
    prompt: str | None = None,
    least: str | None = None,
    why: Why | Operation | None = None,
) -> str:
    """Where to send someone who must sign in; ``prompt="login"`` even if she is signed in,
    ``least`` where what she does there asks for that much (``idp.assurance``), ``why`` where the
    page that asks cannot see the reason by itself.
    """
    where = local_path(return_to) or "/"
    return url_for("login.start", return_to=where, prompt=prompt, least=least, why=why)


def here() -> str:
    """The path and query of this request, to come back to."""
    asked = this_request()
    return f"{asked.path}?{asked.query}".rstrip("?")


def back_here() -> str:
    """Where whoever must sign in comes back to: for a form, the page it was filled in on, which
    then says that nothing was written.
    """
    if request.method in ("GET", "HEAD"):
        return here()
    back: str = current_app.extensions["dinhdanh-unwritten"]()
    return back


def require_session(view: Callable[P, R]) -> Callable[P, R]:
    """Only for people who are signed in, as strongly as the installation asks of them: others are
    sent to sign in and come back.
    """

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        found = current_session()
        if found is None:
            return cast("R", redirect(login_url(back_here()), 303))
        return cast("R", asked_more(found)) or view(*args, **kwargs)

    return guarded


def require_any_session(view: Callable[P, R]) -> Callable[P, R]:
    """Only for people who are signed in, however weakly: where they look after that itself."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        if current_session() is None:
            return cast("R", redirect(login_url(back_here()), 303))
        return view(*args, **kwargs)

    return guarded


def asked_more(view: "SessionView") -> Any:
    """Where whoever signed in too weakly for what the installation asks of her here goes; None where
    what she has is enough. Costs no statement then.

    Raises NotAllowed as ``step_up``.
    """
    found = lacking(view)
    return None if found is None else step_up(view, found, back_here())


def step_up(
    view: "SessionView", found: Asked, return_to: str, why: Why | Operation | None = None
) -> Any:
    """Where she proves what is asked of her beyond what she has, to come back then.

    Raises NotAllowed where nothing that she has, or may enrol, would do: nobody is led in a circle.
    """
    require_within_reach(view, found)
    return redirect(login_url(return_to, least=found.level, why=why), 303)


def require_within_reach(view: "SessionView", found: Asked) -> None:
    """Raises NotAllowed where nothing that she has, or may enrol, reaches what is asked."""
    has = services()
    with has.db.hot() as connection:
        ends = registry.reachable_by(has, connection, view.user_id, has.clock())
        lost = second_factors.of(connection, view.user_id).lost
    if any(reaches(have, found.level) for have in ends):
        return
    raise beyond_reach.lost() if lost else beyond_reach.for_want_of(found)


def lacking(view: "SessionView", operation: Operation | None = None) -> Asked | None:
    """What is asked of her here, in the post she acts in, and of whoever does this, that she has not
    proven: the strongest of it. None where nothing is.
    """
    at = Situation(
        present=True,
        administers=view.administers,
        ip=client_address()[0],
        position=view.position_code or "",
        position_name=view.position_name or "",
        operation=operation,
    )
    wanted = demands.of(Rules.of(services().settings), at)
    return demands.strongest(demands.short(wanted, view.acr))


# ---- the request itself ------------------------------------------------------------------


def request_id() -> str:
    """What the log, the answer and the error page call this request."""
    return this_request().id


def _asked_for() -> str | None:
    """The blueprint whose address was asked for, also where it takes another method."""
    wrong = request.routing_exception
    if not isinstance(wrong, MethodNotAllowed) or not wrong.valid_methods:
        return request.blueprint
    adapter = current_app.create_url_adapter(request)
    if adapter is None:
        return None
    endpoint, _ = adapter.match(method=next(iter(wrong.valid_methods)))
    return str(endpoint).rpartition(".")[0] or None


def _enter() -> None:
    if exchange.handed(request.environ) is not None:
        return  # the front door has looked
    settings, by_program = services().settings, request.blueprint in MACHINES
    at_program = by_program or (settings.client_certificates and _asked_for() in MACHINES)
    status = threshold.refused(
        this_request(), settings, by_program=by_program, at_program=at_program
    )
    if status is not None:
        abort(status)


def _leave(_error: BaseException | None) -> None:
    exchange.end()


def install(
    app: Flask,
    *,
    resolve_session: Callable[..., "SessionView | None"],
    on_session_end: Callable[..., Any],
    onward: Callable[[str, str], Response | None],
    around_tokens: Callable[[Flask, Callable[[Flask], None]], None],
) -> None:
    """What holds for every installation. ``resolve_session`` is ``idp.sessions.resolve``;
    ``on_session_end(session, session_ids, *, now, reason)`` is ``idp.oidc.logout.enqueue_logout``;
    ``onward(return_to, cookie)`` is ``idp.oidc.routes.authorization.arrived``;
    ``around_tokens`` is ``idp.web.form_keys.install``.
    """
    app.extensions["dinhdanh-resolve"] = resolve_session
    app.extensions["dinhdanh-ended"] = on_session_end
    app.extensions["dinhdanh-onward"] = onward
    app.config.update(
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        MAX_CONTENT_LENGTH=BODY_LIMIT,
        SEND_FILE_MAX_AGE_DEFAULT=86400,
        # A form token lives as long as its cookie; Referer is not always sent, Origin is checked.
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
    )
    app.before_request(_enter)
    app.teardown_request(_leave)
    around_tokens(app, csrf.init_app)


def furnish(app: Flask, has: "Services") -> None:
    """What belongs to the installation that the application answers for."""
    settings = has.settings
    app.extensions["dinhdanh"] = has
    public, host = urlsplit(settings.issuer), Host.of(settings.issuer)
    app.config.update(
        # Derived, so that every process of the installation reads the others' form tokens.
        SECRET_KEY=has.keyring.mac("flask", b"secret-key", size=32),
        SERVER_NAME=host.spelt if host is not None else public.netloc,
        PREFERRED_URL_SCHEME=public.scheme,
        SESSION_COOKIE_NAME="__Host-dinhdanh-form" if settings.secure else "dinhdanh-form",
        SESSION_COOKIE_SECURE=settings.secure,
    )
