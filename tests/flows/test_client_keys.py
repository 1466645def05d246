"""Keys that clients publish (``jwks_uri``): fetched when they are needed, and no more often."""

import json
import threading
from dataclasses import replace
from typing import Any

import pytest
from joserfc.jwk import ECKey
from pytest_httpserver import HTTPServer
from werkzeug.wrappers import Request, Response

from idp.oidc.clients import AuthMethod, Client, Options, keyset
from tests.proving import TOKEN, Asserting
from tests.relying_party import World, build_world
from tests.signed_requests import key_for, public

FORM = {"grant_type": "client_credentials"}


class Publisher:
    """What the client publishes, and how often it was asked for."""

    def __init__(self, server: HTTPServer) -> None:
        self.server = server
        self.keys: Any = public(key_for("ES256"))
        self.status = 200
        self.headers: dict[str, str] = {}
        self.asked = 0
        server.expect_request("/keys").respond_with_handler(self.answer)

    @property
    def uri(self) -> str:
        return self.server.url_for("/keys")

    def answer(self, _request: Request) -> Response:
        self.asked += 1
        body = self.keys if isinstance(self.keys, str) else json.dumps(self.keys)
        return Response(body, self.status, self.headers, content_type="application/json")


@pytest.fixture
def publisher(httpserver: HTTPServer) -> Publisher:
    return Publisher(httpserver)


@pytest.fixture
def settings(make_settings: Any, httpserver: HTTPServer) -> Any:
    return make_settings(outbound_allow=[f"localhost:{httpserver.port}"])


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@pytest.fixture
def flow(world: World, client: Any, publisher: Publisher) -> Asserting:
    party = world.machine(auth_method=AuthMethod.KEY_JWT, options=Options(jwks_uri=publisher.uri))
    return Asserting(client, party, clock=world.clock)


def fresh_key(kid: str = "new") -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid})


def works(flow: Asserting, **changes: Any) -> bool:
    response = flow.post(TOKEN, FORM, **changes)
    assert response.status_code in (200, 401), response.text
    if response.status_code == 401:
        assert response.get_json()["error"] == "invalid_client"
    return bool(response.status_code == 200)


def test_they_are_fetched_once_and_kept_for_minutes(
    world: World, flow: Asserting, publisher: Publisher
) -> None:
    assert works(flow)
    assert works(flow)
    world.clock.advance(seconds=299)
    assert works(flow)
    assert publisher.asked == 1
    world.clock.advance(seconds=2)
    assert works(flow)
    assert publisher.asked == 2


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("max-age=120", 120),
        ("public, max-age=600", 600),
        ("max-age=0", 60),
        ("max-age=9999999", 3600),
    ],
)
def test_the_answer_says_for_how_long_within_bounds(
    world: World, flow: Asserting, publisher: Publisher, said: str, kept: int
) -> None:
    publisher.headers = {"Cache-Control": said}
    assert works(flow)
    world.clock.advance(seconds=kept - 1)
    assert works(flow)
    assert publisher.asked == 1
    world.clock.advance(seconds=2)
    assert works(flow)
    assert publisher.asked == 2


def test_a_new_key_works_at_once(world: World, flow: Asserting, publisher: Publisher) -> None:
    assert works(flow)
    flow.by = fresh_key()
    publisher.keys = public(flow.by)
    world.clock.advance(seconds=1)
    assert works(flow)
    assert publisher.asked == 2


def test_a_new_key_under_the_old_name_works_at_once(
    world: World, flow: Asserting, publisher: Publisher
) -> None:
    assert works(flow)
    flow.by = fresh_key(key_for("ES256").kid or "")
    publisher.keys = public(flow.by)
    world.clock.advance(seconds=1)
    assert works(flow)


def test_a_key_withdrawn_stops_working(world: World, flow: Asserting, publisher: Publisher) -> None:
    assert works(flow)
    publisher.keys = public(fresh_key())
    world.clock.advance(seconds=301)
    assert not works(flow)


def test_unknown_keys_make_us_ask_once_in_ten_seconds(
    world: World, flow: Asserting, publisher: Publisher
) -> None:
    """OWASP API4:2023: nobody makes us call out by sending rubbish."""
    assert works(flow)
    own = flow.by
    world.clock.advance(seconds=1)
    for n in range(5):
        flow.by = fresh_key(f"rubbish-{n}")
        assert not works(flow)
    assert publisher.asked == 2
    flow.by = own
    assert works(flow)
    world.clock.advance(seconds=10)
    flow.by = fresh_key("rubbish")
    assert not works(flow)
    assert publisher.asked == 3


def test_bad_signatures_make_us_ask_once_in_ten_seconds(
    world: World, flow: Asserting, publisher: Publisher
) -> None:
    assert works(flow)
    world.clock.advance(seconds=1)
    flow.by = fresh_key(key_for("ES256").kid or "")
    for _ in range(5):
        assert not works(flow)
    assert publisher.asked == 2


def test_a_server_that_is_away_is_left_alone_for_a_while(
    world: World, flow: Asserting, publisher: Publisher
) -> None:
    publisher.status = 503
    for _ in range(3):
        assert not works(flow)
    assert publisher.asked == 1
    publisher.status = 200
    world.clock.advance(seconds=10)
    assert works(flow)


def test_keys_outlive_their_server_by_an_hour_at_most(
    world: World, flow: Asserting, publisher: Publisher
) -> None:
    assert works(flow)
    publisher.status = 500
    world.clock.advance(seconds=3599)
    assert works(flow)
    world.clock.advance(seconds=11)
    assert not works(flow)


@pytest.mark.parametrize(
    "published",
    [
        "",
        "{",
        "[]",
        '{"keys": "none"}',
        '{"keys": []}',
        '{"keys": [1, "two", null]}',
        '{"keys": [{"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}]}',
        '{"keys": [{"kty": "EC", "crv": "P-256", "x": 1, "y": []}]}',
        "[" * 20_000,
        json.dumps({"keys": [], "padding": "x" * 70_000}),
        json.dumps({"keys": [{"kty": "oct", "k": "AAAA"}] * 51}),
    ],
    ids=lambda text: text[:30] or "empty",
)
def test_what_is_no_key_set_gives_no_key(
    flow: Asserting, publisher: Publisher, published: str
) -> None:
    publisher.keys = published
    assert not works(flow)


def test_a_key_set_too_large_gives_none_of_its_keys(flow: Asserting, publisher: Publisher) -> None:
    publisher.keys = public(key_for("ES256")) | {"padding": "x" * 70_000}
    assert not works(flow)


def test_a_redirect_is_not_followed(flow: Asserting, publisher: Publisher) -> None:
    """CWE-918."""
    publisher.server.expect_request("/elsewhere").respond_with_json(public(key_for("ES256")))
    publisher.status = 302
    publisher.headers = {"Location": publisher.server.url_for("/elsewhere")}
    assert not works(flow)


def test_an_address_that_is_not_allowed_is_not_called(
    world: World, client: Any, publisher: Publisher
) -> None:
    """CWE-918: what only we can reach is not reached for others."""
    uri = publisher.uri.replace("localhost", "127.0.0.1")
    party = world.machine(auth_method=AuthMethod.KEY_JWT, options=Options(jwks_uri=uri))
    assert not works(Asserting(client, party, clock=world.clock))
    assert publisher.asked == 0


def test_a_client_unknown_makes_us_call_nobody(flow: Asserting, publisher: Publisher) -> None:
    response = flow.post(TOKEN, FORM, iss="nobody", sub="nobody")
    assert response.status_code == 401
    assert publisher.asked == 0


def test_keys_are_asked_for_as_what_they_are(flow: Asserting, publisher: Publisher) -> None:
    assert works(flow)
    [(request, _)] = publisher.server.log
    assert request.method == "GET"
    assert "application/jwk-set+json" in request.headers["Accept"]
    assert "Authorization" not in request.headers
    assert "Cookie" not in request.headers


def test_one_client_is_called_once_at_a_time_wherever_its_keys_are(
    world: World, flow: Asserting, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OWASP API4:2023: a client that moves its keys about gets no second call meanwhile."""
    monkeypatch.setattr(keyset, "SLOWEST", 60.0)
    arrived, go_on = threading.Event(), threading.Event()

    def slow(_request: Request) -> Response:
        arrived.set()
        go_on.wait(60)
        return Response(json.dumps(publisher.keys), content_type="application/json")

    publisher.server.expect_request("/slow").respond_with_handler(slow)
    options = Options(jwks_uri=publisher.server.url_for("/slow"))
    world.change(Client, flow.party.id, options=options.stored)
    browser = flow.browser.application.test_client()
    thread = threading.Thread(target=lambda: works(replace(flow, browser=browser)))
    thread.start()
    try:
        assert arrived.wait(60)
        world.change(Client, flow.party.id, options=Options(jwks_uri=publisher.uri).stored)
        assert not works(flow)
        assert publisher.asked == 0
    finally:
        go_on.set()
        thread.join(60)
    assert works(flow)
