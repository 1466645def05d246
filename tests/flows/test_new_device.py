"""A sign-in from a browser in which she never signed in is told to her, and no other."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from connectors.notices.told import NoticeRow
from tests import hr_world
from tests.browser_client import hidden_fields, sign_in
from tests.hr_world import PASSWORD, Hr

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0"


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask, tmp_path: Path) -> Hr:
    services.settings.mail_drop = tmp_path
    return hr_world.build(services, clock, app)


def told(hr: Hr, who: str) -> list[NoticeRow]:
    with hr.services.db.read() as session:
        mine = NoticeRow.user_id == hr.people[who]
        return list(session.scalars(select(NoticeRow).where(mine, NoticeRow.what == "device.new")))


def come(hr: Hr, browser: Any, who: str) -> None:
    assert sign_in(browser, hr.names[who], PASSWORD).status_code == 303
    browser.post("/logout", data=hidden_fields(browser.get("/portal/profile").text))


@pytest.mark.both_databases
def test_she_is_told_once_for_each_browser(hr: Hr) -> None:
    first, second = hr.app.test_client(), hr.app.test_client()
    first.environ_base["HTTP_USER_AGENT"] = FIREFOX
    come(hr, first, "lan")
    [notice] = told(hr, "lan")
    assert notice.facts["device"] == "Firefox · Windows"
    assert notice.facts["ip"] == "127.0.0.1"
    come(hr, first, "lan")
    assert len(told(hr, "lan")) == 1
    come(hr, second, "lan")
    assert len(told(hr, "lan")) == 2


def test_of_two_people_at_one_browser_each_has_her_own(hr: Hr) -> None:
    shared = hr.app.test_client()
    for who in ("lan", "mai", "lan", "mai"):
        come(hr, shared, who)
    assert [len(told(hr, who)) for who in ("lan", "mai")] == [1, 1]


def test_a_browser_stays_known_when_her_access_was_cut(hr: Hr) -> None:
    browser = hr.app.test_client()
    come(hr, browser, "lan")
    sign_in(browser, hr.names["lan"], PASSWORD)
    browser.post("/portal/everywhere", data=hidden_fields(browser.get("/portal/everywhere").text))
    come(hr, browser, "lan")
    assert len(told(hr, "lan")) == 1


def test_a_cookie_of_ones_own_making_is_no_known_browser(hr: Hr) -> None:
    browser = hr.app.test_client()
    browser.set_cookie("dinhdanh-known", "xyz", domain="localhost")
    come(hr, browser, "lan")
    assert len(told(hr, "lan")) == 1


def test_where_no_message_can_leave_nothing_is_written(hr: Hr) -> None:
    hr.services.settings.mail_drop = None
    come(hr, hr.app.test_client(), "lan")
    assert told(hr, "lan") == []
