"""The relying-party plans of the OpenID Foundation's conformance suite, module by module, against the
``standard`` profile: what the suite's provider does in each, and what a relying party must answer.

The provider is as bare as the suite's: an issuer that ends in a slash, RS256, an ID token with nothing
but what OIDC Core §2 demands, everything else at userinfo. Each sign-in begins at the address that wants
no click. Modules that are not about a relying party of the code flow with a client registered by hand
(WebFinger, dynamic registration, ``request_uri``, other response modes and types) are not here.
"""

import base64
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.bent import bent
from tests.eid_world import EidWorld, build
from tests.upstream import Upstream, half, saying, without

Fault = Callable[[Upstream], Any]
SUITE = "https://suite.example/test/a/dinhdanh/"
IN = "accepted"
BARE = ("iss", "sub", "aud", "iat", "exp", "nonce")


@pytest.fixture
def settings(make_settings: Any) -> Any:
    return make_settings(eid_start_addresses=True)


@pytest.fixture
def eid(services: Any, clock: Any, app: Flask) -> EidWorld:
    made = build(services, clock, app)
    at = Upstream(clock, issuer=SUITE, alg="RS256", published=[("RS256", "k1")])
    at.twist["metadata"] = without("authorization_response_iss_parameter_supported")
    at.twist["claims"] = only(BARE)
    made.add(at, "suite", fresh=False)
    return made


@pytest.fixture
def at(eid: EidWorld) -> Upstream:
    return eid.others[0]


def only(names: tuple[str, ...], **others: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda told: {name: told[name] for name in names} | others


def start(eid: EidWorld, browser: FlaskClient, at: Upstream) -> TestResponse:
    """One sign-in, as far as upstream has anything to do with it."""
    over = browser.get("/login/eid/suite/start")
    if over.status_code != 303:
        return over
    return eid.back(browser, at.authorize(over.headers["Location"], iss=None), "suite")


def let_in(browser: FlaskClient, answer: TestResponse) -> None:
    assert answer.status_code == 303, answer.text
    assert "Đúng là tôi" in browser.get(answer.headers["Location"]).text


# ---- what the suite's provider does -------------------------------------------------------------


def nothing(_at: Upstream) -> None:
    """It behaves."""


def says(**others: Any) -> Fault:
    return lambda at: at.twist.update(claims=only(BARE, **others))


def lacks(name: str) -> Fault:
    return lambda at: at.twist.update(claims=only(tuple(one for one in BARE if one != name)))


def person(**others: Any) -> Fault:
    return lambda at: at.twist.update(userinfo=saying(**others))


def signed_badly(alg: str, published: list[tuple[str, str]]) -> Fault:
    """The right algorithm and the right name of the key, and a signature that is none."""

    def spoil(at: Upstream) -> None:
        at.alg, at.published = alg, published

        at.twist["token"] = lambda told: told | {"id_token": cut(told["id_token"])}

    return spoil


def unsigned(at: Upstream) -> None:
    at.twist["header"] = lambda _header: {"alg": "none"}


def nameless(*published: tuple[str, str]) -> Fault:
    """Keys without ``kid``, and a signature that names none."""

    def strip(at: Upstream) -> None:
        at.published, at.kid = list(published), None
        at.twist["keys"] = lambda told: {"keys": [without("kid")(key) for key in told["keys"]]}

    return strip


def strange_keys(at: Upstream) -> None:
    """Beside its own, of kinds that nobody here knows."""
    strange = [
        {"kty": "XYZ", "kid": "k1"},
        {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA", "kid": "k1"},
        {"kty": "RSA", "kid": "k1", "use": "enc", "n": "AQAB", "e": "AQAB"},
        {"kid": "k1"},
        {},
    ]
    at.twist["keys"] = lambda told: {"keys": [*strange, *told["keys"]]}


def keys_elsewhere(at: Upstream) -> None:
    """Where they are stands in its metadata and can be guessed by nobody."""
    where, before = f"{SUITE}{secrets.token_hex(8)}/jwks", at.twist["metadata"]
    at.twist["metadata"] = lambda told: before(told) | {"jwks_uri": where}


def other_issuer(at: Upstream) -> None:
    at.twist["metadata"] = saying(issuer=SUITE.rstrip("/"))


def rotated_just_before_signing(at: Upstream) -> None:
    """Between the authorization request and the token; what was published before is gone."""
    before = at.twist["claims"]

    def rotate(told: dict[str, Any]) -> dict[str, Any]:
        at.published, at.kid = [("RS256", "k2")], "k2"
        return before(told)

    at.twist["claims"] = rotate


def signs_userinfo(at: Upstream, **others: Any) -> None:
    at.signs = True
    at.twist["userinfo"] = saying(**others)


def elsewhere(source: dict[str, str]) -> Fault:
    """Claims that somebody else is said to vouch for (OIDC Core §5.6.2)."""
    names = {"name": "src", "citizen_id": "src", "credit_score": "src"}
    return person(_claim_names=names, _claim_sources={"src": source})


BASIC: dict[str, tuple[Fault, str]] = {
    "client-test": (nothing, IN),
    "invalid-iss": (says(iss="https://suite.example/test/a/khac/"), "untrusted"),
    "missing-sub": (lacks("sub"), "incomplete"),
    "invalid-aud": (says(aud="ai-khac"), "untrusted"),
    "missing-aud": (lacks("aud"), "untrusted"),
    "missing-iat": (lacks("iat"), "untrusted"),
    "kid-absent-single-jwks": (nameless(("RS256", "k1")), IN),
    # Either is allowed: refused, or each tried until one fits.
    "kid-absent-multiple-jwks": (nameless(("RS256", "k0"), ("RS256", "k1")), IN),
    "idtoken-sig-rs256": (nothing, IN),
    # The suite calls it skipped: who takes no unsigned ID token does well.
    "idtoken-sig-none": (unsigned, "untrusted"),
    "invalid-sig-rs256": (signed_badly("RS256", [("RS256", "k1")]), "untrusted"),
    "invalid-sig-es256": (signed_badly("ES256", [("ES256", "k1")]), "untrusted"),
    "invalid-sig-hs256": (signed_badly("HS256", []), "untrusted"),
    "userinfo-invalid-sub": (person(sub="khác"), "untrusted"),
    "nonce-invalid": (says(nonce="khác"), "untrusted"),
    "scope-userinfo-claims": (nothing, IN),
    "client-secret-basic": (nothing, IN),
    "userinfo-bearer-header": (nothing, IN),
    "aggregated-claims": (elsewhere({"JWT": "e30.e30."}), IN),
    "distributed-claims": (elsewhere({"endpoint": "https://xa.example/"}), IN),
    "invalid-athash": (says(at_hash=half("khác")), "untrusted"),
    "invalid-chash": (says(c_hash=half("khác")), "untrusted"),
    "missing-athash": (nothing, IN),  # optional in the code flow
}
CONFIG: dict[str, tuple[Fault, str]] = {
    "discovery-openid-config": (nothing, IN),
    "discovery-jwks-uri-keys": (keys_elsewhere, IN),
    "discovery-issuer-mismatch": (other_issuer, "untrusted"),
    "signing-key-rotation-just-before-signing": (rotated_just_before_signing, IN),
}
DYNAMIC: dict[str, tuple[Fault, str]] = {
    "userinfo-signed": (signs_userinfo, IN),
}
BESIDE: dict[str, tuple[Fault, str]] = {
    "signed properly with the client secret": (lambda at: setattr(at, "alg", "HS256"), "untrusted"),
    "keys of unknown kinds": (strange_keys, IN),
    "kid that is not published": (lambda at: setattr(at, "kid", "k9"), "untrusted"),
    "signed userinfo of another issuer": (
        lambda at: signs_userinfo(at, iss="https://xa.example"),
        "untrusted",
    ),
    "signed userinfo for another": (lambda at: signs_userinfo(at, aud="ai-khac"), "untrusted"),
    "signed userinfo of another person": (lambda at: signs_userinfo(at, sub="khác"), "untrusted"),
    "signed userinfo that has ended": (lambda at: signs_userinfo(at, exp=1), "untrusted"),
}


@pytest.mark.parametrize(
    ("fault", "outcome"),
    (BASIC | CONFIG | DYNAMIC | BESIDE).values(),
    ids=(BASIC | CONFIG | DYNAMIC | BESIDE).keys(),
)
def test_a_module(eid: EidWorld, at: Upstream, fault: Fault, outcome: str) -> None:
    fault(at)
    browser = eid.browser()
    answer = start(eid, browser, at)
    if outcome == IN:
        let_in(browser, answer)
    else:
        eid.refused(answer, outcome)


def test_signing_key_rotation(eid: EidWorld, at: Upstream) -> None:
    """Signed in, the keys replaced without notice, and signed in again: fetched anew, once."""
    let_in(browser := eid.browser(), start(eid, browser, at))
    at.published, at.kid = [("RS256", "k2")], "k2"
    let_in(browser := eid.browser(), start(eid, browser, at))
    assert at.calls.count("keys") == 2


@pytest.mark.parametrize("kid", ["k1", None])
def test_a_key_replaced_under_its_name_is_fetched_anew(
    eid: EidWorld, at: Upstream, kid: str | None
) -> None:
    at.kid = kid
    let_in(browser := eid.browser(), start(eid, browser, at))
    at.published, at.kid = [("RS256", "k2")], "k2"
    at.twist["keys"] = lambda told: {"keys": [key | {"kid": "k1"} for key in told["keys"]]}
    at.twist["header"] = lambda header: {"alg": header["alg"]} | ({"kid": kid} if kid else {})
    let_in(browser := eid.browser(), start(eid, browser, at))
    assert at.calls.count("keys") == 2


def test_what_no_key_has_signed_makes_us_fetch_once(eid: EidWorld, at: Upstream) -> None:
    let_in(browser := eid.browser(), start(eid, browser, at))
    signed_badly("RS256", [("RS256", "k1")])(at)
    for _ in range(3):
        eid.refused(start(eid, eid.browser(), at), "untrusted")
    assert at.calls.count("keys") == 2


def cut(text: str) -> str:
    """The signature is another."""
    head, body, tail = text.split(".")
    return f"{head}.{body}.{bent(tail)}"


def bare_json(text: str) -> str:
    """What was signed, without it, under the same media type."""
    body = text.split(".")[1]
    return base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode()


@pytest.mark.parametrize(
    "spoil",
    [
        cut,
        bare_json,
        lambda text: f"eyJhbGciOiJub25lIn0.{text.split('.')[1]}.",
        lambda _: "xin chào",
    ],
    ids=["another signature", "plain JSON", "alg none", "words"],
)
def test_signed_userinfo_that_nobody_signed_is_refused(
    eid: EidWorld, at: Upstream, spoil: Callable[[str], str]
) -> None:
    at.signs = True
    at.twist["userinfo signed"] = spoil
    eid.refused(start(eid, eid.browser(), at), "untrusted")


@pytest.mark.parametrize("iss", ["https://xa.example/", SUITE.rstrip("/"), ""])
def test_an_answer_that_names_another_issuer_is_refused(
    eid: EidWorld, at: Upstream, iss: str
) -> None:
    """RFC 9207 §2.4, by simple comparison, whether it was promised or not."""
    browser = eid.browser()
    over = browser.get("/login/eid/suite/start")
    answer = eid.back(browser, at.authorize(over.headers["Location"], iss=iss), "suite")
    eid.refused(answer, "untrusted")
    assert "token" not in at.calls


# ---- the address that begins a sign-in ----------------------------------------------------------


def test_a_third_party_may_begin_it_by_the_issuer(eid: EidWorld) -> None:
    """OIDC Core §4: ``iss`` says whom to sign in at; where to go afterwards we do not let others say."""
    asked = {"iss": SUITE, "login_hint": "ai", "target_link_uri": "https://xa.example/"}
    over = eid.browser().get("/login/eid/suite/start", query_string=asked)
    assert over.status_code == 303
    assert over.headers["Location"].startswith(f"{SUITE}authorize?")
    assert "xa.example" not in over.headers["Location"]


@pytest.mark.parametrize("iss", ["https://xa.example/", SUITE.rstrip("/"), ""])
def test_not_by_the_issuer_of_another(eid: EidWorld, at: Upstream, iss: str) -> None:
    begun = eid.browser().get("/login/eid/suite/start", query_string={"iss": iss})
    assert begun.status_code == 404
    assert at.calls == []


def test_what_a_page_embeds_begins_nothing(eid: EidWorld, at: Upstream) -> None:
    """A picture or a frame on somebody's page would use up the visits of whoever looks at it."""
    for mode, place in (("no-cors", "image"), ("cors", "empty"), ("navigate", "iframe")):
        said = {"Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": place}
        assert eid.browser().get("/login/eid/suite/start", headers=said).status_code == 404
    assert at.calls == []
    said = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert eid.browser().get("/login/eid/suite/start", headers=said).status_code == 303


def test_what_began_in_one_browser_ends_in_no_other(eid: EidWorld, at: Upstream) -> None:
    over = eid.browser().get("/login/eid/suite/start")
    answer = eid.back(eid.browser(), at.authorize(over.headers["Location"], iss=None), "suite")
    assert answer.status_code == 404
    assert "token" not in at.calls
    eid.nothing_is_left()


def test_it_is_throttled_as_every_visit_is(eid: EidWorld) -> None:
    eid.world.services.settings.unfinished_visits = 3
    answers = [eid.browser().get("/login/eid/suite/start").status_code for _ in range(5)]
    assert answers == [303, 303, 303, 429, 429]


def test_who_is_signed_in_stays_so_whatever_is_begun(eid: EidWorld, at: Upstream) -> None:
    browser = eid.browser()
    eid.link(browser)
    before = eid.session_of()
    says(nonce="khác")(at)
    assert start(eid, browser, at).status_code == 422
    after = eid.session_of()
    assert before is not None
    assert after is not None
    assert after.id == before.id
    assert browser.get("/portal/profile").status_code == 200


def test_off_it_is_nowhere(eid: EidWorld, at: Upstream) -> None:
    eid.world.services.settings.eid_start_addresses = False
    begun = eid.browser().get("/login/eid/suite/start", query_string={"iss": SUITE})
    assert begun.status_code == 404
    assert at.calls == []
