"""Clients that prove who they are by a signed assertion (RFC 7523, OIDC Core §9)."""

from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey

from directory.base.replay_cache import UsedOnce
from idp.oidc.clients import AuthMethod, Client, Options, get, rotate_secret
from idp.run import housekeeping
from tests.proving import TOKEN, Asserting
from tests.relying_party import OPERATOR, Flow, World, build_world
from tests.signed_requests import ISSUER, key_for, public

ENDPOINTS = {
    "/oauth2/introspect": {"token": "x"},
    "/oauth2/revoke": {"token": "x"},
}
KEYS: dict[str, Any] = {
    "ES256": key_for("ES256"),
    "RS256": key_for("RS256"),
    "PS256": key_for("RS256"),
    "ES384": ECKey.generate_key("P-384", {"kid": "p384"}),
    "ES512": ECKey.generate_key("P-521", {"kid": "p521"}),
}


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


def register(world: World, **options: Any) -> Any:
    jwks = options.pop("jwks", public(*KEYS.values()))
    return world.machine(auth_method=AuthMethod.KEY_JWT, options=Options(jwks=jwks, **options))


def asserting(world: World, client: Any, **options: Any) -> Asserting:
    return Asserting(client, register(world, **options), clock=world.clock)


def with_secret(world: World, client: Any) -> Asserting:
    party = world.machine(auth_method=AuthMethod.SECRET_JWT)
    return Asserting(client, party, clock=world.clock, alg="HS256")


def ask(flow: Flow, **form: str) -> Any:
    return flow.token(grant_type="client_credentials", **form)


def refused(response: Any) -> bool:
    assert response.status_code == 401, response.text
    assert response.get_json()["error"] == "invalid_client"
    assert response.headers["WWW-Authenticate"].startswith("Basic")
    return True


@pytest.mark.parametrize("alg", KEYS)
def test_a_client_proves_itself_by_its_key(world: World, client: Any, alg: str) -> None:
    flow = asserting(world, client)
    flow.alg, flow.by = alg, KEYS[alg]
    assert ask(flow).status_code == 200


def test_a_client_proves_itself_by_its_secret_without_sending_it(world: World, client: Any) -> None:
    assert ask(with_secret(world, client)).status_code == 200


def test_the_whole_code_flow_by_assertions(world: World, client: Any) -> None:
    world.sign_in(client)
    party = world.register(
        auth_method=AuthMethod.KEY_JWT, options=Options(jwks=public(key_for("ES256")))
    )
    flow = Asserting(client, party, clock=world.clock)
    answer = flow.tokens()
    assert flow.refresh(answer["refresh_token"]).status_code == 200


@pytest.mark.parametrize("path", ENDPOINTS)
def test_at_every_endpoint_its_own_address_will_do(world: World, client: Any, path: str) -> None:
    flow = asserting(world, client)
    for audience in (ISSUER, ISSUER + TOKEN, ISSUER + path, [ISSUER + path, ISSUER]):
        assert flow.post(path, ENDPOINTS[path], aud=audience).status_code == 200
    elsewhere = ISSUER + next(other for other in ENDPOINTS if other != path)
    assert refused(flow.post(path, ENDPOINTS[path], aud=elsewhere))


def test_client_id_may_be_sent_beside_it(world: World, client: Any) -> None:
    flow = asserting(world, client)
    assert ask(flow, client_id=flow.party.client_id).status_code == 200


def test_an_assertion_is_good_once(world: World, client: Any) -> None:
    """RFC 7523 §3 item 7."""
    flow = asserting(world, client)
    form = {"grant_type": "client_credentials"} | flow.fields()
    assert client.post(TOKEN, data=form).status_code == 200
    assert refused(client.post(TOKEN, data=form))
    assert refused(client.post("/oauth2/introspect", data=form | {"token": "x"}))
    assert ask(flow).status_code == 200


def test_two_clients_may_use_the_same_identifier(world: World, client: Any) -> None:
    one, other = asserting(world, client), asserting(world, client)
    form = {"grant_type": "client_credentials"}
    assert one.post(TOKEN, form, jti="1").status_code == 200
    assert other.post(TOKEN, form, jti="1").status_code == 200
    assert refused(one.post(TOKEN, form, jti="1"))


def test_what_was_used_is_remembered_as_long_as_it_would_be_good(world: World, client: Any) -> None:
    flow = asserting(world, client)
    now = int(world.clock().timestamp())
    form = {"grant_type": "client_credentials"} | flow.fields(exp=now + 600)
    assert client.post(TOKEN, data=form).status_code == 200
    [row] = world.all(UsedOnce)
    assert row.expires_at.timestamp() >= now + 600
    world.clock.advance(seconds=599)
    assert refused(client.post(TOKEN, data=form))


@pytest.mark.both_databases
def test_it_is_forgotten_when_it_would_be_refused_for_its_age(world: World, client: Any) -> None:
    flow = asserting(world, client)
    assert ask(flow).status_code == 200
    housekeeping.sweep(world.services, world.clock())
    assert len(world.all(UsedOnce)) == 1
    world.clock.advance(seconds=90 + 61)
    housekeeping.sweep(world.services, world.clock())
    assert world.all(UsedOnce) == []


@pytest.mark.parametrize("name", ["iat", "nbf"])
@pytest.mark.parametrize(("ahead", "status"), [(10, 200), (30, 200), (61, 401)])
def test_clocks_may_differ_a_little(
    world: World, client: Any, name: str, ahead: int, status: int
) -> None:
    """FAPI 2.0 §5.3.2.1 item 13."""
    flow = asserting(world, client)
    at = int(world.clock().timestamp()) + ahead
    answer = flow.post(TOKEN, {"grant_type": "client_credentials"}, **{name: at, "exp": at + 60})
    assert answer.status_code == status


def test_both_secrets_sign_while_a_rotation_overlaps(world: World, client: Any) -> None:
    flow = with_secret(world, client)
    before = flow.party.secret
    with world.services.db.write() as session:
        after = rotate_secret(
            session,
            get(session, flow.party.id),
            keyring=world.services.keyring,
            actor=OPERATOR,
            now=world.clock(),
        )
    for secret, status in ((before, 200), (after, 200)):
        object.__setattr__(flow.party, "secret", secret)
        assert ask(flow).status_code == status
    world.clock.advance(days=8)
    object.__setattr__(flow.party, "secret", before)
    assert refused(ask(flow))
    object.__setattr__(flow.party, "secret", after)
    assert ask(flow).status_code == 200


def test_a_registered_algorithm_is_the_only_one(world: World, client: Any) -> None:
    flow = asserting(world, client, token_endpoint_auth_signing_alg="PS256")
    assert refused(ask(flow))
    flow.alg, flow.by = "PS256", KEYS["PS256"]
    assert ask(flow).status_code == 200


def test_a_client_of_keys_has_no_other_way(world: World, client: Any) -> None:
    flow = asserting(world, client)
    for other in (
        client.post(
            TOKEN,
            data={"grant_type": "client_credentials", "client_id": flow.party.client_id},
        ),
        client.post(
            TOKEN,
            data={
                "grant_type": "client_credentials",
                "client_id": flow.party.client_id,
                "client_secret": "x",
            },
        ),
    ):
        assert refused(other)


def test_a_client_of_secrets_sends_none_when_it_has_registered_to_sign(
    world: World, client: Any
) -> None:
    flow = with_secret(world, client)
    assert refused(ask(Flow(client, flow.party)))


def test_a_client_disabled_proves_nothing(world: World, client: Any) -> None:
    flow = asserting(world, client)
    world.change(Client, flow.party.id, enabled=False)
    assert refused(ask(flow))
    assert world.all(UsedOnce) == []


@pytest.mark.parametrize(
    "extra",
    [
        {"use": "sig"},
        {"alg": "ES256"},
        {"key_ops": ["verify"]},
        {"x5t": "abc"},
    ],
)
def test_a_key_says_what_it_is_for(world: World, client: Any, extra: dict[str, Any]) -> None:
    jwk = key_for("ES256").as_dict(private=False) | extra
    assert ask(asserting(world, client, jwks={"keys": [jwk]})).status_code == 200


def test_a_key_without_a_name_is_tried(world: World, client: Any) -> None:
    own = {k: v for k, v in key_for("ES256").as_dict(private=False).items() if k != "kid"}
    flow = asserting(world, client, jwks={"keys": [own]})
    assert ask(flow).status_code == 200
    flow.header = {"kid": None}
    assert ask(flow).status_code == 200


def test_a_signature_without_a_name_is_tried_with_every_key(world: World, client: Any) -> None:
    flow = asserting(world, client)
    flow.header = {"kid": None}
    flow.alg, flow.by = "RS256", KEYS["RS256"]
    assert ask(flow).status_code == 200


def test_a_long_rsa_key_fits(world: World, client: Any) -> None:
    key = RSAKey.generate_key(4096, {"kid": "long"})
    flow = asserting(world, client, jwks=public(key))
    flow.alg, flow.by = "PS256", key
    assert ask(flow).status_code == 200


def test_discovery_names_every_way(client: Any) -> None:
    body = client.get("/.well-known/openid-configuration").get_json()
    methods = ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"]
    algorithms = ["RS256", "PS256", "ES256", "ES384", "ES512", "HS256"]
    assert body["token_endpoint_auth_methods_supported"] == [*methods, "none"]
    assert body["introspection_endpoint_auth_methods_supported"] == methods
    assert body["revocation_endpoint_auth_methods_supported"] == [*methods, "none"]
    for endpoint in ("token", "introspection", "revocation"):
        assert body[f"{endpoint}_endpoint_auth_signing_alg_values_supported"] == algorithms
