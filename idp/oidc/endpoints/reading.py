"""A request to one of these endpoints, as our checks and grants see it."""

from werkzeug.datastructures import MultiDict

from idp.oidc.order import Columns, Section, follow
from idp.oidc.request import Provider, Request, Sent
from idp.web.exchange import HttpRequest


def sent(where: Columns, asked: HttpRequest, values: "MultiDict[str, str]") -> dict[str, str]:
    """The parameters that came to this endpoint. Raises InvalidRequestError, OAuth2Error."""
    came = Sent(asked.mimetype, values)
    follow(where, came, Section.SENT)
    return came.parameters


def oauth_request(provider: Provider, asked: HttpRequest, values: dict[str, str]) -> Request:
    """The HTTP request with these parameters, at this moment."""
    tools = provider.tools
    return Request(asked, values, settings=tools.settings, now=tools.clock())
