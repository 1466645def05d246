"""The form that ends a sign-in is answered by the way back to the application, in a real Chromium.

Browsers hold a page's ``form-action`` against the redirects that follow its form (CSP3 §6.4.2), and the
application is of another origin. The provider runs in threads of this process; its clock stands still.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from flask import Flask

from directory.people import User
from directory.units import OrgUnit
from idp.factors import passwords
from idp.run import wiring
from idp.run.app import create_app
from idp.sessions import SsoSession
from tests.browser.test_text_browser import serve
from tests.browser.window import CHROMIUM, DRIVER, SUBMIT, Window
from tests.conftest import missing
from tests.factories import make_assignment, make_user
from tests.relying_party import Flow, World, build_world

pytestmark = pytest.mark.serial

PASSWORD = "bếp củi reo vui sớm mai"


@dataclass
class Application:
    """A site of another origin: what its callback was told, and how."""

    told: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def begin(self) -> tuple[str, Any]:
        """(its callback, what ends it)."""
        told = self.told

        class Callback(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._hear("GET", urlsplit(self.path).query)

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                self._hear("POST", self.rfile.read(length).decode())

            def _hear(self, method: str, said: str) -> None:
                if urlsplit(self.path).path == "/cb":
                    told.append((method, {k: v[0] for k, v in parse_qs(said).items()}))
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(b"<link rel=icon href='data:,'><h1 id=home>Home</h1>")

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Callback)
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def end() -> None:
            server.shutdown()
            server.server_close()

        return f"http://127.0.0.1:{server.server_address[1]}/cb", end


@dataclass
class Scene:
    """The provider, an application elsewhere, and two people who know the same password."""

    world: World
    issuer: str
    callback: str
    application: Application
    app: Flask
    names: dict[str, str]

    def flow(self, **columns: Any) -> Flow:
        party = self.world.register(redirect_uris=(self.callback,), **columns)
        return Flow(self.app.test_client(), party, redirect_uri=self.callback)

    def address(self, flow: Flow, **changes: str) -> str:
        return f"{self.issuer}/oauth2/authorize?{urlencode(flow.query | changes)}"

    def sign_in(self, window: Window, who: str = "lan") -> None:
        window.fill({"username": self.names[who], "password": PASSWORD})
        window.click(SUBMIT)

    def arrived(self, window: Window, flow: Flow, method: str = "GET", times: int = 1) -> str:
        """She is at the application, which was told of her as often; its newest code."""
        window.wait("#home")
        assert window.url.startswith(self.callback)
        assert [c for c in window.complaints() if "favicon" not in c] == []
        assert len(self.application.told) == times
        how, said = self.application.told[-1]
        assert (how, said["state"]) == (method, flow.state)
        return said["code"]

    def sessions(self) -> list[Any]:
        return [one for one in self.world.all(SsoSession) if one.ended_at is None]


@pytest.fixture
def scene(make_settings: Any, clock: Any) -> Iterator[Scene]:
    for needed in (CHROMIUM, DRIVER):
        if not needed.exists():
            missing(str(needed))
    shell, application = Flask("not yet"), Application()
    issuer, stop = serve(shell)
    callback, end = application.begin()
    services = wiring.build(make_settings(issuer=issuer, second_factor="nobody"), clock=clock)
    app = create_app(services)
    shell.wsgi_app = app  # type: ignore[method-assign]
    world = build_world(services, clock)
    with services.db.write() as session:
        lan = session.get_one(User, world.user_id)
        minh = make_user(session, "Trần Văn Minh")
        make_assignment(session, minh, session.get_one(OrgUnit, world.unit_id))
        names = {"lan": lan.username, "minh": minh.username}
        for user in (lan, minh):
            passwords.set_password(
                session, services.passwords, user.id, PASSWORD, must_change=False, now=clock()
            )
    yield Scene(world, issuer, callback, application, app, names)
    end()
    stop()
    services.db.dispose()


@pytest.fixture(params=[True, False], ids=["with scripts", "without"])
def window(request: pytest.FixtureRequest) -> Iterator[Window]:
    with Window(scripts=request.param) as made:
        yield made


def test_the_password_leads_straight_to_the_application(scene: Scene, window: Window) -> None:
    flow = scene.flow()
    window.open(scene.address(flow))
    scene.sign_in(window)
    assert flow.redeem(scene.arrived(window, flow)).status_code == 200
    # Back is the page of a sign-in that is over: it leads where that led, and asks nothing.
    window.driver.back()
    scene.arrived(window, flow, times=2)
    assert len(scene.sessions()) == 1


@pytest.mark.slow
def test_every_way_of_answering_arrives(scene: Scene, window: Window) -> None:
    flow = scene.flow()
    window.open(scene.address(flow, response_mode="form_post"))
    scene.sign_in(window)
    if not window.all("#home") and "/login/" in window.url:
        window.click(SUBMIT)  # nothing sends the form for her
    scene.arrived(window, flow, "POST")
    # Pushed, and signed in anew: the second sign-in goes on with her session.
    pushed = flow.post("/oauth2/par", flow.query | {"prompt": "login"}).get_json()["request_uri"]
    asked = {"client_id": flow.party.client_id, "request_uri": pushed}
    window.open(f"{scene.issuer}/oauth2/authorize?{urlencode(asked)}")
    scene.sign_in(window)
    scene.arrived(window, flow, times=2)
    # Somebody else signs in over her: hers ends.
    window.open(scene.address(flow, prompt="login"))
    scene.sign_in(window, "minh")
    code = scene.arrived(window, flow, times=3)
    token = flow.redeem(code).get_json()["access_token"]
    assert flow.userinfo(token).get_json()["preferred_username"] == scene.names["minh"]
    assert len(scene.sessions()) == 1


@pytest.mark.slow
def test_consent_comes_first_where_it_must(scene: Scene, window: Window) -> None:
    flow = scene.flow(first_party=False)
    window.open(scene.address(flow, prompt="login"))
    scene.sign_in(window)
    assert scene.application.told == []
    window.click("button[name=decision][value=allow]")
    scene.arrived(window, flow)


@pytest.mark.slow
def test_two_tabs_of_one_application_both_arrive(scene: Scene, window: Window) -> None:
    flow = scene.flow()
    window.open(scene.address(flow))
    first = window.driver.current_window_handle
    window.driver.switch_to.new_window("tab")
    window.open(scene.address(flow))
    scene.world.clock.advance(seconds=5)
    scene.sign_in(window)
    scene.arrived(window, flow)
    window.driver.switch_to.window(first)
    scene.sign_in(window)
    scene.arrived(window, flow, times=2)
    assert len(scene.sessions()) == 1
