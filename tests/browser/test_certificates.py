"""A certificate is added and lets her in, in a real Chromium, behind Debian's nginx.

What the browser sends is carried on by tests/interop/token.py, which holds the key; everything else is
the browser's own: the way there and back, what the pages may lead to, the cookies.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask

from dinhdanh import ports
from idp.run import wiring
from idp.run.app import create_app
from tests import hr_world
from tests.browser.pictures import take
from tests.browser.test_text_browser import serve
from tests.browser.window import CHROMIUM, DRIVER, SUBMIT, Window
from tests.conftest import missing
from tests.hierarchy import House, believe, crl, new_key
from tests.hr_world import PASSWORD, Hr
from tests.interop import nginx
from tests.interop.tls import Authority
from tests.interop.token import Token

pytestmark = [pytest.mark.serial, pytest.mark.slow]  # a foreign server

WAYS = "/portal/ways"
TOLD = {
    "vi": {"none": "Trình duyệt không gửi chứng thư nào", "added": "Chứng thư số (USB token)"},
    "en": {"none": "The browser sent no certificate", "added": "Certificate (USB token)"},
}


@dataclass
class Place:
    """A computer with a token, in front of a provider."""

    hr: Hr
    issuer: str
    token: Token
    file: Path

    def open(self, window: Window, path: str) -> None:
        window.open(self.issuer + path)
        self.look(window)

    def look(self, window: Window) -> None:
        """Nothing sticks out, nothing is complained about."""
        assert window.overflow() == []
        said = window.complaints()
        assert [one for one in said if "422" not in one and "favicon" not in one] == []


@pytest.fixture
def place(make_settings: Any, clock: Any, tmp_path: Path) -> Iterator[Place]:
    for needed in (CHROMIUM, DRIVER):
        if not needed.exists():
            missing(str(needed))
    shell = Flask("not yet")
    issuer, stop = serve(shell)
    own = Authority.of_itself("Bộ chứng thực thử nghiệm").server("chung-thu.localhost")
    (edge,) = ports.reserve(1)
    token = Token(own, edge, tmp_path)
    settings = make_settings(
        issuer=issuer,
        certificate_site=f"https://chung-thu.localhost:{token.port}",
        trusted_proxies=["127.0.0.1"],
    )
    services = wiring.build(settings, clock=clock)
    app = create_app(services)
    shell.wsgi_app = app  # type: ignore[method-assign]
    hr = hr_world.build(services, clock, app)
    house, key, file = House(clock), new_key(), tmp_path / "lan.pem"
    believe(services, house)
    crl(services, house.issuing.crl(clock()))
    one = house.issue(key=key).public_bytes(Encoding.PEM)
    file.write_bytes(one + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with nginx.running(nginx.certificates(edge, urlsplit(issuer).port or 0), own, port=edge):
        yield Place(hr, issuer, token, file)
    token.stop()
    stop()
    services.db.dispose()


@pytest.mark.parametrize(("language", "narrow"), [("vi", False), ("en", False), ("en", True)])
def test_a_token_is_added_and_lets_her_in(place: Place, language: str, narrow: bool) -> None:
    told, hr = TOLD[language], place.hr
    with Window(language=language, arguments=("--ignore-certificate-errors",)) as window:
        if narrow:
            window.narrow()
        place.open(window, f"/login?return_to={WAYS}/certificate")
        window.fill({"username": hr.names["lan"], "password": PASSWORD})
        window.click(SUBMIT)
        place.look(window)
        window.click(SUBMIT)
        assert told["none"] in window.text("main")
        place.look(window)
        place.token.plugged_in = place.file
        window.click(SUBMIT)
        place.look(window)
        assert "Nguyễn Thị Lan" in window.text("main")
        if not narrow:
            take(window, "certificate", language, css=".sheet")
        window.fill({"name": "Token"})
        window.click(SUBMIT)
        place.look(window)
        assert len(window.all(".codes code")) == 10
        place.open(window, WAYS)
        assert told["added"] in window.text("main")
    place.token.plugged_in = None
    with Window(language=language, arguments=("--ignore-certificate-errors",)) as window:
        if narrow:
            window.narrow()
        place.open(window, f"/login?return_to={WAYS}")
        window.click("a[href$='way=certificate']")
        place.look(window)
        window.click(SUBMIT)
        assert told["none"] in window.text("main")
        place.look(window)
        place.token.plugged_in = place.file
        window.click(SUBMIT)
        assert window.url == f"{place.issuer}{WAYS}"
        place.look(window)
