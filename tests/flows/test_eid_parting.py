"""After an electronic identity: signing out there as well, and a sign-in that begins by itself."""

from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from directory.people import User
from tests.browser_client import hidden_fields, sign_in
from tests.eid_world import PASSWORD, EidWorld, build


@pytest.fixture
def settings(make_settings: Any) -> Any:
    return make_settings(eid_start_addresses=True)


@pytest.fixture
def eid(services: Any, clock: Any, app: Flask, request: pytest.FixtureRequest) -> EidWorld:
    return build(services, clock, app, getattr(request, "param", "standard"))


def sign_out(browser: FlaskClient) -> Any:
    form = hidden_fields(browser.get("/portal/profile").text)
    return browser.post("/logout", data={"csrf_token": form["csrf_token"]}, follow_redirects=True)


def way_out(page: Any, where: str) -> dict[str, str]:
    found = [part.split('"')[0] for part in page.text.split('href="') if part.startswith(where)]
    assert len(found) == 1, page.text
    query = parse_qs(urlsplit(unescape(found[0])).query)
    return {name: values[0] for name, values in query.items()}


@pytest.mark.parametrize(
    ("eid", "where", "back"),
    [
        ("standard", "https://dinhdanh.example/logout?", "post_logout_redirect_uri"),
        ("dvcqg", "https://dinhdanh.example/oidc/logout?", "post_logout_redirect_uri"),
        ("vneid2026", "https://dinhdanh.example/logout?", "redirect_uri"),
    ],
    indirect=["eid"],
)
@pytest.mark.parametrize("first", [True, False], ids=["linked just now", "linked before"])
def test_whoever_was_vouched_for_is_offered_to_sign_out_there_too(
    eid: EidWorld, where: str, back: str, first: bool
) -> None:
    browser = eid.browser()
    if first:
        eid.link(browser)
    else:
        eid.link()
        browser.get(eid.visit(browser).headers["Location"])
    page = sign_out(browser)
    assert eid.session_of() is None or not first  # ours is over, whatever she does now
    said = way_out(page, where)
    assert said[back] == "http://localhost:8000/signed-out"
    assert ("id_token_hint" in said) == (eid.at.profile != "vneid2026")


def test_an_upstream_that_is_away_holds_up_no_sign_out(eid: EidWorld) -> None:
    browser = eid.browser()
    eid.link(browser)
    eid.at.down |= {"metadata", "keys", "token", "userinfo"}
    assert "Bạn đã đăng xuất." in sign_out(browser).text
    assert eid.session_of() is None


def test_where_upstream_has_no_such_address_nothing_is_offered(eid: EidWorld) -> None:
    eid.at.twist["metadata"] = lambda told: {
        k: v for k, v in told.items() if k != "end_session_endpoint"
    }
    browser = eid.browser()
    eid.link(browser)
    assert "Đăng xuất cả ở" not in sign_out(browser).text


def test_the_next_person_at_the_computer_is_not_offered_it(eid: EidWorld) -> None:
    browser = eid.browser()
    eid.link(browser)
    assert "Đăng xuất cả ở VNeID" in sign_out(browser).text
    sign_in(browser, str(eid.world.one(User, eid.user_id).username), PASSWORD)
    assert "Đăng xuất cả ở" not in sign_out(browser).text


def test_nobody_signed_in_is_not_asked_to_leave(eid: EidWorld) -> None:
    browser = eid.browser()
    eid.link(browser)
    assert "Đăng xuất cả ở" not in browser.get("/signed-out").text


# ---- for programs that try how upstreams are spoken to ------------------------------------------


def test_a_sign_in_begins_without_a_click_where_the_installation_says_so(eid: EidWorld) -> None:
    browser = eid.browser()
    over = browser.get("/login/eid/vneid/start")
    assert over.status_code == 303
    answer = eid.back(browser, eid.at.authorize(over.headers["Location"]))
    browser.get(eid.confirm(browser, answer).headers["Location"])
    assert eid.session_of() is not None


@pytest.mark.parametrize("name", ["bo", "VNEID", "password", "vneid-", "x" * 300])
def test_it_begins_only_at_upstreams_that_there_are(eid: EidWorld, name: str) -> None:
    assert eid.browser().get(f"/login/eid/{name}/start").status_code == 404


def test_nothing_begins_at_a_disabled_one(eid: EidWorld) -> None:
    eid.disable()
    eid.world.clock.advance(seconds=6)
    assert eid.browser().get("/login/eid/vneid/start").status_code == 404


def test_it_is_off_by_default(eid: EidWorld) -> None:
    eid.world.services.settings.eid_start_addresses = False
    assert eid.browser().get("/login/eid/vneid/start").status_code == 404


def test_a_program_that_looks_at_links_begins_and_ends_nothing(eid: EidWorld) -> None:
    browser = eid.browser()
    assert browser.head("/login/eid/vneid/start").status_code == 405
    query = eid.at.authorize(eid.leave(browser))
    assert browser.head(f"/login/back/eid-vneid?{query}").status_code == 405
    assert eid.back(browser, query).status_code == 303
