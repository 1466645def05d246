"""The UserInfo endpoint (OIDC Core §5.3): claims as fresh as the directory. One SELECT."""

from typing import Any

from sqlalchemy import Connection

from idp.oidc import bearer, claims
from idp.oidc.bearer import Refused
from idp.oidc.tokens import Tokens


def userinfo(
    connection: Connection, tokens: Tokens, text: str | None, *, now: Any
) -> dict[str, Any]:
    """The claims this access token gives. Raises Refused."""
    if text is None:
        raise Refused(401)
    found = tokens.active(connection, text, now=now, with_person=True)
    if found is None or found.grant is None or found.grant.person is None:
        raise Refused(401, "invalid_token")
    bearer.require(found, ("openid",))
    about = found.grant.person
    scopes = set(found.scopes)
    asked = claims.asked_of(found.grant.claims, "userinfo", claims.CLAIMS)
    return claims.claims(about, scopes, asked=asked)
