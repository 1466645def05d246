"""The endpoints that clients and resource servers call."""

from typing import cast

from authlib.oauth2.rfc6749 import OAuth2Error
from flask import Response, jsonify, make_response, request

from idp.oidc import bearer, order
from idp.oidc.bearer import Refused
from idp.oidc.order import Columns
from idp.oidc.routes.core import blueprint, oauth_request, provider, sent, server
from idp.oidc.userinfo import userinfo as claims_for
from idp.web.gate import asked, services


def _called(where: Columns, endpoint: str) -> Response:
    """One of the endpoints a client calls with a form; parameters in the query do not count."""
    answers = server()
    try:
        wanted = oauth_request(sent(where, request.form))
    except OAuth2Error as error:
        return answers.refuse(error)
    with services().db.hot() as connection:
        wanted.over(connection)
        if where == order.TOKEN:
            return cast("Response", answers.create_token_response(wanted))
        return cast("Response", answers.create_endpoint_response(endpoint, wanted))


@blueprint.post("/oauth2/token")
def token() -> Response:
    """RFC 6749 §3.2."""
    return _called(order.TOKEN, "token")


@blueprint.post("/oauth2/introspect")
def introspect() -> Response:
    """RFC 7662."""
    return _called(order.CALLED, "introspection")


@blueprint.post("/oauth2/revoke")
def revoke() -> Response:
    """RFC 7009."""
    return _called(order.CALLED, "revocation")


@blueprint.post("/oauth2/device_authorization")
def device_authorization() -> Response:
    """RFC 8628 §3.1."""
    return _called(order.DEVICE, "device_authorization")


@blueprint.route("/oauth2/userinfo", methods=["GET", "POST"])
def userinfo() -> Response:
    """OIDC Core §5.3."""
    has = services()
    brought = bearer.presented(asked(), has.settings, in_body=True)
    with has.db.hot() as connection:
        told = claims_for(connection, provider().tokens, brought, tools=has, now=has.clock())
    if isinstance(told, str):
        return Response(told, mimetype="application/jwt")
    return jsonify(told)


blueprint.after_request(bearer.offer_nonce)


@blueprint.errorhandler(Refused)
def challenged(error: Refused) -> Response:
    """RFC 6750 §3."""
    body = {"error": error.code} if error.code != "token_missing" else {}
    response = make_response(jsonify(body), error.status)
    response.headers["WWW-Authenticate"] = error.challenge
    return response
