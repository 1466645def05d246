"""Pages without scripts: sign-in, consent, the way back and out again, in a text browser and in a
Chromium that runs none.

The provider and a small application run in threads of this process, on ports of their own.
"""

import base64
import hashlib
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from flask import Flask, redirect, request
from markupsafe import escape
from selenium.webdriver.support.ui import WebDriverWait
from werkzeug.serving import WSGIRequestHandler, make_server

from directory.people import User
from idp.factors import passwords
from idp.oidc.clients import Client, Options
from idp.run import wiring
from idp.run.app import create_app
from tests.browser.text_window import LYNX, TextWindow
from tests.browser.window import CHROMIUM, DRIVER, PATIENCE, Window
from tests.conftest import missing
from tests.relying_party import OPERATOR, Party, World, build_world

pytestmark = [pytest.mark.serial, pytest.mark.slow]

PASSWORD = "tre xanh ru bong mat"


class Quiet(WSGIRequestHandler):
    """Writes no log."""

    def log(self, *_: Any) -> None:
        """Nothing."""


def serve(app: Flask) -> tuple[str, Callable[[], None]]:
    """Serve an application; its address, and what ends it."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://localhost:{server.server_port}", server.shutdown


@dataclass
class Site:
    """A small application that signs people in and out; what browsers did there."""

    issuer: str
    party: Party | None = None
    url: str = ""
    asked: dict[str, str] = field(default_factory=dict)
    """state → PKCE verifier."""
    names: list[str] = field(default_factory=list)
    came_by: list[str] = field(default_factory=list)
    hint: str = ""
    front: int = 0

    def app(self) -> Flask:
        """Its pages."""
        app = Flask("relying-party")
        app.add_url_rule("/", view_func=self.home)
        app.add_url_rule("/login", view_func=self.login)
        app.add_url_rule("/callback", view_func=self.callback, methods=["GET", "POST"])
        app.add_url_rule("/out", view_func=self.out)
        app.add_url_rule("/bye", "bye", lambda: "<p>Farewell from the application.</p>")
        app.add_url_rule("/gone", view_func=self.gone)
        app.add_url_rule("/favicon.ico", "icon", lambda: ("", 204))
        return app

    def home(self) -> str:
        """Where people begin."""
        return '<h1>Calendar</h1><a href="/login">Enter</a>'

    def login(self) -> Any:
        """To the provider."""
        assert self.party is not None
        state, verifier = secrets.token_hex(8), secrets.token_urlsafe(32)
        self.asked[state] = verifier
        digest = hashlib.sha256(verifier.encode()).digest()
        query = {
            "client_id": self.party.client_id,
            "response_type": "code",
            "redirect_uri": self.url + "/callback",
            "scope": "openid profile org",
            "state": state,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
            **request.args,
        }
        return redirect(f"{self.issuer}/oauth2/authorize?{urlencode(query)}")

    def callback(self) -> Any:
        """Back from it."""
        assert self.party is not None
        self.came_by.append(request.method)
        if "error" in request.values:
            return f"<p>Refused: {escape(request.values['error'])}</p>"
        answer = httpx2.post(
            self.issuer + "/oauth2/token",
            data={
                "grant_type": "authorization_code",
                "code": request.values["code"],
                "redirect_uri": self.url + "/callback",
                "code_verifier": self.asked.pop(request.values["state"]),
            },
            headers=self.party.basic,
        ).json()
        self.hint = answer["id_token"]
        bearer = {"Authorization": f"Bearer {answer['access_token']}"}
        person = httpx2.get(self.issuer + "/oauth2/userinfo", headers=bearer).json()
        self.names.append(person["name"])
        return f'<p>Welcome, {escape(person["name"])}.</p><a href="/out">Leave</a>'

    def out(self) -> Any:
        """Out again; with ``?sure`` it proves for whom."""
        assert self.party is not None
        query = {
            "client_id": self.party.client_id,
            "post_logout_redirect_uri": self.url + "/bye",
            **({"id_token_hint": self.hint} if "sure" in request.args else {}),
        }
        return redirect(f"{self.issuer}/oauth2/logout?{urlencode(query)}")

    def gone(self) -> str:
        """Its front-channel logout address."""
        self.front += 1
        return "gone"


@pytest.fixture
def place(make_settings: Any, clock: Any) -> Iterator[tuple[World, Site]]:
    """An installation that answers at an address, and the application beside it."""
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
    site = Site(issuer)
    site.url, stop_too = serve(site.app())
    site.party = world.register(
        "Calendar",
        first_party=False,
        redirect_uris=(site.url + "/callback",),
        post_logout_redirect_uris=(site.url + "/bye",),
    )
    yield world, site
    stop()
    stop_too()
    services.db.dispose()


@pytest.fixture
def username(place: tuple[World, Site]) -> str:
    """The official's."""
    world, _ = place
    return str(world.one(User, world.user_id).username)


@pytest.fixture
def lynx(place: tuple[World, Site]) -> Iterator[TextWindow]:
    """A text browser at the application."""
    if not LYNX.exists():
        missing(str(LYNX))
    with TextWindow(place[1].url + "/") as window:
        yield window


def test_a_text_browser_signs_in_agrees_comes_back_and_signs_out(
    place: tuple[World, Site], lynx: TextWindow, username: str
) -> None:
    _, site = place
    lynx.wait("Calendar")
    lynx.follow("Enter")
    lynx.wait("Use the account your agency gave you.")
    lynx.fill("Username", username)
    lynx.fill("Password", "sai mat khau")
    lynx.follow("Sign in")
    lynx.wait("The username or password is not correct.")
    lynx.fill("Password", PASSWORD)
    lynx.follow("Sign in")
    page = lynx.wait("Share information with Calendar?")
    assert "position" in page
    assert site.url.removeprefix("http://") in page
    lynx.follow("Agree")
    lynx.wait("Welcome, Lê Thị Lan.")
    assert site.names == ["Lê Thị Lan"]
    lynx.follow("Leave")
    page = lynx.wait("Sign out of every application?")
    assert "Calendar" in page
    lynx.follow("Sign out")
    lynx.wait("Farewell from the application.")


def test_a_text_browser_is_told_what_went_wrong(
    place: tuple[World, Site], lynx: TextWindow
) -> None:
    world, site = place
    assert site.party is not None
    lynx.wait("Calendar")
    world.change(Client, site.party.id, redirect_uris=["https://elsewhere.example/"])
    lynx.follow("Enter")
    page = lynx.wait("Request id")
    assert "redirect_uri" in page
    assert "Traceback" not in page


def test_a_text_browser_says_no(place: tuple[World, Site], lynx: TextWindow, username: str) -> None:
    _, site = place
    lynx.wait("Calendar")
    lynx.follow("Enter")
    lynx.wait("Username")
    lynx.fill("Username", username)
    lynx.fill("Password", PASSWORD)
    lynx.follow("Sign in")
    lynx.wait("Share information with Calendar?")
    lynx.follow("Refuse")
    lynx.wait("Refused: access_denied")
    assert site.names == []


@pytest.fixture
def chromium() -> Iterator[Window]:
    """A Chromium that runs no scripts."""
    for needed in (CHROMIUM, DRIVER):
        if not needed.exists():
            missing(str(needed))
    with Window(scripts=False, language="en") as window:
        window.open("data:text/html,<title>off</title><script>document.title='on'</script>")
        assert window.driver.title == "off"
        yield window


def test_an_answer_by_form_needs_one_click_where_there_are_no_scripts(
    place: tuple[World, Site], chromium: Window, username: str
) -> None:
    _, site = place
    chromium.open(site.url + "/login?response_mode=form_post")
    chromium.sign_in({"username": username, "password": PASSWORD})
    chromium.click("button[value=allow]")
    assert chromium.url.startswith(site.issuer)
    chromium.click("main button[type=submit]")
    assert chromium.text("p") == "Welcome, Lê Thị Lan."
    assert site.came_by == ["POST"]
    assert chromium.complaints() == []


def test_the_signed_out_page_opens_frames_and_goes_on_by_itself(
    place: tuple[World, Site], chromium: Window, username: str
) -> None:
    world, site = place
    assert site.party is not None
    world.change(
        Client,
        site.party.id,
        options=Options(frontchannel_logout_uri=site.url + "/gone").stored,
    )
    chromium.open(site.url + "/login")
    chromium.sign_in({"username": username, "password": PASSWORD})
    chromium.click("button[value=allow]")
    chromium.open(site.url + "/out?sure=1")
    assert chromium.text("main li") == "Calendar"
    chromium.wait("p:not(.lead)")
    assert site.front == 1
    WebDriverWait(chromium.driver, PATIENCE).until(lambda _: chromium.url == site.url + "/bye")
    assert chromium.complaints() == []
