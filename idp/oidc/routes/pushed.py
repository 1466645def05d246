"""The endpoint where clients push their authorization requests."""

from authlib.oauth2.rfc6749 import OAuth2Error
from flask import Response

from idp.oidc.authorization import pushing
from idp.oidc.routes.core import asked, blueprint, form, provider
from idp.security import services


@blueprint.post("/oauth2/par")
def push() -> Response:
    """RFC 9126 §2."""
    server = provider()
    try:
        values = form()
        with services().db.hot() as connection:
            kept = pushing.push(server, asked(connection, values))
    except OAuth2Error as error:
        return server.refuse(error)
    answer = {"request_uri": kept.request_uri, "expires_in": kept.expires_in}
    headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
    return server.handle_response(201, answer, headers)
