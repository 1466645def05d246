"""When a session ends is said on every page, and warned of before, by page class; whoever is there stays."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import hr_world
from tests.browser_client import submit
from tests.hr_world import Hr, text_of

STAY = "/portal/sessions/stay"
LEFT = re.compile(
    r'data-area="(\w+)" data-left="(\d+)" data-session-left="(\d+)" data-lead="(\d+)"'
)


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def box(browser: FlaskClient, path: str) -> tuple[str, int, int, int]:
    [(area, left, session_left, lead)] = LEFT.findall(browser.get(path).text)
    return area, int(left), int(session_left), int(lead)


def test_each_page_says_when_its_session_ends(hr: Hr) -> None:
    admin = hr.browser("admin")
    settings = hr.services.settings
    assert box(admin, "/portal/profile") == (
        "portal",
        settings.session_idle,
        settings.session_idle,
        60,
    )
    assert box(admin, "/console/") == ("console", settings.admin_idle, settings.session_idle, 60)
    assert "Không thao tác thì phiên này kết thúc lúc" in text_of(admin.get("/").text)
    assert "trang quản trị hỏi lại đăng nhập lúc" in text_of(admin.get("/console/").text)
    english = admin.get("/", headers={"Accept-Language": "en"})
    assert "If you do nothing, this session ends at" in text_of(english.text)


def test_what_is_said_is_what_happens(hr: Hr) -> None:
    """A second before the time told she is in, at that time she is out: also right after a request that
    wrote no sign of life.
    """
    browser = hr.browser("lan")
    hr.clock.advance(seconds=30)
    _, left, _, _ = box(browser, "/portal/profile")
    hr.clock.advance(seconds=left - 1)
    assert browser.get("/session/status").status_code == 200  # asking is no sign of life
    hr.clock.advance(seconds=1)
    assert browser.get("/session/status").status_code == 401


def test_whoever_is_warned_stays_by_one_request(hr: Hr) -> None:
    browser, settings = hr.browser("admin"), hr.services.settings
    browser.get("/console/")
    for _ in range(10):  # WCAG 2.2.1: at least ten times
        hr.clock.advance(seconds=settings.admin_idle - 20)
        told = browser.get("/console/stay")
        assert told.status_code == 200
        assert told.json["left"] == settings.admin_idle
        assert not told.json["whole"]
    assert browser.get("/console/people").status_code == 200
    lan = hr.browser("lan")
    hr.clock.advance(seconds=settings.session_idle - 20)
    assert lan.get(STAY).json["left"] == settings.session_idle
    hr.clock.advance(seconds=settings.session_idle - 20)
    assert lan.get("/portal/profile").status_code == 200


def test_nobody_stays_whose_session_is_over(hr: Hr) -> None:
    admin = hr.browser("admin")
    admin.get("/console/")
    hr.clock.advance(seconds=hr.services.settings.admin_idle + 1)
    assert admin.get("/console/stay").status_code == 303
    hr.clock.advance(seconds=hr.services.settings.session_idle + 1)
    assert admin.get(STAY).status_code == 303
    assert hr.app.test_client().get(STAY).status_code == 303


def test_the_last_end_is_told_as_one_that_staying_does_not_put_off(hr: Hr) -> None:
    browser, settings = hr.browser("lan"), hr.services.settings
    gone, step = 0, settings.session_idle - 60
    while gone + step < settings.session_lifetime - 300:
        hr.clock.advance(seconds=step)
        gone += step
        assert browser.get(STAY).status_code == 200
    told = browser.get(STAY).json
    assert told["whole"]
    assert told["left"] == settings.session_lifetime - gone
    page = browser.get("/portal/profile").text
    assert 'data-whole="yes"' in page
    assert "Phiên này kết thúc lúc" in text_of(page)
    hr.clock.advance(seconds=told["left"])
    assert browser.get(STAY).status_code == 303


def test_pages_without_a_session_say_nothing(hr: Hr) -> None:
    browser = hr.browser("lan")
    assert "session-end" not in hr.app.test_client().get("/login", follow_redirects=True).text
    done = submit(browser, browser.get("/portal/everywhere"), decision="logout")
    assert "session-end" not in browser.get(done.location).text


@pytest.mark.parametrize("limit", [30, 60, 300, 900])
def test_the_warning_comes_early_enough(hr: Hr, limit: int) -> None:
    hr.services.settings.session_idle = limit
    _, left, _, lead = box(hr.browser("lan"), "/portal/profile")
    assert (left, lead) == (limit, max(20, min(60, limit // 3)))
