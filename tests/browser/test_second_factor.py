"""From paper to work, and every day after, in a real Chromium: slip, QR code, app, codes on paper, my ways.

The provider runs in threads of this process, on a port of its own; its clock stands still.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from directory.people import User
from idp.factors import paper_code
from idp.run import wiring
from idp.run.app import create_app
from tests import hr_world
from tests.authenticator import Authenticator, wrong_code
from tests.browser.test_text_browser import serve
from tests.browser.window import CHROMIUM, DRIVER, SUBMIT, Window
from tests.conftest import missing
from tests.hr_world import PASSWORD, Hr

pytestmark = pytest.mark.serial

NEW = "gạch bông rêu phơi thóc mới"
PICTURES = os.environ.get("PICTURES", "")
"""A folder in which each page is left as a picture, for whoever wants to look."""


@pytest.fixture
def hr(make_settings: Any, clock: Any) -> Iterator[tuple[Hr, str]]:
    for needed in (CHROMIUM, DRIVER):
        if not needed.exists():
            missing(str(needed))
    shell = Flask("not yet")
    issuer, stop = serve(shell)
    services = wiring.build(make_settings(issuer=issuer, second_factor="everybody"), clock=clock)
    app = create_app(services)
    shell.wsgi_app = app  # type: ignore[method-assign]
    made = hr_world.build(services, clock, app)
    with services.db.write() as session:
        session.get_one(User, made.people["lan"]).birth_date = "1980-02-03"
    yield made, issuer
    stop()
    services.db.dispose()


class Person:
    """Somebody at a window, who looks at every page she comes to."""

    def __init__(self, window: Window, hr: Hr, who: str, issuer: str, name: str) -> None:
        self.window, self.hr, self.who, self.issuer, self.name = window, hr, who, issuer, name
        self.app: Authenticator | None = None
        self.apps: list[Authenticator] = []
        self.seen = 0

    def look(self) -> None:
        """Nothing sticks out, nothing is complained about."""
        assert self.window.overflow() == []
        assert [c for c in self.window.complaints() if "422" not in c] == []
        self.seen += 1
        if PICTURES:
            folder = Path(PICTURES)
            folder.mkdir(parents=True, exist_ok=True)
            driver = self.window.driver
            size = driver.execute_script(
                "return [innerWidth, document.documentElement.scrollHeight]"
            )
            driver.execute_cdp_cmd(
                "Emulation.setDeviceMetricsOverride",
                {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False},
            )
            driver.save_screenshot(str(folder / f"{self.name}-{self.seen:02}.png"))

    def open(self, path: str) -> None:
        self.window.open(self.issuer + path)
        self.look()

    def send(self, *, button: str = SUBMIT, **fields: str) -> None:
        """Fill in fields and press the button."""
        self.window.fill(fields)
        self.window.click(button)
        self.look()

    def scan(self) -> str:
        """The code that her app shows for what is on the page."""
        link = self.window.one("a[href^=otpauth]").get_attribute("href")
        assert link is not None
        self.app = Authenticator.read(link)
        self.apps.append(self.app)
        return self.code()

    def code(self) -> str:
        assert self.app is not None
        return self.app.code(self.hr.clock())

    def wrong_code(self) -> str:
        return wrong_code(self.hr.clock(), *self.apps)


def printed(person: Person) -> str:
    """Her slip's address, printed by an officer at the console."""
    hr = person.hr
    officer = hr.app.test_client()
    hr.services.settings.second_factor = "nobody"
    try:
        from tests.browser_client import hidden_fields, sign_in
        from tests.paper_slips import link_on

        hr.agree("officer_a", person.who)
        sign_in(officer, hr.names["officer_a"], PASSWORD)
        page = f"/console/people/{hr.people[person.who]}"
        data = hidden_fields(officer.get(page).text) | {"password": PASSWORD}
        return link_on(officer.post(f"{page}/activation", data=data, follow_redirects=True).text)
    finally:
        hr.services.settings.second_factor = "everybody"


CASES = [
    ("vi", True),
    pytest.param("en", False, marks=pytest.mark.slow),
    pytest.param("vi", False, marks=pytest.mark.slow),
    pytest.param("en", True, marks=pytest.mark.slow),
]
TOLD = {
    "vi": {"why": "Cơ quan yêu cầu hai cách xác thực", "left": "Còn 9 mã chưa dùng"},
    "en": {"why": "The agency asks for two ways", "left": "9 codes are unused"},
}


def _on_paper(lan: Person, link: str) -> None:
    """By hand, with a typing error, then as the QR code opens it; a wrong answer, a right one."""
    window = lan.window
    lan.open("/activate")
    lan.send(code=link[-16:-1] + str((int(link[-1]) + 1) % 10), answer="3/2/1980")
    assert window.all("#code-error")
    lan.open(link)
    assert window.url == f"{lan.issuer}/activate"
    assert window.one("#code").get_attribute("value") == paper_code.grouped(link[-16:])
    lan.send(answer="4/2/1980")
    assert window.all("#answer-error")
    lan.send(answer="3/2/1980")
    lan.send(password=NEW, again=NEW)


def _enrolled(lan: Person, why: str) -> list[str]:
    """An app is scanned, and the sheet that is shown once: its codes."""
    window = lan.window
    assert why in window.text("main")
    square = window.one(".qr-frame").size
    assert abs(square["width"] - square["height"]) <= 1
    assert square["width"] > 150
    window.click("details summary")
    lan.look()
    lan.scan()
    lan.send(code=lan.wrong_code())
    assert window.all("#code-error")
    lan.send(code=lan.scan())
    codes = [one.text for one in window.all(".codes code")]
    assert len(set(codes)) == 10
    boxes = [one.rect for one in window.all(".codes code")]
    sheet = window.one(".slip").rect
    for n, one in enumerate(boxes):  # none over another, none outside of the sheet
        assert one["x"] + one["width"] <= sheet["x"] + sheet["width"]
        for other in boxes[:n]:
            beside = (
                one["x"] >= other["x"] + other["width"] or other["x"] >= one["x"] + one["width"]
            )
            assert beside or one["y"] >= other["y"] + other["height"]
    window.reload()
    assert [one.text for one in window.all(".codes code")] == codes
    window.click("main a.btn-primary")
    lan.look()
    assert window.url == f"{lan.issuer}/"
    return codes


@pytest.mark.parametrize(("language", "narrow"), CASES)
def test_from_paper_to_work_and_the_day_after(
    hr: tuple[Hr, str], language: str, narrow: bool
) -> None:
    world, issuer = hr
    told, name = TOLD[language], f"{language}-{'phone' if narrow else 'desk'}"
    with Window(language=language) as window:
        if narrow:
            window.narrow()
        lan = Person(window, world, "lan", issuer, name)
        _on_paper(lan, printed(lan))
        codes = _enrolled(lan, told["why"])
        world.clock.advance(minutes=1)
        lan.open("/portal/ways")
        lan.open("/portal/ways/app")
        lan.send(code=lan.scan(), name="Máy cơ quan")
        assert "Máy cơ quan" in window.text("main")

    world.clock.advance(minutes=1)
    with Window(language=language) as window:
        if narrow:
            window.narrow()
        apps = lan.apps
        lan = Person(window, world, "lan", issuer, f"{name}-later")
        lan.open("/portal/ways")
        lan.send(username=world.names["lan"], password=NEW)
        assert told["why"] in window.text("main")
        assert window.one("#code").get_attribute("inputmode") == "numeric"
        lan.send(code=wrong_code(world.clock(), *apps))
        assert window.one("#code").get_attribute("value") == ""
        assert window.focused() == "code"
        window.click(".ways a[href$=recovery_code]")
        lan.look()
        lan.send(code=codes[4])
        assert window.url == f"{issuer}/portal/ways"
        assert told["left"] in window.text("main")
        window.click(".way details summary")
        lan.look()
        window.click(".way form[action$=lost] button")
        lan.look()


@pytest.mark.slow
def test_it_goes_without_scripts(hr: tuple[Hr, str]) -> None:
    world, issuer = hr
    with Window(scripts=False) as window:
        lan = Person(window, world, "lan", issuer, "plain")
        window.open(issuer + printed(lan))
        window.fill({"answer": "03021980"})
        window.click(SUBMIT)
        window.fill({"password": NEW, "again": NEW})
        window.click(SUBMIT)
        window.fill({"code": lan.scan()})
        window.click(SUBMIT)
        assert len(window.all(".codes code")) == 10
        window.click("main a.btn-primary")
        assert window.url == f"{issuer}/"
