"""The ID token (OIDC Core §2): who signed in, when, how and in which session.

About the person it says only what the claims request wants here (§5.5), and what the scopes
give where no access token is issued to ask userinfo with (§5.4).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError
from authlib.oidc.core.util import create_half_hash
from joserfc import jwt
from sqlalchemy import Connection

from idp.oidc import claims
from idp.oidc.clients.view import ClientView
from idp.oidc.grants import GrantView
from idp.oidc.request import Provider


def id_token(  # noqa: PLR0913 (one keyword per fact)
    provider: Provider,
    client: ClientView,
    grant: GrantView,
    *,
    connection: Connection,
    now: datetime,
    nonce: str | None = None,
    access_token: str | None = None,
    code: str | None = None,
    alone: bool = False,
    scopes: Sequence[str] | None = None,
) -> str:
    """A signed ID token. ``alone``: nothing else is issued, so that it tells what scopes give;
    so it does for a client registered so. ``scopes``: those of the access token beside it, where
    they are fewer than the grant's.

    ``access_token`` and ``code`` that are issued beside it are bound to it by their hashes
    (§3.1.3.6, §3.3.2.11). Raises InvalidGrantError when the grant came without its person.
    """
    if grant.person is None:
        raise InvalidGrantError
    settings = provider.tools.settings
    signer = provider.tokens.keys.signer(client.id_token_alg, client.keys_stamp)
    held = grant.scopes if scopes is None else scopes
    may = client.scopes if set(grant.scopes) <= set(held) else held
    asked = claims.asked_of(grant.claims, "id_token", may)
    told = held if alone or client.options.id_token_scope_claims else ()
    about = claims.complete(connection, grant.person, told, asked=asked, now=now)
    body: dict[str, Any] = claims.claims(
        about, told, asked=asked, mail_domains=settings.mail_domains
    )
    body |= {
        "iss": settings.issuer,
        "sub": provider.tokens.subject(grant),
        "aud": client.client_id,
        "iat": int(now.timestamp()),
        "exp": int((now + timedelta(seconds=settings.id_token_lifetime)).timestamp()),
        "auth_time": int(grant.auth_time.timestamp()),
        "acr": grant.acr,
        "amr": grant.amr,
    }
    for name, beside in (("at_hash", access_token), ("c_hash", code)):
        if beside is not None:
            body[name] = create_half_hash(beside, signer.alg).decode()
    if grant.session_id is not None:
        body["sid"] = provider.tokens.subjects.session(grant.session_id, grant.sector_salt)
    if nonce is not None:
        body["nonce"] = nonce
    return jwt.encode(signer.header(typ="JWT"), body, signer.key, [signer.alg])
