"""Where she is signed in, in a real Chromium: the list, the history, "not me", the warning before the end,
and what she is told when somebody has cut her session. The server's clock stands still, the browser's runs.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from idp.run import wiring
from idp.run.app import create_app
from idp.sessions import SsoSession
from tests import hr_world
from tests.browser.test_second_factor import CASES, Person
from tests.browser.test_text_browser import serve
from tests.browser.window import CHROMIUM, DRIVER, Window
from tests.conftest import missing
from tests.hr_world import PASSWORD, Hr
from tests.relying_party import Flow, World

pytestmark = [pytest.mark.serial, pytest.mark.slow]

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0"
SESSIONS = "/portal/sessions"
DECISION = {"number": "125/QĐ-UBND", "issued_on": "2026-03-01", "issuer": "Ủy ban nhân dân tỉnh"}


@pytest.fixture
def hr(make_settings: Any, clock: Any) -> Iterator[tuple[Hr, str]]:
    for needed in (CHROMIUM, DRIVER):
        if not needed.exists():
            missing(str(needed))
    shell = Flask("not yet")
    issuer, stop = serve(shell)
    settings = make_settings(issuer=issuer, network_names={"192.0.2.0/24": "Trụ sở Ủy ban"})
    services = wiring.build(settings, clock=clock)
    services.settings.second_factor = "nobody"
    app = create_app(services)
    shell.wsgi_app = app  # type: ignore[method-assign]
    yield hr_world.build(services, clock, app), issuer
    stop()
    services.db.dispose()


def elsewhere(hr: Hr) -> None:
    """She is signed in at another place too, and has opened an application there."""
    world = World(hr.services, hr.clock, hr.people["lan"], hr.posts["lan"], 0, 0)
    browser = hr.app.test_client()
    view = world.sign_in(browser)
    world.change(SsoSession, view.id, user_agent=FIREFOX)
    Flow(browser, world.register("Quản lý văn bản")).tokens()


@pytest.mark.parametrize(("language", "narrow"), CASES)
def test_her_sessions_from_the_first_look_to_not_me(
    hr: tuple[Hr, str], language: str, narrow: bool
) -> None:
    made, issuer = hr
    elsewhere(made)
    with Window(language=language) as window:
        if narrow:
            window.narrow()
        lan = Person(window, made, "lan", issuer, f"sessions-{language}-{narrow}")
        lan.open(f"/login?return_to={SESSIONS}")
        lan.send(username=made.names["lan"], password=PASSWORD)
        assert window.url == issuer + SESSIONS
        assert "Trụ sở Ủy ban" in window.text("main")
        assert "Quản lý văn bản" in window.text("main")
        lan.open("/portal/sessions/history")
        assert "192.0.2.7" in window.text("main")
        lan.open(SESSIONS)
        window.click("a[href*='not-me']")
        lan.look()
        window.click("main button.btn-danger")
        lan.look()
        assert "/portal/sessions/ended" in window.url
        lan.open("/")
        assert "/login/" in window.url


@pytest.mark.parametrize(("language", "narrow"), CASES)
def test_she_is_warned_stays_and_is_told_of_a_cut(
    hr: tuple[Hr, str], language: str, narrow: bool
) -> None:
    made, issuer = hr
    made.services.settings.session_idle = 23  # warned 20 seconds before: 3 after the page
    with Window(language=language) as window:
        if narrow:
            window.narrow()
        lan = Person(window, made, "lan", issuer, f"warned-{language}-{narrow}")
        lan.open("/login?return_to=/portal/profile")
        lan.send(username=made.names["lan"], password=PASSWORD)
        window.wait("#session-end[open]")
        lan.look()
        staying = window.driver.switch_to.active_element
        assert staying.get_attribute("data-stay") is not None
        staying.click()
        window.wait("#session-end:not([open])")
        api = made.api(made.token())
        body = {"kind": "transfer", "user": made.names["lan"], "to_unit": made.units["b"]}
        assert api.commit(decision=DECISION, **body).status_code == 201
        # Whoever wants to stay is told that it is over, and loses nothing of what she has typed.
        window.wait("#session-end[open] [data-stay]:not([hidden])")
        window.one("#session-end[open] [data-stay]").click()
        window.wait("#session-end[open] [data-close]:not([hidden])")
        lan.look()
        lan.open("/portal/profile")
        assert "125/QĐ-UBND" in window.text("main")
