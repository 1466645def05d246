"""``vneid2026``: VNeID spoken to directly, as public code of 2026 does.

Not quite OpenID Connect: no nonce, no ID token, no PKCE. Code and bodies come encrypted to our key
(``connectors.eid.opening``), the code in Base64 whose ``+`` stands raw in the query. What binds an
answer to a visit is ``state`` alone, so that a code is remembered and taken once (by whoever asks for
``vouch``). No official specification is public: every address and claim can be configured.
"""

from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from connectors.eid import callbacks, calling, opening
from connectors.eid.calling import Calls
from connectors.eid.profiles.profile import Back, Begun, EidProfile, Party, Visit
from connectors.eid.profiles.standard import with_query
from connectors.eid.refusals import EidRefused, Why
from connectors.eid.vouched import Vouched, said, strength, subject
from connectors.outbound import Response

_NAMES = ("code", "encrypt_key", "state", "error")


def _defaults(issuer: str) -> Mapping[str, Any]:
    base = issuer.rstrip("/")
    return {
        "scopes": ["openid"],
        "auth": "client_secret_post",
        "assume": "urn:vn:aal:2",
        "fresh": False,
        "signs": False,
        "endpoints": {
            "authorization": f"{base}/auth",
            "token": f"{base}/token",
            "userinfo": f"{base}/userinfo",
            "end_session": f"{base}/logout",
        },
        "claims": {
            "number": "citizenPid",
            "full_name": "fullName",
            "birth_date": "birthDate",
            "level": "accountLevel",
            "kind": "accountType",
        },
    }


def begin(_calls: Calls, party: Party, wanted: Visit) -> Begun:
    """The authorization request."""
    asked = {
        "response_type": "code",
        "client_id": party.settings.client_id,
        "redirect_uri": wanted.redirect_uri,
        "scope": " ".join(party.settings.scopes),
        "state": wanted.state,
    }
    return Begun(with_query(party.settings.endpoints["authorization"], asked), {})


def _found(back: Back) -> dict[str, str]:
    return callbacks.fields(back.query, _NAMES, plus_is_plus=True)


def code_of(back: Back) -> str:
    """The code as it came, encrypted. Raises EidRefused."""
    return callbacks.code(_found(back))


def vouch(calls: Calls, party: Party, back: Back) -> Vouched:
    """Code opened → token → userinfo, each body opened. Raises EidRefused."""
    key = _key(party)
    found = _found(back)
    wrapped = found.get("encrypt_key", "")
    code = opening.opened_code(key, callbacks.code(found), wrapped)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": back.redirect_uri,
        "client_id": party.settings.client_id,
        "client_secret": party.secret,
        "encrypt_key": wrapped,
    }
    at = party.settings.endpoints
    with calling.speaking():
        given = _opened(
            key, calling.token(calling.call(calls, "POST", at["token"], form=form)), "token"
        )
        access = calling.bearer(given)
        answer = calling.call(
            calls, "GET", at["userinfo"], headers={"Authorization": f"Bearer {access}"}
        )
        told = _opened(key, answer, "userinfo")
    known = said(told, party.settings.claims)
    level, assumed = strength(party.settings, None)
    return Vouched(
        issuer=party.issuer,
        # It gives no other: whose number changes is somebody else to it, and to us.
        subject=subject(known.number),
        number=known.number,
        full_name=known.full_name,
        birth_date=known.birth_date,
        level=known.level,
        strength=level,
        assumed=assumed,
    )


def _key(party: Party) -> RSAPrivateKey:
    if party.key is None:
        raise EidRefused(Why.MISCONFIGURED, "no private key")
    return party.key


def _opened(key: RSAPrivateKey, answer: Response, of: str) -> Mapping[str, Any]:
    return opening.opened_body(key, calling.good(answer, of=of).body)


def leave(_calls: Calls, party: Party, _hint: str, back: str) -> str:
    """Its logout."""
    where = party.settings.endpoints.get("end_session", "")
    return with_query(where, {"redirect_uri": back}) if where else ""


def look(_calls: Calls, party: Party) -> None:
    """The key is there; nothing of its can be asked without a person. Raises EidRefused."""
    _key(party)


PROFILE = EidProfile(
    code="vneid2026",
    says="VNeID directly, as public code of 2026 speaks to it; to be confirmed",
    defaults=_defaults,
    begin=begin,
    code_of=code_of,
    vouch=vouch,
    leave=leave,
    look=look,
    needs_key=True,
    endpoints=("authorization", "token", "userinfo"),
)
