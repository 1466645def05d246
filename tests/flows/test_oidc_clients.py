"""Who may call the endpoints that clients call, and with what."""

import base64
from typing import Any
from urllib.parse import urlencode

import pytest

from directory.base.audit import Actor
from idp.oidc import clients
from idp.oidc.clients import AuthMethod
from tests.relying_party import Flow, World, build_world


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@pytest.fixture
def flow(world: World, client: Any) -> Flow:
    made = Flow(client, world.register())
    world.sign_in(client)
    return made


def _refused(response: Any, error: str = "invalid_grant", status: int = 400) -> None:
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.get_json()["error"] == error
    assert "access_token" not in response.get_json()
    assert response.headers["Cache-Control"] == "no-store"


def _post(flow: Flow, form: dict[str, str], **headers: str) -> Any:
    return flow.browser.post("/oauth2/token", data=form, headers=headers)


def test_authentication_that_fails_looks_always_the_same(world: World, flow: Flow) -> None:
    form = {"grant_type": "client_credentials"}
    other = world.register("Khác")
    answers = [
        _post(flow, form),
        _post(flow, form, Authorization="Basic " + base64.b64encode(b"nobody:x").decode()),
        _post(
            flow,
            form,
            Authorization="Basic "
            + base64.b64encode(f"{flow.party.client_id}:{other.secret}".encode()).decode(),
        ),
        _post(flow, form, Authorization="Basic !!!"),
        _post(flow, form, Authorization="Basic " + base64.b64encode(b"\xff\xfe:x").decode()),
        _post(flow, form, Authorization="Basic " + base64.b64encode(b"nocolon").decode()),
        _post(flow, form, Authorization="Bearer " + (flow.party.secret or "")),
        _post(flow, form | {"client_id": flow.party.client_id}),
        _post(
            flow, form | {"client_id": flow.party.client_id, "client_secret": other.secret or ""}
        ),
        _post(flow, form | {"client_assertion": "x", "client_assertion_type": "y"}),
    ]
    for answer in answers:
        _refused(answer, "invalid_client", 401)
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
        assert answer.get_json() == answers[0].get_json()


def test_two_ways_of_authentication_at_once_are_refused(flow: Flow) -> None:
    form = {"grant_type": "client_credentials", "client_secret": flow.party.secret or ""}
    response = _post(flow, form | {"client_id": flow.party.client_id}, **flow.party.basic)
    _refused(response, "invalid_request")
    other = _post(flow, {"grant_type": "x", "client_id": "other"}, **flow.party.basic)
    assert other.status_code == 400


def test_a_public_client_cannot_introspect(world: World, flow: Flow) -> None:
    party = world.register("Công khai", auth_method=AuthMethod.NONE)
    response = flow.browser.post(
        "/oauth2/introspect", data={"client_id": party.client_id, "token": "x"}
    )
    _refused(response, "invalid_client", 401)


def test_parameters_in_the_query_or_twice_do_not_count(flow: Flow) -> None:
    code = flow.code()
    query = flow.browser.post(
        "/oauth2/token?" + urlencode({"grant_type": "authorization_code", "code": code}),
        headers=flow.party.basic,
    )
    assert query.status_code == 400
    body = urlencode([("grant_type", "authorization_code"), ("code", code), ("code", code)])
    twice = flow.browser.post(
        "/oauth2/token",
        data=body,
        headers=flow.party.basic,
        content_type="application/x-www-form-urlencoded",
    )
    _refused(twice, "invalid_request")
    assert flow.redeem(code).status_code == 200


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password", "username": "a", "password": "b"}, "unsupported_grant_type"),
        ({"grant_type": "đ"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unauthorized_client"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "ddr_"}, "invalid_grant"),
        ({"grant_type": "authorization_code", "code": "đ"}, "invalid_grant"),
    ],
)
def test_the_token_endpoint_names_what_is_wrong(
    flow: Flow, form: dict[str, str], error: str
) -> None:
    _refused(_post(flow, form, **flow.party.basic), error)


def test_the_token_endpoint_wants_a_form(flow: Flow) -> None:
    response = flow.browser.post(
        "/oauth2/token", json={"grant_type": "client_credentials"}, headers=flow.party.basic
    )
    _refused(response, "invalid_request")
    assert flow.browser.get("/oauth2/token").status_code == 405


def test_a_machine_gets_no_scope_about_a_person_and_none_it_lacks(world: World, flow: Flow) -> None:
    machine = Flow(flow.browser, world.machine("changes:read", "openid"))
    for scope in ("openid", "changes:write", "changes:read openid"):
        _refused(machine.token(grant_type="client_credentials", scope=scope), "invalid_scope")


def test_a_client_cannot_revoke_what_is_not_its_own(world: World, flow: Flow) -> None:
    answer = flow.tokens()
    thief = Flow(flow.browser, world.register("Kẻ trộm"))
    _refused(thief.post("/oauth2/revoke", {"token": answer["refresh_token"]}))
    assert flow.introspect(answer["access_token"])["active"] is True
    assert flow.post("/oauth2/revoke", {"token": "unknown"}).status_code == 200


def test_unknown_token_type_hints_are_ignored(flow: Flow) -> None:
    text = flow.tokens()["access_token"]
    form = {"token": text, "token_type_hint": "made_up"}
    assert flow.post("/oauth2/introspect", form).get_json()["active"] is True
    assert flow.post("/oauth2/revoke", form).status_code == 200
    assert flow.introspect(text) == {"active": False}


def test_a_machines_token_cannot_be_revoked_singly(world: World, flow: Flow) -> None:
    machine = Flow(flow.browser, world.machine())
    text = machine.token(grant_type="client_credentials").get_json()["access_token"]
    _refused(machine.post("/oauth2/revoke", {"token": text}), "unsupported_token_type")


def test_an_old_secret_works_until_the_overlap_ends(world: World, flow: Flow) -> None:
    with world.services.db.write() as session:
        secret = clients.rotate_secret(
            session,
            clients.get(session, flow.party.id),
            keyring=world.services.keyring,
            actor=Actor.system(),
            now=world.clock(),
        )
    assert flow.tokens()
    world.clock.advance(days=8)
    _refused(flow.token(grant_type="refresh_token", refresh_token="x"), "invalid_client", 401)
    fresh = Flow(flow.browser, type(flow.party)(flow.party.id, flow.party.client_id, secret))
    _refused(fresh.refresh("x"))


def test_no_token_and_no_secret_is_logged(flow: Flow, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    answer = flow.tokens()
    flow.refresh(answer["refresh_token"])
    for text in (answer["access_token"], answer["refresh_token"], flow.party.secret or ""):
        assert text not in caplog.text
