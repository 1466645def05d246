"""The story of one transfer in a real browser, and what only a browser can tell.

Sign-in once for two applications, HR's transfer from the search to the settled proof, and the
application that no longer knows her; then the same doors by keyboard, without scripts, and on a
phone.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.conftest import Demo
from tests.browser.window import PHONE, Window

pytestmark = [pytest.mark.serial, pytest.mark.slow]

LANGUAGES = ("vi", "en")
OPENER = "main a.button[href='/login']"
SETTLED = ".verdict[data-state=settled]"


@pytest.fixture
def official(demo: Demo) -> Iterator[Window]:
    """The browser of an official."""
    with Window() as window:
        yield window


@pytest.fixture
def officer(demo: Demo) -> Iterator[Window]:
    """The browser of the HR officer, signed in to the console."""
    with Window() as window:
        window.open(f"{demo.issuer}/console/")
        window.sign_in(demo.hr_officer)
        yield window


def preview(window: Window, demo: Demo, person: dict[str, Any]) -> None:
    """Find her in the console and fill in the form of her transfer."""
    window.open(f"{demo.issuer}/console/people")
    window.fill({"q": person["username"]})
    window.click(".filters button[type=submit]")
    window.click("td a[href*='/console/people/']")
    assert window.text("h1") == person["name"]
    window.click("a[href$='/transfer']")
    goal = person["transfer_to"]
    window.fill({"unit_words": goal["unit"]})
    window.click("button[name=step][value=search]")
    window.click("input[name=to_unit]")
    window.select("#position", goal["position"])
    window.fill({"number": "412/QĐ-SNV", "issued_on": "02/03/2026", "issuer": "Sở Nội vụ"})
    window.click("#preview")


def commit(window: Window, demo: Demo) -> None:
    """Confirm with the password and stay until the proof is complete."""
    if window.all("#confirm-password"):
        window.fill({"confirm-password": demo.hr_officer["password"]})
    window.click("button[name=decision][value=allow]")
    assert "/console/changes/" in window.url
    window.wait(SETTLED)


def rows(window: Window) -> set[tuple[str, str]]:
    """Kind and state of every effect on the page."""
    return {
        (row.get_attribute("data-effect") or "", row.get_attribute("data-state") or "")
        for row in window.all("[data-effect]")
    }


def test_the_story_of_one_transfer(demo: Demo, official: Window, officer: Window) -> None:
    person = demo.official("away")
    first, second = demo.apps

    # 2. She opens application A, signs in at Dinhdanh, and is back with name, unit and position.
    official.open(first)
    official.click(OPENER)
    assert official.url.startswith(f"{demo.issuer}/login/")
    official.sign_in(person)
    assert official.url.startswith(first)
    official.wait("main table", reloading=True)  # her account may still be on its way
    assert official.text(".who") == person["name"]
    unit, position, *_ = (fact.text for fact in official.all(".facts dd"))
    official.open(demo.issuer)
    assert official.text(".capacity b") == person["name"]
    assert official.text(".capacity small") == f"{position} · {unit}"

    # Application B does not ask her again.
    official.open(second)
    official.click(OPENER)
    assert official.url.startswith(second)
    assert person["name"] in official.text("main")

    # 4. HR sees what she will lose and gain, confirms, and watches the proof complete.
    preview(officer, demo, person)
    lost, gained = officer.text("tr:has(.access-lost)"), officer.text("tr:has(.access-gained)")
    assert demo.credentials["apps"][0]["name"] in lost
    assert demo.credentials["apps"][1]["name"] in gained
    announced = {kind for kind, _ in rows(officer)}
    assert {"session.end", "grant.end", "account.disable", "account.create"} <= announced
    commit(officer, demo)
    assert {state for _, state in rows(officer)} <= {"verified", "acknowledged"}
    # A refresh token dies with its grant, which is proven; the applications are told as well.
    proven = {kind for kind, _ in rows(officer)}
    assert proven == announced - {"refresh.end"} | {"logout.deliver"}

    # 6. A does not know her any longer, and Dinhdanh asks for her password again.
    official.open(first)
    assert official.all(OPENER)
    assert person["name"] not in official.text("body")
    official.click(OPENER)
    assert official.url.startswith(f"{demo.issuer}/login/")
    assert official.all("#password")

    assert official.complaints() == []
    assert officer.complaints() == []


def test_three_sites_on_one_host_keep_their_sessions_apart(demo: Demo, official: Window) -> None:
    person = demo.official("upwards")
    official.open(f"{demo.apps[0]}/login")
    official.sign_in(person)
    official.open(f"{demo.apps[1]}/login")
    official.open(demo.issuer)
    sessions = {"dinhdanh", "qlvb_session", "motcua_session"}
    held = official.cookies()
    assert sessions <= held.keys()
    assert len({held[name]["value"] for name in sessions}) == len(sessions)
    assert all(held[name]["httpOnly"] for name in sessions)
    for app in demo.apps:
        official.open(app)
        assert official.text(".who") == person["name"]
    official.open(demo.issuer)
    assert official.text(".capacity b") == person["name"]
    assert official.complaints() == []


def test_sign_in_by_keyboard_alone(demo: Demo, official: Window) -> None:
    person = demo.official("across")
    official.open(demo.issuer)
    assert official.focused() == "username"
    official.press(person["username"], Keys.TAB)
    assert official.focused() == "password"
    official.press(person["password"])
    with official.leaving():
        official.press(Keys.ENTER)
    assert official.text(".capacity b") == person["name"]
    # The first stop of every page leads past its navigation; the focus is seen.
    official.press(Keys.TAB)
    skip = official.driver.switch_to.active_element
    assert skip.get_attribute("href") == f"{official.url}#content"
    assert skip.rect["x"] >= 0
    official.press(Keys.ENTER)
    official.press(Keys.TAB)
    assert official.driver.switch_to.active_element.get_attribute("class") == "tile"
    # And by keyboard out again.
    official.open(demo.issuer)
    official.tab_to(".signout button")
    with official.leaving():
        official.press(Keys.ENTER)
    assert not official.all(".capacity")


def test_sign_in_and_transfer_without_scripts(demo: Demo) -> None:
    person = demo.official("back")
    with Window(scripts=False) as window:
        window.open("data:text/html,<title>off</title><script>document.title='on'</script>")
        assert window.driver.title == "off"
        window.open(f"{demo.issuer}/console/")
        window.sign_in(demo.hr_officer)
        preview(window, demo, person)
        commit(window, demo)
        assert person["name"] in window.text("h1")


def test_pages_do_not_scroll_sideways_on_a_phone(demo: Demo, official: Window) -> None:
    window = official
    window.narrow()
    checked: list[str] = []

    def check() -> None:
        for language in reversed(LANGUAGES) if window.language() == "en" else LANGUAGES:
            window.speak(language)
            assert window.width() == PHONE
            assert window.overflow() == [], (window.url, language)
        checked.append(window.url)

    window.open(f"{demo.issuer}/console/")
    check()  # sign-in
    window.sign_in(demo.hr_officer)
    check()  # home of the console
    for page in ("/", "/portal/certificates", "/console/people", "/console/units"):
        window.open(demo.issuer + page)
        check()
    preview(window, demo, demo.official("away"))
    check()
    commit(window, demo)
    check()  # the proof
    window.click(".lines a[href*='/console/people/']")
    check()  # the person
    assert len(set(checked)) == 9
    for app in demo.apps:
        window.open(f"{app}/login")
        assert window.overflow() == [], app
    assert window.complaints() == []


def test_the_browser_has_nothing_against_the_administrator_s_pages(
    demo: Demo, official: Window
) -> None:
    window = official
    window.open(f"{demo.issuer}/console/")
    window.sign_in(demo.having("administrator"))
    window.narrow()
    new = ("clients/new", "clients/new?use=apache", "clients/new?use=machine")
    for page in ("jobs", "logouts", "clients", *new, "applications", "audit", "changes"):
        window.open(f"{demo.issuer}/console/{page}")
        assert window.all(".nav-bar a[aria-current=page]"), page
        assert window.overflow() == [], page
    for page in ("clients", "applications"):
        window.open(f"{demo.issuer}/console/{page}")
        window.click(f"td a[href*='/console/{page}/']")
        assert window.overflow() == [], window.url
        if page == "clients":
            window.click("a[href$='/edit']")
            assert window.overflow() == [], window.url
    for page in ("capacity", "sessions", "consents", "everywhere", "profile"):
        window.open(f"{demo.issuer}/portal/{page}")
        assert window.overflow() == [], page
    assert window.complaints() == []
