"""Tokens that belong to a DPoP key, from the code to the resource (RFC 9449)."""

from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from idp.oidc.clients import AuthMethod, Client, GrantType, Options, TokenFormat
from idp.oidc.clients.keyset import usable
from idp.oidc.grants import Grant
from idp.oidc.proofs import dpop
from tests.device_flow import DEVICE, Device, register_device
from tests.proving import TOKEN, USERINFO, Holding, thumbprint_of
from tests.relying_party import Flow, World, build_world
from tests.signed_requests import (
    ISSUER,
    SECURE,
    Fapi,
    key_for,
    register_fapi,
)

CHANGES = "/api/v1/changes"
EXCHANGE = GrantType.EXCHANGE.value
ACCESS = "urn:ietf:params:oauth:token-type:access_token"


@pytest.fixture
def nonce_required() -> bool:
    return False


@pytest.fixture
def settings(make_settings: Any, nonce_required: bool) -> Any:
    return make_settings(dpop_nonce_required=nonce_required)


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


def holding(world: World, client: Any, **columns: Any) -> Holding:
    return Holding(client, world.register(**columns), clock=world.clock)


@pytest.fixture
def flow(world: World, client: Any) -> Holding:
    world.sign_in(client)
    return holding(world, client)


@pytest.fixture
def public(world: World, client: Any) -> Holding:
    world.sign_in(client)
    return holding(world, client, auth_method=AuthMethod.NONE)


def refused(response: Any, error: str, status: int = 400) -> bool:
    assert response.status_code == status, response.text
    assert response.get_json()["error"] == error, response.text
    assert "access_token" not in response.text
    return True


def other_key() -> Any:
    return key_for("ES256", "another")


# ---- tokens ----------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", dpop.ALGORITHMS)
def test_a_code_redeemed_with_a_proof_gives_tokens_of_that_key(flow: Holding, alg: str) -> None:
    flow.key = key_for(alg, "dpop")
    answer = flow.tokens()
    assert answer["token_type"] == "DPoP"
    told = flow.introspect(answer["access_token"])
    assert told["token_type"] == "DPoP"
    assert told["cnf"] == {"jkt": thumbprint_of(flow.key)}
    assert flow.userinfo(answer["access_token"]).get_json()["name"] == "Lê Thị Lan"


def test_a_jwt_access_token_says_its_key(world: World, client: Any, services: Any) -> None:
    world.sign_in(client)
    flow = holding(world, client, access_token_format=TokenFormat.JWT)
    text = flow.tokens()["access_token"]
    keys = KeySet.import_key_set(client.get("/oauth2/jwks").get_json())
    claims = jwt.decode(text, keys, ["RS256"]).claims
    assert claims["cnf"] == {"jkt": thumbprint_of(key_for("ES256", "dpop"))}
    assert flow.userinfo(text).status_code == 200


def test_without_a_proof_a_client_gets_bearer_tokens_as_ever(flow: Holding) -> None:
    flow.key = None
    answer = flow.tokens()
    assert answer["token_type"] == "Bearer"
    assert "cnf" not in flow.introspect(answer["access_token"])
    assert Flow.userinfo(flow, answer["access_token"]).status_code == 200


def test_a_client_on_its_own_account_gets_a_token_of_its_key(world: World, client: Any) -> None:
    machine = Holding(client, world.machine(), clock=world.clock)
    answer = machine.token(grant_type="client_credentials").get_json()
    assert answer["token_type"] == "DPoP"
    assert machine.fetch(CHANGES, answer["access_token"]).status_code == 200
    as_bearer = {"Authorization": f"Bearer {answer['access_token']}"}
    refusal = client.get(CHANGES, headers=as_bearer)
    assert refusal.status_code == 401
    assert "DPoP algs=" in refusal.headers["WWW-Authenticate"]


def test_a_bound_token_that_is_exchanged_stays_with_its_key(world: World, client: Any) -> None:
    world.sign_in(client)
    kinds = (GrantType.CODE, GrantType.REFRESH, GrantType.EXCHANGE)
    flow = holding(world, client, grant_types=kinds)
    asked = {
        "grant_type": EXCHANGE,
        "subject_token": flow.tokens()["access_token"],
        "subject_token_type": ACCESS,
        "scope": "openid",
    }
    answer = flow.token(**asked)
    assert answer.get_json()["token_type"] == "DPoP"
    assert flow.userinfo(answer.get_json()["access_token"]).status_code == 200
    flow.key = other_key()
    assert refused(flow.token(**asked), "invalid_request")
    flow.key = None
    assert refused(flow.token(**asked), "invalid_request")


def test_a_client_whose_tokens_must_be_bound_is_refused_without_a_proof(
    world: World, client: Any
) -> None:
    world.sign_in(client)
    flow = holding(world, client, options=Options(dpop_bound_access_tokens=True))
    code = flow.code()
    key, flow.key = flow.key, None
    assert refused(flow.redeem(code), "invalid_request")
    flow.key = key
    assert flow.redeem(code).get_json()["token_type"] == "DPoP"


# ---- the resource ----------------------------------------------------------------------------


def test_a_bound_token_is_no_bearer_token(flow: Holding) -> None:
    text = flow.tokens()["access_token"]
    for response in (
        Flow.userinfo(flow, text),
        flow.browser.post(USERINFO, data={"access_token": text}),
        flow.browser.get(
            USERINFO,
            headers={
                "Authorization": f"Bearer {text}",
                "DPoP": flow.proof("GET", USERINFO, token=text),
            },
        ),
    ):
        assert refused(response, "invalid_token", 401)
        challenge = response.headers["WWW-Authenticate"]
        assert challenge.startswith('Bearer realm="dinhdanh", error="invalid_token"')
        assert 'DPoP algs="PS256 ES256"' in challenge


def test_a_bearer_token_is_not_taken_with_a_proof(flow: Holding) -> None:
    key, flow.key = flow.key, None
    text = flow.tokens()["access_token"]
    flow.key = key
    response = flow.userinfo(text)
    assert refused(response, "invalid_token", 401)
    assert response.headers["WWW-Authenticate"].startswith('DPoP realm="dinhdanh"')


def test_the_scheme_is_written_in_any_case(flow: Holding) -> None:
    text = flow.tokens()["access_token"]
    headers = {
        "Authorization": f"dpOP {text}",
        "DPOP": flow.proof("GET", USERINFO, token=text),
    }
    assert flow.browser.get(USERINFO, headers=headers).status_code == 200


def test_a_missing_scope_is_told_in_the_same_scheme(flow: Holding) -> None:
    flow.scope = "email"
    response = flow.userinfo(flow.tokens()["access_token"])
    assert refused(response, "insufficient_scope", 403)
    assert response.headers["WWW-Authenticate"].startswith("DPoP ")


def test_userinfo_is_asked_by_post_with_a_proof_for_post(flow: Holding) -> None:
    text = flow.tokens()["access_token"]
    for method, status in (("POST", 200), ("GET", 401)):
        proof = flow.proof(method, USERINFO, token=text)
        headers = {"Authorization": f"DPoP {text}", "DPoP": proof}
        assert flow.browser.post(USERINFO, headers=headers).status_code == status


@pytest.mark.parametrize(
    "htu",
    [
        "http://localhost:8000/oauth2/userinfo?a=b#c",
        "HTTP://LOCALHOST:8000/oauth2/userinfo",
        "http://localhost:8000/oauth2/%75serinfo",
    ],
)
def test_the_address_is_compared_as_an_address(flow: Holding, htu: str) -> None:
    """RFC 9449 §4.3 item 9, RFC 3986 §6.2.2."""
    text = flow.tokens()["access_token"]
    proof = flow.proof("GET", USERINFO, token=text, htu=htu)
    assert flow.userinfo(text, proof=proof).status_code == 200


@pytest.mark.parametrize(
    ("issuer", "htu"),
    [
        ("https://a.example", "https://a.example:443/x"),
        ("http://a.example", "http://a.example:80/x"),
        ("https://a.example:8443", "https://A.Example:8443/x?y"),
    ],
)
def test_a_standard_port_may_be_left_out(issuer: str, htu: str) -> None:
    """RFC 3986 §6.2.3."""
    assert dpop.same_place(htu, (issuer + "/x",))


def test_what_a_proof_says_beyond_the_standard_is_ignored(flow: Holding) -> None:
    """RFC 7515 §4, RFC 7519 §4; ``nbf`` and ``exp`` mean nothing here."""
    text = flow.tokens()["access_token"]
    now = int(flow.clock().timestamp())
    proof = flow.proof(
        "GET", USERINFO, token=text, extra=[1], nbf=now, exp=now + 300, header={"unknown": "x"}
    )
    assert flow.userinfo(text, proof=proof).status_code == 200


@pytest.mark.parametrize("seconds", [-89, -10, 10, 30])
def test_clocks_may_differ_a_little(flow: Holding, seconds: int) -> None:
    """FAPI 2.0 §5.3.2.1 item 13: at least ten seconds ahead."""
    made = int(flow.clock().timestamp()) + seconds
    text = flow.tokens()["access_token"]
    proof = flow.proof("GET", USERINFO, token=text, iat=made)
    assert flow.userinfo(text, proof=proof).status_code == 200


# ---- refreshing ------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_bound_refresh_token_is_not_spent(world: World, public: Holding) -> None:
    """FAPI 2.0 §5.3.2.1 item 9."""
    first = public.tokens()
    for _ in range(3):
        world.clock.advance(seconds=60)
        again = public.refresh(first["refresh_token"])
        assert again.status_code == 200
        assert again.get_json()["refresh_token"] == first["refresh_token"]
        assert public.userinfo(again.get_json()["access_token"]).status_code == 200
    assert [grant.refresh_generation for grant in world.all(Grant)] == [0]


def test_a_public_client_refreshes_with_its_key_alone(public: Holding) -> None:
    """RFC 9449 §5."""
    text = public.tokens()["refresh_token"]
    own, public.key = public.key, other_key()
    assert refused(public.refresh(text), "invalid_grant")
    public.key = None
    assert refused(public.refresh(text), "invalid_request")
    public.key = own
    assert public.refresh(text).status_code == 200


def test_a_confidential_client_may_have_taken_another_key(flow: Holding) -> None:
    text = flow.tokens()["refresh_token"]
    flow.key = other_key()
    answer = flow.refresh(text).get_json()
    assert flow.introspect(answer["access_token"])["cnf"] == {"jkt": thumbprint_of(flow.key)}
    flow.key = None
    assert refused(flow.refresh(text), "invalid_request")


def test_a_refresh_token_of_no_key_rotates_also_with_a_proof(flow: Holding) -> None:
    key, flow.key = flow.key, None
    first = flow.tokens()["refresh_token"]
    flow.key = key
    answer = flow.refresh(first).get_json()
    assert answer["token_type"] == "DPoP"
    assert answer["refresh_token"] != first
    flow.clock.advance(seconds=11)
    assert refused(flow.refresh(first), "invalid_grant")
    assert refused(flow.refresh(answer["refresh_token"]), "invalid_grant")


def test_a_bound_refresh_token_dies_with_its_grant(world: World, public: Holding) -> None:
    first = public.tokens()
    grant = world.all(Grant)[0]
    world.change(Grant, grant.id, revoked_at=world.clock(), revoke_reason="test")
    assert refused(public.refresh(first["refresh_token"]), "invalid_grant")


def test_a_device_gets_tokens_of_its_key(world: World, client: Any) -> None:
    world.sign_in(client)
    party = register_device(world, auth_method=AuthMethod.NONE)
    device = Device(client, party).begin()
    assert device.decide().status_code == 200
    holder = Holding(client, party, clock=world.clock)
    code = device.answer["device_code"]
    answer = holder.token(grant_type=DEVICE, device_code=code).get_json()
    assert answer["token_type"] == "DPoP"
    assert holder.userinfo(answer["access_token"]).status_code == 200
    holder.key = other_key()
    assert refused(holder.refresh(answer["refresh_token"]), "invalid_grant")


# ---- codes that belong to a key --------------------------------------------------------------


def test_a_code_asked_for_with_a_key_is_redeemed_with_that_key(flow: Holding) -> None:
    """RFC 9449 §10. Who has another key does not use it up either."""
    own = flow.key
    code = flow.code(dpop_jkt=thumbprint_of(own))
    flow.key = other_key()
    assert refused(flow.redeem(code), "invalid_grant")
    flow.key = None
    assert refused(flow.redeem(code), "invalid_grant")
    flow.key = own
    assert flow.redeem(code).get_json()["token_type"] == "DPoP"


def test_a_proof_with_a_pushed_request_binds_its_code(flow: Holding) -> None:
    """RFC 9449 §10.1."""
    own = flow.key
    pushed = flow.post("/oauth2/par", flow.query).get_json()
    query = {"client_id": flow.party.client_id, "request_uri": pushed["request_uri"]}
    code = flow.told(flow.browser.get("/oauth2/authorize", query_string=query))["code"]
    flow.key = other_key()
    assert refused(flow.redeem(code), "invalid_grant")
    flow.key = own
    assert flow.redeem(code).status_code == 200


# ---- nonces ----------------------------------------------------------------------------------


def test_whoever_sends_a_proof_is_offered_a_nonce(flow: Holding, client: Any) -> None:
    """RFC 9449 §8.2."""
    redeemed = flow.redeem(flow.code())
    flow.nonce = redeemed.headers["DPoP-Nonce"]
    response = flow.userinfo(redeemed.get_json()["access_token"])
    assert response.status_code == 200
    assert response.headers["DPoP-Nonce"] == flow.nonce
    assert "DPoP-Nonce" not in client.get(USERINFO).headers


def test_a_nonce_lasts_its_minute_and_the_next(flow: Holding) -> None:
    text = flow.tokens()["access_token"]
    flow.nonce = flow.userinfo(text).headers["DPoP-Nonce"]
    for _ in range(2):
        assert flow.userinfo(text).status_code == 200
        flow.clock.advance(seconds=60)
    response = flow.userinfo(text)
    assert refused(response, "use_dpop_nonce", 401)
    assert 'error="use_dpop_nonce"' in response.headers["WWW-Authenticate"]
    flow.nonce = response.headers["DPoP-Nonce"]
    assert flow.userinfo(text).status_code == 200


def test_with_a_nonce_its_age_is_the_proofs(flow: Holding) -> None:
    """RFC 9449 §4.3 item 11: the time may be the nonce's."""
    text = flow.tokens()["access_token"]
    flow.nonce = flow.userinfo(text).headers["DPoP-Nonce"]
    for off in (-3600, 3600):
        made = int(flow.clock().timestamp()) + off
        proof = flow.proof("GET", USERINFO, token=text, iat=made)
        assert flow.userinfo(text, proof=proof).status_code == 200
        assert refused(flow.userinfo(text, proof=proof), "invalid_dpop_proof", 401)


@pytest.mark.parametrize("nonce_required", [True])
def test_an_installation_may_want_nonces_of_everybody(flow: Holding) -> None:
    code = flow.code()
    first = flow.redeem(code)
    assert refused(first, "use_dpop_nonce")
    flow.nonce = first.headers["DPoP-Nonce"]
    answer = flow.redeem(code)
    assert answer.status_code == 200
    text, flow.nonce = answer.get_json()["access_token"], None
    response = flow.userinfo(text)
    assert refused(response, "use_dpop_nonce", 401)
    flow.nonce = response.headers["DPoP-Nonce"]
    assert flow.userinfo(text).status_code == 200


def test_a_nonce_of_another_installation_is_none(flow: Holding) -> None:
    text = flow.tokens()["access_token"]
    flow.nonce = "AAAAAAAAAAAAAAAAAAAAAAAAAAA"
    assert refused(flow.userinfo(text), "use_dpop_nonce", 401)


# ---- FAPI 2.0 --------------------------------------------------------------------------------


@pytest.fixture
def fapi(world: World, client: Any) -> Fapi:
    world.sign_in(client)
    now = int(world.clock().timestamp())
    return Fapi(client, register_fapi(world), redirect_uri=SECURE, now=now)


def fapi_code(flow: Fapi) -> str:
    pushed = flow.push().get_json()
    query = {"client_id": flow.party.client_id, "request_uri": pushed["request_uri"]}
    return flow.told(flow.browser.get("/oauth2/authorize", query_string=query))["code"]


def test_a_client_of_fapi_must_bring_a_nonce_everywhere(world: World, fapi: Fapi) -> None:
    holder = Holding(fapi.browser, fapi.party, clock=world.clock, key=key_for("ES256"))
    asked = {
        "grant_type": "authorization_code",
        "code": fapi_code(fapi),
        "redirect_uri": SECURE,
        "code_verifier": fapi.verifier,
    }
    first = holder.browser.post(
        TOKEN, data=fapi.asserted() | asked, headers={"DPoP": holder.proof("POST", TOKEN)}
    )
    assert refused(first, "use_dpop_nonce")
    holder.nonce = first.headers["DPoP-Nonce"]
    answer = holder.browser.post(
        TOKEN, data=fapi.asserted() | asked, headers={"DPoP": holder.proof("POST", TOKEN)}
    )
    assert answer.status_code == 200
    text = answer.get_json()["access_token"]
    assert holder.userinfo(text).status_code == 200
    holder.nonce = None
    assert refused(holder.userinfo(text), "use_dpop_nonce", 401)


def test_a_client_of_fapi_gets_no_token_without_a_key(world: World, fapi: Fapi) -> None:
    code = fapi_code(fapi)
    asked = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": SECURE,
        "code_verifier": fapi.verifier,
    }
    assert refused(fapi.browser.post(TOKEN, data=fapi.asserted() | asked), "invalid_request")
    answer = fapi.redeem(code).get_json()
    assert answer["token_type"] == "DPoP"
    asked = {"grant_type": "refresh_token", "refresh_token": answer["refresh_token"]}
    assert refused(fapi.browser.post(TOKEN, data=fapi.asserted() | asked), "invalid_request")
    for _ in range(2):
        again = fapi.refresh(answer["refresh_token"]).get_json()
        assert again["refresh_token"] == answer["refresh_token"]


def test_a_client_of_fapi_proves_itself_by_key_whatever_its_row_says(
    world: World, client: Any, fapi: Fapi
) -> None:
    """FAPI 2.0 §5.3.2.1 item 6."""
    plain = world.register()
    with world.services.db.write() as session:
        row = session.get_one(Client, plain.id)
        row.options = Options(profile="fapi2").stored
    flow = Flow(client, plain)
    assert refused(flow.token(grant_type="client_credentials"), "invalid_client", 401)


def test_a_key_has_one_thumbprint_however_it_is_spelt() -> None:
    """RFC 7638 §3.2: what is hashed is the key."""
    own = ECKey.generate_key("P-256").as_dict(private=False)
    extra = own | {"kid": "x", "use": "sig"}
    prints = {usable(jwk, "ES256").thumbprint() for jwk in (own, extra)}  # type: ignore[union-attr]
    assert len(prints) == 1


def test_discovery_says_what_proofs_may_be_signed_with(client: Any) -> None:
    body = client.get("/.well-known/oauth-authorization-server").get_json()
    assert body["dpop_signing_alg_values_supported"] == ["PS256", "ES256"]
    assert body["issuer"] == ISSUER
