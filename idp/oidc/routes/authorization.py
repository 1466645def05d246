"""The pages of the authorization endpoint, the answer to the one that asks for consent, and the way
back from sign-in.
"""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from authlib.oauth2.rfc6749 import OAuth2Error
from flask import Response, abort, make_response, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict

from idp.oidc import answering
from idp.oidc.authorization import authorize
from idp.oidc.authorization.answers import AuthorizationAnswer
from idp.oidc.authorization.checked_request import CheckedRequest
from idp.oidc.authorization.outcomes import Answered, NotEntitled, Outcome, SignIn, TooWeak
from idp.oidc.authorization.page_error import PageError
from idp.oidc.endpoints.reading import oauth_request, sent
from idp.oidc.order import AUTHORIZE
from idp.oidc.routes.core import blueprint, elsewhere, provider, refused
from idp.web import asked_again, exchange, gate, i18n, page_policy
from idp.web.exchange import HttpRequest
from idp.web.gate import services, this_request

_OF_BODIES = "CONTENT_TYPE", "CONTENT_LENGTH"


@blueprint.route(authorize.PATH, methods=["GET", "POST"])
def authorization() -> Any:
    """What the front door has found out, where that is a page."""
    found = exchange.handed(request.environ)
    if found is None:
        abort(404)
    if isinstance(found.outcome, (PageError, OAuth2Error)):
        return refused(found.outcome)
    if isinstance(found.outcome, Exception):
        raise found.outcome
    return _page(found.outcome)


@blueprint.post("/oauth2/consent")
def consented() -> Any:
    """The answer given on the consent page; the request is checked once more, whole."""
    gate.csrf.protect()
    try:
        values = MultiDict(parse_qsl(request.form.get("request", "")))
        checked = _asked(values, request.form.get("proof", ""))
        allowed = request.form.get("decision") == "allow"
        return _page(answering.decide(checked) if allowed else answering.denied(checked))
    except (PageError, OAuth2Error) as error:
        return refused(error)


@blueprint.post("/oauth2/cancel/<flow_id>")
def cancelled(flow_id: str) -> Any:
    """Back to the application from the sign-in pages, without signing in."""
    gate.csrf.protect()
    has, browser = services(), gate.browser_id()
    with has.db.write() as session:
        query = authorize.give_up(
            session,
            flow_id,
            keyring=has.keyring,
            settings=has.settings,
            now=has.clock(),
            browser=browser,
        )
    if query is None:
        return redirect(url_for("login.show", flow_id=flow_id), 303)
    try:
        return _page(answering.denied(_asked(MultiDict(parse_qsl(query)))))
    except (PageError, OAuth2Error) as error:
        return refused(error)


def arrived(return_to: str, cookie: str) -> Response | None:
    """The answer to the application that a sign-in was for, as her browser would ask for it at
    ``return_to`` with the session that it has just given; None where it is to ask: a page is needed
    first, or something is amiss.
    """
    where = urlsplit(return_to)
    if where.path != authorize.PATH:
        return None
    there = {"REQUEST_METHOD": "GET", "PATH_INFO": where.path, "QUERY_STRING": where.query}
    asked = HttpRequest(request.environ | there | dict.fromkeys(_OF_BODIES, ""))
    try:
        wanted = oauth_request(provider(), asked, sent(AUTHORIZE, asked, asked.args))
        checked = CheckedRequest(provider(), wanted, "authorization", cookie=cookie, arrived=True)
        outcome = answering.decide(checked)
    except Exception:  # noqa: BLE001 (said where she comes next: she is signed in whatever it is)
        return None
    return _answer(outcome.answer) if isinstance(outcome, Answered) else None


def _asked(values: "MultiDict[str, str]", consent_proof: str = "") -> CheckedRequest:
    """The request that these parameters make, nothing of it checked. Raises InvalidRequestError."""
    wanted = oauth_request(provider(), this_request(), sent(AUTHORIZE, this_request(), values))
    view = gate.current_session()
    return CheckedRequest(provider(), wanted, "authorization", view, consent_proof)


def _page(outcome: Outcome) -> Any:
    if isinstance(outcome, Answered):
        return _answer(outcome.answer)
    if isinstance(outcome, SignIn):
        return _sign_in(outcome)
    if isinstance(outcome, NotEntitled):
        page_policy.allow_form_to(outcome.answer.redirect_uri)
        name = outcome.client.application_name or outcome.client.name
        page = render_template(
            "oidc/not_entitled.html",
            name=name,
            answer=outcome.answer,
            eid_level=outcome.client.options.minimum_eid_level,
        )
        return make_response(page, 403)
    if isinstance(outcome, TooWeak):
        page_policy.allow_form_to(outcome.answer.redirect_uri)
        name = outcome.client.application_name or outcome.client.name
        why = asked_again.for_more(outcome.asked) if outcome.asked is not None else ""
        page = render_template("oidc/too_weak.html", name=name, answer=outcome.answer, why=why)
        return make_response(page, 403)
    page_policy.allow_form_to(outcome.redirect_uri)
    page_policy.allow_image(outcome.client.shown(i18n.language()).get("logo_uri"))
    return render_template("oidc/consent.html", asked=outcome)


def _answer(answer: AuthorizationAnswer) -> Response:
    """To the client: never by 307, which would post our own forms' content there (FAPI 2.0
    §5.3.2.2).
    """
    if answer.location is not None:
        return elsewhere(answer.location, 302 if request.method == "GET" else 303)
    page_policy.allow_form_to(answer.redirect_uri)
    return make_response(render_template("oidc/form_post.html", answer=answer))


def _sign_in(outcome: SignIn) -> Any:
    has = services()
    name = authorize.sign_in_at(
        outcome, keyring=has.keyring, now=has.clock(), browser=gate.browser_id()
    )
    return redirect(url_for("login.show", flow_id=name), 303)
