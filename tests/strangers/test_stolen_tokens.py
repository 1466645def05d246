"""A stolen code or token: who holds it gains nothing, and cannot take from others what is theirs.

Grace for a refresh token that comes again (RFC 9700 §4.14.2) is for clients that prove who they
are. A used code ends what it gave only where its own client brings it (RFC 6749 §4.1.2).
"""

import base64
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from idp.oidc.clients import AuthMethod, GrantType, Options, TokenFormat
from tests.device_flow import Device, register_device
from tests.proving import Asserting
from tests.relying_party import REDIRECT, Flow, World, build_world
from tests.signed_requests import ISSUER, key_for, public

pytestmark = pytest.mark.both_databases
EXCHANGE = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
}
CODES = (GrantType.CODE, GrantType.REFRESH)


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@pytest.fixture
def open_flow(world: World, client: Any) -> Flow:
    """A public client's, of somebody signed in."""
    world.sign_in(client)
    return Flow(client, world.register("Di động", auth_method=AuthMethod.NONE))


@pytest.fixture
def flow(world: World, client: Any) -> Flow:
    """A confidential client's."""
    world.sign_in(client)
    grants = (*CODES, GrantType.EXCHANGE)
    return Flow(client, world.register(grant_types=grants), scope="openid email")


def claims_of(token: str) -> dict[str, Any]:
    """What a JWT says."""
    part = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


# ---- refresh tokens ------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0, 1, 9])
def test_a_thief_who_refreshes_first_loses_what_she_took(
    world: World, open_flow: Flow, seconds: int
) -> None:
    stolen = open_flow.tokens()["refresh_token"]
    taken = open_flow.refresh(stolen).get_json()
    world.clock.advance(seconds=seconds)
    assert open_flow.refresh(stolen).get_json()["error"] == "invalid_grant"  # the honest one
    assert open_flow.refresh(taken["refresh_token"]).get_json()["error"] == "invalid_grant"
    assert open_flow.userinfo(taken["access_token"]).status_code == 401


def test_a_thief_who_polls_first_with_a_devices_code_loses_what_she_took(
    world: World, client: Any
) -> None:
    world.sign_in(client)
    device = Device(client, register_device(world, auth_method=AuthMethod.NONE)).begin()
    device.decide()
    taken = device.poll().get_json()
    world.clock.advance(seconds=6)
    assert device.error() == "invalid_grant"  # the honest one
    assert device.flow.userinfo(taken["access_token"]).status_code == 401
    proven = Device(client, register_device(world)).begin()
    proven.decide()
    held = proven.poll().get_json()
    world.clock.advance(seconds=6)
    assert proven.error() == "invalid_grant"
    assert proven.flow.userinfo(held["access_token"]).status_code == 200


def test_a_client_that_proves_who_it_is_may_try_again(world: World, flow: Flow) -> None:
    first = flow.tokens()["refresh_token"]
    second = flow.refresh(first).get_json()
    world.clock.advance(seconds=9)
    assert flow.refresh(first).get_json()["error"] == "invalid_grant"
    assert flow.refresh(second["refresh_token"]).status_code == 200
    assert flow.refresh(first).status_code == 400
    assert flow.userinfo(second["access_token"]).status_code == 401


def test_another_client_ends_nothing_by_a_used_refresh_token(world: World, flow: Flow) -> None:
    first = flow.tokens()["refresh_token"]
    second = flow.refresh(first).get_json()
    thief = Flow(flow.browser, world.register("Kẻ trộm"))
    world.clock.advance(seconds=60)
    assert thief.refresh(first).get_json()["error"] == "invalid_grant"
    assert flow.refresh(second["refresh_token"]).status_code == 200


# ---- codes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["another client", "no verifier", "another verifier"])
def test_who_only_saw_a_used_code_ends_nothing(world: World, open_flow: Flow, kind: str) -> None:
    code = open_flow.code()
    held = open_flow.redeem(code).get_json()
    thief = Flow(open_flow.browser, open_flow.party)
    if kind == "another client":
        thief = Flow(open_flow.browser, world.register("Kẻ trộm"), verifier=open_flow.verifier)
    if kind == "no verifier":
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
        answer = thief.token(**form)
    else:
        answer = thief.redeem(code)
    assert answer.get_json()["error"] == "invalid_grant"
    assert open_flow.userinfo(held["access_token"]).status_code == 200
    assert open_flow.refresh(held["refresh_token"]).status_code == 200


def test_its_own_client_ends_what_a_used_code_gave(world: World, client: Any) -> None:
    world.sign_in(client)
    options = Options(require_pkce=False)
    bare = {"code_challenge": None, "code_challenge_method": None}
    for asks in ({}, bare):
        flow = Flow(client, world.register(options=options))
        code = flow.code(**asks)
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
        form |= {} if asks else {"code_verifier": flow.verifier}
        held = flow.token(**form).get_json()
        assert flow.token(**form).get_json()["error"] == "invalid_grant"
        assert flow.userinfo(held["access_token"]).status_code == 401
    assert "code" in flow.told(flow.ask(prompt="none")), "the sign-in itself goes on"


# ---- smaller tokens ------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["exchange", "refresh"])
@pytest.mark.parametrize("shape", list(TokenFormat))
def test_a_smaller_token_is_told_less(
    world: World, client: Any, by: str, shape: TokenFormat
) -> None:
    world.sign_in(client)
    grants = (*CODES, GrantType.EXCHANGE)
    party = world.register(grant_types=grants, access_token_format=shape)
    flow = Flow(client, party, scope="openid email")
    asked = dict.fromkeys(("name", "phone_number", "org", "email"))
    wish = json.dumps({"userinfo": asked, "id_token": asked})
    held = flow.tokens(claims=wish)
    told = flow.userinfo(held["access_token"]).get_json()
    assert told.keys() == {"sub", "name", "phone_number", "org", "email", "email_verified"}
    if by == "exchange":
        form = EXCHANGE | {"subject_token": held["access_token"], "scope": "openid"}
        less = flow.token(**form).get_json()
    else:
        less = flow.refresh(held["refresh_token"], scope="openid").get_json()
        assert not {"name", "phone_number", "org", "email"} & claims_of(less["id_token"]).keys()
    assert flow.userinfo(less["access_token"]).get_json().keys() == {"sub"}
    # With all the scopes it had, a child is still no way to what was asked by name.
    form = EXCHANGE | {"subject_token": held["access_token"]}
    child = flow.token(**form).get_json()
    told = flow.userinfo(child["access_token"]).get_json()
    assert told.keys() == {"sub", "email", "email_verified"}


# ---- whom a token is for -------------------------------------------------------------------------


def test_a_jwt_access_token_names_a_service_not_its_client(world: World, client: Any) -> None:
    """RFC 9068 §3: without a resource, the default one."""
    world.sign_in(client)
    flow = Flow(client, world.register(access_token_format=TokenFormat.JWT))
    text = flow.tokens()["access_token"]
    said = claims_of(text)
    assert said["aud"] == ISSUER
    assert said["client_id"] == flow.party.client_id
    assert flow.userinfo(text).status_code == 200
    assert flow.introspect(text)["aud"] == said["aud"]
    machine = Flow(client, world.machine(access_token_format=TokenFormat.JWT))
    text = machine.token(grant_type="client_credentials").get_json()["access_token"]
    assert claims_of(text)["aud"] == ISSUER + "/api/v1"
    assert machine.introspect(text)["active"] is True
    answer = client.get("/api/v1/changes/x", headers={"Authorization": f"Bearer {text}"})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "audience",
    [
        [ISSUER, "https://other.example"],
        ["https://other.example", ISSUER + "/oauth2/token"],
        [ISSUER, 7],
        [ISSUER, None],
    ],
)
def test_an_assertion_that_is_for_others_as_well_is_refused(
    world: World, client: Any, audience: Any
) -> None:
    """Whoever else it is for could present it here (RFC 7523 §3, RFC 9700 §4.11)."""
    options = Options(jwks=public(key_for("ES256")))
    party = world.machine(auth_method=AuthMethod.KEY_JWT, options=options)
    flow = Asserting(client, party, clock=world.clock)
    form = {"grant_type": "client_credentials"}
    ours = [ISSUER, ISSUER + "/oauth2/token"]
    assert flow.post("/oauth2/token", form, aud=ours).status_code == 200
    refused = flow.post("/oauth2/token", form, aud=audience)
    assert refused.status_code == 401


# ---- whom an answer is about ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "wish",
    [
        {"id_token": {"sub": {"value": 5}}},
        {"id_token": {"sub": {"value": None}}},
        {"id_token": {"sub": {"values": []}}},
        {"id_token": {"sub": {"values": [7, None]}}},
        {"id_token": {"sub": {"values": "SELF"}}},
        {"id_token": {"sub": {"value": "SELF"}}, "userinfo": {"sub": {"value": "somebody"}}},
        {"id_token": {"sub": {"value": "somebody"}}, "userinfo": {"sub": {"value": "SELF"}}},
        {"userinfo": {"sub": {"value": ["SELF"]}}},
    ],
)
def test_nobody_is_told_about_when_nobody_can_be_meant(flow: Flow, wish: dict[str, Any]) -> None:
    own = claims_of(flow.tokens()["id_token"])["sub"]
    text = json.dumps(wish).replace("SELF", own)
    told = flow.told(flow.ask(claims=text, prompt="none"))
    assert told["error"] in ("login_required", "invalid_request")
    # And without prompt=none she is not sent round in circles for it.
    answer = flow.ask(claims=text)
    assert "code" not in parse_qs(urlsplit(answer.headers.get("Location", "")).query)


def test_of_two_names_for_her_both_must_be_hers(flow: Flow) -> None:
    own = claims_of(flow.tokens()["id_token"])["sub"]
    for wish, answered in (
        ({"value": own, "values": ["somebody"]}, False),
        ({"value": own, "values": ["somebody", own]}, True),
        ({"values": [own, 5]}, True),
        ({"essential": True}, True),
        (None, True),
    ):
        text = json.dumps({"id_token": {"sub": wish}})
        assert ("code" in flow.told(flow.ask(claims=text, prompt="none"))) is answered


def test_somebody_else_is_not_answered_for(flow: Flow) -> None:
    own = claims_of(flow.tokens()["id_token"])["sub"]
    for value, answered in ((own, True), ("somebody", False)):
        wish = json.dumps({"id_token": {"sub": {"value": value}}})
        told = flow.told(flow.ask(claims=wish, prompt="none"))
        assert ("code" in told) is answered


# ---- signing out ---------------------------------------------------------------------------------


def test_a_hint_of_another_session_asks(world: World, flow: Flow) -> None:
    older = flow.tokens()["id_token"]
    world.sign_in(flow.browser)
    newer = flow.tokens()["id_token"]
    asked = flow.browser.get("/oauth2/logout", query_string={"id_token_hint": older})
    assert asked.status_code == 200
    assert 'value="logout"' in asked.text
    assert "code" in flow.told(flow.ask(prompt="none"))
    gone = flow.browser.get("/oauth2/logout", query_string={"id_token_hint": newer})
    assert gone.status_code == 303
    assert flow.told(flow.ask(prompt="none"))["error"] == "login_required"
