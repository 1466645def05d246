"""What the demonstration's guide says, done step by step in a real Chromium, in both languages, on a
desk and on a phone. ``make pictures`` takes the documents' pictures on the way.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium.webdriver.common.virtual_authenticator import VirtualAuthenticatorOptions

from tests.browser.conftest import Demo
from tests.browser.pictures import FOLDER, WIDTH, take
from tests.browser.window import PHONE, SUBMIT, Window, next_code

pytestmark = [
    pytest.mark.serial,
    pytest.mark.slow,  # the demonstration of tests/browser, ten pages and more in each walk
]

DESK = 1280
PASSWORD = "bếp củi reo vui sớm mai"
OPENER = "main a.button[href='/login']"
TO_VNEID = "a[href*='way=eid-vneid']"
PERSON = "tbody a[href*='/console/people/']"
SLIP = "form[action$=activation]"
ALONE = f"{SLIP} input[type=password]"
KEY = "form[data-passkey] button[type=submit]"
CARD = "main .sheet"
WALKS = [("vi", WIDTH), ("en", WIDTH)] if FOLDER else [("vi", DESK), ("en", PHONE)]


@pytest.fixture(params=WALKS, ids=[f"{language}-{width}" for language, width in WALKS])
def walk(request: pytest.FixtureRequest, demo: Demo) -> "Walk":
    language, width = request.param
    return Walk(demo, language, width)


class Walk:
    """One reader of the guide."""

    def __init__(self, demo: Demo, language: str, width: int) -> None:
        self.demo, self.language, self.width = demo, language, width
        self.app = demo.credentials["apps"][0]["url"]

    @contextmanager
    def window(self) -> Iterator[Window]:
        """A private window of this width."""
        with Window(language=self.language) as window:
            window.driver.execute_cdp_cmd(
                "Emulation.setDeviceMetricsOverride",
                {"width": self.width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
            )
            yield window

    def seen(self, window: Window, name: str = "", *, css: str = "main") -> None:
        """A page that must be whole at this width and in this language."""
        assert window.overflow() == [], window.url
        assert window.language() == self.language, window.url
        if name:
            take(window, name, self.language, css=css)

    def says(self, vi: str, en: str) -> str:
        """The sentence in the language of this walk."""
        return en if self.language == "en" else vi

    def to_app(self, window: Window) -> None:
        """Application A, as the guide's links open it, up to the sign-in page."""
        window.open(f"{self.app}/?lang={self.language}")
        window.click(OPENER)
        assert window.url.startswith(f"{self.demo.issuer}/login/")

    def by_vneid(self, window: Window, person: dict[str, Any], picture: str = "") -> None:
        """From a sign-in page to the simulator, and back as this person; the first time she links."""
        window.click(TO_VNEID)
        self.seen(window)
        window.click(SUBMIT)
        assert window.url.startswith(self.demo.credentials["eid"]["url"])
        button = window.one(f"input[name=person][value='{person['username']}']")
        if not button.is_displayed():
            window.one("fieldset details summary").click()
        button.click()
        assert window.overflow() == []
        window.click("button[value=sign_in]")
        assert person["username"] in window.text(CARD)
        self.seen(window, picture, css=CARD)
        window.click(SUBMIT)


def test_the_guide_shows_what_to_try(walk: Walk) -> None:
    with walk.window() as window:
        window.open(f"{walk.demo.credentials['guide']}?lang={walk.language}")
        walk.seen(window)
        assert len(window.all("main section")) == 5
        shown = {each.get_attribute("data-of"): each.text for each in window.all("output[data-of]")}
        assert all(len(code) == 6 and code.isdecimal() for code in shown.values())
        needing = {u["username"] for u in walk.demo.credentials["users"] if "totp" in u}
        assert shown.keys() == needing
        hosts = {urlsplit(a.get_attribute("href") or "").hostname for a in window.all("main a")}
        assert hosts == {"localhost"}
        assert window.complaints() == []


def test_vneid_then_a_passkey_and_in_again_by_it(walk: Walk) -> None:
    person = walk.demo.official("across")
    with walk.window() as window:
        options = VirtualAuthenticatorOptions()
        options.transport = VirtualAuthenticatorOptions.Transport.INTERNAL
        options.has_resident_key = options.has_user_verification = options.is_user_verified = True
        walk.to_app(window)
        walk.seen(window, "sign-in", css=CARD)
        walk.by_vneid(window, person, "vneid-link")
        assert window.url.startswith(walk.app)
        window.open(f"{walk.app}/restricted")
        assert walk.says("đã xác thực mức 2", "at level 2") in window.text("main")
        # Her own device joins.
        window.driver.add_virtual_authenticator(options)
        window.open(f"{walk.demo.issuer}/portal/ways")
        walk.seen(window)
        window.click("a[href$='/portal/ways/passkey']")
        walk.seen(window, "passkey", css=CARD)
        window.wait(f"{KEY}:not([hidden])")
        window.click(KEY)
        window.open(f"{walk.demo.issuer}/portal/ways")
        walk.seen(window, "ways")
        assert window.all("li.way")
        window.click("a[href$='/portal/ways/app']")
        walk.seen(window)
        # Out, and in again without a word: the device is asked as soon as the page is there.
        window.driver.delete_all_cookies()
        window.open(f"{walk.demo.issuer}/portal/sessions")
        window.wait(".capacity b")
        assert window.text(".capacity b") == person["name"]
        walk.seen(window, "sessions")
        assert window.complaints() == []


def test_an_account_of_level_1_is_refused_and_told_why(walk: Walk) -> None:
    person = walk.demo.official("across")
    with walk.window() as window:
        walk.to_app(window)
        window.click(TO_VNEID)
        window.click(SUBMIT)
        window.select("#level", "1")
        button = window.one(f"input[name=person][value='{person['username']}']")
        if not button.is_displayed():
            window.one("fieldset details summary").click()
        button.click()
        window.click("button[value=sign_in]")
        assert walk.says("chưa đạt mức độ 2", "level 2") in window.text(CARD)
        walk.seen(window, "vneid-refused", css=CARD)
        window.open(f"{walk.demo.issuer}/")
        assert not window.all(".capacity")


def test_a_password_and_a_page_that_wants_more(walk: Walk) -> None:
    person = walk.demo.official("back" if walk.language == "vi" else "upwards")
    app = next(
        app["url"]
        for app in walk.demo.credentials["apps"]
        if app["code"] == ("motcua" if walk.language == "vi" else "qlvb")
    )
    walk.app = app
    with walk.window() as window:
        walk.to_app(window)
        window.sign_in(person)
        assert window.url.startswith(app)
        window.wait("a[href='/restricted']", reloading=True)  # her account may still be on its way
        walk.seen(window)
        window.click("a[href='/restricted']")
        walk.seen(window, "step-up", css="main .card")
        window.click("a[href='/login?step_up']")
        assert walk.says("mạnh hơn", "stronger") in window.text(CARD)
        walk.seen(window)
        walk.by_vneid(window, person)
        if window.all("input[name=assignment]"):
            window.click(SUBMIT)
        assert window.url.startswith(f"{app}/restricted")
        assert walk.says("đã xác thực mức 2", "at level 2") in window.text("main")
        walk.seen(window)


def never_in(walk: Walk, window: Window) -> dict[str, str]:
    """On the page of somebody who has never been in, whose slip one officer prints alone: the
    newcomer, or where another walk has let her in somebody else, from the end of the list.
    """
    newcomer = walk.demo.credentials["slip"]["username"]
    window.open(f"{walk.demo.issuer}/console/people?q={newcomer}")
    window.click(PERSON)
    if not window.all(ALONE):
        window.open(f"{walk.demo.issuer}/console/people")
        for page in [str(each.get_attribute("href")) for each in reversed(window.all(PERSON))]:
            window.open(page)
            if window.all(ALONE):
                break
    facts = dict(
        zip(
            [each.text for each in window.all("main dl dt")],
            [each.text for each in window.all("main dl dd")],
            strict=True,
        )
    )
    return {
        "name": window.text("h1"),
        "username": facts[walk.says("Tên đăng nhập", "Username")],
        "born": facts[walk.says("Ngày sinh", "Date of birth")],
    }


def test_a_newcomer_and_her_slip(walk: Walk) -> None:
    """Printed by HR at the console, behind password and code; used on paper's word alone."""
    officer = walk.demo.hr_officer
    with walk.window() as window:
        window.open(f"{walk.demo.issuer}/console/")
        window.fill({"username": officer["username"], "password": officer["password"]})
        window.click(SUBMIT)
        walk.seen(window, "code", css=CARD)
        window.fill({"code": next_code(**officer["totp"])})
        window.click(SUBMIT)
        assert window.url.endswith("/console/")
        window.open(f"{walk.demo.issuer}/console/identities")
        walk.seen(window)
        newcomer = never_in(walk, window)
        walk.seen(window)
        window.one(ALONE).send_keys(officer["password"])
        window.click(f"{SLIP} button")
        walk.seen(window, "slip")
        code = window.text("#activation-code")
    with walk.window() as window:
        window.open(f"{walk.demo.issuer}/activate")
        walk.seen(window, "activate", css=CARD)
        window.fill({"code": code, "answer": newcomer["born"]})
        window.click(SUBMIT)
        assert newcomer["username"] in window.text(CARD)
        window.fill({"password": PASSWORD, "again": PASSWORD})
        walk.seen(window, "password", css=CARD)
        window.click(SUBMIT)
        walk.seen(window)
    with walk.window() as window:
        window.open(f"{walk.demo.issuer}/")
        window.sign_in({"username": newcomer["username"], "password": PASSWORD})
        assert window.url == f"{walk.demo.issuer}/"
        assert newcomer["name"] in window.driver.page_source
