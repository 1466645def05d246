"""What the routes share: the blueprint, the process's server, redirects and refusals."""

from typing import NoReturn, cast

from authlib.oauth2.rfc6749 import OAuth2Error
from flask import Blueprint, Flask, Response, abort, current_app, make_response, render_template

from connectors.tools import Tools
from idp.oidc import discovery
from idp.oidc.authorization.page_error import PageError
from idp.oidc.endpoints import table
from idp.oidc.request import Provider
from idp.oidc.server import Server
from idp.web import exchange
from idp.web.front_door import Part
from idp.web.gate import request_id, respond
from idp.web.i18n import gettext

blueprint = Blueprint("oidc", __name__)


def server() -> Server:
    """The process's server."""
    return cast("Server", current_app.extensions["dinhdanh-oidc"])


def provider() -> Provider:
    """What the server answers with."""
    return server().provider


def furnish(app: Flask, has: Tools) -> Part:
    """The server and the documents of one installation; what the front door answers of it."""
    made = app.extensions["dinhdanh-oidc"] = Server(has)
    app.extensions["dinhdanh-documents"] = discovery.Documents(has)
    return table.part(made)


def _answered_before() -> NoReturn:
    abort(404)


for path, (methods, by) in table.CALLS.items():
    # Flask knows the address: it leads from another spelling of it (``/oauth2//token``) to it.
    blueprint.add_url_rule(path, by.__name__, _answered_before, methods=methods)


def elsewhere(location: str, status: int) -> Response:
    """A redirect whose location goes out byte for byte."""
    return respond(exchange.elsewhere(location, status))


def refused(error: Exception) -> Response:
    """A page of our own: the browser was not sent by a client we know, or not as registered."""
    sentence = "Ứng dụng đã gửi một yêu cầu không hợp lệ."
    code, hint = str(getattr(error, "error", "")), ""
    if isinstance(error, PageError):
        sentence, code = error.sentence, error.code
    elif isinstance(error, OAuth2Error):
        hint = str(error.get_error_description() or "")
    page = render_template(
        "oidc/refused.html",
        sentence=gettext(sentence),
        code=code,
        hint=hint,
        request_id=request_id(),
    )
    return make_response(page, 400)
