"""The simulator's page in a real browser, as wide as a phone, without scripts."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from pytest_httpserver import HTTPServer

from dinhdanh.eid_simulator.running import Simulator, simulate
from tests.browser.window import CHROMIUM, DRIVER, PHONE, Window
from tests.conftest import missing

pytestmark = [pytest.mark.serial, pytest.mark.slow]


@pytest.fixture
def sim() -> Iterator[Simulator]:
    for needed in (CHROMIUM, DRIVER):
        if not needed.exists():
            missing(str(needed))
    with simulate() as made:
        yield made


def asked(sim: Simulator, application: HTTPServer, **more: str) -> str:
    query = {
        "response_type": "code",
        "client_id": "demo",
        "redirect_uri": application.url_for("/callback"),
        "scope": "openid",
        "state": "a-state",
    }
    return f"{sim.provider('standard').address('authorize')}?{urlencode(query | more)}"


def test_somebody_is_chosen_on_a_phone_without_scripts_and_remembered(
    sim: Simulator, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/callback").respond_with_data("landed", content_type="text/html")
    with Window(scripts=False) as window:
        window.narrow()
        window.open(asked(sim, httpserver))
        assert window.width() == PHONE
        assert window.overflow() == []
        assert "MÔ PHỎNG" in window.text(".label")
        assert window.language() == "vi"
        window.click("nav a[lang=en]")
        assert window.language() == "en"
        window.click("input[value=anh]")
        window.select("#level", "1")
        window.click("form summary")
        window.click("input[value=state_other]")
        assert window.overflow() == []
        window.click("button[value=sign_in]")
        came = parse_qs(urlsplit(window.url).query)
        assert came["state"] == ["another-state"]
        assert len(came["code"]) == 1

        window.open(asked(sim, httpserver, response_mode="form_post"))
        assert window.language() == "en"
        assert window.one("input[value=anh]").is_selected()
        assert window.one("input[value=state_other]").is_selected()
        window.click("button[value=decline]")
        window.click("main button")
        assert window.url == httpserver.url_for("/callback")
        posted = [each for each, _ in httpserver.log if each.path == "/callback"][-1]
        assert (posted.method, posted.form["error"]) == ("POST", "access_denied")

        for page in ("/", "/faults", "/certainty", "/nowhere"):
            window.open(f"{sim.base}{page}")
            assert window.overflow() == [], page
            assert "SIMULATION" in window.text(".label")
        complaints = [each for each in window.complaints() if "favicon" not in each]
        assert [each for each in complaints if "/nowhere" not in each] == []
