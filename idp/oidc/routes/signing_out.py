"""The end session endpoint, and whether a session is still good."""

from typing import Any

from authlib.oauth2.rfc6749 import OAuth2Error
from flask import Response, jsonify, render_template, request, url_for
from flask import session as browser_state

from idp import security, sessions
from idp.oidc import logout as signing_out
from idp.oidc.authorization.shown import Shown
from idp.oidc.request import parameters
from idp.oidc.routes.core import blueprint, elsewhere, provider, refused
from idp.security import services


@blueprint.route("/oauth2/logout", methods=["GET", "POST"])
def logout() -> Any:
    """RP-Initiated Logout §2: GET and POST."""
    confirmed = request.method == "POST" and request.form.get("decision") == "logout"
    if confirmed:
        security.csrf.protect()
    has = services()
    view = security.current_session()
    try:
        values = _logout_values()
        with has.db.hot() as connection:
            wish = signing_out.wish(connection, provider().tokens, values, view, now=has.clock())
    except (Shown, OAuth2Error) as error:
        return refused(error)
    if wish.ask and not confirmed:
        security.allow_form_to(wish.location)
        return render_template("oidc/logout.html", wish=wish, values=values)
    if view is not None:
        now = has.clock()
        with has.db.write() as session:
            ended = sessions.end(session, view.id, now=now, reason="logout", actor=security.actor())
            if ended:
                signing_out.enqueue_logout(session, [view.id], now=now, reason="logout")
    security.forget_session()
    browser_state.clear()
    response = elsewhere(wish.location or url_for("login.signed_out"), 303)
    security.clear_session_cookie(response)
    return response


def _logout_values() -> dict[str, str]:
    given = request.args if request.method == "GET" else request.form
    known = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "logout_hint")
    values = parameters(given)
    return {name: values[name] for name in known if name in values}


@blueprint.get("/session/status")
def session_status() -> Response:
    """Whether the cookie's session is good: 200 or 401. Asking is no sign of life."""
    has = services()
    cookie = request.cookies.get(security.cookie_name(), "")
    with has.db.hot() as connection:
        view = sessions.peek(connection, has.keyring, cookie, now=has.clock())
    response = jsonify({"active": view is not None})
    response.status_code = 200 if view is not None else 401
    return response
