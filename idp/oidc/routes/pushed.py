"""The endpoint where clients push their authorization requests."""

from authlib.oauth2.rfc6749 import OAuth2Error
from flask import Response

from idp.oidc.authorization import pushing
from idp.oidc.routes.core import blueprint, form, oauth_request, server
from idp.web.gate import services


@blueprint.post("/oauth2/par")
def push() -> Response:
    """RFC 9126 §2."""
    answers = server()
    try:
        values = form()
    except OAuth2Error as error:
        return answers.refuse(error)
    with services().db.hot() as connection:
        wanted = oauth_request(connection, values)
        try:
            kept = pushing.push(answers, wanted)
        except OAuth2Error as error:
            return answers.handle_error_response(wanted, error)
    answer = {"request_uri": kept.request_uri, "expires_in": kept.expires_in}
    headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
    return answers.handle_response(201, answer, headers)
