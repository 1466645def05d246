"""``standard``: any OpenID Provider (OIDC Core 1.0, Discovery 1.0, RFC 9207), with PKCE and nonce.

Claims come from the ID token and from userinfo, plain or signed; where both say something they must say
the same.
Aggregated and distributed claims (§5.6.2) are not looked at.
"""

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from connectors.eid import callbacks, calling, documents, id_tokens, userinfo
from connectors.eid.calling import Calls
from connectors.eid.id_tokens import Expected
from connectors.eid.profiles.profile import Back, Begun, EidProfile, Party, Visit
from connectors.eid.refusals import EidRefused, Why
from connectors.eid.settings import Endpoint
from connectors.eid.vouched import Vouched, said, strength, subject
from directory.base import base64url, jws
from directory.base.crypto import random_secret

_ANEW = 1
"""Seconds: there are providers that ask for ever with ``max_age=0``."""
_NAMES = ("code", "state", "iss", "error")


def _defaults(_issuer: str) -> Mapping[str, Any]:
    return {
        "scopes": ["openid", "profile"],
        "auth": "client_secret_basic",
        "claims": {
            "number": "citizen_id",
            "full_name": "name",
            "birth_date": "birthdate",
            "level": "eid_level",
            "kind": "account_type",
        },
    }


def _at(calls: Calls, party: Party, name: Endpoint) -> str:
    """The address of an endpoint: as configured, else as published."""
    if name in party.settings.endpoints:
        return party.settings.endpoints[name]
    called = {"jwks": "jwks_uri", "end_session": "end_session_endpoint"}
    member = called.get(name, f"{name}_endpoint")
    return documents.endpoint(documents.metadata(calls, party.issuer), member, party.issuer)


def begin(calls: Calls, party: Party, wanted: Visit) -> Begun:
    """The authorization request. Raises EidRefused where upstream's metadata cannot be had."""
    with calling.speaking():
        where = _at(calls, party, "authorization")
    nonce, verifier = random_secret(), random_secret()
    challenge = base64url.encode(hashlib.sha256(verifier.encode()).digest())
    anew = wanted.anew or party.settings.fresh
    age = _ANEW if anew else wanted.max_age
    asked = {
        "response_type": "code",
        "client_id": party.settings.client_id,
        "redirect_uri": wanted.redirect_uri,
        "scope": " ".join(party.settings.scopes),
        "state": wanted.state,
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    if anew:
        asked["prompt"] = "login"
    if age is not None:
        asked["max_age"] = str(max(age, _ANEW))
    if values := _levels(party, wanted):
        asked["acr_values"] = values
    kept = {"nonce": nonce, "verifier": verifier}
    if age is not None:
        kept["max_age"] = asked["max_age"]
    return Begun(with_query(where, asked), kept)


def _levels(party: Party, wanted: Visit) -> str:
    """What is demanded in upstream's words."""
    words = [theirs for theirs, ours in party.settings.acr.items() if ours in wanted.levels]
    return " ".join(words) or party.settings.acr_values


def with_query(where: str, asked: Mapping[str, str]) -> str:
    """An address with parameters behind those it has."""
    return f"{where}{'&' if urlsplit(where).query else '?'}{urlencode(asked)}"


def code_of(back: Back) -> str:
    """The authorization code. Raises EidRefused."""
    return callbacks.code(callbacks.fields(back.query, _NAMES))


def vouch(calls: Calls, party: Party, back: Back) -> Vouched:
    """Code → tokens → ID token → userinfo. Raises EidRefused."""
    with calling.speaking():
        found = callbacks.fields(back.query, _NAMES)
        _from_whom(calls, party, found)
        code = callbacks.code(found)
        given = _tokens(calls, party, back, code)
        access = calling.bearer(given)
        wanted = expected(party, back, party.settings.id_token_issuer or party.issuer)
        signed = id_tokens.checked(
            calls,
            given.get("id_token"),
            keys=_at(calls, party, "jwks"),
            expected=wanted,
            access_token=access,
            code=code,
        )
        who = subject(signed.get("sub"))
        more = _userinfo(calls, party, access, who, wanted)
    known = said(agreed(signed, more), party.settings.claims)
    level, assumed = strength(party.settings, signed.get("acr"))
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
        amr=tuple(filter(None, map(short, listed(signed.get("amr"))))),
        logout=str(given["id_token"]),
    )


def expected(party: Party, back: Back, issuer: str) -> Expected:
    """What its ID token must say."""
    age = back.kept.get("max_age")
    return Expected(
        issuer,
        party.settings.client_id,
        back.kept.get("nonce", ""),
        party.settings.algorithms,
        back.began,
        int(age) if age else None,
    )


def _from_whom(calls: Calls, party: Party, found: Mapping[str, str]) -> None:
    """RFC 9207: whose answer it is, where that is said or promised. Raises EidRefused."""
    if "iss" in found:
        if found["iss"] != party.issuer:
            raise EidRefused(Why.UNTRUSTED, "callback: another issuer")
        return
    if {"authorization", "token", "jwks"} <= party.settings.endpoints.keys():
        return
    published = documents.metadata(calls, party.issuer)
    if published.get("authorization_response_iss_parameter_supported") is True:
        raise EidRefused(Why.UNTRUSTED, "callback: no issuer")


def _tokens(calls: Calls, party: Party, back: Back, code: str) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": back.redirect_uri,
        "code_verifier": back.kept.get("verifier", ""),
    }
    headers = {}
    if party.settings.auth == "client_secret_basic":
        headers = calling.basic(party.settings.client_id, party.secret)
    else:
        form |= {"client_id": party.settings.client_id, "client_secret": party.secret}
    answer = calling.call(calls, "POST", _at(calls, party, "token"), form=form, headers=headers)
    return calling.told(calling.token(answer), of="token")


def _userinfo(
    calls: Calls, party: Party, access: str, who: str, wanted: Expected
) -> dict[str, Any]:
    """What it says there of the same person; nothing where there is no such place."""
    if "userinfo" not in party.settings.endpoints:
        published = documents.metadata(calls, party.issuer)
        if "userinfo_endpoint" not in published:
            return {}
    where = _at(calls, party, "userinfo")
    answer = calling.call(calls, "GET", where, headers={"Authorization": f"Bearer {access}"})
    keys = _at(calls, party, "jwks")
    found = userinfo.told(calls, answer, keys=keys, expected=wanted)
    if found.get("sub") != who:
        raise EidRefused(Why.UNTRUSTED, "userinfo: another subject")
    return found


def agreed(signed: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Both together. Raises EidRefused where one contradicts the other about the person."""
    own = {"iss", "aud", "exp", "iat", "nbf", "auth_time", "nonce", "acr", "amr", "azp", "jti"}
    own |= {"at_hash", "c_hash", "sid"}
    for name in (signed.keys() & more.keys()) - own:
        if signed[name] != more[name]:
            raise EidRefused(Why.UNTRUSTED, "userinfo contradicts the id_token")
    return {**more, **signed}


def short(value: Any) -> str:
    """A value to be kept as upstream said it; nothing where it is longer than such a value is."""
    return value if isinstance(value, str) and len(value) <= 80 and value.isprintable() else ""


def listed(value: Any) -> list[Any]:
    """A list, as far as one was given."""
    return value[:10] if isinstance(value, list) else []


def leave(calls: Calls, party: Party, hint: str, back: str) -> str:
    """RP-Initiated Logout 1.0; nothing where upstream has no such address."""
    try:
        where = _at(calls, party, "end_session")
    except EidRefused:
        return ""
    asked = {"client_id": party.settings.client_id, "post_logout_redirect_uri": back}
    return with_query(where, ({"id_token_hint": hint} if hint else {}) | asked)


def look(calls: Calls, party: Party) -> None:
    """Metadata and keys can be had and make sense. Raises EidRefused."""
    with calling.speaking():
        for name in ("authorization", "token"):
            _at(calls, party, name)
        documents.key_set(calls, _at(calls, party, "jwks"))


PROFILE = EidProfile(
    code="standard",
    says="any OpenID Provider, by discovery",
    defaults=_defaults,
    begin=begin,
    code_of=code_of,
    vouch=vouch,
    leave=leave,
    look=look,
    tells_when=True,
)
