"""What a request names, before anything of it is believed: for the statement that reads its client.

token endpoint            the grant of the code, the refresh token or the subject token
introspection, revocation the grant, or the client, of the token
elsewhere                 nothing
"""

import re
from collections.abc import Mapping

from directory.base import jws
from directory.base.jws import Untrusted
from idp.oidc.asking import NOTHING, Named
from idp.oidc.clients.kinds import GrantType
from idp.oidc.opaque_tokens import Handles
from idp.oidc.signing_keys import ALGORITHMS

_GRANT_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_MOST_CLIENTS = 2**63


def named(handles: Handles, parameters: Mapping[str, str], endpoint: str) -> Named:
    """What these parameters name at an endpoint that clients call."""
    if endpoint == "token":
        return _by_grant_type(handles, parameters)
    if endpoint in ("introspection", "revocation"):
        return _of_token(handles, parameters.get("token") or "")
    return NOTHING


def _by_grant_type(handles: Handles, parameters: Mapping[str, str]) -> Named:
    match parameters.get("grant_type"):
        case GrantType.CODE:
            code = handles.open_code(parameters.get("code") or "")
            return NOTHING if code is None else Named(code.grant_id, with_person=True)
        case GrantType.REFRESH:
            refresh = handles.open_refresh(parameters.get("refresh_token") or "")
            return NOTHING if refresh is None else Named(refresh.grant_id, with_person=True)
        case GrantType.EXCHANGE:
            text = parameters.get("subject_token") or ""
            return _of_token(handles, text, with_person=True)
    return NOTHING


def _of_token(handles: Handles, text: str, *, with_person: bool = False) -> Named:
    if text.count(".") == 2:
        return _of_jwt(text, with_person=with_person)
    machine = handles.open_machine(text)
    if machine is not None:
        return Named(client_id=machine.client_id)
    of_grant = handles.open_access(text) or handles.open_refresh(text)
    return NOTHING if of_grant is None else Named(of_grant.grant_id, with_person=with_person)


def _of_jwt(text: str, *, with_person: bool) -> Named:
    """As it says; whether we have said it, its signature tells later."""
    try:
        said = jws.unverified_claims(jws.read(text, algorithms=ALGORITHMS))
    except Untrusted:
        return NOTHING
    client, jti = said.get("client"), said.get("jti")
    if isinstance(client, int) and 0 < client < _MOST_CLIENTS:
        return Named(client_id=client)
    grant_id = jti.partition(".")[0] if isinstance(jti, str) else ""
    return Named(grant_id, with_person=with_person) if _GRANT_ID.fullmatch(grant_id) else NOTHING
