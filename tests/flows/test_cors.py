"""What scripts of other origins may read, and what nobody may keep."""

from typing import Any

import pytest

from tests.relying_party import Flow, World, build_world

ORIGIN = {"Origin": "https://spa.example"}
DOCUMENTS = (
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-protected-resource/api/v1",
    "/oauth2/jwks",
)
CALLED = ("/oauth2/token", "/oauth2/userinfo", "/oauth2/revoke", "/oauth2/par")
OURS = (
    "/oauth2/authorize",
    "/oauth2/logout",
    "/oauth2/consent",
    "/oauth2/introspect",
    "/session/status",
    "/login",
    "/device",
    "/",
)


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@pytest.mark.parametrize("path", DOCUMENTS + CALLED)
def test_a_preflight_is_answered(client: Any, path: str) -> None:
    """Fetch §3.2.2."""
    asked = ORIGIN | {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type, dpop",
    }
    answer = client.options(path, headers=asked)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert {"GET", "POST"} <= {*answer.headers["Access-Control-Allow-Methods"].split(", ")}
    allowed = answer.headers["Access-Control-Allow-Headers"].split(", ")
    assert set(allowed) == {"Authorization", "Content-Type", "DPoP"}
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert answer.get_data() == b""


@pytest.mark.parametrize("path", OURS)
def test_pages_and_what_looks_at_cookies_are_closed_to_scripts(client: Any, path: str) -> None:
    for method in ("OPTIONS", "GET", "POST"):
        asked = ORIGIN | {"Access-Control-Request-Method": "POST"}
        answer = client.open(path, method=method, headers=asked)
        assert not any(name.startswith("Access-Control-") for name, _ in answer.headers)


@pytest.mark.parametrize("path", DOCUMENTS)
def test_documents_may_be_read_by_scripts_and_kept_for_minutes(client: Any, path: str) -> None:
    answer = client.get(path, headers=ORIGIN)
    assert answer.status_code == 200
    assert answer.content_type == "application/json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert {*answer.headers["Cache-Control"].split(", ")} == {"public", "max-age=300"}
    assert "Set-Cookie" not in answer.headers
    assert "Pragma" not in answer.headers


def test_what_is_called_may_be_read_by_scripts_refusals_too(world: World, client: Any) -> None:
    flow = Flow(client, world.register())
    world.sign_in(client)
    answer = flow.redeem(flow.code())
    text = answer.get_json()["access_token"]
    answers = [
        answer,
        flow.redeem("ddc_nothing"),
        flow.userinfo(text),
        flow.userinfo("nothing"),
        flow.post("/oauth2/revoke", {"token": text}),
        client.post("/oauth2/token", data=b"\xff" * 10),
    ]
    assert [a.status_code for a in answers] == [200, 400, 200, 401, 200, 400]
    for each in answers:
        assert each.headers["Access-Control-Allow-Origin"] == "*"
        exposed = each.headers["Access-Control-Expose-Headers"].split(", ")
        assert set(exposed) == {"WWW-Authenticate", "DPoP-Nonce"}


def test_nobody_keeps_what_is_somebodys(world: World, client: Any) -> None:
    """RFC 6749 §5.1, OIDC Core §3.1.3.3, RFC 7662 §2.2."""
    flow = Flow(client, world.register())
    world.sign_in(client)
    code = flow.ask()
    tokens = flow.redeem(flow.told(code)["code"])
    text = tokens.get_json()["access_token"]
    for answer in (
        code,
        tokens,
        flow.redeem("ddc_nothing"),
        flow.userinfo(text),
        flow.userinfo("nothing"),
        flow.post("/oauth2/introspect", {"token": text}),
        flow.post("/oauth2/revoke", {"token": text}),
    ):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Pragma"] == "no-cache"
