"""The end session endpoint, the page after signing out, and whether a session is still good."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from authlib.oauth2.rfc6749 import OAuth2Error
from flask import Response, jsonify, make_response, render_template, request, url_for
from flask import session as browser_state

from idp import sessions
from idp.oidc import frontchannel
from idp.oidc import logout as signing_out
from idp.oidc.authorization.page_error import PageError
from idp.oidc.clients.refusals import NewRefusal, Reason
from idp.oidc.frontchannel import Frame
from idp.oidc.logout import Wish
from idp.oidc.request import parameters
from idp.oidc.routes.core import blueprint, elsewhere, provider, refused
from idp.web import gate, i18n, page_policy
from idp.web.gate import services

KNOWN = (
    "id_token_hint",
    "logout_hint",
    "client_id",
    "post_logout_redirect_uri",
    "state",
    "ui_locales",
)


@blueprint.route("/oauth2/logout", methods=["GET", "POST"])
def logout() -> Any:
    """RP-Initiated Logout §2: GET and POST."""
    confirmed = request.method == "POST" and request.form.get("decision") == "logout"
    if confirmed:
        gate.csrf.protect()
    has = services()
    view = gate.current_session()
    try:
        values = _values()
        if request.method == "POST" and view is None and not confirmed:
            # A POST from another site carries no SameSite=Lax cookie; the GET it leads to does.
            return elsewhere(f"{url_for('oidc.logout')}?{urlencode(values)}", 303)
        with has.db.hot() as connection:
            wish = signing_out.wish(connection, provider().tokens, values, view, now=has.clock())
    except (PageError, OAuth2Error) as error:
        if isinstance(error, PageError) and error.client_id:
            why = NewRefusal(Reason(error.code), request.path, error.sent)
            with has.db.hot() as connection:
                refusals = provider().refusals
                refusals.note(connection, error.client_id, why, now=has.clock())
        return refused(error)
    if wish.ask and not confirmed:
        return _ask(wish, values)
    return sign_out(location=wish.location)


def _ask(wish: Wish, values: dict[str, str]) -> str:
    i18n.prefer(values.get("ui_locales", ""))
    page_policy.allow_form_to(wish.location)
    return render_template(
        "oidc/logout.html", wish=wish, values=values, signed_in=gate.current_session()
    )


def _values() -> dict[str, str]:
    given = parameters(request.args if request.method == "GET" else request.form)
    return {name: given[name] for name in KNOWN if name in given}


def sign_out(*, location: str | None = None) -> Response:
    """End this browser's session, tell its relying parties, and go on to ``location``."""
    has, view = services(), gate.current_session()
    frames: list[Frame] = []
    if view is not None:
        now = has.clock()
        with has.db.read() as session:
            frames = frontchannel.frames(session, has, view.id)
        with has.db.write() as session:
            if sessions.end(session, view.id, now=now, reason="logout", actor=gate.actor()):
                signing_out.enqueue_logout(session, [view.id], now=now, reason="logout")
    return farewell(frames, location=location)


def farewell(frames: Sequence[Frame], *, location: str | None = None) -> Response:
    """The browser is nobody's any more. Where applications want to hear of it from the browser
    itself, a page of ours opens their addresses and goes on after a moment.
    """
    gate.forget_session()
    browser_state.clear()
    if frames:
        page_policy.allow_frames(frame.url for frame in frames)
        page = render_template("oidc/signed_out.html", frames=frames, location=location)
        response = make_response(page)
    else:
        response = elsewhere(location or url_for("login.signed_out"), 303)
    gate.clear_session_cookie(response)
    return response


@blueprint.get("/session/status")
def session_status() -> Response:
    """Whether the cookie's session is good: 200 or 401. Asking is no sign of life."""
    has = services()
    cookie = request.cookies.get(gate.cookie_name(), "")
    good = sessions.is_control(has.keyring, cookie)
    if not good:
        with has.db.hot() as connection:
            good = sessions.peek(connection, has.keyring, cookie, now=has.clock()) is not None
    response = jsonify({"active": good})
    response.status_code = 200 if good else 401
    return response
