"""How many statements each hot path costs: a budget, not a measurement."""

from typing import Any

import pytest

from idp.oidc.clients import AuthMethod, Options, TokenFormat
from tests.proving import Asserting, Holding
from tests.relying_party import Flow, World, build_world, counted
from tests.signed_requests import key_for, public

pytestmark = pytest.mark.both_databases


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@pytest.fixture
def flow(world: World, client: Any) -> Flow:
    made = Flow(client, world.restricted())
    world.sign_in(client)
    made.tokens()  # keys and rules are read once per process
    return made


def test_client_credentials_cost_one_select(world: World, client: Any, flow: Flow) -> None:
    machine = Flow(client, world.machine())
    with counted(world.services) as cost:
        assert machine.token(grant_type="client_credentials").status_code == 200
    assert cost == {"SELECT": 1}


def test_authorize_with_a_session_costs_one_select_and_one_insert(world: World, flow: Flow) -> None:
    with counted(world.services) as cost:
        flow.code()
    assert cost == {"SELECT": 1, "INSERT": 1}


def test_authorize_for_an_open_client_of_ours_costs_no_less(
    world: World, client: Any, flow: Flow
) -> None:
    ours = Flow(client, world.register())
    with counted(world.services) as cost:
        ours.code()
    assert cost == {"SELECT": 1, "INSERT": 1}


def test_a_pushed_request_and_tokens_of_a_key_cost_seven_on_postgresql(
    world: World, client: Any, flow: Flow
) -> None:
    """Pushed, authorized with a session, redeemed: a proof with each but the browser's."""
    holder = Holding(client, world.restricted(), clock=world.clock)
    holder.code()  # the rules of an application are read once
    file = world.services.db.is_sqlite
    with counted(world.services) as cost:
        uri = holder.post("/oauth2/par", holder.query).get_json()["request_uri"]
    assert cost == ({"SELECT": 1, "INSERT": 2} if file else {"SELECT": 1, "WITH": 1})
    with counted(world.services) as cost:
        answer = client.get(
            "/oauth2/authorize",
            query_string={"client_id": holder.party.client_id, "request_uri": uri},
        )
    code = holder.told(answer)["code"]
    assert cost == ({"SELECT": 1, "UPDATE": 1, "INSERT": 1} if file else {"SELECT": 1, "WITH": 1})
    with counted(world.services) as cost:
        assert holder.redeem(code).status_code == 200
    assert cost == {"SELECT": 1, "UPDATE": 1, "INSERT": 1}


def test_a_code_costs_one_select_and_one_update(world: World, flow: Flow) -> None:
    code = flow.code()
    with counted(world.services) as cost:
        assert flow.redeem(code).status_code == 200
    assert cost == {"SELECT": 1, "UPDATE": 1}


def test_a_refresh_costs_one_select_and_one_update(world: World, flow: Flow) -> None:
    text = flow.tokens()["refresh_token"]
    with counted(world.services) as cost:
        assert flow.refresh(text).status_code == 200
    assert cost == {"SELECT": 1, "UPDATE": 1}


@pytest.mark.parametrize("shape", list(TokenFormat))
def test_introspection_costs_one_select_and_userinfo_one_or_two(
    world: World, client: Any, flow: Flow, shape: TokenFormat
) -> None:
    asking = Flow(client, world.register(access_token_format=shape))
    text = asking.tokens()["access_token"]
    with counted(world.services) as cost:
        assert asking.introspect(text)["active"] is True
    assert cost == {"SELECT": 1}
    with counted(world.services) as cost:
        assert "posts" in asking.userinfo(text).get_json()["org"]
    assert cost == {"SELECT": 2}
    asking.scope = "openid profile email phone address"
    text = asking.tokens()["access_token"]
    with counted(world.services) as cost:
        assert "address" in asking.userinfo(text).get_json()
    assert cost == {"SELECT": 1}


def test_a_forged_token_costs_nothing_but_the_client(world: World, flow: Flow) -> None:
    with counted(world.services) as cost:
        flow.introspect("dda_" + "A" * 56)
    assert cost == {"SELECT": 1}
    with counted(world.services) as cost:
        flow.userinfo("dda_" + "A" * 56)
    assert cost == {}


def test_revocation_costs_one_select_and_one_update(world: World, flow: Flow) -> None:
    text = flow.tokens()["access_token"]
    with counted(world.services) as cost:
        flow.post("/oauth2/revoke", {"token": text})
    assert cost == {"SELECT": 1, "UPDATE": 1}


@pytest.mark.parametrize("shape", list(TokenFormat))
def test_introspection_of_any_token_costs_one_select(
    world: World, client: Any, flow: Flow, shape: TokenFormat
) -> None:
    machine = Flow(client, world.machine(access_token_format=shape))
    own = machine.token(grant_type="client_credentials").get_json()["access_token"]
    watching = Flow(client, world.register(introspect_all=True))
    tokens = own, flow.tokens()["refresh_token"]
    for text in tokens:
        with counted(world.services) as cost:
            assert watching.introspect(text)["active"] is True
        assert cost == {"SELECT": 1}
    # One that we have not made is looked up where it names something, and costs no more.
    for text in (*tokens, "rubbish", "a.b.c"):
        with counted(world.services) as cost:
            assert watching.introspect(text + "x") == {"active": False}
        assert cost == {"SELECT": 1}


def test_a_code_of_a_public_client_with_a_proof_costs_no_select_more(
    world: World, client: Any, flow: Flow
) -> None:
    holder = Holding(client, world.register(auth_method=AuthMethod.NONE), clock=world.clock)
    code = holder.code()
    with counted(world.services) as cost:
        assert holder.redeem(code).status_code == 200
    assert cost == {"SELECT": 1, "UPDATE": 1, "INSERT": 1}


def test_an_assertion_costs_one_insert_more(world: World, client: Any, flow: Flow) -> None:
    keys = Options(jwks=public(key_for("ES256")))
    party = world.machine(auth_method=AuthMethod.KEY_JWT, options=keys)
    machine = Asserting(client, party, clock=world.clock)
    with counted(world.services) as cost:
        assert machine.token(grant_type="client_credentials").status_code == 200
    assert cost == {"SELECT": 1, "INSERT": 1}


def test_a_proof_of_possession_costs_one_insert_more(world: World, client: Any, flow: Flow) -> None:
    holder = Holding(client, world.restricted(), clock=world.clock)
    code = holder.code()
    with counted(world.services) as cost:
        answer = holder.redeem(code).get_json()
    assert cost == {"SELECT": 1, "UPDATE": 1, "INSERT": 1}
    holder.scope = "openid"
    text = holder.tokens()["access_token"]
    with counted(world.services) as cost:
        assert holder.userinfo(text).status_code == 200
    assert cost == {"SELECT": 1, "INSERT": 1}
    with counted(world.services) as cost:
        assert holder.refresh(answer["refresh_token"]).status_code == 200
    # A refresh token of a key is checked and not spent.
    assert cost == {"SELECT": 1, "INSERT": 1}


def test_a_proof_that_is_none_costs_nothing_but_the_client(
    world: World, client: Any, flow: Flow
) -> None:
    holder = Holding(client, world.register(), clock=world.clock)
    form = {"grant_type": "authorization_code", "code": "x"}
    with counted(world.services) as cost:
        assert holder.post("/oauth2/token", form, proof="rubbish").status_code == 400
    assert cost == {"SELECT": 1, "INSERT": 1}  # the reason, for its owner, once a minute
    with counted(world.services) as cost:
        assert holder.post("/oauth2/token", form, proof="rubbish").status_code == 400
    assert cost == {"SELECT": 1}
