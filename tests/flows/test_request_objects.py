"""Signed authorization requests, by value and by reference (RFC 9101, OIDC Core §6)."""

import secrets
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.wrappers import Response

from directory.base import replay_cache
from directory.people import User
from idp.factors import passwords
from idp.oidc.authorization import request_object
from idp.oidc.authorization.pushed import URN, PushedRequest
from idp.oidc.clients.call_limits import Slots
from idp.oidc.grants import Grant
from tests.bent import bent
from tests.browser_client import hidden_fields, submit
from tests.relying_party import REDIRECT, World, build_world
from tests.signed_requests import (
    ISSUER,
    Publisher,
    SignedFlow,
    key_for,
    publishing,
    register,
    sign,
)
from tests.slapd_fixture import Authority, authority  # noqa: F401 (a fixture)

PASSWORD = "bếp củi reo vui sớm mai"


@pytest.fixture
def publisher(authority: Authority) -> Iterator[Publisher]:  # noqa: F811
    with publishing(authority) as made:
        yield made


@pytest.fixture
def settings(make_settings: Any, request: pytest.FixtureRequest) -> Any:
    if "publisher" not in request.fixturenames:
        return make_settings()
    server = request.getfixturevalue("publisher")
    return make_settings(outbound_allow=[server.allow], outbound_ca_file=server.ca_file)


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


def at(world: World) -> int:
    return int(world.clock().timestamp())


@pytest.fixture
def flow(world: World, client: Any) -> SignedFlow:
    made = SignedFlow(client, register(world), now=at(world))
    world.sign_in(client)
    return made


# ---- by value --------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256"])
def test_a_signed_request_is_answered(flow: SignedFlow, alg: str) -> None:
    flow.alg = alg
    told = flow.told(flow.bring(flow.signed()))
    assert told["state"] == flow.state
    assert flow.redeem(told["code"]).status_code == 200


@pytest.mark.parametrize(
    "typ", ["oauth-authz-req+jwt", "application/oauth-authz-req+jwt", "JWT", None]
)
def test_its_type_is_named_or_left_out(flow: SignedFlow, typ: str | None) -> None:
    assert "code" in flow.told(flow.bring(sign(flow.claims(), typ=typ)))


def test_only_what_is_inside_counts(world: World, flow: SignedFlow) -> None:
    """RFC 9101 §6.3."""
    outer = {"state": "outer", "nonce": "outer", "scope": "openid org", "prompt": "login"}
    told = flow.told(flow.bring(flow.signed(scope="openid"), **outer))
    assert told["state"] == flow.state
    (grant,) = world.all(Grant)
    assert (grant.scopes, grant.nonce) == (["openid"], flow.nonce)
    silent = flow.bring(flow.signed(state=None), state="outer")
    assert "state" not in flow.told(silent)


def test_its_redirect_uri_wins_over_one_that_is_not_registered(flow: SignedFlow) -> None:
    answer = flow.bring(flow.signed(), redirect_uri="https://evil.example/")
    assert "code" in flow.told(answer)


def test_numbers_and_objects_are_read_as_json_has_them(world: World, flow: SignedFlow) -> None:
    wish = {"id_token": {"email": {"essential": True}}, "userinfo": {"name": None}}
    told = flow.told(flow.bring(flow.signed(scope="openid", claims=wish, max_age=3600)))
    answer = flow.redeem(told["code"]).get_json()
    jwks = KeySet.import_key_set(flow.browser.get("/oauth2/jwks").get_json())
    assert "email" in jwt.decode(answer["id_token"], jwks, ["RS256"]).claims
    world.clock.advance(seconds=61)
    flow.now = at(world)
    assert flow.bring(flow.signed(max_age=60)).headers["Location"].startswith("/login/")


def test_issuer_and_audience_may_be_left_out_and_the_audience_may_be_several(
    flow: SignedFlow,
) -> None:
    for changes in (
        {"iss": None, "aud": None, "client_id": None, "nbf": None, "exp": None},
        {"aud": ["https://other.example", ISSUER]},
    ):
        assert "code" in flow.told(flow.bring(flow.signed(**changes)))


def test_a_client_may_bind_itself_to_one_algorithm(world: World, client: Any) -> None:
    party = register(world, options={"request_object_signing_alg": "ES256"})
    flow = SignedFlow(client, party, now=at(world), outer={"redirect_uri": REDIRECT})
    world.sign_in(client)
    assert "code" in flow.told(flow.bring(flow.signed()))
    flow.alg = "RS256"
    assert flow.told(flow.bring(flow.signed()))["error"] == "invalid_request_object"


def test_a_client_may_be_held_to_sign(world: World, client: Any) -> None:
    """RFC 9101 §10.5."""
    party = register(world, options={"require_signed_request_object": True})
    flow = SignedFlow(client, party, now=at(world))
    world.sign_in(client)
    assert flow.told(flow.ask())["error"] == "invalid_request"
    assert "code" in flow.told(flow.bring(flow.signed()))


def test_what_is_wrong_is_told_to_a_client_whose_address_the_browser_brings(
    flow: SignedFlow,
) -> None:
    outer = {"redirect_uri": REDIRECT, "state": "s1"}
    told = flow.told(flow.bring("a.b.c", **outer))
    assert (told["error"], told["state"], told["iss"]) == ("invalid_request_object", "s1", ISSUER)
    for uri in ({}, {"redirect_uri": "https://evil.example/"}):
        page = flow.bring("a.b.c", **uri)
        assert page.status_code == 400
        assert "invalid_request_object" in page.text
        assert "Location" not in page.headers


# ---- by reference ----------------------------------------------------------------------------


@pytest.fixture
def published(world: World, client: Any, publisher: Publisher) -> SignedFlow:
    party = register(world, options={"request_uris": (publisher.url + "/request",)})
    world.sign_in(client)
    return SignedFlow(client, party, now=at(world), outer={"redirect_uri": REDIRECT})


def _refer(flow: SignedFlow, uri: str, **outer: str) -> Any:
    query = {"client_id": flow.party.client_id, "request_uri": uri} | flow.outer | outer
    return flow.browser.get("/oauth2/authorize", query_string=query)


def test_a_request_is_fetched_from_where_the_client_has_registered(
    published: SignedFlow, publisher: Publisher
) -> None:
    uri = publisher.put("/request", published.signed())
    assert "code" in published.told(_refer(published, uri))
    assert publisher.asked == ["/request"]


def test_a_fragment_names_a_version_and_no_other_address(
    published: SignedFlow, publisher: Publisher
) -> None:
    """OIDC Core §6.2: the hash of the content, so that a changed one has another name."""
    uri = publisher.put("/request", published.signed())
    assert "code" in published.told(_refer(published, uri + "#" + "A" * 43))


def test_a_registered_address_may_hold_a_fragment(
    world: World, client: Any, publisher: Publisher
) -> None:
    uri = publisher.url + "/request#" + "B" * 43
    flow = SignedFlow(client, register(world, options={"request_uris": (uri,)}), now=at(world))
    world.sign_in(client)
    publisher.put("/request", flow.signed())
    assert "code" in flow.told(_refer(flow, uri))


def test_another_address_is_not_even_asked(published: SignedFlow, publisher: Publisher) -> None:
    publisher.put("/other", published.signed())
    for path in ("/other", "/request/../other", "/request?x=1", "/Request"):
        told = published.told(_refer(published, publisher.url + path))
        assert told["error"] == "invalid_request_uri"
    assert publisher.asked == []


@pytest.mark.parametrize(
    "body",
    [
        None,
        Response("moved", 302, headers={"Location": "/elsewhere"}),
        Response("x" * 20_000),
        Response("broken", 500),
    ],
    ids=["nothing there", "a redirect", "too much", "a failure"],
)
def test_what_cannot_be_fetched_is_refused(
    published: SignedFlow, publisher: Publisher, body: Any
) -> None:
    publisher.put("/elsewhere", published.signed())
    uri = publisher.put("/request", body)
    assert published.told(_refer(published, uri))["error"] == "invalid_request_uri"
    assert "/elsewhere" not in publisher.asked


def test_a_slow_server_takes_one_call_of_its_own_and_none_of_others(
    world: World,
    published: SignedFlow,
    publisher: Publisher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """OWASP API4:2023."""
    monkeypatch.setattr(request_object, "SLOWEST", 60.0)
    other = SignedFlow(
        published.browser,
        register(world, name="Khác", options={"request_uris": (publisher.url + "/other",)}),
        now=at(world),
        outer={"redirect_uri": REDIRECT},
    )
    publisher.put("/other", other.signed())
    arrived, go_on = threading.Event(), threading.Event()

    def slow() -> Iterator[bytes]:
        arrived.set()
        go_on.wait(60)
        yield published.signed().encode()

    uri = publisher.put("/request", Response(slow()))
    second = replace(published, browser=published.browser.application.test_client())
    thread = threading.Thread(target=lambda: _refer(second, uri))
    thread.start()
    try:
        assert arrived.wait(60)
        assert published.told(_refer(published, uri))["error"] == "temporarily_unavailable"
        assert "code" in other.told(_refer(other, publisher.url + "/other"))
    finally:
        go_on.set()
        thread.join(60)
    assert publisher.asked == ["/request", "/other"]
    uri = publisher.put("/request", published.signed())
    assert "code" in published.told(_refer(published, uri))


def test_two_people_of_one_application_come_at_the_same_moment(
    published: SignedFlow, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 9101 §5.2: each is answered, one call after the other."""
    monkeypatch.setattr(request_object, "SLOWEST", 60.0)
    monkeypatch.setattr(request_object, "_calls", Slots(2, patience=60.0, most_waiting=1))
    arrived, go_on, answers = threading.Event(), threading.Event(), []

    def slow() -> Iterator[bytes]:
        arrived.set()
        go_on.wait(60)
        yield published.signed().encode()

    uri = publisher.put("/request", Response(slow()))
    thread = threading.Thread(target=lambda: answers.append(_refer(published, uri)))
    thread.start()
    assert arrived.wait(60)
    publisher.put("/request", published.signed())
    threading.Timer(0.3, go_on.set).start()
    second = replace(published, browser=published.browser.application.test_client())
    # Nobody is signed in there: to be sent to sign in the request must have been read.
    assert _refer(second, uri).status_code == 303
    thread.join(60)
    assert "code" in published.told(answers[0])
    assert publisher.asked == ["/request", "/request"]


def test_what_is_fetched_must_be_signed_like_any_other(
    published: SignedFlow, publisher: Publisher
) -> None:
    uri = publisher.put("/request", sign(published.claims(), by=key_for("ES256", "foreign")))
    assert published.told(_refer(published, uri))["error"] == "invalid_request_object"


def test_by_value_and_by_reference_at_once_is_refused(
    published: SignedFlow, publisher: Publisher
) -> None:
    """RFC 9101 §5."""
    uri = publisher.put("/request", published.signed())
    told = published.told(_refer(published, uri, request=published.signed()))
    assert told["error"] == "invalid_request"
    assert publisher.asked == []


# ---- when the person has to do something first -----------------------------------------------


def _username(world: World) -> str:
    has = world.services
    with has.db.write() as session:
        passwords.set_password(
            session, has.passwords, world.user_id, PASSWORD, must_change=False, now=world.clock()
        )
        return session.get_one(User, world.user_id).username


def test_the_browser_goes_on_with_a_short_name_and_nothing_is_fetched_twice(
    world: World, client: Any, publisher: Publisher
) -> None:
    uri = publisher.url + "/request"
    flow = SignedFlow(client, register(world, options={"request_uris": (uri,)}), now=at(world))
    username = _username(world)
    publisher.put("/request", flow.signed(exp=at(world) + 60))
    page = client.get(_refer(flow, uri).headers["Location"])
    del publisher.pages["/request"]
    world.clock.advance(minutes=5)  # the request object has expired meanwhile
    answer = submit(client, page, username=username, password=PASSWORD)
    told, back = flow.told(answer), client.get(page.request.path).headers["Location"]
    assert URN.replace(":", "%3A") in back
    assert (told["state"], publisher.asked) == (flow.state, ["/request"])
    assert flow.redeem(told["code"]).status_code == 200
    used = client.get(back)
    assert (used.status_code, "invalid_request_uri" in used.text) == (400, True)


def test_consent_is_about_what_was_signed(world: World, client: Any) -> None:
    party = register(world, first_party=False)
    flow = SignedFlow(client, party, now=at(world), scope="openid email")
    world.sign_in(client)
    page = flow.bring(flow.signed())
    form = hidden_fields(page.text)
    assert URN.replace(":", "%3A") in form["request"]
    answer = client.post("/oauth2/consent", data=form | {"decision": "allow"})
    assert "code" in flow.told(answer)
    # The request is used up, and nothing of it was written.
    again = client.get("/oauth2/authorize?" + form["request"])
    assert (again.status_code, "invalid_request_uri" in again.text) == (400, True)
    assert world.all(PushedRequest) == []


def test_what_was_signed_and_is_brought_again_is_sealed_for_its_client(
    world: World, client: Any
) -> None:
    flow = SignedFlow(client, register(world, first_party=False), now=at(world))
    world.sign_in(client)
    query = hidden_fields(flow.bring(flow.signed()).text)["request"]
    name = dict(parse_qsl(query))["request_uri"]
    other = register(world, name="Khác", first_party=False)
    for client_id, uri in (
        (other.client_id, name),
        (flow.party.client_id, bent(name, -1)),
        (flow.party.client_id, name[:60]),
        (flow.party.client_id, URN + "ddq_"),
        (flow.party.client_id, URN + "ddq_x.y"),
    ):
        asked = {"client_id": client_id, "request_uri": uri}
        answer = client.get("/oauth2/authorize", query_string=asked)
        assert (answer.status_code, "Location" in answer.headers) == (400, False), uri
    assert client.get("/oauth2/authorize?" + query).status_code == 200
    world.clock.advance(minutes=31)
    world.sign_in(client)
    assert client.get("/oauth2/authorize?" + query).status_code == 400


def test_of_two_that_bring_the_same_signed_request_again_one_is_answered(
    world: World, client: Any
) -> None:
    """RFC 9126 §7.3, for what we have named ourselves."""
    flow = SignedFlow(client, register(world, first_party=False), now=at(world))
    world.sign_in(client)
    form = hidden_fields(flow.bring(flow.signed()).text)
    first = client.post("/oauth2/consent", data=form | {"decision": "allow"})
    assert "code" in flow.told(first)
    with world.services.db.write() as session:
        replay_cache.purge(session, now=world.clock() + timedelta(minutes=29))
    second = client.post("/oauth2/consent", data=form | {"decision": "allow"})
    assert (second.status_code, "Location" in second.headers) == (400, False)


def test_the_longest_signed_request_goes_on_too(world: World, client: Any) -> None:
    flow = SignedFlow(client, register(world), now=at(world))
    username, state = _username(world), secrets.token_urlsafe(4_000)
    page = client.get(flow.bring(flow.signed(state=state)).headers["Location"])
    answer = submit(client, page, username=username, password=PASSWORD)
    assert flow.told(answer)["state"] == state


def test_a_signed_request_that_no_address_can_say_is_refused(
    published: SignedFlow, publisher: Publisher
) -> None:
    signed = published.signed(state=secrets.token_urlsafe(5_800), prompt="login")
    told = published.told(_refer(published, publisher.put("/request", signed)))
    assert told["error"] == "invalid_request"


def test_nothing_is_kept_where_the_answer_is_ready(world: World, flow: SignedFlow) -> None:
    assert "code" in flow.told(flow.bring(flow.signed()))
    assert world.all(PushedRequest) == []


# ---- FAPI 2.0 Message Signing ----------------------------------------------------------------


def test_discovery_says_what_may_be_sent(client: Any) -> None:
    told = client.get("/.well-known/openid-configuration").get_json()
    assert told["request_parameter_supported"] is True
    assert told["request_uri_parameter_supported"] is True
    assert told["require_request_uri_registration"] is True
    signing = set(told["request_object_signing_alg_values_supported"])
    assert signing >= {"RS256", "PS256", "ES256"}
    assert "none" not in signing


def test_keys_of_a_client_without_any_fit_nothing(world: World, client: Any) -> None:
    flow = SignedFlow(client, world.register(), now=at(world), outer={"redirect_uri": REDIRECT})
    world.sign_in(client)
    assert flow.told(flow.bring(flow.signed()))["error"] == "invalid_request_object"
