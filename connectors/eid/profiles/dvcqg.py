"""``dvcqg``: the National Public Service Portal's sign-in, as others' public code speaks to it.

WSO2 Identity Server: no discovery document is relied on, client secret in the body, claims in
userinfo. Only whoever chose "VNeID" there has an ``IAL``, and nobody else is let in. No official
specification is public: every address and claim can be configured.
"""

from collections.abc import Mapping
from typing import Any

from connectors.eid import callbacks, calling, documents, id_tokens
from connectors.eid.calling import Calls
from connectors.eid.profiles.profile import Back, Begun, EidProfile, Party, Visit
from connectors.eid.profiles.standard import expected, short, with_query
from connectors.eid.refusals import EidRefused, Why
from connectors.eid.vouched import Vouched, said, strength, subject
from directory.base import jws
from directory.base.crypto import random_secret

_NAMES = ("code", "state", "error")


def _defaults(issuer: str) -> Mapping[str, Any]:
    base = issuer.rstrip("/")
    return {
        "scopes": ["openid"],
        "auth": "client_secret_post",
        "acr_values": "LoA1",
        "assume": "urn:vn:aal:2",
        "fresh": False,
        "id_token_issuer": f"{base}/oauth2/token",
        "endpoints": {
            "authorization": f"{base}/oauth2/authorize",
            "token": f"{base}/oauth2/token",
            "userinfo": f"{base}/oauth2/userinfo",
            "jwks": f"{base}/oauth2/jwks",
            "end_session": f"{base}/oidc/logout",
        },
        "claims": {
            "number": "SoDinhDanh",
            "full_name": "HoVaTen",
            "birth_date": "NgayThangNamSinh",
            "level": "IAL",
            "kind": "LoaiTaiKhoan",
        },
    }


def begin(_calls: Calls, party: Party, wanted: Visit) -> Begun:
    """The authorization request."""
    nonce = random_secret()
    asked = {
        "response_type": "code",
        "client_id": party.settings.client_id,
        "redirect_uri": wanted.redirect_uri,
        "scope": " ".join(party.settings.scopes),
        "state": wanted.state,
        "nonce": nonce,
    }
    if party.settings.acr_values:
        asked["acr_values"] = party.settings.acr_values
    return Begun(with_query(party.settings.endpoints["authorization"], asked), {"nonce": nonce})


def code_of(back: Back) -> str:
    """The authorization code. Raises EidRefused."""
    return callbacks.code(callbacks.fields(back.query, _NAMES))


def vouch(calls: Calls, party: Party, back: Back) -> Vouched:
    """Code → tokens → userinfo, of one subject. Raises EidRefused."""
    code, at = code_of(back), party.settings.endpoints
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": back.redirect_uri,
        "client_id": party.settings.client_id,
        "client_secret": party.secret,
    }
    with calling.speaking():
        answer = calling.call(calls, "POST", at["token"], form=form)
        given = calling.told(calling.token(answer), of="token")
        access = calling.bearer(given)
        signed: Mapping[str, Any] = {}
        if party.settings.signs:
            signed = id_tokens.checked(
                calls,
                given.get("id_token"),
                keys=at["jwks"],
                expected=expected(party, back, party.settings.id_token_issuer or party.issuer),
                access_token=access,
                code=code,
            )
        told = calling.told(
            calling.call(
                calls, "GET", at["userinfo"], headers={"Authorization": f"Bearer {access}"}
            ),
            of="userinfo",
        )
    who = subject(told.get("sub"))
    if signed and signed.get("sub") != who:
        raise EidRefused(Why.UNTRUSTED, "userinfo: another subject")
    known = said(told, party.settings.claims)
    level, assumed = strength(party.settings, signed.get("acr"))
    hint = given.get("id_token")
    return Vouched(
        issuer=party.issuer,
        subject=who,
        number=known.number,
        full_name=known.full_name,
        birth_date=known.birth_date,
        level=known.level,
        strength=level,
        assumed=assumed,
        at=jws.moment(signed.get("auth_time")),
        acr=short(signed.get("acr")),
        via=short(told.get("loginIdp")),
        logout=hint if isinstance(hint, str) else "",
    )


def leave(_calls: Calls, party: Party, hint: str, back: str) -> str:
    """Its logout, with the hint it wants."""
    where = party.settings.endpoints.get("end_session", "")
    if not where or not hint:
        return ""
    return with_query(where, {"id_token_hint": hint, "post_logout_redirect_uri": back})


def look(calls: Calls, party: Party) -> None:
    """Its keys can be had. Raises EidRefused."""
    with calling.speaking():
        if party.settings.signs:
            documents.key_set(calls, party.settings.endpoints["jwks"])


PROFILE = EidProfile(
    code="dvcqg",
    says="the National Public Service Portal (xacthuc.dichvucong.gov.vn); to be confirmed",
    defaults=_defaults,
    begin=begin,
    code_of=code_of,
    vouch=vouch,
    leave=leave,
    look=look,
    endpoints=("authorization", "token", "userinfo", "jwks"),
)
