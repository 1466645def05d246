"""Slips as officers and newcomers meet them, in a real Chromium: the pages, the paper, and how much is typed.

The provider runs in threads of this process, on a port of its own; its clock stands still.
"""

import base64
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from directory.people import User
from directory.permissions import Role
from directory.units import OrgUnit
from idp.factors import slips
from idp.run import wiring
from idp.run.app import create_app
from tests import hr_world
from tests.browser.test_second_factor import Person
from tests.browser.test_text_browser import serve
from tests.browser.window import CHROMIUM, DRIVER, SUBMIT, Window
from tests.conftest import missing
from tests.factories import make_assignment, make_position, make_role, make_user
from tests.hr_world import OPERATOR, PASSWORD, Hr

pytestmark = [pytest.mark.serial, pytest.mark.slow]

NEW = "gạch bông rêu phơi thóc mới"
PICTURES = os.environ.get("PICTURES", "")
PAGES = re.compile(rb"/Type\s*/Page[^s]")
MEDIA = re.compile(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]")
MOST_SCREENS, MOST_TYPED = 6, 40
ONE_WAY = [("vi", True), pytest.param("en", False, marks=pytest.mark.slow)]


@pytest.fixture
def hr(make_settings: Any, clock: Any) -> Iterator[tuple[Hr, str]]:
    for needed in (CHROMIUM, DRIVER):
        if not needed.exists():
            missing(str(needed))
    shell = Flask("not yet")
    issuer, stop = serve(shell)
    services = wiring.build(make_settings(issuer=issuer, second_factor="nobody"), clock=clock)
    app = create_app(services)
    shell.wsgi_app = app  # type: ignore[method-assign]
    made = hr_world.build(services, clock, app)
    made.unactivated("lan", "hien")
    with services.db.write() as session:
        session.get_one(User, made.people["lan"]).birth_date = "1980-02-03"
        room = session.get_one(OrgUnit, made.units["room2"])
        clerk = make_position(session, "VT", "Văn thư, lưu trữ kiêm công nghệ thông tin")
        for n in range(6):
            user = make_user(session, f"Nguyễn Phước Bảo Hoàng Thùy Dương {n}")
            user.birth_date = "1990-01-01"
            make_assignment(session, user, room, clerk)
        make_role(session, session.get_one(User, made.people["hien"]), Role.AUDITOR)
    yield made, issuer
    stop()
    services.db.dispose()


def signed_in(window: Window, hr: Hr, issuer: str, who: str, name: str) -> Person:
    person = Person(window, hr, who, issuer, name)
    window.open(issuer + "/console/")
    window.fill({"username": hr.names[who], "password": PASSWORD})
    window.click(SUBMIT)
    return person


def paper(window: Window, name: str) -> bytes:
    """The page as its printer would have it."""
    made = window.driver.execute_cdp_cmd(
        "Page.printToPDF", {"preferCSSPageSize": True, "printBackground": False}
    )
    pdf = base64.b64decode(made["data"])
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        (Path(PICTURES) / f"{name}.pdf").write_bytes(pdf)
    return pdf


@pytest.mark.parametrize(("language", "narrow"), ONE_WAY)
def test_a_unit_s_slips_are_chosen_and_printed_four_to_a_sheet(
    hr: tuple[Hr, str], language: str, narrow: bool
) -> None:
    world, issuer = hr
    name = f"unit-{language}-{'phone' if narrow else 'desk'}"
    with Window(language=language) as window:
        if narrow:
            window.narrow()
        officer = signed_in(window, world, issuer, "officer_a", name)
        officer.open(f"/console/units/{world.units['a']}")
        window.click(f"a[href$='/units/{world.units['a']}/slips']")
        officer.look()
        assert len(window.all("input[name=user]:checked")) == 7
        window.fill({"confirm-password": PASSWORD})
        window.click("main form .btn-primary")
        officer.look()
        codes = [one.text for one in window.all(".slip-card code")]
        assert len(set(codes)) == 7
        pdf = paper(window, name)
        assert len(PAGES.findall(pdf)) == 2
        for width, height in MEDIA.findall(pdf):
            assert (round(float(width)), round(float(height))) == (595, 842)  # A4 in points
        window.reload()
        assert window.all(".slip-card") == []
        officer.look()
        window.driver.back()
        assert window.all(".slip-card") == []


@pytest.mark.parametrize(("language", "narrow"), ONE_WAY)
def test_one_asks_another_agrees_and_one_prints(
    hr: tuple[Hr, str], language: str, narrow: bool
) -> None:
    world, issuer = hr
    name = f"two-{language}-{'phone' if narrow else 'desk'}"
    page = f"/console/people/{world.people['plain']}"
    with Window(language=language) as window:
        if narrow:
            window.narrow()
        asks = signed_in(window, world, issuer, "officer_a", name)
        asks.open(page)
        window.one("form[action$=propose] input[type=password]").send_keys(PASSWORD)
        window.click("form[action$=propose] button")
        asks.look()
        where = window.url.removeprefix(issuer)
        with Window(language=language) as other:
            if narrow:
                other.narrow()
            agrees = signed_in(other, world, issuer, "officer", f"{name}-second")
            agrees.open(where)
            other.fill({"confirm-password": PASSWORD})
            other.click("#approve")
            agrees.look()
        asks.open(where)
        window.click("main a[href$='#slip']")
        asks.look()
        window.click("form[action$=activation] button")
        asks.look()
        assert len(window.text("#activation-code").replace(" ", "")) == 16
        assert len(PAGES.findall(paper(window, name))) == 1


@pytest.mark.parametrize("scanned", [True, False])
def test_from_slip_to_password_and_second_factor_on_a_phone(
    hr: tuple[Hr, str], scanned: bool
) -> None:
    """At most six screens and forty characters beside the password, also where nothing is scanned."""
    world, issuer = hr
    world.services.settings.second_factor = "everybody"
    with world.services.db.write() as session:
        code = slips.issue(
            session,
            world.services.keyring,
            world.people["lan"],
            now=world.clock(),
            lifetime=3600,
            actor=OPERATOR,
        )
    typed: list[str] = []
    with Window() as window:
        window.narrow()
        lan = Person(window, world, "lan", issuer, f"onboarding-{'qr' if scanned else 'typed'}")

        def send(**fields: str) -> None:
            typed.extend(fields.values())
            lan.send(**fields)

        lan.open(f"/activate/{code}" if scanned else "/activate")
        send(answer="03021980", **({} if scanned else {"code": code}))
        lan.send(password=NEW, again=NEW)
        send(code=lan.scan())
        window.click("main a.btn-primary")
        lan.look()
        assert window.url == f"{issuer}/"
        assert lan.seen <= MOST_SCREENS
        assert len("".join(typed)) <= MOST_TYPED
