"""Bearer tokens at our own APIs (RFC 6750): who asks, or a refusal with its challenge."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from directory.base.audit import Actor
from directory.base.errors import DinhdanhError
from idp.oidc.tokens import Active, Tokens
from idp.security import client_address, services

if TYPE_CHECKING:
    from flask import Request as HttpRequest

REALM = "dinhdanh"


class Refused(DinhdanhError):
    """Not let in. ``challenge`` is the value of WWW-Authenticate."""

    def __init__(self, status: int, error: str = "", scopes: Sequence[str] = ()) -> None:
        sentence = {
            401: "Cần mã truy cập còn hiệu lực.",
            403: "Mã truy cập không có phạm vi cần thiết.",
            400: "Yêu cầu không hợp lệ.",
        }[status]
        super().__init__(error or "token_missing", sentence)
        self.status = status
        said = [f'realm="{REALM}"']
        # §3.1: who sent no token is told nothing but how to.
        if error:
            said.append(f'error="{error}"')
        if scopes:
            said.append(f'scope="{" ".join(scopes)}"')
        self.challenge = "Bearer " + ", ".join(said)


def presented(request: "HttpRequest", *, in_body: bool = False) -> str | None:
    """The token of a request: from the header, or a POST's body where that is allowed (§2.2).

    Never from the query: it would end up in logs. Raises Refused for two at once.
    """
    header = request.headers.get("Authorization")
    body = request.form.getlist("access_token") if in_body and request.method == "POST" else []
    if "access_token" in request.args or len(body) > 1 or (header is not None and body):
        raise Refused(400, "invalid_request")
    if body:
        return body[0]
    if header is None:
        return None
    scheme, _, text = header.partition(" ")
    return text.strip() if scheme.lower() == "bearer" else None


def require(token: Active, scopes: Sequence[str]) -> None:
    """Raises Refused unless the token carries all of the scopes."""
    if not set(scopes) <= set(token.scopes):
        raise Refused(403, "insufficient_scope", scopes)


def check(
    connection: Connection,
    tokens: Tokens,
    text: str | None,
    *,
    scopes: Sequence[str],
    now: datetime,
) -> Actor:
    """Who a token speaks for: a client on its own account, or a person. Raises Refused."""
    if text is None:
        raise Refused(401)
    found = tokens.active(connection, text, now=now)
    if found is None:
        raise Refused(401, "invalid_token")
    require(found, scopes)
    if found.grant is not None:
        return Actor("user", found.grant.user_id, found.grant.username)
    return Actor("client", found.client_id, found.public_client_id)


def authenticate(request: "HttpRequest", *, scopes: Sequence[str]) -> Actor:
    """Who asks, for a Flask view of one of our APIs. One SELECT. Raises Refused."""
    has = services()
    text = presented(request)
    with has.db.hot() as connection:
        found = check(connection, Tokens(has), text, scopes=scopes, now=has.clock())
    ip, port = client_address()
    return Actor(found.kind, found.id, found.label, ip, port)
