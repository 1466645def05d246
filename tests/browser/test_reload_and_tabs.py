"""A real browser's reload, its back button and its tabs: nothing is done twice, no tab dies."""

import time
from collections.abc import Iterator

import pytest
from selenium.webdriver.common.by import By

from tests.browser.conftest import Demo
from tests.browser.window import SUBMIT, Window

pytestmark = [pytest.mark.serial, pytest.mark.slow]


@pytest.fixture
def window() -> Iterator[Window]:
    with Window() as made:
        yield made


def rows(window: Window, demo: Demo, name: str) -> int:
    window.open(f"{demo.issuer}/console/clients")
    return sum(name in row.text for row in window.all("tbody tr"))


def test_a_reload_shows_the_new_secret_again_and_registers_nothing(
    demo: Demo, window: Window
) -> None:
    person = demo.having("administrator")
    window.open(f"{demo.issuer}/console/clients/new")
    window.sign_in(person)
    name = "Ứng dụng thử tải lại"
    window.fill({"name": name, "redirect_uris": "https://thu.example/cb"})
    window.fill({"confirm-password": person["password"]})
    window.click("form.form-sheet button[type=submit]")
    secret = window.text("#client-secret")
    shown = window.url
    assert "/shown/" in shown
    window.reload()
    assert window.text("#client-secret") == secret
    window.driver.back()
    window.driver.forward()
    assert window.url == shown
    assert window.text("#client-secret") == secret
    assert rows(window, demo, name) == 1
    assert window.complaints() == []


def test_a_second_tab_goes_on_when_the_first_has_signed_in(demo: Demo, window: Window) -> None:
    person = demo.official("across")
    window.open(f"{demo.issuer}/portal/profile")
    first = window.driver.current_window_handle
    window.driver.switch_to.new_window("tab")
    window.open(f"{demo.issuer}/portal/sessions")
    second = window.driver.current_window_handle
    assert window.all("#password")
    time.sleep(0.1)
    window.driver.switch_to.window(first)
    window.sign_in(person)
    assert window.url.endswith("/portal/profile")
    window.driver.switch_to.window(second)
    window.fill({"username": person["username"], "password": person["password"]})
    window.click(SUBMIT)
    assert window.url.endswith("/portal/sessions")
    assert window.driver.find_element(By.CSS_SELECTOR, ".capacity b").text == person["name"]


def test_a_button_prints_the_slip_and_only_the_slip(demo: Demo, window: Window) -> None:
    window.driver.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument",
        {"source": "window.print = () => { document.title = 'in' }"},
    )
    person = demo.hr_officer
    window.open(f"{demo.issuer}/console/people")
    window.sign_in(person)
    window.click("tbody a")
    window.one("form[action$=activation] input[type=password]").send_keys(person["password"])
    window.click("form[action$=activation] button")
    link = window.text("#activation-code")
    window.driver.find_element(By.CSS_SELECTOR, "button[data-print]").click()
    assert window.driver.title == "in"
    window.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    printed = window.driver.find_element(By.TAG_NAME, "body").text
    assert link in printed
    for words in ("Phiếu chỉ hiện lần này", "In phiếu", "Tổng quan", person["name"]):
        assert words not in printed
    assert window.complaints() == []
