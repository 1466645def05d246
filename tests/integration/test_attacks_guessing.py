"""Guessing, and keeping people out by guessing."""

from typing import Any

import pytest
from flask import Flask

from directory.base.errors import Busy
from tests import hr_world
from tests.browser_client import open_login, sign_in, submit
from tests.hr_world import PASSWORD, Hr
from tests.relying_party import Flow, World


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def guess(hr: Hr, username: str, source: str, password: str = "đoán bừa") -> int:
    return int(answered(hr, username, source, password).status_code)


def answered(hr: Hr, username: str, source: str, password: str = "đoán bừa") -> Any:
    browser = hr.app.test_client()
    page = open_login(browser)
    fields = {"username": username, "password": password}
    return browser.post(
        page.request.path,
        data=hr_world.hidden_fields(page.text) | fields,
        environ_base={"REMOTE_ADDR": source},
    )


@pytest.mark.parametrize(
    "address",
    ["2001:db8:0:1::{:x}", "::ffff:192.0.2.7", "192.0.2.7"],
    ids=["one /64", "IPv4 as IPv6", "IPv4"],
)
def test_a_source_is_slowed_down_whichever_of_its_addresses_it_uses(hr: Hr, address: str) -> None:
    """CWE-307: an IPv6 subscriber owns a whole /64 (RFC 6177)."""
    most, looked = hr.services.settings.source_failures, 0
    for n in range(600):
        answer = answered(hr, f"ai{n}", address.format(n))
        looked += answer.status_code == 422
        if answer.status_code == 429:
            wait = int(answer.headers["Retry-After"])
            if looked == most:
                break
            assert 0 < wait <= 30
            hr.clock.advance(seconds=wait)
    assert looked == most
    assert 0 < wait <= 600
    assert guess(hr, "khac", "2001:db8:0:2::1") == 422


def test_a_subscriber_of_ipv6_has_more_than_one_network_and_is_slowed_all_the_same(hr: Hr) -> None:
    """RFC 6177 §2: a /56 is 256 networks of /64."""
    answers = [guess(hr, f"ai{n}", f"2001:db8:0:{n:x}::1") for n in range(70)]
    assert answers == [422] * 60 + [429] * 10
    assert guess(hr, "khac", "2001:db8:0:100::1") == 422


def test_a_flood_that_keeps_the_hasher_busy_locks_nobody_out(
    hr: Hr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CWE-645: an attempt that was never looked at does not count as a wrong one."""

    def busy(*_: Any, **__: Any) -> bool:
        raise Busy("busy", "Hệ thống đang bận, hãy thử lại sau giây lát.")

    with monkeypatch.context() as flooded:
        flooded.setattr(hr.services.passwords, "verify", busy)
        for _ in range(hr.services.settings.lock_after + 2):
            assert guess(hr, hr.names["lan"], "192.0.2.8", PASSWORD) == 503
    assert guess(hr, hr.names["lan"], "192.0.2.8", PASSWORD) == 303


def test_an_earlier_sign_in_does_not_pass_for_a_fresh_one(hr: Hr, app: Flask) -> None:
    """OIDC Core section 3.1.2.1, prompt=login: only the sign-in this request asked for counts."""
    world = World(hr.services, hr.clock, hr.people["lan"], hr.posts["lan"], 0, 0)
    flow = Flow(app.test_client(), world.register())
    page = open_login(flow.browser)
    old = page.request.path.rsplit("/", 1)[1]
    submit(flow.browser, page, username=hr.names["lan"], password=PASSWORD)
    flow.browser.get(f"/login/{old}")
    assert flow.ask().status_code == 302
    hr.clock.advance(minutes=10)
    for changes in ({"prompt": "login"}, {"max_age": "60"}, {"prompt": "select_account"}):
        answer = flow.ask(**changes, flow=old)
        assert answer.status_code == 303
        assert "/login/" in answer.headers["Location"]


def test_the_sign_in_a_request_asked_for_answers_it_once(hr: Hr, app: Flask) -> None:
    world = World(hr.services, hr.clock, hr.people["lan"], hr.posts["lan"], 0, 0)
    flow = Flow(app.test_client(), world.register())
    sign_in(flow.browser, hr.names["lan"], PASSWORD)
    page = flow.browser.get(flow.ask(prompt="login").headers["Location"])
    answer = submit(flow.browser, page, username=hr.names["lan"], password=PASSWORD)
    assert "code=" in answer.headers["Location"]
    again = flow.browser.get(page.request.path)
    assert "code=" not in again.headers.get("Location", "")
    asked = flow.ask(prompt="login", flow=page.request.path.rpartition("/")[2])
    assert "/login/" in asked.headers["Location"]
