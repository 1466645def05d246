"""Visits to upstreams that lead to no sign-in are bounded: by address, and where she has signed in by browser."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from directory.people import User
from idp.login.flow_rows import LoginFlow
from tests.browser_client import open_login, sign_in, submit
from tests.eid_world import OTHER_NUMBER, PASSWORD, EidWorld, build

HERE, THERE = "203.0.113.9", "198.51.100.7"
MOST = 3


@pytest.fixture
def settings(make_settings: Any) -> Any:
    return make_settings(unfinished_visits=MOST)


@pytest.fixture
def eid(services: Any, clock: Any, app: Flask) -> EidWorld:
    return build(services, clock, app)


def at(eid: EidWorld, address: str = HERE) -> FlaskClient:
    browser = eid.browser()
    browser.environ_base["REMOTE_ADDR"] = address
    return browser


def hers(eid: EidWorld) -> FlaskClient:
    """A browser in which she has signed in, and is not any more."""
    browser = at(eid)
    sign_in(browser, name(eid), PASSWORD)
    browser.delete_cookie("dinhdanh", domain="localhost")
    return browser


def press(eid: EidWorld, browser: FlaskClient) -> Any:
    """Open the sign-in page and press the button; the answer."""
    return eid.press(browser, open_login(browser, "/portal/profile").request.path)


def crowd(eid: EidWorld, address: str = HERE, times: int = MOST) -> None:
    for _ in range(times):
        assert press(eid, at(eid, address)).status_code == 303


def too_many(eid: EidWorld) -> int:
    return sum(one.data["why"] == "too_many" for one in eid.trail("eid.refuse"))


def name(eid: EidWorld) -> str:
    return str(eid.world.one(User, eid.user_id).username)


@pytest.mark.both_databases
def test_who_leaves_for_nothing_is_stopped_before_anything_is_written(
    eid: EidWorld, clock: Any
) -> None:
    crowd(eid)
    begun, asked = len(eid.world.all(LoginFlow)), list(eid.at.calls)
    for _ in range(5):
        answer = press(eid, at(eid))
        assert answer.status_code == 429
        assert 0 < int(answer.headers["Retry-After"]) <= 600
    assert "chưa hoàn tất" in answer.text
    assert "Có thể thử lại sau" in answer.text
    assert "way=password" in answer.text
    assert "away" not in str(answer.headers.get_all("Set-Cookie"))
    assert len(eid.world.all(LoginFlow)) == begun
    assert eid.at.calls == asked
    # Told to whoever runs it once, with the address.
    assert too_many(eid) == 1
    assert eid.trail("eid.refuse")[-1].source_ip == HERE
    # Nobody else waits, nothing else is stopped, and after ten minutes it is over.
    assert press(eid, at(eid, THERE)).status_code == 303
    assert sign_in(at(eid), name(eid), PASSWORD).status_code == 303
    clock.advance(minutes=10)
    assert press(eid, at(eid)).status_code == 303


@pytest.mark.both_databases
def test_what_leads_to_a_sign_in_counts_for_nothing(eid: EidWorld) -> None:
    """An office behind one address, in the morning; the first visits link."""
    eid.link(at(eid))
    for _ in range(2 * MOST):
        browser = at(eid)
        back = eid.visit(browser)
        assert back.headers["Location"] == "/portal/profile"
    assert press(eid, at(eid)).status_code == 303


def test_refused_visits_and_answers_brought_again_are_bounded_as_well(eid: EidWorld) -> None:
    """Each would be an entry of the trail, and most a call."""
    browser = at(eid)
    query = eid.at.authorize(press(eid, browser).headers["Location"])
    cookie = browser.get_cookie("dinhdanh-away", domain="localhost")
    assert cookie is not None
    eid.at.level = 1
    answers = []
    for _ in range(6):
        browser.set_cookie("dinhdanh-away", cookie.value, domain="localhost")
        answers.append(eid.back(browser, query).status_code)
    assert answers == [422] * (MOST - 1) + [429] * (7 - MOST)
    refused = [one.data["why"] for one in eid.trail("eid.refuse")]
    assert refused == ["level", "replayed", "too_many"]


def test_where_she_has_signed_in_nobody_else_keeps_her_waiting(eid: EidWorld) -> None:
    """Neither an outsider nor a colleague behind the same address."""
    mine = hers(eid)
    crowd(eid)
    assert press(eid, at(eid)).status_code == 429
    for _ in range(MOST):
        assert press(eid, mine).status_code == 303
    assert press(eid, mine).status_code == 429  # her own are counted there
    assert press(eid, at(eid, THERE)).status_code == 303


def test_an_insider_blocks_no_office_from_her_own_browser(eid: EidWorld) -> None:
    mine = hers(eid)
    answers = [press(eid, mine).status_code for _ in range(3 * MOST)]
    assert answers == [303] * MOST + [429] * 2 * MOST
    assert press(eid, at(eid)).status_code == 303


def test_addresses_of_one_subscriber_count_together(eid: EidWorld) -> None:
    for n in range(MOST):
        crowd(eid, f"2001:db8:1:1::{n + 1}", 1)
    assert press(eid, at(eid, "2001:db8:1:1::99")).status_code == 429
    assert press(eid, at(eid, "2001:db8:1:2::1")).status_code == 303  # another /64
    for n in range(3, 3 + 4 * MOST):
        press(eid, at(eid, f"2001:db8:1:{n}::1"))
    assert press(eid, at(eid, "2001:db8:1:ff::1")).status_code == 429  # of that /56
    assert press(eid, at(eid, "2001:db8:1:100::1")).status_code == 303


def test_it_locks_nobody(eid: EidWorld) -> None:
    """Whoever knows a name cannot keep her out by visits."""
    eid.person("Trần Văn Ba", OTHER_NUMBER)
    for _ in range(2 * MOST):
        browser = at(eid)
        page = browser.get("/login?return_to=/portal&least=urn:vn:aal:2", follow_redirects=True)
        after = submit(browser, page, username=name(eid), password=PASSWORD)
        assert after.status_code == 303
        eid.press(browser, page.request.path)
    assert sign_in(at(eid, THERE), name(eid), PASSWORD).status_code == 303
    eid.visit(at(eid, THERE))
    assert eid.trail("login.lock") == []
