"""A client makes a token it holds smaller (RFC 8693), and nothing else."""

from dataclasses import dataclass
from typing import Any

import pytest

from idp.oidc.clients import GrantType, TokenFormat
from idp.oidc.grants import Grant
from idp.oidc.tokens import Tokens
from tests.relying_party import Flow, World, build_world, counted

EXCHANGE = GrantType.EXCHANGE.value
TYPE = "urn:ietf:params:oauth:token-type:"
ACCESS = TYPE + "access_token"
GRANTS = (GrantType.CODE, GrantType.REFRESH, GrantType.EXCHANGE)


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@dataclass
class Exchanger:
    """A client that exchanges what it was given."""

    flow: Flow
    subject: str = ""

    def ask(self, **changes: str | None) -> Any:
        """The token exchange request."""
        form: dict[str, str | None] = {
            "grant_type": EXCHANGE,
            "subject_token": self.subject,
            "subject_token_type": ACCESS,
        }
        return self.flow.token(**(form | changes))

    def exchanged(self, **changes: str | None) -> dict[str, Any]:
        """A successful one."""
        response = self.ask(**changes)
        assert response.status_code == 200, response.get_data(as_text=True)
        return dict(response.get_json())

    def error(self, **changes: str | None) -> str:
        """A refused one."""
        response = self.ask(**changes)
        assert response.status_code == 400, response.get_data(as_text=True)
        assert "access_token" not in response.get_json()
        return str(response.get_json()["error"])


@pytest.fixture
def client_of_ours(world: World, client: Any) -> Exchanger:
    made = Exchanger(Flow(client, world.register(grant_types=GRANTS), scope="openid email phone"))
    world.sign_in(client)
    made.subject = made.flow.tokens()["access_token"]
    return made


@pytest.fixture(params=list(TokenFormat))
def machine(world: World, client: Any, request: Any) -> Exchanger:
    party = world.register(
        "Máy",
        grant_types=(GrantType.CLIENT, GrantType.EXCHANGE),
        redirect_uris=(),
        scopes=("changes:read", "changes:write"),
        access_token_format=request.param,
    )
    flow = Flow(client, party)
    return Exchanger(flow, flow.token(grant_type="client_credentials").get_json()["access_token"])


@pytest.mark.both_databases
def test_a_token_is_made_smaller(client_of_ours: Exchanger) -> None:
    answer = client_of_ours.exchanged(scope="openid email")
    assert answer["issued_token_type"] == ACCESS
    assert answer["token_type"] == "Bearer"
    assert answer["scope"] == "openid email"
    assert "refresh_token" not in answer
    assert "id_token" not in answer
    told = client_of_ours.flow.userinfo(answer["access_token"]).get_json()
    assert set(told) == {"sub", "email", "email_verified"}
    said = client_of_ours.flow.introspect(answer["access_token"])
    assert (said["active"], said["scope"]) == (True, "openid email")


def test_without_a_scope_it_keeps_those_it_had(client_of_ours: Exchanger) -> None:
    small = client_of_ours.exchanged(scope="openid")["access_token"]
    assert client_of_ours.exchanged(subject_token=small)["scope"] == "openid"


def test_it_never_grows_back(client_of_ours: Exchanger) -> None:
    small = client_of_ours.exchanged(scope="openid")["access_token"]
    assert client_of_ours.error(subject_token=small, scope="openid email") == "invalid_scope"
    assert client_of_ours.error(scope="openid org") == "invalid_scope"


def test_it_never_outlives_its_parent(world: World, client_of_ours: Exchanger) -> None:
    world.clock.advance(seconds=200)
    answer = client_of_ours.exchanged()
    assert answer["expires_in"] == 100
    grandchild = client_of_ours.exchanged(subject_token=answer["access_token"])
    world.clock.advance(seconds=101)
    for text in (client_of_ours.subject, answer["access_token"], grandchild["access_token"]):
        assert client_of_ours.flow.introspect(text) == {"active": False}
    assert client_of_ours.error() == "invalid_request"


def test_it_dies_with_its_parents_grant(client_of_ours: Exchanger) -> None:
    child = client_of_ours.exchanged()["access_token"]
    client_of_ours.flow.post("/oauth2/revoke", {"token": client_of_ours.subject})
    assert client_of_ours.flow.introspect(child) == {"active": False}
    assert client_of_ours.error(subject_token=child) == "invalid_request"


def test_to_give_a_child_back_ends_the_whole_family(client_of_ours: Exchanger) -> None:
    child = client_of_ours.exchanged()["access_token"]
    client_of_ours.flow.post("/oauth2/revoke", {"token": child})
    assert client_of_ours.flow.introspect(client_of_ours.subject) == {"active": False}


@pytest.mark.both_databases
def test_nothing_is_written(world: World, client_of_ours: Exchanger) -> None:
    client_of_ours.exchanged()
    with counted(world.services) as cost:
        client_of_ours.exchanged(scope="openid")
    assert cost == {"SELECT": 1}
    assert len(world.all(Grant)) == 1


def test_a_jwt_is_exchanged_for_a_jwt(world: World, client: Any) -> None:
    party = world.register(grant_types=GRANTS, access_token_format=TokenFormat.JWT)
    made = Exchanger(Flow(client, party, scope="openid email"))
    world.sign_in(client)
    made.subject = made.flow.tokens()["access_token"]
    for kind in (ACCESS, TYPE + "jwt"):
        answer = made.exchanged(scope="openid", subject_token_type=kind)
        assert answer["access_token"].count(".") == 2
        assert made.flow.introspect(answer["access_token"])["scope"] == "openid"


def test_a_machines_token_is_made_smaller_too(world: World, machine: Exchanger) -> None:
    world.clock.advance(seconds=60)
    answer = machine.exchanged(scope="changes:read")
    assert (answer["scope"], answer["expires_in"]) == ("changes:read", 240)
    said = machine.flow.introspect(answer["access_token"])
    assert (said["active"], said["sub"]) == (True, machine.flow.party.client_id)
    assert machine.error(subject_token=answer["access_token"], scope="changes:write") == (
        "invalid_scope"
    )


def test_resources_only_ever_become_fewer(world: World, client: Any) -> None:
    """RFC 8707 §2.2 and RFC 8693 §2.2.2."""
    party = world.register(grant_types=GRANTS)
    made = Exchanger(Flow(client, party, scope="openid changes:read"))
    world.sign_in(client)
    api, userinfo = "http://localhost:8000/api/v1", "http://localhost:8000/oauth2/userinfo"
    made.subject = made.flow.tokens()["access_token"]
    assert made.error(resource=api) == "invalid_target"
    query = {**made.flow.query, "resource": [api, userinfo]}
    told = made.flow.told(client.get("/oauth2/authorize", query_string=query))
    made.subject = made.flow.redeem(told["code"]).get_json()["access_token"]
    small = made.exchanged(resource=userinfo)["access_token"]
    assert made.flow.introspect(small)["aud"] == userinfo
    assert made.flow.introspect(made.exchanged()["access_token"])["aud"] == [api, userinfo]
    assert made.error(subject_token=small, resource=api) == "invalid_target"
    assert made.error(resource="https://elsewhere.example/") == "invalid_target"


REFUSED = [
    ("an audience", {"audience": "https://elsewhere.example"}, "invalid_target"),
    ("its own audience even", {"audience": "self"}, "invalid_target"),
    ("an actor", {"actor_token": "x", "actor_token_type": ACCESS}, "invalid_request"),
    ("an actor without a type", {"actor_token": "x"}, "invalid_request"),
    ("an actor's type alone", {"actor_token_type": ACCESS}, "invalid_request"),
    ("a refresh token", {"requested_token_type": TYPE + "refresh_token"}, "invalid_request"),
    ("an ID token", {"requested_token_type": TYPE + "id_token"}, "invalid_request"),
    ("a JWT of any kind", {"requested_token_type": TYPE + "jwt"}, "invalid_request"),
    ("a SAML assertion", {"requested_token_type": TYPE + "saml2"}, "invalid_request"),
    ("for an ID token", {"subject_token_type": TYPE + "id_token"}, "invalid_request"),
    ("for a refresh token", {"subject_token_type": TYPE + "refresh_token"}, "invalid_request"),
    ("for SAML", {"subject_token_type": TYPE + "saml1"}, "invalid_request"),
    ("for a JWT that is none", {"subject_token_type": TYPE + "jwt"}, "invalid_request"),
    ("for no type", {"subject_token_type": None}, "invalid_request"),
    ("for nothing", {"subject_token": None}, "invalid_request"),
    ("for anything", {"subject_token": "anything"}, "invalid_request"),
    ("no scope of it", {"scope": "changes:read"}, "invalid_scope"),
    ("an unknown scope", {"scope": "root"}, "invalid_scope"),
    ("a wider one", {"scope": "openid email phone org"}, "invalid_scope"),
]


@pytest.mark.parametrize(
    ("changes", "error"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_what_is_not_honoured_is_refused(
    client_of_ours: Exchanger, changes: dict[str, str | None], error: str
) -> None:
    assert client_of_ours.error(**changes) == error
    assert client_of_ours.exchanged(requested_token_type=ACCESS)


def test_only_the_client_it_was_given_to_may_exchange_it(
    world: World, client_of_ours: Exchanger
) -> None:
    other = Flow(client_of_ours.flow.browser, world.register(grant_types=GRANTS))
    assert Exchanger(other, client_of_ours.subject).error() == "invalid_request"


def test_a_client_without_the_grant_may_not(world: World, client: Any) -> None:
    flow = Flow(client, world.register())
    world.sign_in(client)
    made = Exchanger(flow, flow.tokens()["access_token"])
    assert made.error() == "unauthorized_client"


def test_a_code_and_an_id_token_are_no_subject(world: World, client_of_ours: Exchanger) -> None:
    code = client_of_ours.flow.code()
    assert client_of_ours.error(subject_token=code) == "invalid_request"
    answer = client_of_ours.flow.redeem(code).get_json()
    for name in ("refresh_token", "id_token"):
        for kind in (ACCESS, TYPE + "jwt"):
            assert (
                client_of_ours.error(subject_token=answer[name], subject_token_type=kind)
                == "invalid_request"
            )


def test_a_lost_entitlement_refuses_and_ends_the_grant(world: World, client: Any) -> None:
    party = world.restricted()
    from directory.entitlements import Rule, installation
    from idp.oidc.clients import Client

    world.change(Client, party.id, grant_types=[g.value for g in GRANTS])
    made = Exchanger(Flow(client, party))
    world.sign_in(client)
    made.subject = made.flow.tokens()["access_token"]
    assert made.exchanged()
    with world.services.db.write() as session:
        session.query(Rule).delete()
        installation(session).rules_revision += 1
    assert made.error() == "invalid_request"
    (row,) = world.all(Grant)
    assert row.revoke_reason == "entitlement_lost"


def test_a_token_of_another_installation_is_no_subject(
    world: World, client_of_ours: Exchanger, make_settings: Any
) -> None:
    from dataclasses import replace

    elsewhere = replace(world.services, settings=make_settings(issuer="https://other.example"))
    held = Tokens(world.services).handles.open_access(client_of_ours.subject)
    assert held is not None
    forged = Tokens(elsewhere).handles.access(held)
    assert client_of_ours.error(subject_token=forged) == "invalid_request"


def test_metadata_names_the_grant(client_of_ours: Exchanger) -> None:
    told = client_of_ours.flow.browser.get("/.well-known/openid-configuration").get_json()
    assert EXCHANGE in told["grant_types_supported"]
