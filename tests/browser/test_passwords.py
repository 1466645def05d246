"""A new password in a real Chromium: what is said while it is typed, and showing what was typed.

The provider runs in threads of this process, on a port of its own.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from sqlalchemy import update

from directory.people import User
from idp.factors import passwords
from idp.factors.passwords import PasswordCredential
from idp.run import wiring
from idp.run.app import create_app
from tests.browser.test_text_browser import serve
from tests.browser.window import CHROMIUM, DRIVER, PATIENCE, SUBMIT, Window
from tests.conftest import missing
from tests.relying_party import OPERATOR, World, build_world

pytestmark = [pytest.mark.serial, pytest.mark.slow]

PASSWORD = "tre xanh ru bong mat"
NEW = "gạch bông rêu phơi thóc mới"


@pytest.fixture
def place(make_settings: Any, clock: Any) -> Iterator[tuple[World, str]]:
    """An installation that answers at an address, and an official with a temporary password."""
    for needed in (CHROMIUM, DRIVER):
        if not needed.exists():
            missing(str(needed))
    shell = Flask("not yet")
    issuer, stop = serve(shell)
    services = wiring.build(make_settings(issuer=issuer), clock=clock)
    shell.wsgi_app = create_app(services)  # type: ignore[method-assign]
    world = build_world(services, clock)
    with services.db.write() as session:
        passwords.set_password(
            session,
            services.passwords,
            world.user_id,
            PASSWORD,
            must_change=True,
            now=clock(),
            actor=OPERATOR,
        )
    yield world, issuer
    stop()
    services.db.dispose()


def to_the_change(window: Window, place: tuple[World, str]) -> None:
    world, issuer = place
    window.open(f"{issuer}/portal/profile")
    window.fill({"username": world.one(User, world.user_id).username, "password": PASSWORD})
    window.click(SUBMIT)
    assert window.all("#again")


def said(window: Window, verdict: str, words: str = "") -> None:
    """This verdict stands under the field, in these words: whoever types slowly is told of what she has
    typed so far.
    """

    def there(_: object) -> bool:
        found = window.all(f"#password-judged [data-verdict={verdict}]")
        return bool(found) and words in window.text("#password-judged")

    again = (StaleElementReferenceException,)
    WebDriverWait(window.driver, PATIENCE, ignored_exceptions=again).until(there, verdict)


@pytest.mark.parametrize(("language", "narrow"), [("vi", False), ("en", True)])
def test_what_is_typed_is_judged_and_can_be_shown(
    place: tuple[World, str], language: str, narrow: bool
) -> None:
    with Window(language=language) as window:
        if narrow:
            window.narrow()
        window.open(f"{place[1]}/login")
        show = window.one("button[data-shows]")
        assert 0 < show.size["width"] < window.one("#password").size["width"]
        window.fill({"password": "bí mật"})
        assert window.one("#password").get_attribute("type") == "password"
        show.click()
        assert window.one("#password").get_attribute("type") == "text"
        assert show.get_attribute("aria-pressed") == "true"
        assert window.focused() == "password"
        show.click()
        assert window.one("#password").get_attribute("type") == "password"

        to_the_change(window, place)
        window.fill({"password": "Ngheej An@2025"})
        place_name = {"vi": "Ký tự 1–9 là địa danh", "en": "Characters 1–9 are the name of a place"}
        said(window, "weak", place_name[language])
        window.fill({"password": "rêu 7"})
        said(window, "short")
        window.fill({"password": NEW})
        said(window, "strong")
        window.one("#password").send_keys(Keys.CONTROL + "a")
        window.press(Keys.BACKSPACE)
        assert window.text("#password-judged") == ""
        assert window.overflow() == []

        # The page says the same after it was sent.
        window.fill({"password": "Ngheej An@2025", "again": "Ngheej An@2025"})
        window.click(SUBMIT)
        said(window, "weak", place_name[language])
        window.fill({"password": NEW, "again": NEW})
        said(window, "strong")
        for button in window.all("button[data-shows]"):
            button.click()
        window.click(SUBMIT)
        assert window.url.endswith("/portal/profile")
        window.fill({"password": "Hanoi@2026!!!!"})
        said(window, "weak")
        assert [c for c in window.complaints() if "422" not in c] == []


def test_without_scripts_the_page_says_it_and_keeps_the_way(place: tuple[World, str]) -> None:
    with Window(scripts=False) as window:
        to_the_change(window, place)
        assert not any(button.is_displayed() for button in window.all("button[data-shows]"))
        window.fill({"password": "Ngheej An@2025", "again": "Ngheej An@2025"})
        window.click(SUBMIT)
        said(window, "weak", "Ký tự 1–9 là địa danh")
        window.fill({"password": NEW, "again": NEW})
        window.click(SUBMIT)
        assert window.url.endswith("/portal/profile")


def test_who_was_signed_out_meanwhile_is_not_shown_another_page_in_the_middle_of_hers(
    place: tuple[World, str],
) -> None:
    world, issuer = place
    with world.services.db.write() as session:
        session.execute(update(PasswordCredential).values(must_change=False))
    with Window() as window:
        window.open(f"{issuer}/portal/profile")
        window.fill({"username": world.one(User, world.user_id).username, "password": PASSWORD})
        window.click(SUBMIT)
        window.fill({"password": "Ngheej An@2025"})
        said(window, "weak")
        window.driver.delete_all_cookies()
        window.fill({"password": NEW})
        WebDriverWait(window.driver, PATIENCE).until(
            lambda _: window.text("#password-judged") == ""
        )
        assert not window.all("#password-judged form")
