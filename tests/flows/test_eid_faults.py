"""An upstream that misbehaves: each fault ends in a refusal that says what to do, is audited, and leaves
no session, no link and no citizen number anywhere.
"""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from tests.eid_world import build
from tests.upstream import NUMBER, Upstream, half, saying, without, wrapped

Fault = Callable[[Upstream], Any]
AT = "https://dinhdanh.example"


def twisted(stage: str, twist: Any) -> Fault:
    return lambda at: at.twist.update({stage: twist})


def claims(**others: Any) -> Fault:
    return twisted("claims", saying(**others))


def lacking(*names: str) -> Fault:
    return twisted("claims", without(*names))


def userinfo(**others: Any) -> Fault:
    return twisted("userinfo", saying(**others))


def raw(stage: str, body: bytes) -> Fault:
    return lambda at: at.raw.update({stage: body})


def status(stage: str, code: int) -> Fault:
    return lambda at: at.status.update({stage: code})


def down(stage: str) -> Fault:
    return lambda at: at.down.add(stage)


def moved(name: str, by: int) -> Fault:
    return twisted("claims", lambda told: told | {name: told["iat"] + by})


def by(alg: str, kid: str | None = "k1") -> Fault:
    def sign(at: Upstream) -> None:
        at.alg, at.kid = alg, kid

    return sign


def unsigned(at: Upstream) -> None:
    at.twist["header"] = lambda header: header | {"alg": "none"}


def another_key(at: Upstream) -> None:
    """Of the name that is published, and not the key that is."""
    at.twist["keys"] = lambda told: {
        "keys": [
            Upstream(at.clock, published=[("ES256", "k9")])._answer("keys", {})["keys"][0]
            | {"kid": "k1"}
        ]
    }


def tampered(at: Upstream) -> None:
    def tamper(answer: dict[str, Any]) -> dict[str, Any]:
        head, body, tail = answer["id_token"].split(".")
        told = json.loads(base64.urlsafe_b64decode(body + "=="))
        other = base64.urlsafe_b64encode(json.dumps(told | {"sub": "khác"}).encode())
        return answer | {"id_token": f"{head}.{other.decode().rstrip('=')}.{tail}"}

    at.twist["token"] = tamper


def critical(at: Upstream) -> None:
    at.twist["header"] = saying(b64=True)


SIGNED: dict[str, tuple[Fault, str]] = {
    "alg none": (unsigned, "untrusted"),
    "HS256 by the client secret": (by("HS256"), "untrusted"),
    "key of that name is another": (another_key, "untrusted"),
    "kid unknown": (by("ES256", "k7"), "untrusted"),
    "no keys": (twisted("keys", saying(keys=[])), "untrusted"),
    "key set is none": (raw("keys", b'{"keys": 1}'), "garbage"),
    "keys not to be had": (down("keys"), "unreachable"),
    "body changed after signing": (tampered, "untrusted"),
    "critical header": (critical, "untrusted"),
    "no id_token": (twisted("token", without("id_token")), "untrusted"),
    "id_token is a number": (twisted("token", saying(id_token=5)), "untrusted"),
    "id_token is rubbish": (twisted("token", saying(id_token="a.b.c")), "untrusted"),
    "another issuer": (claims(iss="https://xa.example"), "untrusted"),
    "no issuer": (lacking("iss"), "untrusted"),
    "another audience": (claims(aud="ai-khac"), "untrusted"),
    "an audience beside us": (claims(aud=["dinhdanh", "ai-khac"]), "untrusted"),
    "no audience": (lacking("aud"), "untrusted"),
    "another party": (claims(azp="ai-khac"), "untrusted"),
    "another nonce": (claims(nonce="khác"), "untrusted"),
    "no nonce": (lacking("nonce"), "untrusted"),
    "nonce is null": (claims(nonce=None), "untrusted"),
    "expired": (moved("exp", -120), "untrusted"),
    "no expiry": (lacking("exp"), "untrusted"),
    "made long before": (moved("iat", -600), "untrusted"),
    "made in the future": (moved("iat", 600), "untrusted"),
    "no time of making": (lacking("iat"), "untrusted"),
    "not yet valid": (moved("nbf", 600), "untrusted"),
    "at_hash": (claims(at_hash=half("khác")), "untrusted"),
    "at_hash is null": (claims(at_hash=None), "untrusted"),
    "c_hash": (claims(c_hash=half("khác")), "untrusted"),
    "no subject": (lacking("sub"), "incomplete"),
    "subject is a number": (claims(sub=5), "untrusted"),
    "userinfo of another": (userinfo(sub="khác"), "untrusted"),
    "userinfo of nobody": (twisted("userinfo", without("sub")), "untrusted"),
}
STANDARD: dict[str, tuple[Fault, str]] = {
    **SIGNED,
    "metadata of another issuer": (
        twisted("metadata", saying(issuer="https://xa.example")),
        "untrusted",
    ),
    "metadata not to be had": (down("metadata"), "unreachable"),
    "metadata lack the token endpoint": (
        twisted("metadata", without("token_endpoint")),
        "misconfigured",
    ),
    "token endpoint without TLS": (
        twisted("metadata", saying(token_endpoint="http://dinhdanh.example/token")),
        "misconfigured",
    ),
    "metadata are HTML": (raw("metadata", b"<html>"), "garbage"),
    "asked long ago": (moved("auth_time", -3600), "stale"),
    "not said when she was asked": (lacking("auth_time"), "stale"),
    "auth_time in the future": (moved("auth_time", 600), "untrusted"),
    "auth_time is a text": (claims(auth_time="bây giờ"), "untrusted"),
    "userinfo contradicts": (
        lambda at: at.twist.update(claims=saying(name="Người Khác")),
        "untrusted",
    ),
    "number stands with somebody else": (
        userinfo(
            citizen_id=None,
            _claim_names={"citizen_id": "s"},
            _claim_sources={"s": {"JWT": "e30.e30."}},
        ),
        "incomplete",
    ),
    "an organisation": (userinfo(account_type="organisation"), "organisation"),
    "level missing": (twisted("userinfo", without("eid_level")), "level"),
    "level 1": (userinfo(eid_level=1), "level"),
    "level in words": (userinfo(eid_level="Mức độ 2"), "level"),
    "level true": (userinfo(eid_level=True), "level"),
    "level 2.0": (userinfo(eid_level=2.0), "level"),
    "level is a list": (userinfo(eid_level=[2]), "level"),
    "level below nothing": (userinfo(eid_level=-2), "level"),
    "number missing": (twisted("userinfo", without("citizen_id")), "incomplete"),
    "number of eleven digits": (userinfo(citizen_id="03819000123"), "incomplete"),
    "number is a number": (userinfo(citizen_id=38190001234), "incomplete"),
    "number with a line break": (userinfo(citizen_id="038190001234\n"), "incomplete"),
    "number in other digits": (userinfo(citizen_id="٠٣٨١٩٠٠٠١٢٣٤"), "incomplete"),
    "name missing": (twisted("userinfo", without("name")), "incomplete"),
    "birth date missing": (twisted("userinfo", without("birthdate")), "incomplete"),
    "birth date that is none": (userinfo(birthdate="1990-02-30"), "incomplete"),
}
BOTH: dict[str, tuple[Fault, str]] = {
    "token endpoint down": (down("token"), "unreachable"),
    "token endpoint fails": (status("token", 503), "unreachable"),
    "token endpoint redirects": (status("token", 302), "misconfigured"),
    "client not known there": (status("token", 401), "misconfigured"),
    "userinfo down": (down("userinfo"), "unreachable"),
    "userinfo forbidden": (status("userinfo", 403), "misconfigured"),
    "userinfo not found": (status("userinfo", 404), "garbage"),
}
PLAIN: dict[str, tuple[Fault, str]] = {
    "token answer is HTML": (raw("token", b"<html>"), "garbage"),
    "token answer is a list": (raw("token", b"[]"), "garbage"),
    "token answer says a name twice": (
        raw("token", b'{"access_token":"a","access_token":"b"}'),
        "garbage",
    ),
    "token answer is nested without end": (
        raw("token", b'{"a":' * 9000 + b"1" + b"}" * 9000),
        "garbage",
    ),
    "token answer too long": (raw("token", b" " * 300_000 + b"{}"), "garbage"),
    "userinfo is no JSON": (raw("userinfo", b"\xff\xfe"), "garbage"),
    "token has a line break": (twisted("token", saying(access_token="a\r\nX: y")), "garbage"),
    "no access token": (twisted("token", without("access_token")), "garbage"),
    "token of another type": (twisted("token", saying(token_type="mac")), "garbage"),
}
DVCQG: dict[str, tuple[Fault, str]] = {
    **SIGNED,
    "no subject": (lacking("sub"), "untrusted"),
    "userinfo of nobody": (twisted("userinfo", without("sub")), "incomplete"),
    "account of the portal itself, without IAL": (
        twisted("userinfo", without("IAL", "loginIdp")),
        "level",
    ),
    "IAL null": (userinfo(IAL=None), "level"),
    "IAL 1": (userinfo(IAL=1), "level"),
    "an organisation": (userinfo(LoaiTaiKhoan=2), "organisation"),
    "number null": (userinfo(SoDinhDanh=None), "incomplete"),
    "old number of nine digits": (userinfo(SoDinhDanh="171234567"), "incomplete"),
    "birth date unreadable": (userinfo(NgayThangNamSinh="19901705"), "incomplete"),
}


def _sealed(stage: str, change: Callable[[dict[str, Any]], Any]) -> Fault:
    return twisted(f"{stage} sealed", change)


def _other_key(_told: dict[str, Any]) -> dict[str, str]:
    from cryptography.hazmat.primitives.asymmetric import rsa

    data, key = wrapped(b'{"access_token": "x"}', key=rsa.generate_private_key(65537, 2048))
    return {"data": data, "key": key}


def _cut(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda told: told | {name: base64.b64encode(base64.b64decode(told[name])[:-1]).decode()}


def _flipped(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def flip(told: dict[str, Any]) -> dict[str, Any]:
        body = bytearray(base64.b64decode(told[name]))
        body[-1] ^= 1
        return told | {name: base64.b64encode(bytes(body)).decode()}

    return flip


def _inside(plain: bytes, size: int = 32) -> Callable[[dict[str, Any]], dict[str, str]]:
    return lambda _told: dict(zip(("data", "key"), wrapped(plain, size=size), strict=True))


SEALED = {
    f"{stage}: {name}": (fault, "undecryptable")
    for stage in ("token", "userinfo")
    for name, fault in {
        "to another key": _sealed(stage, _other_key),
        "key cut": _sealed(stage, _cut("key")),
        "data cut": _sealed(stage, _cut("data")),
        "key flipped": _sealed(stage, _flipped("key")),
        "data flipped": _sealed(stage, _flipped("data")),
        "no key": _sealed(stage, without("key")),
        "data is a number": _sealed(stage, saying(data=5)),
        "data empty": _sealed(stage, saying(data="")),
        "no base64": _sealed(stage, saying(key="!!!")),
        "in plain": _sealed(stage, lambda _told: {"access_token": "the-vao", "citizenPid": "0"}),
        "plain HTML": raw(stage, b"<html>"),
        "no JSON inside": _sealed(stage, _inside(b"xin chao")),
        "a name twice inside": _sealed(stage, _inside(b'{"a": 1, "a": 2}')),
        "AES key of 8 bytes": lambda at, stage=stage: at.raw.update({stage: _short_key()}),
    }.items()
}


def _short_key() -> bytes:
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    from tests.upstream import ours

    data, _ = wrapped(b'{"access_token": "the-vao"}')
    key = base64.b64encode(ours().public_key().encrypt(b"12345678", PKCS1v15())).decode()
    return json.dumps({"data": data, "key": key}).encode()


VNEID: dict[str, tuple[Fault, str]] = {
    **SEALED,
    "level 1": (userinfo(accountLevel=1), "level"),
    "level missing": (twisted("userinfo", without("accountLevel")), "level"),
    "an organisation": (userinfo(accountType=2), "organisation"),
    "number missing": (twisted("userinfo", without("citizenPid")), "incomplete"),
    "name missing": (twisted("userinfo", without("fullName")), "incomplete"),
    "birth date backwards": (userinfo(birthDate="17-05-1990"), "incomplete"),
}
TABLE = [
    *(("standard", name, *row) for name, row in (STANDARD | BOTH | PLAIN).items()),
    *(("dvcqg", name, *row) for name, row in (DVCQG | BOTH | PLAIN).items()),
    *(("vneid2026", name, *row) for name, row in (VNEID | BOTH).items()),
]


@pytest.fixture(autouse=True)
def _no_number_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert NUMBER not in caplog.text


@pytest.mark.parametrize(
    ("profile", "fault", "why"),
    [(profile, fault, why) for profile, _, fault, why in TABLE],
    ids=[f"{profile}: {name}" for profile, name, _, _ in TABLE],
)
def test_a_fault_of_upstream_lets_nobody_in(
    services: Any, clock: Any, app: Flask, profile: str, fault: Fault, why: str
) -> None:
    eid = build(services, clock, app, profile)
    fault(eid.at)
    browser = eid.browser()
    page = browser.get("/login?return_to=/portal/profile", follow_redirects=True)
    over = eid.press(browser, page.request.path)
    answer = over
    if over.status_code == 303:
        answer = eid.back(browser, eid.at.authorize(over.headers["Location"]))
    eid.refused(answer, why)


BROUGHT: dict[str, tuple[str, dict[str, str | None], str]] = {
    "error": ("standard", {"error": "access_denied", "code": None}, "declined"),
    "error beside a code": ("standard", {"error": "access_denied"}, "declined"),
    "unknown error": ("standard", {"error": "x" * 50, "code": None}, "callback"),
    "upstream is busy": ("standard", {"error": "temporarily_unavailable"}, "unreachable"),
    "no code": ("standard", {"code": None}, "callback"),
    "empty code": ("standard", {"code": ""}, "callback"),
    "code with a blank": ("standard", {"code": "a b"}, "callback"),
    "unknown code": ("standard", {"code": "la"}, "code_refused"),
    "another issuer": ("standard", {"iss": "https://xa.example"}, "untrusted"),
    "issuer promised and not there": ("standard", {"iss": None}, "untrusted"),
    "dvcqg: error": ("dvcqg", {"error": "access_denied", "code": None}, "declined"),
    "dvcqg: unknown code": ("dvcqg", {"code": "la"}, "code_refused"),
    "vneid2026: no code": ("vneid2026", {"code": None}, "callback"),
    "vneid2026: no key": ("vneid2026", {"encrypt_key": None}, "undecryptable"),
    "vneid2026: code in plain": ("vneid2026", {"code": "00000000-0000.1"}, "undecryptable"),
    "vneid2026: broken encoding": ("vneid2026", {"code": "%zz"}, "callback"),
    "vneid2026: error": ("vneid2026", {"error": "access_denied", "code": None}, "declined"),
}


@pytest.mark.parametrize(("profile", "said", "why"), BROUGHT.values(), ids=BROUGHT.keys())
def test_what_a_browser_brings_is_not_believed(
    services: Any, clock: Any, app: Flask, profile: str, said: dict[str, str | None], why: str
) -> None:
    eid = build(services, clock, app, profile)
    browser = eid.browser()
    eid.refused(eid.back(browser, eid.at.authorize(eid.leave(browser), **said)), why)


def test_a_parameter_twice_is_not_believed(services: Any, clock: Any, app: Flask) -> None:
    eid = build(services, clock, app)
    browser = eid.browser()
    query = eid.at.authorize(eid.leave(browser))
    eid.refused(eid.back(browser, query + "&code=khac"), "callback")


def test_a_plus_in_the_code_is_a_plus(services: Any, clock: Any, app: Flask) -> None:
    """What Flask has decoded by then has a blank there."""
    eid = build(services, clock, app, "vneid2026")
    browser = eid.browser()
    query = eid.at.authorize(eid.leave(browser))
    assert "+" in query
    assert eid.back(browser, query).status_code == 303


def test_whoever_is_away_too_long_begins_again(services: Any, clock: Any, app: Flask) -> None:
    eid = build(services, clock, app)
    browser = eid.browser()
    query = eid.at.authorize(eid.leave(browser))
    clock.advance(minutes=10)
    eid.refused(eid.back(browser, query), "too_late")
    assert "token" not in eid.at.calls


def test_too_many_at_once_are_told_so(
    services: Any, clock: Any, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    from connectors.eid import calling

    monkeypatch.setattr(calling, "_places", threading.BoundedSemaphore(1))
    monkeypatch.setattr(calling, "PATIENCE", 0)
    eid = build(services, clock, app)
    browser = eid.browser()
    page = browser.get("/login?return_to=/portal/profile", follow_redirects=True)
    with calling.speaking():
        eid.refused(eid.press(browser, page.request.path), "busy")
