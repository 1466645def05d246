"""A real browser as a person uses it: Debian's Chromium, steered by selenium.

Every window has a profile of its own, so two windows are two people at two computers.
"""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pyotp
from selenium.common.exceptions import (
    StaleElementReferenceException,
    TimeoutException,
    WebDriverException,
)
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

CHROMIUM = Path("/usr/bin/chromium")
DRIVER = Path("/usr/bin/chromedriver")
PHONE = 390
PATIENCE = 90.0
A_MOMENT = 5.0
"""Seconds after which one looks whether a click has hit."""
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--force-prefers-reduced-motion",  # Bootstrap scrolls smoothly, and a click would miss
    "--window-size=1280,1000",
)
SUBMIT = "main button[type=submit]"


_used: dict[str, int] = {}
"""The last moment of whose code this process has made use, by the secret."""


def next_code(secret: str, digits: int, period: int) -> str:
    """A code that was not typed before: that of now, else the next, for which it may be waited."""
    app, clock = pyotp.TOTP(secret, digits=digits, interval=period), time.time  # noqa: TID251 (her phone's)
    step = max(int(clock()) // period, _used.get(secret, 0) + 1)
    time.sleep(max(0.0, (step - 1) * period - clock()))
    _used[secret] = step
    return app.generate_otp(step)


def _is_gone(element: WebElement) -> bool:
    """Whether the page an element stood on is gone. In the middle of the change chromedriver knows
    the element no longer and does not call that stale.
    """
    try:
        element.is_enabled()
    except StaleElementReferenceException:
        return True
    except WebDriverException as error:
        if "does not belong to the document" in str(error.msg):
            return True
        raise
    return False


class Window:
    """One browser window in a profile of its own."""

    def __init__(
        self, *, scripts: bool = True, language: str = "vi", arguments: tuple[str, ...] = ()
    ) -> None:
        # Chromium may write for a moment after its end.
        self._folder = tempfile.TemporaryDirectory(prefix="window-", ignore_cleanup_errors=True)
        options = ChromeOptions()
        options.binary_location = str(CHROMIUM)
        for argument in (*ARGUMENTS, *arguments, f"--user-data-dir={self._folder.name}"):
            options.add_argument(argument)
        preferences: dict[str, Any] = {"intl.accept_languages": language}
        if not scripts:
            preferences["profile.managed_default_content_settings.javascript"] = 2
        options.add_experimental_option("prefs", preferences)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = Chrome(options=options, service=Service(str(DRIVER)))
        self.driver.set_page_load_timeout(90)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.driver.quit()
        self._folder.cleanup()

    @property
    def url(self) -> str:
        """Where it stands."""
        return self.driver.current_url

    def complaints(self) -> list[str]:
        """What the browser's console holds against the pages since the last question."""
        return [f"{entry['level']} {entry['message']}" for entry in self.driver.get_log("browser")]

    def open(self, url: str) -> None:
        """Type an address."""
        self.driver.get(url)

    def reload(self) -> None:
        """Load the same page once more."""
        self.driver.refresh()

    def all(self, css: str) -> list[WebElement]:
        """Every element of this kind."""
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def one(self, css: str) -> WebElement:
        """The first element of this kind."""
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def text(self, css: str) -> str:
        """What it says."""
        return self.one(css).text

    def click(self, css: str) -> None:
        """Click the first element of this kind; a link or a submit button is followed until the
        page it stood on is gone, so that nothing is read off the old one.
        """
        page, element = self.one("html"), self.one(css)
        leads_away = element.tag_name == "a" or element.get_attribute("type") == "submit"
        element.click()
        if leads_away and not self._leaves(page, A_MOMENT):
            if self._missed(element):
                element.click()
            assert self._leaves(page, PATIENCE), f"{css} leads nowhere on {self.url}"

    def _leaves(self, page: WebElement, within: float) -> bool:
        waiting = WebDriverWait(self.driver, within, poll_frequency=0.1)
        try:
            return waiting.until(lambda _: _is_gone(page))
        except TimeoutException:
            return False

    def _missed(self, element: WebElement) -> bool:
        """Whether a click went beside it, as people's do: what the page said in that moment has moved it.
        Whoever hits a button or a link gives it the focus.
        """
        try:
            return element.is_enabled() and self.driver.switch_to.active_element != element
        except WebDriverException:
            return False  # gone by now

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """Inside, something is done that leads to another page: until this one is gone."""
        page = self.one("html")
        yield
        assert self._leaves(page, PATIENCE), f"nothing follows on {self.url}"

    def fill(self, values: dict[str, str]) -> None:
        """Type into fields, by their ids; what stands there is replaced."""
        for name, value in values.items():
            field = self.one(f"#{name}")
            field.clear()
            field.send_keys(value)

    def select(self, css: str, value: str) -> None:
        """Choose from a list."""
        Select(self.one(css)).select_by_value(value)

    def press(self, *keys: str) -> None:
        """Use the keyboard, wherever the focus is."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def focused(self) -> str:
        """The id of the element that has the focus."""
        return self.driver.switch_to.active_element.get_attribute("id") or ""

    def tab_to(self, css: str, *, steps: int = 40) -> None:
        """Press Tab until the element has the focus. Raises AssertionError when it never has."""
        wanted = self.one(css)
        for _ in range(steps):
            if self.driver.switch_to.active_element == wanted:
                return
            self.press(Keys.TAB)
        raise AssertionError(f"{css} cannot be reached by keyboard on {self.url}")

    def wait(self, css: str, *, reloading: bool = False) -> None:
        """Until there is such an element; a page that does not refresh itself is reloaded."""

        def there(_: object) -> bool:
            if self.all(css):
                return True
            if reloading:
                self.reload()
            return False

        WebDriverWait(self.driver, PATIENCE, poll_frequency=0.3).until(
            there, f"{css} on {self.url}"
        )

    def sign_in(self, person: dict[str, Any]) -> None:
        """Fill in the sign-in form, and what her phone shows where a code is asked for; work in the
        first of several posts.
        """
        self.fill({"username": person["username"], "password": person["password"]})
        self.click(SUBMIT)
        if "totp" in person and self.all("#code"):
            self.fill({"code": next_code(**person["totp"])})
            self.click(SUBMIT)
        if "/login/" in self.url and self.all("input[name=assignment]"):
            self.click(SUBMIT)

    def cookies(self) -> dict[str, dict[str, Any]]:
        """The cookies of this host by name; ports make no difference to them."""
        return {cookie["name"]: cookie for cookie in self.driver.get_cookies()}

    def narrow(self) -> None:
        """As wide as a phone from here on."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": PHONE, "height": 844, "deviceScaleFactor": 1, "mobile": False},
        )

    def overflow(self) -> list[str]:
        """What sticks out of the page on the right; nothing where nothing scrolls sideways."""
        found: str = self.driver.execute_script(
            """const wide = document.documentElement.scrollWidth > innerWidth;
            const inside = e => e.parentElement.closest('.table-frame, .picture, .scroll');
            return JSON.stringify(!wide ? [] : [...document.body.querySelectorAll('*')]
              .filter(e => e.getBoundingClientRect().right > innerWidth + 0.5 && !inside(e))
              .map(e => e.tagName + '.' + e.getAttribute('class')).concat('the page'));"""
        )
        return list(json.loads(found))

    def width(self) -> int:
        """The inner width of the window."""
        return int(self.driver.execute_script("return innerWidth"))

    def language(self) -> str:
        """The language of the page."""
        return self.one("html").get_attribute("lang") or ""

    def speak(self, language: str) -> None:
        """Switch the page's language by its own link, if it speaks another."""
        link = self.all(f".tongues a[lang={language}]")
        if link:
            self.click(f".tongues a[lang={language}]")
        assert self.language() == language
