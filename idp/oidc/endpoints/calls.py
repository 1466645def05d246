"""The endpoints that clients and resource servers call: each a function of one request."""

from authlib.oauth2.rfc6749 import OAuth2Error

from idp.oidc import answering, bearer, order
from idp.oidc.authorization.checked_request import CheckedRequest
from idp.oidc.bearer import Refused
from idp.oidc.endpoints.reading import oauth_request, sent
from idp.oidc.order import Columns
from idp.oidc.server import Server
from idp.oidc.userinfo import userinfo as claims_for
from idp.web.exchange import Answer, HttpRequest, json_answer, written


def token(server: Server, asked: HttpRequest) -> Answer:
    """RFC 6749 §3.2."""
    return _called(server, asked, order.TOKEN, "token")


def introspect(server: Server, asked: HttpRequest) -> Answer:
    """RFC 7662."""
    return _called(server, asked, order.CALLED, "introspection")


def revoke(server: Server, asked: HttpRequest) -> Answer:
    """RFC 7009."""
    return _called(server, asked, order.CALLED, "revocation")


def device_authorization(server: Server, asked: HttpRequest) -> Answer:
    """RFC 8628 §3.1."""
    return _called(server, asked, order.DEVICE, "device_authorization")


def _called(server: Server, asked: HttpRequest, where: Columns, endpoint: str) -> Answer:
    """Of a client, with a form; parameters in the query do not count."""
    try:
        wanted = oauth_request(server.provider, asked, sent(where, asked, asked.form))
    except OAuth2Error as error:
        return server.refuse(error)
    with server.provider.tools.db.hot() as connection:
        wanted.over(connection)
        return server.answer(wanted, endpoint)


def push(server: Server, asked: HttpRequest) -> Answer:
    """RFC 9126 §2."""
    provider = server.provider
    try:
        wanted = oauth_request(provider, asked, sent(order.PAR, asked, asked.form))
    except OAuth2Error as error:
        return server.refuse(error)
    checked = CheckedRequest(provider, wanted, "pushed_authorization_request")
    with provider.tools.db.hot() as connection:
        wanted.over(connection)
        try:
            kept = answering.push(checked)
        except OAuth2Error as error:
            return server.handle_error_response(wanted, error)
    said = {"request_uri": kept.request_uri, "expires_in": kept.expires_in}
    headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
    return written(201, said, headers)


def userinfo(server: Server, asked: HttpRequest) -> Answer:
    """OIDC Core §5.3."""
    tokens, tools = server.provider.tokens, server.provider.tools
    try:
        brought = bearer.presented(asked, tools.settings, in_body=True)
        with tools.db.hot() as connection:
            told = claims_for(connection, tokens, brought, tools=tools, now=tools.clock())
    except Refused as error:
        return _challenge(error)
    if isinstance(told, str):
        return written(200, told, [("Content-Type", "application/jwt")])
    return json_answer(told)


def _challenge(error: Refused) -> Answer:
    """RFC 6750 §3."""
    said = json_answer({"error": error.code} if error.code != "token_missing" else {}, error.status)
    said.headers.append(("WWW-Authenticate", error.challenge))
    return said
