"""Two doors, one house: what is asked all day is answered before Flask, by what Flask calls as well."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder, run_wsgi_app

from bench.statements import heard
from idp.oidc.clients import GrantType
from tests.recorded.faults import away, broken, failing
from tests.relying_party import Flow, World, build_world

FORM = "application/x-www-form-urlencoded"
ELSEWHERE = {"Host": "elsewhere.example"}
CALLS = (
    "/oauth2/token",
    "/oauth2/introspect",
    "/oauth2/revoke",
    "/oauth2/par",
    "/oauth2/device_authorization",
    "/oauth2/userinfo",
)
HERE = "http://localhost:8000"
FLASKS = "/oauth2/register"
"""Asked by programs, and answered by Flask."""


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@contextmanager
def flask_counted(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The paths with which Flask is entered meanwhile."""
    entered: list[str] = []
    enter = app.request_context

    def counting(environ: dict[str, Any]) -> Any:
        entered.append(environ["PATH_INFO"])
        return enter(environ)

    with monkeypatch.context() as patched:
        patched.setattr(app, "request_context", counting)
        yield entered


@contextmanager
def sessions_read(services: Any) -> Iterator[list[str]]:
    """The statements that read a session meanwhile."""
    found: list[str] = []

    def look(statement: str) -> None:
        if re.match(r"SELECT .*\bsso_session\b", statement, re.DOTALL):
            found.append(statement)

    with heard(look, *services.db.engines):
        yield found


# ---- who is asked --------------------------------------------------------------------------------


def test_flask_is_not_entered_for_what_is_asked_all_day(
    world: World, app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    grants = (GrantType.CODE, GrantType.REFRESH, GrantType.DEVICE)
    flow = Flow(client, world.register(grant_types=grants), scope="openid profile org")
    world.sign_in(client)
    with flask_counted(app, monkeypatch) as entered:
        held = flow.redeem(flow.code()).get_json()
        assert flow.userinfo(held["access_token"]).status_code == 200
        assert flow.introspect(held["access_token"])["active"] is True
        assert flow.refresh(held["refresh_token"]).status_code == 200
        assert flow.post("/oauth2/revoke", {"token": held["access_token"]}).status_code == 200
        assert flow.post("/oauth2/par", flow.query).status_code == 201
        assert flow.post("/oauth2/device_authorization", {"scope": "openid"}).status_code == 200
        assert client.post("/oauth2/authorize", data=flow.query).status_code == 303
        assert "error" in flow.told(flow.ask(prompt="none", scope="nonsense"))
        for path in CALLS:
            assert client.post(path, headers=ELSEWHERE).status_code == 421
            assert client.put(path).status_code == 405
            assert client.options(path).status_code in (200, 204)
    assert entered == []


def test_a_page_is_entered_once_and_the_session_is_not_read_again(
    world: World, app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Flow(client, world.register(first_party=False))
    with flask_counted(app, monkeypatch) as entered, sessions_read(world.services) as read:
        assert "/login/" in asked.ask().headers["Location"]
    assert (entered, read) == (["/oauth2/authorize"], [])
    world.sign_in(client)
    for page, status in ((asked.ask, 200), (lambda: asked.ask(response_mode="form_post"), 200)):
        with flask_counted(app, monkeypatch) as entered, sessions_read(world.services) as read:
            assert page().status_code == status
        assert entered == ["/oauth2/authorize"]
        assert len(read) == 1
    with flask_counted(app, monkeypatch) as entered, sessions_read(world.services) as read:
        assert asked.ask(redirect_uri="https://nobody.example/").status_code == 400
    assert (entered, len(read)) == (["/oauth2/authorize"], 1)


def test_nobody_is_told_that_flask_knows_the_address(app: Flask, client: FlaskClient) -> None:
    """What only the front door answers is nothing without it."""
    for path in (*CALLS, "/oauth2/authorize"):
        with app.test_request_context(path, method="POST"):
            assert app.full_dispatch_request().status_code == 404


@pytest.mark.parametrize("before", ["", "//", "///"])
def test_however_many_slashes_an_address_begins_with_it_is_the_same(
    app: Flask, before: str
) -> None:
    """As at every address of Flask's: clients put an issuer that ends with a slash before a path."""
    for path in (*CALLS, "/oauth2/authorize"):
        environ = EnvironBuilder(path, method="POST", base_url=HERE).get_environ()
        usual = run_wsgi_app(app.wsgi_app, environ.copy())
        named = {"PATH_INFO": before + path.lstrip("/")}
        found = run_wsgi_app(app.wsgi_app, environ | named)
        assert found[1] == usual[1] != "404 NOT FOUND"
        assert list(found[0]) == list(usual[0])


# ---- the same on both ways -----------------------------------------------------------------------

REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "another host": ("POST", {"headers": ELSEWHERE}),
    "another host, in English": ("POST", {"headers": ELSEWHERE | {"Accept-Language": "en"}}),
    "another host, to an English browser": ("POST", {"headers": ELSEWHERE | {"Cookie": "lang=en"}}),
    "no host": ("POST", {"headers": {"Host": ""}}),
    "another method": ("PATCH", {}),
    "another method, in English": ("PATCH", {"headers": {"Accept-Language": "en, vi;q=0.5"}}),
    "another method, of another origin": ("PATCH", {"headers": {"Origin": "https://a.example"}}),
    "another method, with a NUL": ("PATCH", {"query_string": "a=%00"}),
    "another method, with a NUL in a form": ("PATCH", {"data": b"a=%00", "content_type": FORM}),
    "another method, too large": ("PATCH", {"data": b"y" * (1024 * 1024 + 1)}),
}


def _alike(answer: Any) -> tuple[int, dict[str, str], Any]:
    """An answer without what belongs to its address, or to one request alone."""
    own = {"X-Request-ID", "Allow", "Content-Length"}
    own |= {name for name, _ in answer.headers if name.startswith("Access-Control-")}
    headers = {name: value for name, value in answer.headers if name not in own}
    said = json.loads(answer.get_data())
    assert said.pop("request_id") == answer.headers["X-Request-ID"]
    return answer.status_code, headers, said


@pytest.mark.parametrize("why", REFUSED)
def test_who_is_refused_at_either_door_is_told_the_same(client: FlaskClient, why: str) -> None:
    method, sent = REFUSED[why]
    told = _alike(client.open(FLASKS, method=method, **sent))
    assert 400 <= told[0] < 500
    for path in CALLS:
        assert _alike(client.open(path, method=method, **sent)) == told


def test_a_fault_is_told_the_same_and_found_in_the_log(
    app: Flask, world: World, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    app.testing = False
    with failing(world.services.db, broken()):
        told = _alike(client.post(FLASKS, json={}))
        for path in CALLS:
            header = {"Authorization": "Bearer dda_x"} if path.endswith("userinfo") else {}
            header |= {"Accept-Language": "en"}  # as the registry always speaks
            answer = client.post(path, data={"grant_type": "refresh_token"}, headers=header)
            assert _alike(answer) == told
            said: Any = caplog.records[-1].msg
            assert said["request_id"] == answer.headers["X-Request-ID"]
            assert (said["path"], said["method"]) == (path, "POST")
            assert "a mistake of ours" in said["exception"]


def test_while_the_database_is_away_each_says_when_to_come_back(
    world: World, client: FlaskClient
) -> None:
    with failing(world.services.db, away()):
        for path in CALLS:
            header = {"Authorization": "Bearer dda_x"} if path.endswith("userinfo") else None
            answer = client.post(path, data={"grant_type": "refresh_token"}, headers=header)
            assert (answer.status_code, answer.get_json()["error"]) == (
                503,
                "temporarily_unavailable",
            )
            assert int(answer.headers["Retry-After"]) >= 1
        page = client.get("/oauth2/authorize?client_id=a")
        assert (page.status_code, page.mimetype) == (503, "text/html")


def test_every_answer_is_counted_once_under_its_part(world: World, client: FlaskClient) -> None:
    def counts() -> dict[tuple[str, str], float]:
        lines = re.findall(
            r"^dinhdanh_requests_total\{(.*)\} (.*)$", client.get("/metrics").text, re.MULTILINE
        )
        labels = [(dict(re.findall(r'(\w+)="(.*?)"', told)), float(n)) for told, n in lines]
        return {(told["part"], told["status"]): n for told, n in labels}

    world.sign_in(client)
    before = counts()
    flow = Flow(client, world.register(first_party=False))
    flow.ask()  # a page
    flow.ask(prompt="none")  # a redirect
    flow.redeem("ddc_nothing")
    client.post("/oauth2/token", headers=ELSEWHERE)
    client.get("/oauth2/token")
    after = counts()
    more = {what: after[what] - before.get(what, 0) for what in after}
    assert {what: n for what, n in more.items() if n and what[0] != "health"} == {
        ("oidc", "2xx"): 1,
        ("oidc", "3xx"): 1,
        ("oidc", "4xx"): 2,
        ("other", "4xx"): 1,
    }
