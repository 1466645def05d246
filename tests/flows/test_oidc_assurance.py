"""How strong a sign-in must be: wished by a client, demanded by it, or set by the installation."""

import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from idp.oidc import clients
from idp.oidc.clients import Client, Options
from idp.oidc.grants import Grant
from idp.sessions import SsoSession
from tests.relying_party import Flow, Party, World, build_world

AAL1, AAL2, AAL3 = (f"urn:vn:aal:{n}" for n in (1, 2, 3))


@pytest.fixture
def settings(make_settings: Any, request: pytest.FixtureRequest) -> Any:
    return make_settings(**getattr(request, "param", {}))


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@pytest.fixture
def flow(world: World, client: Any) -> Flow:
    made = Flow(client, world.register(id_token_alg="ES256"))
    world.sign_in(client)
    return made


def _sign_in(world: World, browser: Any, acr: str) -> None:
    view = world.sign_in(browser)
    world.change(SsoSession, view.id, acr=acr)


def _wish(*values: str, essential: bool = True) -> str:
    return json.dumps({"id_token": {"acr": {"essential": essential, "values": list(values)}}})


def _acr(flow: Flow, **changes: Any) -> str:
    keys = KeySet.import_key_set(flow.browser.get("/oauth2/jwks").get_json())
    told = jwt.decode(flow.tokens(**changes)["id_token"], keys, ["ES256"]).claims
    return str(told["acr"])


# ---- voluntary -------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", [None, "none"])
@pytest.mark.parametrize("wanted", [AAL3, "1 2", "phr phrh", AAL1, f"{AAL3} {AAL1}"])
def test_a_voluntary_level_is_never_an_error_and_never_a_loop(
    flow: Flow, wanted: str, prompt: str | None
) -> None:
    """OIDC Core §3.1.2.1: acr_values are requested as voluntary claims."""
    assert _acr(flow, acr_values=wanted, prompt=prompt) == AAL1
    assert _acr(flow, claims=_wish(*wanted.split(), essential=False), prompt=prompt) == AAL1


def test_a_voluntary_level_that_can_be_reached_is_asked_for_once(world: World, flow: Flow) -> None:
    _sign_in(world, flow.browser, "0")
    assert flow.ask(acr_values=AAL1).headers["Location"].startswith("/login/")
    # Not to be asked is not to be refused.
    assert "code" in flow.told(flow.ask(acr_values=AAL1, prompt="none"))


def test_default_levels_of_a_client_are_voluntary_and_give_way_to_the_requests_own(
    world: World, client: Any
) -> None:
    flow = Flow(client, world.register(options=Options(default_acr_values=(AAL1,))))
    _sign_in(world, client, "0")
    assert flow.ask().headers["Location"].startswith("/login/")
    assert "code" in flow.told(flow.ask(prompt="none"))
    assert "code" in flow.told(flow.ask(acr_values="0"))


# ---- essential -------------------------------------------------------------------------------


def test_an_essential_level_that_is_reached_is_the_one_told(world: World, flow: Flow) -> None:
    """OIDC Core §5.5.1.1: the acr must be one of the values requested."""
    _sign_in(world, flow.browser, AAL3)
    assert _acr(flow, claims=_wish(AAL2)) == AAL2
    assert _acr(flow, claims=_wish(AAL2, AAL3)) == AAL2
    assert _acr(flow) == AAL3
    single = json.dumps({"id_token": {"acr": {"essential": True, "value": AAL2}}})
    assert _acr(flow, claims=single) == AAL2


@pytest.mark.parametrize("signed_in", [True, False])
def test_an_essential_level_that_nobody_can_reach_is_told_at_once(
    app: Any, world: World, flow: Flow, signed_in: bool
) -> None:
    """OpenID Connect Unmet Authentication Requirements 1.0: nobody signs in for nothing."""
    if not signed_in:
        flow.browser = app.test_client()
    told = flow.told(flow.ask(claims=_wish(AAL3)))
    assert told["error"] == "unmet_authentication_requirements"
    assert told["state"] == flow.state
    assert not world.all(Grant)


def test_an_essential_level_that_can_be_reached_is_asked_for(world: World, flow: Flow) -> None:
    _sign_in(world, flow.browser, "0")
    assert flow.ask(claims=_wish(AAL1)).headers["Location"].startswith("/login/")
    assert flow.told(flow.ask(claims=_wish(AAL1), prompt="none"))["error"] == "login_required"
    assert not world.all(Grant)


# ---- minimums --------------------------------------------------------------------------------


@pytest.fixture
def strict(world: World, client: Any) -> Flow:
    party = world.register(options=Options(minimum_acr=AAL2))
    return Flow(client, party)


def test_a_clients_minimum_keeps_weaker_sign_ins_out(world: World, strict: Flow) -> None:
    world.sign_in(strict.browser)
    assert strict.ask().headers["Location"].startswith("/login/")  # it can be reached
    assert strict.told(strict.ask(prompt="none"))["error"] == "login_required"
    world.change(Client, strict.party.id, options=Options(minimum_acr=AAL3).stored)
    page = strict.ask()
    assert page.status_code == 403
    assert "cần mức xác thực cao hơn" in page.text
    assert "unmet_authentication_requirements" in page.text  # in the way back
    told = strict.told(strict.ask(prompt="none"))
    assert told["error"] == "unmet_authentication_requirements"
    assert not world.all(Grant)
    _sign_in(world, strict.browser, AAL3)
    assert strict.tokens()["access_token"]


def test_a_minimum_that_can_be_reached_sends_to_the_sign_in(world: World, client: Any) -> None:
    flow = Flow(client, world.register(options=Options(minimum_acr=AAL1)))
    _sign_in(world, client, "0")
    assert flow.ask().headers["Location"].startswith("/login/")
    assert flow.told(flow.ask(prompt="none"))["error"] == "login_required"


def test_a_minimum_raised_later_counts_at_the_next_refresh(world: World, flow: Flow) -> None:
    answer = flow.tokens()
    world.change(Client, flow.party.id, options=Options(minimum_acr=AAL2).stored)
    refused = flow.refresh(answer["refresh_token"])
    assert refused.status_code == 400
    assert refused.get_json()["error"] == "invalid_grant"
    # Nothing was used up: lowered again, the same token works.
    world.change(Client, flow.party.id, options={})
    assert flow.refresh(answer["refresh_token"]).status_code == 200


def test_a_minimum_raised_later_counts_when_the_code_is_redeemed(world: World, flow: Flow) -> None:
    code = flow.code()
    world.change(Client, flow.party.id, options=Options(minimum_acr=AAL2).stored)
    assert flow.redeem(code).get_json()["error"] == "invalid_grant"


@pytest.mark.parametrize("settings", [{"scope_acr": {"org": AAL2}}], indirect=True)
def test_a_scopes_minimum_counts_for_whoever_asks_for_it(world: World, flow: Flow) -> None:
    flow.scope = "openid email"
    assert flow.tokens()["access_token"]
    by_claim = json.dumps({"userinfo": {"org": None}})
    assert flow.ask(claims=by_claim).headers["Location"].startswith("/login/")
    flow.scope = "openid org"
    assert flow.ask().headers["Location"].startswith("/login/")
    _sign_in(world, flow.browser, AAL2)
    text = flow.tokens()["access_token"]
    assert "org" in flow.userinfo(text).get_json()


# ---- step-up at our own endpoints (RFC 9470) -------------------------------------------------

API = {"scope_acr": {"changes:read": AAL2}, "scope_max_age": {"changes:read": 600}}


def _list(flow: Flow, text: str) -> Any:
    return flow.browser.get("/api/v1/changes", headers={"Authorization": f"Bearer {text}"})


def _weaken(world: World, acr: str) -> None:
    """As if the rule had come after the grant."""
    for grant in world.all(Grant):
        world.change(Grant, grant.id, acr=acr)


@pytest.fixture
def reader(world: World, client: Any) -> Flow:
    flow = Flow(client, world.register(scopes=clients.SCOPES), scope="openid changes:read")
    _sign_in(world, client, AAL2)
    return flow


@pytest.mark.parametrize("settings", [API], indirect=True)
def test_the_api_says_which_level_it_wants(world: World, reader: Flow) -> None:
    text = reader.tokens()["access_token"]
    assert _list(reader, text).status_code == 200
    _weaken(world, AAL1)
    refused = _list(reader, text)
    assert refused.status_code == 401
    challenge = refused.headers["WWW-Authenticate"]
    assert 'error="insufficient_user_authentication"' in challenge
    assert f'acr_values="{AAL2}"' in challenge
    assert "max_age" not in challenge
    assert refused.get_json()["code"] == "insufficient_user_authentication"


@pytest.mark.parametrize("settings", [API], indirect=True)
def test_the_api_says_how_recent_it_wants_the_sign_in(world: World, reader: Flow) -> None:
    text = reader.tokens()["access_token"]
    refresh = reader.tokens()["refresh_token"]
    world.clock.advance(minutes=10, seconds=1)
    refused = _list(reader, text)
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]  # it has expired
    newer = reader.refresh(refresh).get_json()["access_token"]
    refused = _list(reader, newer)
    assert refused.status_code == 401
    assert 'max_age="600"' in refused.headers["WWW-Authenticate"]
    assert "acr_values" not in refused.headers["WWW-Authenticate"]
    # RFC 9470 §4: with what the challenge says the client gets what it needs.
    assert reader.ask(max_age="600").headers["Location"].startswith("/login/")


@pytest.mark.parametrize("settings", [API], indirect=True)
def test_a_machine_has_not_signed_in_and_is_not_asked_to(world: World, client: Any) -> None:
    machine = Flow(client, world.machine("changes:read"))
    text = machine.token(grant_type="client_credentials").get_json()["access_token"]
    assert _list(machine, text).status_code == 200


@pytest.mark.parametrize("settings", [{"scope_max_age": {"org": 60}}], indirect=True)
def test_userinfo_asks_for_a_newer_sign_in_where_a_scope_wants_it(world: World, flow: Flow) -> None:
    narrow, wide = {"scope": "openid"}, {"scope": "openid org"}
    texts = [flow.tokens(**scope)["access_token"] for scope in (narrow, wide)]
    world.clock.advance(seconds=61)
    assert flow.userinfo(texts[0]).status_code == 200
    refused = flow.userinfo(texts[1])
    assert refused.status_code == 401
    assert 'max_age="60"' in refused.headers["WWW-Authenticate"]


def test_introspection_tells_how_and_when_she_signed_in(world: World, flow: Flow) -> None:
    """RFC 9470 §6.2."""
    said = flow.introspect(flow.tokens()["access_token"])
    assert said["acr"] == AAL1
    assert said["auth_time"] == int(world.clock().timestamp())


def test_discovery_names_the_levels_that_can_be_reached(client: Any) -> None:
    told = client.get("/.well-known/openid-configuration").get_json()
    assert told["acr_values_supported"] == [AAL1, AAL2]


@pytest.mark.parametrize("minimum", [AAL2, AAL3])
def test_a_device_is_held_to_the_same_minimum(world: World, client: Any, minimum: str) -> None:
    """Asked when the code is typed: what can be reached is met in place, what cannot is refused."""
    from tests.browser_client import submit

    party: Party = world.register(
        grant_types=(clients.GrantType.DEVICE,),
        redirect_uris=(),
        options=Options(minimum_acr=minimum),
    )
    device = Flow(client, party)
    asked = device.post("/oauth2/device_authorization", {"scope": "openid"}).get_json()
    world.sign_in(client)

    def typed() -> Any:
        page = client.get("/device", query_string={"user_code": asked["user_code"]})
        return submit(client, page, user_code=asked["user_code"])

    answer = typed()
    if minimum == AAL3:
        assert answer.status_code == 403
        assert "Ứng dụng Văn bản đòi hai cách xác thực, một cách là sinh trắc học" in answer.text
    else:
        where = answer.headers["Location"].replace("%3A", ":")
        assert where.startswith("/login?return_to=/device")
        assert where.endswith(f"least={AAL2}")
        assert asked["user_code"] in where
    assert not world.all(Grant)
    _sign_in(world, client, minimum)
    page = client.get(typed().headers["Location"])
    assert submit(client, page, action="/device/confirm", decision="allow").status_code == 303
    assert len(world.all(Grant)) == 1


def test_a_device_that_has_asked_before_the_minimum_rose_is_refused(
    world: World, client: Any
) -> None:
    from tests.browser_client import submit

    party = world.register(grant_types=(clients.GrantType.DEVICE,), redirect_uris=())
    asked = Flow(client, party).post("/oauth2/device_authorization", {"scope": "openid"})
    code = asked.get_json()["user_code"]
    world.sign_in(client)
    page = client.get("/device", query_string={"user_code": code})
    page = client.get(submit(client, page, user_code=code).headers["Location"])
    world.change(Client, party.id, options=Options(minimum_acr=AAL2).stored)
    assert submit(client, page, action="/device/confirm", decision="allow").status_code == 403
    assert not world.all(Grant)
