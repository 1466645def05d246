"""Whoever has signed in and is asked to do it once more is told why, on the page that asks."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import hr_world
from tests.browser_client import submit
from tests.hr_world import PASSWORD, Hr, text_of
from tests.relying_party import Flow, World

ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def _asked(browser: FlaskClient, path: str, **options: Any) -> Any:
    page = browser.get(path, follow_redirects=True, **options)
    assert 'name="username"' in page.text
    return page


def test_who_did_nothing_in_the_console_for_five_minutes_is_told_so(hr: Hr) -> None:
    officer = hr.browser("officer")
    assert officer.get("/console/").status_code == 200
    hr.clock.advance(seconds=hr.services.settings.admin_idle + 1)
    page = _asked(officer, "/console/people")
    assert "Phiên quản trị đã nghỉ quá 5 phút" in text_of(page.text)
    # A wrong password, a reload and the other language do not take it away.
    wrong = submit(officer, page, username=hr.names["officer"], password="sai")
    assert "Phiên quản trị đã nghỉ quá 5 phút" in text_of(wrong.text)
    assert "administration for more than 5 min" in text_of(
        officer.get(page.request.path, headers=ENGLISH).text
    )


def test_the_minutes_told_are_those_of_the_setting(hr: Hr) -> None:
    hr.services.settings.admin_idle = 180
    officer = hr.browser("officer")
    officer.get("/console/")
    hr.clock.advance(seconds=181)
    assert "Phiên quản trị đã nghỉ quá 3 phút" in text_of(_asked(officer, "/console/").text)


def test_the_console_entered_long_after_the_sign_in_says_how_new_one_must_be(hr: Hr) -> None:
    officer = hr.browser("officer")
    for _ in range(2):
        hr.clock.advance(seconds=hr.services.settings.session_idle - 60)
        assert officer.get("/portal/profile").status_code == 200
    words = text_of(_asked(officer, "/console/").text)
    assert "lần đăng nhập trong vòng 15 phút" in words
    assert "nghỉ quá" not in words


@pytest.mark.parametrize("path", ["/portal/profile", "/console/people"])
def test_whose_session_has_ended_is_told_that_it_has(hr: Hr, path: str) -> None:
    officer = hr.browser("officer")
    officer.get(path)
    hr.clock.advance(seconds=hr.services.settings.session_idle + 1)
    assert "Phiên đăng nhập trước đã kết thúc" in text_of(_asked(officer, path).text)


def test_who_never_had_a_session_or_has_signed_out_is_told_nothing(hr: Hr) -> None:
    fresh = _asked(hr.app.test_client(), "/console/people")
    officer = hr.browser("officer")
    submit(officer, officer.get("/portal/profile"), "/logout")
    left = _asked(officer, "/console/people")
    for page in (fresh, left):
        assert "Phiên" not in text_of(page.text)


def test_an_application_that_wants_a_new_sign_in_is_named_as_the_one_who_does(hr: Hr) -> None:
    world = World(hr.services, hr.clock, hr.people["lan"], hr.posts["lan"], 0, 0)
    flow = Flow(hr.browser("lan"), world.register())
    page = flow.browser.get(flow.ask(prompt="login").headers["Location"])
    assert "Ứng dụng này yêu cầu bạn đăng nhập lại" in text_of(page.text)
    first = Flow(hr.app.test_client(), flow.party)
    page = first.browser.get(first.ask(prompt="login").headers["Location"])
    assert "đăng nhập lại" not in text_of(page.text)


def test_nobody_can_write_a_reason_of_his_own_into_the_address(hr: Hr) -> None:
    page = hr.app.test_client().get(
        "/login?return_to=/console/&why=<b>gọi 0900</b>", follow_redirects=True
    )
    assert page.status_code == 200
    assert "gọi 0900" not in page.text
    assert PASSWORD not in page.text
