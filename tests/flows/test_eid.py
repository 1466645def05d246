"""Signing in by an electronic identity, from the page to the session, on every profile."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask

from directory.people import User
from idp.factors import registry
from idp.oidc.clients import Options
from tests.browser_client import open_login
from tests.eid_world import EidWorld, build
from tests.relying_party import Flow
from tests.upstream import NUMBER

PROFILES = ("standard", "dvcqg", "vneid2026")


@pytest.fixture
def eid(services: Any, clock: Any, app: Flask, request: pytest.FixtureRequest) -> EidWorld:
    return build(services, clock, app, getattr(request, "param", "standard"))


@pytest.mark.both_databases
@pytest.mark.parametrize("eid", PROFILES, indirect=True)
def test_the_first_visit_shows_what_is_linked_and_the_next_goes_straight_through(
    eid: EidWorld,
) -> None:
    browser = eid.browser()
    answer = eid.visit(browser)
    page = browser.get(answer.headers["Location"])
    assert "Lê Thị Lan" in page.text
    assert "038*****1234" in page.text
    assert NUMBER not in page.text
    assert eid.session_of() is None
    assert eid.links() == []
    again = browser.get(answer.headers["Location"])  # looking does nothing
    assert "Đúng là tôi" in again.text
    done = eid.confirm(browser, answer)
    assert done.status_code == 303
    assert done.headers["Location"] == "/portal/profile"
    session = eid.session_of()
    assert session is not None
    assert session.acr == "urn:vn:aal:2"
    # Only this profile never says when she was asked.
    assert session.amr == (["eid", "unasked"] if eid.at.profile == "vneid2026" else ["eid"])
    [link] = eid.links()
    assert (link.user_id, link.upstream, link.level) == (eid.user_id, "vneid", 2)
    assert eid.at.subject not in link.subject
    user = eid.world.one(User, eid.user_id)
    assert (user.eid_level, user.eid_issuer) == (2, eid.at.issuer)
    assert len(eid.trail("eid.link")) == 1
    eid.no_number_anywhere()

    other = eid.browser()
    straight = eid.visit(other)
    assert straight.headers["Location"] == "/portal/profile"
    assert len(eid.links()) == 1
    eid.no_number_anywhere()


def test_what_is_asked_of_an_openid_provider(eid: EidWorld) -> None:
    asked = parse_qs(urlsplit(eid.leave(eid.browser())).query)
    assert asked["redirect_uri"] == ["http://localhost:8000/login/back/eid-vneid"]
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["nonce"][0]) >= 32
    assert (asked["prompt"], asked["max_age"]) == (["login"], ["1"])
    assert asked["scope"] == ["openid profile"]


def test_the_page_offers_it_beside_the_password_and_may_lead_there(eid: EidWorld) -> None:
    browser = eid.browser()
    page = open_login(browser)
    assert f'href="{page.request.path}?way=eid-vneid"' in page.text
    page = browser.get(f"{page.request.path}?way=eid-vneid")
    assert "https://dinhdanh.example" in page.headers["Content-Security-Policy"]


def test_keys_may_be_rotated_without_notice(eid: EidWorld) -> None:
    eid.link()
    eid.at.published, eid.at.kid = [("ES256", "k2")], "k2"
    browser = eid.browser()
    assert eid.visit(browser).status_code == 303
    assert eid.at.calls.count("keys") == 2


def test_rubbish_does_not_make_us_call_out_for_keys_again_and_again(eid: EidWorld) -> None:
    eid.link()
    eid.at.kid = "k2"  # never published
    for _ in range(3):
        assert eid.visit(eid.browser()).status_code == 422
    assert eid.at.calls.count("keys") == 2


@pytest.mark.parametrize("alg", ["RS256", "PS256"])
def test_algorithms_that_are_allowed(eid: EidWorld, alg: str) -> None:
    eid.at.alg, eid.at.published = alg, [(alg, "k1")]
    assert eid.visit(eid.browser()).status_code == 303


def test_a_key_without_a_name_fits_where_the_signature_names_none(eid: EidWorld) -> None:
    eid.at.kid = None
    assert eid.visit(eid.browser()).status_code == 303


def test_aggregated_claims_are_not_looked_at(eid: EidWorld) -> None:
    def aggregated(person: dict[str, Any]) -> dict[str, Any]:
        elsewhere = {"src": {"JWT": "e30.e30."}, "far": {"endpoint": "https://xa.example/"}}
        return person | {
            "_claim_names": {"citizen_id": "src", "address": "far"},
            "_claim_sources": elsewhere,
        }

    eid.at.twist["userinfo"] = aggregated
    answer = eid.visit(eid.browser())
    assert answer.status_code == 303


@pytest.mark.parametrize(
    ("vouched", "ours", "level"),
    [
        ("loa:2", "urn:vn:aal:2", "urn:vn:aal:2"),
        ("loa:3", "urn:vn:aal:3", "urn:vn:aal:2"),  # never above the ceiling
        ("unheard of", "urn:vn:aal:2", "urn:vn:aal:1"),  # what is assumed
        (None, "urn:vn:aal:2", "urn:vn:aal:1"),
    ],
)
def test_its_word_about_the_authentication_is_taken_and_never_raised(
    services: Any, clock: Any, app: Flask, vouched: Any, ours: str, level: str
) -> None:
    eid = build(services, clock, app)
    at = type(eid.at)(clock, issuer="https://bo.example")
    eid.add(at, "bo", acr={"loa:2": "urn:vn:aal:2", "loa:3": "urn:vn:aal:3"})
    at.twist["claims"] = lambda claims: claims | {"acr": vouched}
    browser = eid.browser()
    done = eid.confirm(browser, eid.visit(browser, "bo", at))
    browser.get(done.headers["Location"])
    session = eid.session_of()
    assert session is not None
    assert session.acr == level


def test_a_level_that_only_an_upstream_reaches_is_asked_of_it(
    services: Any, clock: Any, app: Flask
) -> None:
    """Whoever demands it is sent there, in its own words, and not told that nobody could."""
    eid = build(services, clock, app)
    at = type(eid.at)(clock, issuer="https://bo.example")
    eid.add(at, "bo", ceiling="urn:vn:aal:4", acr={"loa:4": "urn:vn:aal:4"})
    at.twist["claims"] = lambda claims: claims | {"acr": "loa:4"}
    browser = eid.browser()
    flow = Flow(browser, eid.world.register(options=Options(minimum_acr="urn:vn:aal:4")))
    assert flow.ask().status_code == 403  # this process has not looked at the upstreams
    registry.warm(eid.world.services)  # as the server does before it listens
    page = browser.get(flow.ask().headers["Location"])
    over = eid.press(browser, page.request.path, "bo")
    assert parse_qs(urlsplit(over.headers["Location"]).query)["acr_values"] == ["loa:4"]
    answer = eid.back(browser, at.authorize(over.headers["Location"]), "bo")
    done = eid.confirm(browser, answer)
    token = flow.redeem(flow.told(done)["code"]).get_json()["access_token"]
    assert flow.introspect(token)["acr"] == "urn:vn:aal:4"
