"""The UserInfo endpoint (OIDC Core §5.3): claims as fresh as the directory. One SELECT, and one
more where the scope ``org`` is told.
"""

import json
from datetime import datetime
from typing import Any

from joserfc import jws
from sqlalchemy import Connection

from connectors.tools import Tools
from directory.base.config import Settings
from idp.oidc import bearer, claims, resources
from idp.oidc.active import token_type
from idp.oidc.bearer import PresentedToken, Refused
from idp.oidc.grants import GrantView
from idp.oidc.tokens import Tokens


def userinfo(
    connection: Connection,
    tokens: Tokens,
    brought: PresentedToken | None,
    *,
    tools: Tools,
    now: datetime,
) -> dict[str, Any] | str:
    """The claims this access token gives, as a JWT where its client has registered so.

    Raises Refused.
    """
    settings = tools.settings
    found = bearer.active(connection, tokens, brought, tools=tools, now=now, with_person=True)
    if found.grant is None or found.grant.person is None:
        raise Refused(401, "invalid_token", scheme=token_type(found.bound_to))
    here = resources.userinfo(settings.issuer)
    bearer.require(found, ("openid",), here=here, settings=settings, now=now)
    may = claims.CLAIMS if found.by_name else found.scopes
    asked = claims.asked_of(found.grant.claims, "userinfo", may)
    scopes = {*found.scopes} & claims.CLAIMS.keys()
    told_by = scopes | claims.scopes_of(asked)
    bearer.require_sign_in(found, told_by, settings=settings, now=now)
    about = claims.complete(connection, found.grant.person, scopes, asked=asked, now=now)
    told = claims.claims(about, scopes, asked=asked, mail_domains=settings.mail_domains)
    told["sub"] = tokens.subject(found.grant)
    alg = found.grant.userinfo_alg
    return told if alg is None else _signed(told, found.grant, tokens, alg, settings)


def _signed(
    told: dict[str, Any],
    grant: GrantView,
    tokens: Tokens,
    alg: str,
    settings: Settings,
) -> str:
    """§5.3.2: with ``iss`` and ``aud``. Without ``typ`` it passes for nothing else we sign."""
    signer = tokens.keys.signer(alg, grant.keys_stamp)
    header = {"alg": signer.alg, "kid": signer.kid}
    body = told | {"iss": settings.issuer, "aud": grant.public_client_id}
    return jws.serialize_compact(header, json.dumps(body), signer.key, [signer.alg])
