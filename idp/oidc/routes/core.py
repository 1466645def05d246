"""What the routes share: the blueprint, the process's server, a request as our grants see it."""

from typing import cast

from authlib.oauth2.rfc6749 import OAuth2Error
from flask import Blueprint, Flask, Response, current_app, make_response, render_template
from werkzeug.datastructures import MultiDict

from connectors.tools import Tools
from idp.oidc import discovery
from idp.oidc.authorization.page_error import PageError
from idp.oidc.order import Columns, Section, follow
from idp.oidc.request import Provider, Request, Sent
from idp.oidc.server import Server
from idp.web.gate import asked, request_id, services
from idp.web.i18n import gettext

blueprint = Blueprint("oidc", __name__)


def server() -> Server:
    """The process's server."""
    return cast("Server", current_app.extensions["dinhdanh-oidc"])


def provider() -> Provider:
    """What the server answers with."""
    return server().provider


def furnish(app: Flask, has: Tools) -> None:
    """The server and the documents of one installation."""
    app.extensions["dinhdanh-oidc"] = Server(has)
    app.extensions["dinhdanh-documents"] = discovery.Documents(has)


def sent(where: Columns, values: "MultiDict[str, str]") -> dict[str, str]:
    """The parameters that came to this endpoint. Raises InvalidRequestError, OAuth2Error."""
    came = Sent(asked().mimetype, values)
    follow(where, came, Section.SENT)
    return came.parameters


def oauth_request(values: dict[str, str]) -> Request:
    """The HTTP request with these parameters, at this moment."""
    has = services()
    return Request(asked(), values, settings=has.settings, now=has.clock())


def elsewhere(location: str, status: int) -> Response:
    """A redirect whose location goes out byte for byte."""
    return Response("", status, [("Location", location), ("Cache-Control", "no-store")])


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
