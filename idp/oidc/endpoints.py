"""Routes of the OpenID Provider; what they do is told in the modules they call."""

from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error
from flask import (
    Blueprint,
    Response,
    current_app,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask import session as browser_state
from werkzeug.datastructures import MultiDict

from idp import security, sessions
from idp.i18n import gettext
from idp.oidc import bearer, discovery
from idp.oidc import logout as signing_out
from idp.oidc.authorization import authorize, consent, incoming
from idp.oidc.authorization.answers import Answer
from idp.oidc.authorization.authorize import Answered, NotEntitled, Outcome, SignIn
from idp.oidc.authorization.shown import Shown
from idp.oidc.bearer import Refused
from idp.oidc.request import Request, parameters
from idp.oidc.server import Server
from idp.oidc.userinfo import userinfo as claims_for
from idp.security import services

blueprint = Blueprint("oidc", __name__)


def provider() -> Server:
    """The process's server."""
    return cast("Server", current_app.extensions["dinhdanh-oidc"])


@blueprint.record_once
def _assemble(state: Any) -> None:
    """The application's services are in place when blueprints are registered."""
    has = state.app.extensions["dinhdanh"]
    state.app.extensions["dinhdanh-oidc"] = Server(has)
    state.app.extensions["dinhdanh-documents"] = discovery.Documents(has)


# ---- authorization ---------------------------------------------------------------------------


@blueprint.route("/oauth2/authorize", methods=["GET", "POST"])
def authorization() -> Any:
    """OIDC Core §3.1.2.1: GET and POST."""
    try:
        if request.method == "POST":
            # A POST from another site carries no SameSite=Lax cookie; the GET it leads to does.
            values = parameters(request.form)
            values.pop(incoming.FLOW, None)
            return _elsewhere(f"{authorize.PATH}?{urlencode(values)}", 303)
        return _page(_decide(parameters(request.args)))
    except (Shown, OAuth2Error) as error:
        return _refused(error)


@blueprint.post("/oauth2/consent")
def consented() -> Any:
    """The answer given on the consent page; the request is checked once more, whole."""
    security.csrf.protect()
    try:
        values = parameters(MultiDict(parse_qsl(request.form.get("request", ""))))
        if request.form.get("decision") == "allow":
            return _page(_decide(values, request.form.get("proof", "")))
        with services().db.hot() as connection:
            asked, brought = _read(connection, values)
            return _page(authorize.denied(provider(), asked, brought))
    except (Shown, OAuth2Error) as error:
        return _refused(error)


def _read(connection: Any, given: dict[str, str]) -> tuple[Request, incoming.Incoming]:
    found = incoming.read(provider(), connection, given, now=services().clock())
    return _request(connection, dict(found.values)), found


def _decide(given: dict[str, str], consent_proof: str = "") -> Outcome:
    view = security.current_session()
    has = services()
    with has.db.hot() as connection:
        asked, brought = _read(connection, given)
        outcome = authorize.decide(provider(), asked, brought, view, consent_proof=consent_proof)
    if isinstance(outcome, Answered) and outcome.agreed and view is not None:
        with has.db.write() as session:
            consent.remember(
                session,
                user_id=view.user_id,
                client_id=brought.client.id,
                scopes=outcome.agreed,
                actor=security.actor(),
                now=has.clock(),
            )
    return outcome


def _page(outcome: Outcome) -> Any:
    if isinstance(outcome, Answered):
        return _answer(outcome.answer)
    if isinstance(outcome, SignIn):
        return _sign_in(outcome)
    if isinstance(outcome, NotEntitled):
        security.allow_form_to(outcome.answer.redirect_uri)
        name = outcome.client.application_name or outcome.client.name
        page = render_template("oidc/not_entitled.html", name=name, answer=outcome.answer)
        return make_response(page, 403)
    security.allow_form_to(outcome.redirect_uri)
    return render_template("oidc/consent.html", asked=outcome)


def _answer(answer: Answer) -> Response:
    """To the client: never by 307, which would post our own forms' content there (FAPI 2.0
    §5.3.2.2).
    """
    if answer.location is not None:
        return _elsewhere(answer.location, 302 if request.method == "GET" else 303)
    security.allow_form_to(answer.redirect_uri)
    return make_response(render_template("oidc/form_post.html", answer=answer))


def _elsewhere(location: str, status: int) -> Response:
    """A redirect whose location goes out byte for byte."""
    return Response("", status, [("Location", location), ("Cache-Control", "no-store")])


def _sign_in(outcome: SignIn) -> Any:
    has = services()
    browser = security.browser_id()
    with has.db.write() as session:
        flow_id = authorize.begin(
            session, outcome, now=has.clock(), settings=has.settings, browser=browser
        )
    return redirect(url_for("login.show", flow_id=flow_id), 303)


def _refused(error: Exception) -> Response:
    """A page of our own: the browser was not sent by a client we know, or not as registered."""
    sentence = error.sentence if isinstance(error, Shown) else "Yêu cầu đăng nhập không hợp lệ."
    code = error.code if isinstance(error, Shown) else str(getattr(error, "error", ""))
    page = render_template("oidc/refused.html", sentence=gettext(sentence), code=code)
    return make_response(page, 400)


# ---- endpoints clients call ------------------------------------------------------------------


def _request(connection: Any, values: dict[str, str]) -> Request:
    return Request(
        request.method, values, dict(request.headers), connection=connection, now=services().clock()
    )


def _called(name: str) -> Response:
    """One of the endpoints a client calls with a form; parameters in the query do not count."""
    server = provider()
    try:
        if request.mimetype != "application/x-www-form-urlencoded":
            raise InvalidRequestError("The body must be form-encoded.")
        values = parameters(request.form)
    except OAuth2Error as error:
        return server.refuse(error)
    with services().db.hot() as connection:
        asked = _request(connection, values)
        if name == "token":
            return server.token(asked)
        return cast("Response", server.create_endpoint_response(name, asked))


@blueprint.post("/oauth2/token")
def token() -> Response:
    """RFC 6749 §3.2."""
    return _called("token")


@blueprint.post("/oauth2/introspect")
def introspect() -> Response:
    """RFC 7662."""
    return _called("introspection")


@blueprint.post("/oauth2/revoke")
def revoke() -> Response:
    """RFC 7009."""
    return _called("revocation")


@blueprint.route("/oauth2/userinfo", methods=["GET", "POST"])
def userinfo() -> Response:
    """OIDC Core §5.3."""
    has = services()
    text = bearer.presented(request, in_body=True)
    with has.db.hot() as connection:
        body = claims_for(connection, provider().tokens, text, now=has.clock())
    return jsonify(body)


@blueprint.errorhandler(Refused)
def challenged(error: Refused) -> Response:
    """RFC 6750 §3."""
    body = {"error": error.code} if error.code != "token_missing" else {}
    response = make_response(jsonify(body), error.status)
    response.headers["WWW-Authenticate"] = error.challenge
    return response


# ---- signing out -----------------------------------------------------------------------------


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
        return _refused(error)
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
    response = _elsewhere(wish.location or url_for("login.signed_out"), 303)
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


# ---- documents -------------------------------------------------------------------------------


@blueprint.get(discovery.OPENID)
@blueprint.get(discovery.OAUTH)
@blueprint.get(discovery.JWKS)
def document() -> Response:
    """Discovery and keys, where the server does not answer them before Flask."""
    documents = cast("discovery.Documents", current_app.extensions["dinhdanh-documents"])
    found = documents.get(request.path, now=services().clock())
    if found is None:
        return Response("", 404)
    response = Response(found.body, 200, found.headers)
    response.make_conditional(request)
    return response
