"""Answers as JWTs: userinfo (OIDC Core §5.3.2) and introspection (RFC 9701)."""

from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from idp.oidc.clients import Options
from idp.oidc.signing_keys import ALGORITHMS
from tests.relying_party import Flow, World, build_world

JWT = "application/token-introspection+jwt"


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


def _read(browser: Any, text: str, alg: str) -> Any:
    keys = KeySet.import_key_set(browser.get("/oauth2/jwks").get_json())
    return jwt.decode(text, keys, [alg])


# ---- userinfo --------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_userinfo_is_signed_for_whoever_registered_so(world: World, client: Any, alg: str) -> None:
    party = world.register(options=Options(userinfo_signed_response_alg=alg))
    flow = Flow(client, party, scope="openid profile")
    view = world.sign_in(client)
    answer = flow.userinfo(flow.tokens()["access_token"])
    assert answer.content_type == "application/jwt"
    assert answer.headers["Cache-Control"] == "no-store"
    told = _read(client, answer.text, alg)
    assert told.claims["iss"] == "http://localhost:8000"
    assert told.claims["aud"] == party.client_id
    assert told.claims["sub"] == view.sub
    assert told.claims["name"] == "Lê Thị Lan"


def test_a_signed_answer_passes_for_no_id_token(world: World, client: Any) -> None:
    """RFC 8725 §3.11: one kind of JWT must not be taken for another."""
    party = world.register(options=Options(userinfo_signed_response_alg="RS256"))
    flow = Flow(client, party)
    world.sign_in(client)
    text = flow.userinfo(flow.tokens()["access_token"]).text
    assert flow.told(flow.ask(id_token_hint=text))["error"] == "invalid_request"
    refused = client.get("/oauth2/logout", query_string={"id_token_hint": text})
    assert refused.status_code == 400


@pytest.mark.parametrize("way", ["GET", "POST with a header", "POST with a body"])
def test_userinfo_is_asked_in_three_ways(world: World, client: Any, way: str) -> None:
    """OIDC Core §5.3.1, RFC 6750 §2.1, §2.2."""
    flow = Flow(client, world.register())
    world.sign_in(client)
    text = flow.tokens()["access_token"]
    bearer = {"Authorization": f"Bearer {text}"}
    answer = {
        "GET": lambda: client.get("/oauth2/userinfo", headers=bearer),
        "POST with a header": lambda: client.post("/oauth2/userinfo", headers=bearer),
        "POST with a body": lambda: client.post("/oauth2/userinfo", data={"access_token": text}),
    }[way]()
    assert answer.status_code == 200
    assert answer.content_type == "application/json"
    assert answer.get_json()["name"] == "Lê Thị Lan"


# ---- introspection ---------------------------------------------------------------------------


def _introspect(flow: Flow, text: str, accept: str) -> Any:
    headers = flow.party.basic | {"Accept": accept}
    return flow.browser.post("/oauth2/introspect", data={"token": text}, headers=headers)


@pytest.mark.parametrize("alg", [None, "ES256", "PS256"])
def test_introspection_is_signed_for_whoever_accepts_it(
    world: World, client: Any, alg: str | None
) -> None:
    """RFC 9701 §4, §5; RS256 where the registration does not say (§6)."""
    party = world.register(options=Options(introspection_signed_response_alg=alg))
    flow = Flow(client, party)
    world.sign_in(client)
    text = flow.tokens()["access_token"]
    answer = _introspect(flow, text, JWT)
    assert answer.content_type == JWT
    assert answer.headers["Cache-Control"] == "no-store"
    told = _read(client, answer.text, alg or "RS256")
    assert told.header["typ"] == "token-introspection+jwt"
    assert told.claims.keys() == {"iss", "aud", "iat", "token_introspection"}
    assert told.claims["iss"] == "http://localhost:8000"
    assert told.claims["aud"] == party.client_id
    assert told.claims["iat"] == int(world.clock().timestamp())
    assert told.claims["token_introspection"] == flow.introspect(text)


def test_what_is_not_active_is_said_in_the_same_shape(world: World, client: Any) -> None:
    flow = Flow(client, world.register())
    told = _read(client, _introspect(flow, "nothing", JWT).text, "RS256")
    assert told.claims["token_introspection"] == {"active": False}


@pytest.mark.parametrize("accept", ["application/json", "*/*", f"{JWT};q=0.1, application/json"])
def test_json_is_the_answer_to_everybody_else(world: World, client: Any, accept: str) -> None:
    answer = _introspect(Flow(client, world.register()), "nothing", accept)
    assert answer.content_type == "application/json"
    assert answer.get_json() == {"active": False}


def test_a_refusal_is_never_a_jwt(world: World, client: Any) -> None:
    headers = {"Accept": JWT}
    answer = client.post("/oauth2/introspect", data={"token": "x"}, headers=headers)
    assert answer.status_code == 401
    assert answer.content_type == "application/json"


def test_a_signed_introspection_answer_is_no_access_token(world: World, client: Any) -> None:
    """RFC 9701 §8.1."""
    flow = Flow(client, world.register())
    world.sign_in(client)
    text = _introspect(flow, flow.tokens()["access_token"], JWT).text
    assert flow.userinfo(text).status_code == 401
    assert flow.introspect(text) == {"active": False}
