"""The simulator of e-identification providers: what it says when all is well, and its faults.

Every fault of the registry is chosen once in each of its profiles. It must really be on the wire
(``ON_THE_WIRE``, by what a relying party receives), and a relying party that takes nothing on
trust (``tests/strict_relying_party.py``) must do what the registry says a correct one does.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote

import pytest

from dinhdanh.eid_simulator.faults.fault import Expected, Fault
from dinhdanh.eid_simulator.faults.registry import FAULTS
from dinhdanh.eid_simulator.people import PEOPLE
from dinhdanh.eid_simulator.running import Simulator, simulate
from tests.strict_relying_party import CALLBACK, HTTP, Person, Refused, RelyingParty, Wire

PROFILES = ("standard", "dvcqg", "vneid2026")
CLIENT = ("demo", "simulation-only")
WHO = "thuy"
"""Whose name has a tone that can stand in two places."""


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    with simulate() as made:
        yield made


@pytest.fixture(scope="module")
def well(sim: Simulator) -> dict[str, Wire]:
    """A sign-in in which nothing went wrong, by profile."""
    found = {}
    for profile in PROFILES:
        relying = party(sim, profile)
        sim.control.next(person=WHO)
        relying.sign_in()
        found[profile] = relying.wire
    return found


@pytest.fixture(autouse=True)
def _cleared(sim: Simulator) -> Iterator[None]:
    yield
    sim.control.clear()


def records() -> list[Person]:
    return [Person(each.full_name, each.birth_date, each.citizen_number) for each in PEOPLE]


def party(sim: Simulator, prefix: str) -> RelyingParty:
    key = sim.application.simulation.demo_private_key  # its PEM takes 30 ms to load
    return RelyingParty(sim, prefix, CLIENT, records(), key)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "person", [each for each in PEOPLE if each.level == 2], ids=lambda p: p.key
)
def test_each_person_signs_in_by_each_profile(sim: Simulator, profile: str, person) -> None:
    relying = party(sim, profile)
    sim.control.next(person=person.key, provider=profile, times=2)
    assert relying.sign_in().full_name == person.full_name
    assert relying.sign_in().number == person.citizen_number


@pytest.mark.parametrize("profile", PROFILES)
def test_a_level_1_account_says_so(sim: Simulator, profile: str) -> None:
    relying = party(sim, profile)
    sim.control.next(person="binh")
    with pytest.raises(Refused, match="level"):
        relying.sign_in()


def test_the_portals_own_account_says_everything_but_a_level(sim: Simulator) -> None:
    relying = party(sim, "dvcqg")
    sim.control.next(person="huong", account="dvcqg")
    with pytest.raises(Refused, match="level"):
        relying.sign_in()
    said = relying.wire.userinfo
    assert {"IAL", "loginIdp"}.isdisjoint(said)
    assert said["GioiTinh"] == 2
    assert len(said) > 30
    assert said["DanToc"] is None


def test_of_many_who_redeem_one_code_at_once_one_is_given_a_token(sim: Simulator) -> None:
    relying = party(sim, "dvcqg")
    sim.control.next(person=WHO)
    relying._browse("state", "", "")
    code, _ = relying._callback("state")
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "client_id": CLIENT[0],
        "client_secret": CLIENT[1],
    }
    address = sim.provider("dvcqg").address("token")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: HTTP.post(address, data=form).status_code, range(16)))
    assert sorted(found) == [200, *[400] * 15]


# ---- faults ------------------------------------------------------------------------------------


def _raw_json(raw: bytes) -> dict:
    return json.loads(raw)


def _said(wire: Wire) -> dict[str, object]:
    """The person's data under one set of names."""
    claims = wire.userinfo
    names = {
        "citizen_id": "number",
        "SoDinhDanh": "number",
        "citizenPid": "number",
        "name": "name",
        "HoVaTen": "name",
        "fullName": "name",
        "birthdate": "born",
        "NgayThangNamSinh": "born",
        "birthDate": "born",
        "eid_level": "level",
        "IAL": "level",
        "accountLevel": "level",
        "account_type": "kind",
        "LoaiTaiKhoan": "kind",
        "accountType": "kind",
        "sub": "sub",
    }
    return {names[name]: value for name, value in claims.items() if name in names}


ME = next(each for each in PEOPLE if each.key == WHO)
OTHER = next(each for each in PEOPLE if each.key != WHO)
Seen = Callable[[Wire, Wire], bool]
"""Of a sign-in with a fault, and of one without."""


def _opens(wire: Wire) -> bool:
    return bool(wire.userinfo)


def _envelope(
    raw: Callable[[Wire], dict[str, str]], cleared: Callable[[Wire], object]
) -> dict[str, Seen]:
    """What can be seen of a broken envelope without its key."""

    def closed(wire: Wire, _well: Wire) -> bool:
        sealed = raw(wire)
        return set(sealed) == {"data", "key"} and not cleared(wire)

    return {
        "key_other": closed,
        "pkcs1_padding": closed,
        "aes_key_length": closed,
        "aes_padding": closed,
        "aes_blocks": lambda w, _: len(re.sub("=", "", raw(w)["data"])) * 3 // 4 % 16 != 0,
        "base64_broken": lambda w, _: "*" in raw(w)["data"],
        "key_missing": lambda w, _: set(raw(w)) == {"data"},
        "data_missing": lambda w, _: set(raw(w)) == {"key"},
        "not_json": closed,
        "plain": lambda w, _: "data" not in raw(w) or "." in raw(w)["data"],
    }


def _in_callback(wire: Wire) -> dict[str, str]:
    names = {"code": "data", "encrypt_key": "key"}
    return {names[n]: unquote(v) for n, v in wire.callback if n in names}


ENVELOPES = {
    "code": _envelope(_in_callback, lambda w: w.token_raw),
    "token": _envelope(lambda w: _raw_json(w.token_raw), lambda w: w.token),
    "userinfo": _envelope(lambda w: _raw_json(w.userinfo_raw), lambda w: w.userinfo),
}


BROKEN_OFF = ("ReadError", "WriteError", "RemoteProtocolError")
"""A connection that ends without an answer, by what its client was at when it ended."""


def _transport(endpoint: str) -> dict[str, Seen]:
    def raw(wire: Wire) -> bytes:
        return wire.token_raw if endpoint == "token" else wire.userinfo_raw

    def status(wire: Wire) -> int:
        return wire.token_status if endpoint == "token" else wire.userinfo_status

    def failed(*names: str) -> Seen:
        return lambda wire, _: wire.failed.split(" ")[0] in names and wire.failed.endswith(endpoint)

    broken_off = failed(*BROKEN_OFF)
    return {
        "slow": failed("ReadTimeout"),
        "reset": broken_off,
        "cut": broken_off,
        "unavailable": lambda w, _: status(w) == 503 and b"<html" not in raw(w)[:1],
        "html": lambda w, _: status(w) == 200 and raw(w).startswith(b"<!doctype"),
        "json_truncated": lambda w, _: raw(w).startswith(b"{") and not raw(w).endswith(b"}"),
        "json_list": lambda w, _: raw(w).startswith(b"[{"),
        "json_twice": lambda w, _: raw(w).count(raw(w).split(b'"', 2)[1] + b'": "') > 1,
        "huge": lambda w, _: w.failed.startswith("too long") and w.failed.endswith(endpoint),
        "not_utf8": lambda w, _: b"\xff\xfe" in raw(w),
    }


ON_THE_WIRE: dict[str, Seen] = {
    # on the way back
    "state_missing": lambda w, _: w.raw("state") == [] and len(w.raw("code")) == 1,
    "state_other": lambda w, _: len(w.raw("state")) == 1 and w.raw("state") != [w.state],
    "state_twice": lambda w, _: w.raw("state") == [w.state, "another-state"],
    "code_missing": lambda w, _: w.raw("code") == [] and w.raw("state") == [w.state],
    "code_twice": lambda w, _: len(w.raw("code")) == 2,
    "code_used": lambda w, _: w.token_status == 400 and b"invalid_grant" in w.token_raw,
    "code_expired": lambda w, _: w.token_status == 400 and b"invalid_grant" in w.token_raw,
    "code_of_another_client": lambda w, _: (
        w.token_status == 400 and b"invalid_grant" in w.token_raw
    ),
    "issuer_missing": lambda w, _: w.raw("iss") == [],
    "issuer_other": lambda w, _: "another-issuer" in w.raw("iss")[0],
    "access_denied": lambda w, _: w.raw("error") == ["access_denied"] and not w.raw("code"),
    "error_odd": lambda w, _: "%0D%0A" in w.raw("error_description")[0] and "%00" in w.location,
    "callback_method_other": lambda w, _: w.form is not None and w.form["state"] == w.state,
    "in_another_browser": lambda w, _: w.location == "" and "code=" in w.shown,
    "more_parameters": lambda w, _: w.raw("lang") == ["vi"],
    "plus_as_space": lambda w, well: "%20" in w.raw("code")[0] and "+" in well.raw("code")[0],
    "plus_encoded": lambda w, _: "%2B" in w.raw("code")[0] and "+" not in w.location,
    # A connection that is being made when the port closes is broken off.
    "down": lambda w, _: w.failed.startswith(("ConnectError", *BROKEN_OFF)),
    # answers
    "token_type_other": lambda w, _: w.token["token_type"] == "mac",
    "token_type_small": lambda w, _: w.token["token_type"] == "bearer",
    "expires_in_missing": lambda w, well: (
        "expires_in" not in w.token and "expires_in" in well.token
    ),
    "expires_in_text": lambda w, _: w.token["expires_in"] == "300",
    "access_token_missing": lambda w, _: "access_token" not in w.token,
    "id_token_missing": lambda w, _: "id_token" not in w.token,
    "token_redirect": lambda w, _: w.token_status == 307 and "location" in w.token_headers,
    "token_error": lambda w, _: w.token_status == 401,
    "userinfo_subject_other": lambda w, _: w.userinfo["sub"] != w.claims["sub"],
    "userinfo_subject_missing": lambda w, _: "sub" not in w.userinfo,
    "aggregated_claims": lambda w, _: "_claim_sources" in w.userinfo,
    # id_token
    "signature_of_another_key": lambda w, _: w.header["kid"].encode() in w.documents["jwks"],
    "kid_unknown": lambda w, _: w.header["kid"].encode() not in w.documents["jwks"],
    "kid_missing": lambda w, _: "kid" not in w.header,
    "alg_none": lambda w, _: w.header == {"alg": "none"} and w.token["id_token"].endswith("."),
    "alg_hmac_with_public_key": lambda w, _: w.header["alg"] == "HS256" and "kid" in w.header,
    "alg_hmac_with_secret": lambda w, _: w.header["alg"] == "HS256" and "kid" not in w.header,
    "key_in_header": lambda w, _: w.header["jwk"]["kid"] == w.header["kid"],
    "critical_header": lambda w, _: w.header["crit"] == ["unheard-of"],
    "key_rotated": lambda w, well: w.header["kid"] != well.header["kid"] and bool(w.userinfo),
    "token_issuer_other": lambda w, well: w.claims["iss"] != well.claims["iss"],
    "audience_other": lambda w, _: w.claims["aud"] == "somebody-else",
    "audience_many": lambda w, _: len(w.claims["aud"]) == 2 and "azp" not in w.claims,
    "authorized_party_other": lambda w, _: w.claims["azp"] == "somebody-else",
    "nonce_missing": lambda w, well: "nonce" not in w.claims and "nonce" in well.claims,
    "nonce_other": lambda w, _: w.claims["nonce"] == "another-nonce",
    "at_hash_other": lambda w, _: len(w.claims["at_hash"]) == 22,
    "c_hash_other": lambda w, _: len(w.claims["c_hash"]) == 22,
    "token_expired": lambda w, well: w.claims["exp"] < well.claims["iat"],
    "token_not_yet": lambda w, well: w.claims["nbf"] > well.claims["exp"],
    "expiry_missing": lambda w, _: "exp" not in w.claims,
    "token_subject_missing": lambda w, _: "sub" not in w.claims,
    "auth_time_old": lambda w, _: w.claims["auth_time"] < w.claims["iat"] - 80_000,
    "auth_time_missing": lambda w, _: "auth_time" not in w.claims,
    "acr_lower": lambda w, well: (
        (w.claims["acr"], well.claims["acr"]) == ("urn:vn:aal:1", "urn:vn:aal:2")
    ),
    "acr_missing": lambda w, _: "acr" not in w.claims,
    "portal_token_wrong": lambda w, well: w.header == well.header and bool(w.userinfo),
    "portal_subject_other": lambda w, _: w.claims["sub"] != w.userinfo["sub"],
    # the person
    "number_changed": lambda w, well: (
        _said(w)["number"].endswith("999999") and _said(w)["sub"] == _said(well)["sub"]
    ),
    "number_of_another": lambda w, _: (
        _said(w)["number"] == OTHER.citizen_number and _said(w)["name"] == ME.full_name
    ),
    "subject_recycled": lambda w, well: (
        _said(w)["number"] == OTHER.citizen_number
        and _said(w)["name"] == OTHER.full_name
        and _said(w)["sub"] == _said(well)["sub"]
    ),
    "subject_changed": lambda w, well: _said(w)["sub"] != _said(well)["sub"],
    "number_missing": lambda w, _: "number" not in _said(w) and _opens(w),
    "number_malformed": lambda w, _: _said(w)["number"].endswith("X"),
    "number_of_nine": lambda w, _: len(_said(w)["number"]) == 9,
    "number_not_text": lambda w, _: _said(w)["number"] == int(ME.citizen_number),
    "level_1": lambda w, _: _said(w)["level"] == 1,
    "level_missing": lambda w, _: "level" not in _said(w) and _opens(w),
    "level_as_text": lambda w, _: _said(w)["level"] == "2",
    "level_in_words": lambda w, _: _said(w)["level"] == "Mức độ 2",
    "level_true": lambda w, _: _said(w)["level"] is True,
    "organisation_account": lambda w, _: _said(w)["kind"] in (2, "organisation"),
    "name_different": lambda w, _: _said(w)["name"] not in ("", ME.full_name),
    "name_missing": lambda w, _: _said(w)["name"] == "",
    "name_in_capitals": lambda w, _: _said(w)["name"] == "LÊ THỊ THUỶ",
    "name_decomposed": lambda w, _: (
        _said(w)["name"] == unicodedata.normalize("NFD", ME.full_name)
        and _said(w)["name"] != ME.full_name
    ),
    "name_tone_elsewhere": lambda w, _: _said(w)["name"] == "Lê Thị Thủy",
    "name_without_marks": lambda w, _: _said(w)["name"] == "Le Thi Thuy",
    "birth_date_different": lambda w, _: "1991" in _said(w)["born"],
    "birth_year_only": lambda w, _: _said(w)["born"] == "1990",
    "birth_date_written_otherwise": lambda w, _: _said(w)["born"] == "05-01-1990",
    "birth_date_missing": lambda w, _: _said(w)["born"] == "",
    # encryption, transport
    **{
        f"{place}_{name}": seen
        for place, kinds in ENVELOPES.items()
        for name, seen in kinds.items()
    },
    **{
        f"{endpoint}_{name}": seen
        for endpoint in ("token", "userinfo")
        for name, seen in _transport(endpoint).items()
    },
    # documents
    "discovery_issuer_other": lambda w, _: b"another-issuer" in w.documents["openid-configuration"],
    "discovery_token_elsewhere": lambda w, _: (
        b"another-issuer.invalid/token" in w.documents["openid-configuration"]
    ),
    "discovery_html": lambda w, _: w.documents["openid-configuration"].startswith(b"<!doctype"),
    "discovery_unavailable": lambda w, _: "openid-configuration" in w.documents,
    "jwks_empty": lambda w, _: _raw_json(w.documents["jwks"]) == {"keys": []},
    "jwks_html": lambda w, _: w.documents["jwks"].startswith(b"<!doctype"),
    "jwks_unavailable": lambda w, _: "jwks" in w.documents,
    "jwks_cut": lambda w, _: w.failed.endswith("jwks"),
    "jwks_odd_keys": lambda w, _: b"unheard-of" in w.documents["jwks"],
}
"""Only ``code_data_missing`` and ``code_not_json`` are no faults: a code alone is another code."""
for _name in ("code_data_missing", "code_not_json"):
    del ON_THE_WIRE[_name]

TABLE = [(fault, profile) for fault in FAULTS.values() for profile in fault.profiles]


def test_the_table_speaks_of_every_fault() -> None:
    assert set(ON_THE_WIRE) == set(FAULTS)
    assert len(FAULTS) >= 30


@pytest.mark.parametrize(("fault", "profile"), TABLE, ids=[f"{f.code}-{p}" for f, p in TABLE])
def test_a_fault_happens_on_the_wire_and_is_met_as_the_table_says(
    sim: Simulator, well: dict[str, Wire], fault: Fault, profile: str
) -> None:
    relying = party(sim, profile)
    if fault.per_sign_in:
        linked = next(each for each in relying.people if each.number == ME.citizen_number)
        linked.subject = _said(well[profile]).get("sub", ME.citizen_number)
        sim.control.next(person=WHO, faults=[fault.code], seconds=30)
    else:
        sim.control.always([fault.code])
        sim.control.next(person=WHO)
    if fault.code.endswith("_slow"):
        relying.patience = {fault.code.removesuffix("_slow"): 0.3}
    try:
        relying.sign_in()
        refused = False
    except Refused:
        refused = True
    assert ON_THE_WIRE[fault.code](relying.wire, well[profile]), str(relying.wire)
    if fault.expected is not Expected.EITHER:
        assert refused is (fault.expected is Expected.REFUSE)
    assert [call for call in sim.control.calls() if call["endpoint"] == "elsewhere"] == []


@pytest.mark.parametrize("code", ["down", "jwks_html", "discovery_issuer_other"])
def test_all_is_well_again_when_a_fault_is_taken_back(sim: Simulator, code: str) -> None:
    if FAULTS[code].per_sign_in:
        sim.control.down(60)
    else:
        sim.control.always([code])
    sim.control.clear()
    sim.control.next(person=WHO)
    assert party(sim, "standard").sign_in().number == ME.citizen_number
