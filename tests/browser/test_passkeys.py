"""Passkeys in a real Chromium, with its virtual authenticator: made, used, refused, and where there are none.

The provider runs in threads of this process, on a port of its own at localhost: a secure context.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from selenium.webdriver.common.virtual_authenticator import VirtualAuthenticatorOptions
from selenium.webdriver.support.ui import WebDriverWait
from sqlalchemy import select

from directory.people import User
from idp.factors import passwords
from idp.factors.enrolled import EnrolledFactor
from idp.run import wiring
from idp.run.app import create_app
from idp.sessions import SsoSession
from tests.browser.test_text_browser import serve
from tests.browser.window import CHROMIUM, DRIVER, PATIENCE, SUBMIT, Window
from tests.conftest import missing
from tests.relying_party import OPERATOR, World, build_world

pytestmark = pytest.mark.serial

PASSWORD = "tre xanh ru bong mat"
PATIENT = """
const ask = navigator.credentials.get.bind(navigator.credentials);
const done = (what) => sessionStorage.setItem("did", (sessionStorage.getItem("did") ?? "") + what);
PublicKeyCredential.isConditionalMediationAvailable = () => Promise.resolve(true);
navigator.credentials.get = (asked) => {
  if (asked.mediation !== "conditional") { done("asked "); return ask(asked); }
  done("proposed ");
  return new Promise((_, no) => asked.signal.addEventListener("abort", () => {
    done("ended ");
    no(asked.signal.reason);
  }));
};
"""
BUTTON = "form[data-passkey] button[type=submit]"


@pytest.fixture
def place(make_settings: Any, clock: Any) -> Iterator[tuple[World, str]]:
    """An installation that answers at an address, and an official with a password."""
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
            must_change=False,
            now=clock(),
            actor=OPERATOR,
        )
    yield world, issuer
    stop()
    services.db.dispose()


def device(window: Window) -> None:
    """Give the browser an authenticator of its own."""
    options = VirtualAuthenticatorOptions()
    options.transport = VirtualAuthenticatorOptions.Transport.INTERNAL
    options.has_resident_key = True
    options.has_user_verification = True
    options.is_user_verified = True
    window.driver.add_virtual_authenticator(options)


def patient(window: Window) -> None:
    """Propose keys as people see it: the virtual authenticator would choose at once. What the page
    does stands in the tab's storage.
    """
    window.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": PATIENT})


def enrol(window: Window, place: tuple[World, str], name: str = "Máy của tôi") -> None:
    """Sign in with the password, and make a passkey."""
    world, issuer = place
    window.open(f"{issuer}/portal/ways/passkey")
    window.fill({"username": world.one(User, world.user_id).username, "password": PASSWORD})
    window.click(SUBMIT)
    window.wait(BUTTON)
    window.fill({"name": name})
    window.click(BUTTON)


def sign_out(window: Window) -> None:
    window.driver.delete_all_cookies()


def newest(world: World) -> Any:
    with world.services.db.read() as session:
        return session.scalars(select(SsoSession).order_by(SsoSession.created_at)).all()[-1]


def said(window: Window) -> list[str]:
    """What the page says of the last try."""
    shown = window.all("form[data-passkey] [data-said]")
    return [str(one.get_attribute("data-said")) for one in shown if one.is_displayed()]


def test_a_passkey_is_made_and_signs_in(place: tuple[World, str]) -> None:
    world, issuer = place
    with Window() as window:
        device(window)
        enrol(window, place)
        assert len(window.all("ol.codes code")) == 10
        assert window.overflow() == []
        window.open(f"{issuer}/portal/ways")
        assert "Máy của tôi" in window.text("main")
        assert window.overflow() == []
        sign_out(window)
        patient(window)
        window.open(f"{issuer}/login?return_to=/portal/profile")
        assert window.overflow() == []
        did = "return sessionStorage.getItem('did')"
        WebDriverWait(window.driver, PATIENCE).until(lambda _: window.driver.execute_script(did))
        window.click(BUTTON)
        assert window.url == f"{issuer}/portal/profile"
        # The request that proposes keys was ended before the button made its own.
        assert window.driver.execute_script(did) == "proposed ended asked "
        assert newest(world).acr == "urn:vn:aal:2"
        assert window.complaints() == []


@pytest.mark.slow
def test_the_keys_of_a_device_are_proposed_in_the_name_field(place: tuple[World, str]) -> None:
    """Chromium's virtual authenticator chooses what it is proposed, as soon as it is."""
    world, issuer = place
    with Window() as window:
        device(window)
        enrol(window, place)
        sign_out(window)
        window.open(f"{issuer}/login?return_to=/portal/profile")
        there = f"{issuer}/portal/profile"
        WebDriverWait(window.driver, PATIENCE).until(lambda _: window.url == there)
        assert newest(world).acr == "urn:vn:aal:2"


@pytest.mark.slow
def test_one_device_makes_one_key_and_a_change_of_mind_is_silent(place: tuple[World, str]) -> None:
    world, issuer = place
    with Window() as window:
        device(window)
        enrol(window, place)
        window.open(f"{issuer}/portal/ways/passkey")
        if window.all("#username"):
            window.click(BUTTON)
        window.one(BUTTON).click()
        WebDriverWait(window.driver, PATIENCE).until(lambda _: said(window))
        assert said(window) == ["InvalidStateError"]
        sign_out(window)
        window.driver.remove_all_credentials()
        window.driver.set_user_verified(False)
        window.open(f"{issuer}/login")
        window.driver.execute_script(
            "navigator.credentials.get = () => Promise.reject(new DOMException('', 'NotAllowedError'))"
        )
        window.one(BUTTON).click()
        assert said(window) == []
        window.driver.execute_script(
            "navigator.credentials.get = () => Promise.reject(new DOMException('', 'SecurityError'))"
        )
        window.one(BUTTON).click()
        WebDriverWait(window.driver, PATIENCE).until(lambda _: said(window))
        assert said(window) == ["failed"]
        assert window.one(BUTTON).is_enabled()
    with world.services.db.read() as session:
        kinds = session.scalars(select(EnrolledFactor.kind)).all()
    assert list(kinds).count("passkey") == 1


@pytest.mark.slow
def test_where_no_script_runs_the_page_says_so_and_the_password_remains(
    place: tuple[World, str],
) -> None:
    world, issuer = place
    with Window(scripts=False) as window:
        window.open(f"{issuer}/login?return_to=/portal/profile")
        assert not window.one(BUTTON).is_displayed()
        assert "cần JavaScript" in window.text("main")
        window.fill({"username": world.one(User, world.user_id).username, "password": PASSWORD})
        window.click(SUBMIT)
        assert window.url == f"{issuer}/portal/profile"


@pytest.mark.slow
def test_within_another_application_the_page_leads_to_a_browser(place: tuple[World, str]) -> None:
    _, issuer = place
    with Window() as window:
        window.driver.execute_cdp_cmd(
            "Page.addScriptToEvaluateOnNewDocument",
            {"source": "delete window.PublicKeyCredential"},
        )
        window.open(f"{issuer}/login")
        assert said(window) == ["unknown"]
        assert "Chrome hoặc Safari" in window.text("main")
        assert not window.one(BUTTON).is_displayed()


@pytest.mark.slow
def test_a_page_that_was_used_says_so_once_and_goes_on(place: tuple[World, str]) -> None:
    """MemeBattle/monorepo#729, statamic/cms#15212: an error that reloaded for ever."""
    _, issuer = place
    with Window() as window:
        device(window)
        enrol(window, place)
        sign_out(window)
        patient(window)
        window.open(f"{issuer}/login?return_to=/portal/profile")
        window.driver.execute_script(
            "document.querySelector('form[data-passkey] input[name=kept]').value = 'x'"
        )
        window.click(BUTTON)
        assert "Trang này đã dùng rồi" in window.text(".notice-bad")
        window.click(BUTTON)
        assert window.url == f"{issuer}/portal/profile"
