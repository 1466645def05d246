"""Signing out at the request of a relying party."""

from typing import Any

import pytest

from idp.oidc.clients import TokenFormat
from tests.browser_client import hidden_fields
from tests.relying_party import Flow, World, build_world


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@pytest.fixture
def flow(world: World, client: Any) -> Flow:
    return Flow(client, world.register())


def test_a_valid_hint_signs_out_at_once_and_returns(world: World, client: Any) -> None:
    party = world.register(post_logout_redirect_uris=("http://localhost:9001/bye",))
    flow = Flow(client, party)
    world.sign_in(client)
    answer = flow.tokens()
    world.clock.advance(minutes=10)  # the ID token has expired; that is fine
    response = client.get(
        "/oauth2/logout",
        query_string={
            "id_token_hint": answer["id_token"],
            "post_logout_redirect_uri": "http://localhost:9001/bye",
            "state": "s1",
        },
    )
    assert response.headers["Location"] == "http://localhost:9001/bye?state=s1"
    assert flow.told(flow.ask(prompt="none"))["error"] == "login_required"


def test_without_a_hint_the_person_is_asked(world: World, flow: Flow) -> None:
    world.sign_in(flow.browser)
    page = flow.browser.get("/oauth2/logout")
    assert 'name="decision" value="logout"' in page.get_data(as_text=True)
    assert "code" in flow.told(flow.ask(prompt="none"))
    form = hidden_fields(page.text) | {"decision": "logout"}
    assert flow.browser.post("/oauth2/logout", data=form).status_code == 303
    assert flow.told(flow.ask(prompt="none"))["error"] == "login_required"


@pytest.mark.parametrize(
    "wish",
    [
        {"id_token_hint": "not.a.token"},
        {"post_logout_redirect_uri": "http://evil.example/"},
        {"client_id": "unknown", "post_logout_redirect_uri": "http://localhost:9001/bye"},
    ],
)
def test_a_bad_logout_request_changes_nothing(
    world: World, flow: Flow, wish: dict[str, str]
) -> None:
    world.sign_in(flow.browser)
    response = flow.browser.get("/oauth2/logout", query_string=wish)
    assert response.status_code == 400
    assert "Location" not in response.headers
    assert "code" in flow.told(flow.ask(prompt="none"))


def test_an_access_jwt_is_no_logout_hint(world: World, client: Any) -> None:
    flow = Flow(client, world.register(access_token_format=TokenFormat.JWT))
    world.sign_in(client)
    text = flow.tokens()["access_token"]
    response = client.get("/oauth2/logout", query_string={"id_token_hint": text})
    assert response.status_code == 400
