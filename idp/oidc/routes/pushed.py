"""The endpoint where clients push their authorization requests."""

from typing import cast

from authlib.oauth2.rfc6749 import OAuth2Error
from flask import Response, request

from idp.oidc import answering
from idp.oidc.authorization.checked_request import CheckedRequest
from idp.oidc.order import PAR
from idp.oidc.routes.core import blueprint, oauth_request, provider, sent, server
from idp.web.gate import services


@blueprint.post("/oauth2/par")
def push() -> Response:
    """RFC 9126 §2."""
    answers = server()
    try:
        wanted = oauth_request(sent(PAR, request.form))
    except OAuth2Error as error:
        return answers.refuse(error)
    checked = CheckedRequest(provider(), wanted, "pushed_authorization_request")
    with services().db.hot() as connection:
        wanted.over(connection)
        try:
            kept = answering.push(checked)
        except OAuth2Error as error:
            return answers.handle_error_response(wanted, error)
    answer = {"request_uri": kept.request_uri, "expires_in": kept.expires_in}
    headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
    return cast("Response", answers.handle_response(201, answer, headers))
