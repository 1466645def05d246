"""Resource indicators (RFC 8707): a token is good where it was asked for, and nowhere else."""

import json
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.datastructures import MultiDict

from idp.oidc import clients
from idp.oidc.clients import Client, GrantType, Options, TokenFormat
from idp.oidc.grants import Grant
from tests.browser_client import hidden_fields
from tests.factories import make_application
from tests.relying_party import Flow, Party, World, build_world

ISSUER = "http://localhost:8000"
API = ISSUER + "/api/v1"
USERINFO = ISSUER + "/oauth2/userinfo"
FILES, MAPS = "https://files.example/v1", "urn:example:maps"

pytestmark = pytest.mark.both_databases


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@pytest.fixture
def flow(world: World, client: Any) -> Flow:
    party = world.register(id_token_alg="ES256", options=Options(resources=(FILES, MAPS)))
    world.sign_in(client)
    return Flow(client, party, scope="openid email changes:read")


def _ask(flow: Flow, *resources: str, **changes: str) -> Any:
    query = [*(flow.query | changes).items(), *(("resource", uri) for uri in resources)]
    return flow.browser.get("/oauth2/authorize?" + urlencode(query))


def _code(flow: Flow, *resources: str, **changes: str) -> str:
    return flow.told(_ask(flow, *resources, **changes))["code"]


def _redeem(flow: Flow, code: str, *resources: str) -> Any:
    form = MultiDict(
        [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", flow.redirect_uri),
            ("code_verifier", flow.verifier),
            *(("resource", uri) for uri in resources),
        ]
    )
    return flow.browser.post("/oauth2/token", data=form, headers=flow.party.basic)


def _tokens(flow: Flow, *resources: str) -> dict[str, Any]:
    found: dict[str, Any] = _redeem(flow, _code(flow, *resources)).get_json()
    return found


def _list(flow: Flow, text: str) -> int:
    bearer = {"Authorization": f"Bearer {text}"}
    return int(flow.browser.get("/api/v1/changes", headers=bearer).status_code)


# ---- asked for -------------------------------------------------------------------------------


def test_a_token_for_several_resources_says_so(world: World, flow: Flow) -> None:
    answer = _tokens(flow, FILES, MAPS, FILES)
    assert flow.introspect(answer["access_token"])["aud"] == [FILES, MAPS]
    assert world.all(Grant)[0].resources == [FILES, MAPS]


def test_a_jwt_names_its_resources_as_its_audience(world: World, client: Any, flow: Flow) -> None:
    """RFC 9068 §3, RFC 8707 §2."""
    party = world.register(
        access_token_format=TokenFormat.JWT,
        id_token_alg="ES256",
        options=Options(resources=(FILES, MAPS)),
    )
    jwt_flow = Flow(client, party, scope="openid")
    keys = KeySet.import_key_set(client.get("/oauth2/jwks").get_json())
    one = jwt.decode(_tokens(jwt_flow, FILES)["access_token"], keys, ["ES256"]).claims
    assert one["aud"] == FILES
    two = jwt.decode(_tokens(jwt_flow, FILES, MAPS)["access_token"], keys, ["ES256"]).claims
    assert two["aud"] == [FILES, MAPS]


@pytest.mark.parametrize(
    "bad",
    [
        "https://unknown.example/",
        FILES + "/deeper",
        FILES + "#part",
        FILES.upper(),
        "files.example/v1",
        "/v1",
        "//files.example/v1",
        "https://",
        "https://files.example/v1 " + MAPS + "x",
        "https://tệp.example/v1",
        "x" * 600,
        API.replace("v1", "v2"),
        "http://[::1/",
    ],
)
def test_what_is_no_resource_of_the_clients_is_an_invalid_target(
    world: World, flow: Flow, bad: str
) -> None:
    """RFC 8707 §2: invalid, missing, unknown or malformed."""
    told = flow.told(_ask(flow, FILES, bad))
    assert told["error"] == "invalid_target"
    assert told["state"] == flow.state
    assert told["iss"] == ISSUER
    assert not world.all(Grant)


def test_a_client_may_not_ask_for_what_its_scopes_cannot_use(world: World, client: Any) -> None:
    world.sign_in(client)
    narrow = Flow(client, world.register(scopes=("openid", "email")), scope="openid")
    assert narrow.told(_ask(narrow, API))["error"] == "invalid_target"
    assert "code" in narrow.told(_ask(narrow, USERINFO))


def test_more_resources_than_a_token_holds_are_an_invalid_target(world: World, client: Any) -> None:
    many = tuple(f"urn:example:{n}" for n in range(9))
    party = world.register(options=Options(resources=many[:8]))
    world.sign_in(client)
    flow = Flow(client, party)
    assert "code" in flow.told(_ask(flow, *many[:8]))
    assert flow.told(_ask(flow, *many[:8], ISSUER))["error"] == "invalid_target"


def test_no_other_parameter_may_be_repeated(flow: Flow) -> None:
    query = [*flow.query.items(), ("resource", FILES), ("scope", "openid")]
    assert flow.browser.get("/oauth2/authorize?" + urlencode(query)).status_code == 400


def test_the_resources_survive_the_post_and_the_consent_page(world: World, client: Any) -> None:
    party = world.register("Bên ngoài", first_party=False, options=Options(resources=(FILES, MAPS)))
    flow = Flow(client, party, scope="openid")
    world.sign_in(client)
    form = MultiDict([*flow.query.items(), ("resource", FILES), ("resource", MAPS)])
    first = client.post("/oauth2/authorize", data=form)
    page = client.get(first.headers["Location"])
    answer = client.post("/oauth2/consent", data=hidden_fields(page.text) | {"decision": "allow"})
    tokens = flow.redeem(flow.told(answer)["code"]).get_json()
    assert flow.introspect(tokens["access_token"])["aud"] == [FILES, MAPS]


def test_resources_can_be_pushed(world: World, flow: Flow) -> None:
    """RFC 9126 §2.1 with RFC 8707 §2."""
    form = MultiDict([*flow.query.items(), ("resource", FILES), ("resource", MAPS)])
    pushed = flow.browser.post("/oauth2/par", data=form, headers=flow.party.basic)
    assert pushed.status_code == 201
    uri = pushed.get_json()["request_uri"]
    query = {"client_id": flow.party.client_id, "request_uri": uri}
    response = flow.browser.get("/oauth2/authorize", query_string=query)
    answer = flow.redeem(flow.told(response)["code"]).get_json()
    assert flow.introspect(answer["access_token"])["aud"] == [FILES, MAPS]
    form.add("resource", "https://unknown.example/")
    refused = flow.browser.post("/oauth2/par", data=form, headers=flow.party.basic)
    assert refused.status_code == 400
    assert refused.get_json()["error"] == "invalid_target"


# ---- narrowed at the token endpoint ----------------------------------------------------------


def test_a_code_may_be_redeemed_for_some_of_its_resources(flow: Flow) -> None:
    """RFC 8707 §2.2."""
    answer = _redeem(flow, _code(flow, FILES, MAPS), MAPS).get_json()
    assert flow.introspect(answer["access_token"])["aud"] == MAPS
    # The grant keeps them all: the next token may be for another.
    again = flow.refresh(answer["refresh_token"], resource=FILES).get_json()
    assert flow.introspect(again["access_token"])["aud"] == FILES
    both = flow.refresh(again["refresh_token"]).get_json()
    assert flow.introspect(both["access_token"])["aud"] == [FILES, MAPS]


def test_what_was_not_granted_is_an_invalid_target_and_costs_nothing(flow: Flow) -> None:
    code = _code(flow, FILES)
    refused = _redeem(flow, code, MAPS)
    assert refused.status_code == 400
    assert refused.get_json()["error"] == "invalid_target"
    answer = _redeem(flow, code).get_json()
    wide = flow.refresh(answer["refresh_token"], resource=MAPS)
    assert wide.get_json()["error"] == "invalid_target"
    assert flow.refresh(answer["refresh_token"]).status_code == 200


def test_whoever_asked_for_none_cannot_ask_later(flow: Flow) -> None:
    assert _redeem(flow, _code(flow), FILES).get_json()["error"] == "invalid_target"


def test_a_machine_names_its_resources_at_the_token_endpoint(world: World, client: Any) -> None:
    party = world.machine("changes:read", options=Options(resources=(FILES,)))
    flow = Flow(client, party)
    for_files = flow.token(grant_type="client_credentials", resource=FILES).get_json()
    assert flow.introspect(for_files["access_token"])["aud"] == FILES
    assert _list(flow, for_files["access_token"]) == 401
    for_api = flow.token(grant_type="client_credentials", resource=API).get_json()
    assert _list(flow, for_api["access_token"]) == 200
    refused = flow.token(grant_type="client_credentials", resource=MAPS)
    assert refused.get_json()["error"] == "invalid_target"
    jwt_flow = Flow(
        client,
        world.machine(
            "changes:read",
            access_token_format=TokenFormat.JWT,
            options=Options(resources=(FILES,)),
        ),
    )
    text = jwt_flow.token(grant_type="client_credentials", resource=FILES).get_json()
    assert jwt_flow.introspect(text["access_token"])["aud"] == FILES
    assert _list(jwt_flow, text["access_token"]) == 401


def test_a_machines_longest_resources_still_give_a_token_that_works(
    world: World, client: Any
) -> None:
    many = tuple(f"https://{n}.example/" + "x" * 40 for n in range(8))
    flow = Flow(client, world.machine("changes:read", options=Options(resources=many)))
    answer = flow.browser.post(
        "/oauth2/token",
        data=MultiDict([("grant_type", "client_credentials"), *(("resource", u) for u in many)]),
        headers=flow.party.basic,
    ).get_json()
    assert flow.introspect(answer["access_token"])["aud"] == list(many)


# ---- used ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", list(TokenFormat))
@pytest.mark.parametrize(
    ("resources", "api", "userinfo"),
    [
        ((), 200, 200),
        ((FILES,), 401, 401),
        ((API,), 200, 401),
        ((USERINFO,), 401, 200),
        ((ISSUER,), 401, 200),
        ((API, ISSUER, FILES), 200, 200),
    ],
    ids=["none", "another", "the API", "userinfo", "the issuer", "all"],
)
def test_our_own_endpoints_take_tokens_meant_for_them(
    world: World,
    client: Any,
    shape: TokenFormat,
    resources: tuple[str, ...],
    api: int,
    userinfo: int,
) -> None:
    party = world.register(access_token_format=shape, options=Options(resources=(FILES,)))
    world.sign_in(client)
    flow = Flow(client, party, scope="openid changes:read")
    text = _tokens(flow, *resources)["access_token"]
    assert _list(flow, text) == api
    assert flow.userinfo(text).status_code == userinfo


# ---- introspected ----------------------------------------------------------------------------


@pytest.fixture
def servers(world: World) -> dict[str, Party]:
    """Two resource servers of one application, each with a resource of its own."""
    with world.services.db.write() as session:
        application = make_application(session, open_to_all=True).id
    return {
        uri: world.machine(
            resource_server=True, application_id=application, options=Options(resources=(uri,))
        )
        for uri in (FILES, MAPS)
    }


def test_resources_of_the_clients_application_may_be_asked_for(
    world: World, client: Any, servers: dict[str, Party]
) -> None:
    world.sign_in(client)
    own = world.register(application_id=servers[FILES].application_id)
    assert "code" in (flow := Flow(client, own)).told(_ask(flow, FILES, MAPS))
    elsewhere = Flow(client, world.register())
    assert elsewhere.told(_ask(elsewhere, FILES))["error"] == "invalid_target"
    with world.services.db.write() as session:
        clients.disable(
            session,
            clients.get(session, servers[MAPS].client_id),
            actor=_operator(),
            now=world.clock(),
        )
    assert flow.told(_ask(flow, FILES, MAPS))["error"] == "invalid_target"


def _operator() -> Any:
    from tests.relying_party import OPERATOR

    return OPERATOR


def test_a_resource_server_sees_only_what_is_meant_for_it(
    world: World, client: Any, flow: Flow, servers: dict[str, Party]
) -> None:
    """RFC 7662 §4, RFC 9701 §8: and of a token for several, only its own part."""
    files, maps = (Flow(client, servers[uri]) for uri in (FILES, MAPS))
    for_files = _tokens(flow, FILES)["access_token"]
    assert files.introspect(for_files)["aud"] == FILES
    assert maps.introspect(for_files) == {"active": False}
    both = _tokens(flow, FILES, MAPS)["access_token"]
    assert files.introspect(both)["aud"] == FILES
    assert maps.introspect(both)["aud"] == MAPS
    assert flow.introspect(both)["aud"] == [FILES, MAPS]
    # A token that names nobody is the business of its own application's servers only.
    assert files.introspect(_tokens(flow)["access_token"]) == {"active": False}


def test_a_refresh_token_is_nobodys_business_but_its_clients(
    client: Any, flow: Flow, servers: dict[str, Party]
) -> None:
    text = _tokens(flow, FILES)["refresh_token"]
    assert flow.introspect(text)["active"] is True
    assert Flow(client, servers[FILES]).introspect(text) == {"active": False}


def test_a_subset_can_be_had_by_exchange_and_nothing_else(world: World, client: Any) -> None:
    party = world.register(
        options=Options(resources=(FILES, MAPS)),
        grant_types=(GrantType.CODE, GrantType.EXCHANGE),
    )
    world.sign_in(client)
    flow = Flow(client, party, scope="openid")
    form = {
        "grant_type": GrantType.EXCHANGE.value,
        "subject_token": _tokens(flow, FILES)["access_token"],
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }
    assert flow.token(**form, resource=FILES).status_code == 200
    assert flow.token(**form, resource=MAPS).get_json()["error"] == "invalid_target"


def test_the_answer_goes_back_without_the_resources(flow: Flow) -> None:
    location = _ask(flow, FILES).headers["Location"]
    assert parse_qs(urlsplit(location).query).keys() == {"code", "state", "iss"}
    assert "resource" not in json.dumps(flow.told(_ask(flow, FILES)))


# ---- consented to ----------------------------------------------------------------------------


@pytest.fixture
def foreign(world: World, client: Any) -> Flow:
    """An application of others, that may ask for two services."""
    party = world.register("Bên ngoài", first_party=False, options=Options(resources=(FILES, MAPS)))
    world.sign_in(client)
    return Flow(client, party, scope="openid org")


def _allow(flow: Flow, page: Any) -> dict[str, str]:
    assert page.status_code == 200, page.headers.get("Location")
    yes = hidden_fields(page.text) | {"decision": "allow"}
    return flow.told(flow.browser.post("/oauth2/consent", data=yes))


def test_a_service_that_was_not_allowed_is_asked_about(world: World, foreign: Flow) -> None:
    """What she allowed an application for itself says nothing about another service."""
    assert "code" in _allow(foreign, foreign.ask())
    page = _ask(foreign, FILES)
    assert FILES in page.text
    assert MAPS not in page.text
    assert len(world.all(Grant)) == 1
    assert "code" in _allow(foreign, page)
    # Remembered: neither is asked again, the third still is.
    assert "code" in foreign.told(_ask(foreign, FILES))
    assert "code" in foreign.told(foreign.ask())
    assert MAPS in _ask(foreign, FILES, MAPS).text
    quiet = foreign.told(_ask(foreign, MAPS, prompt="none"))
    assert quiet["error"] == "consent_required"


def test_what_may_be_done_at_one_service_may_not_be_done_at_another(foreign: Flow) -> None:
    """Remembered is which scope where, not which scopes and which services."""
    assert "code" in _allow(foreign, _ask(foreign, FILES, scope="openid org email"))
    assert "code" in _allow(foreign, _ask(foreign, MAPS))
    assert "code" in foreign.told(_ask(foreign, FILES, scope="openid org email"))
    assert _ask(foreign, MAPS, scope="openid org email").status_code == 200
    assert foreign.ask(scope="openid org email").status_code == 200


def test_a_service_added_to_the_form_is_asked_about_anew(world: World, foreign: Flow) -> None:
    form = hidden_fields(foreign.ask().text)
    form["request"] += "&" + urlencode({"resource": FILES})
    page = foreign.browser.post("/oauth2/consent", data=form | {"decision": "allow"})
    assert page.status_code == 200
    assert FILES in page.text
    assert not world.all(Grant)


def test_our_own_endpoints_are_what_the_application_is_told_by(foreign: Flow) -> None:
    """A token for no service in particular is good at them: naming them asks for less."""
    assert "code" in _allow(foreign, foreign.ask())
    assert "code" in foreign.told(_ask(foreign, USERINFO))


def test_a_service_is_shown_by_the_name_it_is_registered_under(
    world: World, client: Any, servers: dict[str, Party]
) -> None:
    party = world.register(
        "Bên ngoài", first_party=False, application_id=servers[FILES].application_id
    )
    world.change(Client, servers[FILES].id, name="Kho hồ sơ điện tử")
    world.sign_in(client)
    flow = Flow(client, party, scope="openid")
    page = _ask(flow, FILES)
    assert "Kho hồ sơ điện tử" in page.text
    assert FILES in page.text
    _allow(flow, page)
    listed = client.get("/portal/consents")
    assert "Kho hồ sơ điện tử" in listed.text
    taken = f"/portal/consents/{party.client_id}/revoke"
    assert client.post(taken, data=hidden_fields(listed.text)).status_code == 303
    assert _ask(flow, FILES).status_code == 200
    assert flow.ask().status_code == 200
