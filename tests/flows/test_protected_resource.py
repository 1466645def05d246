"""Protected resource metadata (RFC 9728): from the API's address alone to a token that works."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from idp.oidc import protected_resource
from idp.oidc.clients import API_SCOPES
from tests.relying_party import Flow, World, build_world

ISSUER = "http://localhost:8000"


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


def test_a_client_finds_from_the_first_refusal_whom_to_ask(world: World, client: Any) -> None:
    """§5: the challenge names the metadata, the metadata the provider."""
    refused = client.get("/api/v1/changes")
    assert refused.status_code == 401
    found = re.search(r'resource_metadata="([^"]+)"', refused.headers["WWW-Authenticate"])
    assert found is not None
    told = client.get(urlsplit(found[1]).path).get_json()
    # §3.3: what it says it is must be what was asked.
    assert refused.request.url.startswith(told["resource"])
    assert told["authorization_servers"] == [ISSUER]
    assert told["scopes_supported"] == list(API_SCOPES)
    provider = client.get("/.well-known/oauth-authorization-server").get_json()
    assert told["resource"] in provider["protected_resources"]

    machine = Flow(client, world.machine(*told["scopes_supported"]))
    form = {"grant_type": "client_credentials", "resource": told["resource"]}
    text = machine.token(**form).get_json()["access_token"]
    bearer = {"Authorization": f"Bearer {text}"}
    assert client.get("/api/v1/changes", headers=bearer).status_code == 200


@pytest.mark.parametrize("way", ["wrong token", "wrong scope"])
def test_every_challenge_of_the_api_names_it(world: World, client: Any, way: str) -> None:
    machine = Flow(client, world.machine("changes:read"))
    text = machine.token(grant_type="client_credentials").get_json()["access_token"]
    if way == "wrong token":
        bearer = {"Authorization": "Bearer nothing"}
        answer = client.get("/api/v1/changes", headers=bearer)
    else:
        bearer = {"Authorization": f"Bearer {text}"}
        answer = client.post("/api/v1/changes/preview", json={}, headers=bearer)
    assert answer.status_code == (401 if way == "wrong token" else 403)
    assert (
        f'resource_metadata="{protected_resource.url(ISSUER)}"'
        in answer.headers["WWW-Authenticate"]
    )


@pytest.mark.parametrize(
    "path", ["", "/", "/api", "/api/v2", "/oauth2/userinfo", "/api/v1/changes"]
)
def test_what_is_no_resource_of_ours_has_no_metadata(client: Any, path: str) -> None:
    assert client.get(protected_resource.WELL_KNOWN + path).status_code == 404
