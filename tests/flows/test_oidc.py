"""Signing in to an application, from the first redirect to the last token."""

import json
import re
from typing import Any

import httpx2
import pytest
from authlib.integrations.httpx_client import OAuth2Client
from joserfc import jwt
from joserfc.jwk import KeySet

from directory.people import User
from idp.factors import passwords
from idp.oidc.clients import AuthMethod, ClientKind, TokenFormat
from idp.oidc.grants import Grant
from tests.browser_client import hidden_fields, submit
from tests.relying_party import REDIRECT, Flow, World, build_world


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@pytest.fixture
def flow(world: World, client: Any) -> Flow:
    return Flow(client, world.register(id_token_alg="ES256"))


def test_code_flow_gives_id_token_claims_and_a_refresh_token(world: World, flow: Flow) -> None:
    view = world.sign_in(flow.browser)

    answer = flow.tokens()

    jwks = KeySet.import_key_set(flow.browser.get("/oauth2/jwks").get_json())
    id_token = jwt.decode(answer["id_token"], jwks, ["ES256"])
    assert id_token.claims["iss"] == "http://localhost:8000"
    assert id_token.claims["aud"] == flow.party.client_id
    assert id_token.claims["sub"] == view.sub
    assert id_token.claims["sid"] == view.id
    assert id_token.claims["nonce"] == flow.nonce
    assert id_token.claims["acr"] == "urn:vn:aal:1"
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 300

    told = flow.userinfo(answer["access_token"]).get_json()
    assert told["name"] == "Lê Thị Lan"
    assert told["phone_number"] == "+84912345678"
    assert told["org"]["assignment_id"] == world.assignment_id
    assert told["org"]["unit"]["name"] == "Phòng Kinh tế"
    assert told["org"]["legal_person"]["name"] == "Ủy ban nhân dân xã Hà Trung"
    assert told["org"]["eid_level"] == 2

    again = flow.refresh(answer["refresh_token"]).get_json()
    assert again["access_token"] != answer["access_token"]
    assert flow.introspect(again["access_token"])["active"] is True


def test_authorization_responses_name_the_issuer_and_return_the_state(
    world: World, flow: Flow
) -> None:
    world.sign_in(flow.browser)
    told = flow.told(flow.ask())
    assert told["iss"] == "http://localhost:8000"
    assert told["state"] == flow.state
    refused = flow.told(flow.ask(response_type="token"))
    assert refused["error"] == "unsupported_response_type"
    assert refused["iss"] == "http://localhost:8000"
    assert refused["state"] == flow.state


def test_only_the_scopes_asked_for_are_told(world: World, flow: Flow) -> None:
    world.sign_in(flow.browser)
    flow.scope = "openid email"
    told = flow.userinfo(flow.tokens()["access_token"]).get_json()
    assert set(told) == {"sub", "email", "email_verified"}


def test_the_claims_parameter_asks_for_single_claims(world: World, flow: Flow) -> None:
    world.sign_in(flow.browser)
    flow.scope = "openid"
    wish = {"userinfo": {"name": None}, "id_token": {"email": {"essential": True}}}
    answer = flow.tokens(claims=json.dumps(wish))
    assert set(flow.userinfo(answer["access_token"]).get_json()) == {"sub", "name"}
    jwks = KeySet.import_key_set(flow.browser.get("/oauth2/jwks").get_json())
    assert "email" in jwt.decode(answer["id_token"], jwks, ["ES256"]).claims


def test_a_post_to_authorize_is_answered_by_a_get_that_carries_the_cookie(
    world: World, flow: Flow
) -> None:
    world.sign_in(flow.browser)
    first = flow.browser.post("/oauth2/authorize", data=flow.query)
    assert first.status_code == 303
    assert first.headers["Location"].startswith("/oauth2/authorize?")
    assert "code" in flow.told(flow.browser.get(first.headers["Location"]))


def test_a_public_native_client_may_come_from_any_loopback_port(world: World, client: Any) -> None:
    party = world.register(
        kind=ClientKind.NATIVE,
        auth_method=AuthMethod.NONE,
        redirect_uris=("http://127.0.0.1/back",),
    )
    assert party.secret is None
    flow = Flow(client, party, redirect_uri="http://127.0.0.1:41234/back")
    world.sign_in(client)
    # RFC 8252 §8.6: nothing proves who listens there, so that she is asked, every time.
    for _ in range(2):
        page = flow.ask()
        assert 'value="allow"' in page.text
        back = submit(client, page, "/oauth2/consent", decision="allow")
        assert flow.redeem(flow.told(back)["code"]).status_code == 200
    assert flow.told(flow.ask(prompt="none"))["error"] == "consent_required"


def test_a_refresh_may_narrow_scopes_and_never_widen_them(world: World, flow: Flow) -> None:
    world.sign_in(flow.browser)
    flow.scope = "openid email profile"
    answer = flow.tokens()
    narrow = flow.refresh(answer["refresh_token"], scope="openid").get_json()
    assert narrow["scope"] == "openid"
    assert set(flow.userinfo(narrow["access_token"]).get_json()) == {"sub"}
    wide = flow.refresh(narrow["refresh_token"], scope="openid org")
    assert wide.get_json()["error"] == "invalid_scope"


def test_jwt_access_tokens_say_who_they_are_for_and_are_still_introspected(
    world: World, client: Any
) -> None:
    party = world.register(access_token_format=TokenFormat.JWT, id_token_alg="ES256")
    flow = Flow(client, party)
    world.sign_in(client)
    answer = flow.tokens()
    jwks = KeySet.import_key_set(client.get("/oauth2/jwks").get_json())
    token = jwt.decode(answer["access_token"], jwks, ["ES256"])
    assert token.header["typ"] == "at+jwt"
    assert token.claims["aud"] == "http://localhost:8000"  # RFC 9068 §3: the default resource
    assert flow.introspect(answer["access_token"])["active"] is True
    assert flow.userinfo(answer["access_token"]).status_code == 200
    flow.post("/oauth2/revoke", {"token": answer["access_token"]})
    assert flow.introspect(answer["access_token"]) == {"active": False}


def test_client_credentials_give_a_token_that_is_not_a_persons(world: World, client: Any) -> None:
    flow = Flow(client, world.machine("changes:read", "changes:write"))
    answer = flow.token(grant_type="client_credentials", scope="changes:read").get_json()
    assert answer["scope"] == "changes:read"
    assert "refresh_token" not in answer
    said = flow.introspect(answer["access_token"])
    assert said["active"] is True
    assert said["sub"] == flow.party.client_id
    assert flow.userinfo(answer["access_token"]).status_code == 401
    other = flow.token(grant_type="client_credentials").get_json()
    assert other["access_token"] != answer["access_token"]


def test_another_client_learns_nothing_about_a_token(world: World, flow: Flow) -> None:
    world.sign_in(flow.browser)
    answer = flow.tokens()
    stranger = Flow(flow.browser, world.register("Người lạ"))
    assert stranger.introspect(answer["access_token"]) == {"active": False}
    assert stranger.introspect(answer["refresh_token"]) == {"active": False}


def test_a_resource_server_sees_tokens_of_its_own_application_only(
    world: World, client: Any
) -> None:
    party = world.restricted()
    flow = Flow(client, party)
    world.sign_in(client)
    text = flow.tokens()["access_token"]
    own = world.machine(resource_server=True, application_id=party.application_id)
    assert Flow(client, own).introspect(text)["active"] is True
    assert Flow(client, world.machine(resource_server=True)).introspect(text) == {"active": False}


def test_revoking_any_token_ends_the_whole_grant(world: World, flow: Flow) -> None:
    world.sign_in(flow.browser)
    answer = flow.tokens()
    assert flow.post("/oauth2/revoke", {"token": answer["access_token"]}).status_code == 200
    assert flow.userinfo(answer["access_token"]).status_code == 401
    assert flow.refresh(answer["refresh_token"]).get_json()["error"] == "invalid_grant"
    assert flow.post("/oauth2/revoke", {"token": answer["access_token"]}).status_code == 200


def test_online_grants_die_with_the_session_and_offline_ones_do_not(
    world: World, flow: Flow
) -> None:
    view = world.sign_in(flow.browser)
    online = flow.tokens()
    flow.scope = "openid offline_access"
    offline = flow.tokens()
    with world.services.db.write() as session:
        from idp import sessions

        sessions.end(session, view.id, now=world.clock(), reason="test")
    assert flow.refresh(online["refresh_token"]).get_json()["error"] == "invalid_grant"
    assert flow.userinfo(online["access_token"]).status_code == 401
    assert flow.refresh(offline["refresh_token"]).status_code == 200


# ---- through the real sign-in pages ----------------------------------------------------------

PASSWORD = "bếp củi reo vui sớm mai"


@pytest.fixture
def username(world: World) -> str:
    has = world.services
    with has.db.write() as session:
        passwords.set_password(
            session, has.passwords, world.user_id, PASSWORD, must_change=False, now=world.clock()
        )
        return session.get_one(User, world.user_id).username


def _sign_in(browser: Any, response: Any, username: str) -> Any:
    """From the redirect to the sign-in pages to the answer."""
    page = browser.get(response.headers["Location"])
    assert "form-action 'self' http://localhost:9001" in page.headers["Content-Security-Policy"]
    return submit(browser, page, username=username, password=PASSWORD)


def test_a_person_signs_in_and_is_brought_back_with_a_code(flow: Flow, username: str) -> None:
    told = flow.told(_sign_in(flow.browser, flow.ask(), username))
    assert flow.redeem(told["code"]).status_code == 200


def test_a_demanded_sign_in_answers_its_request_once(
    world: World, flow: Flow, username: str
) -> None:
    world.sign_in(flow.browser)
    world.clock.advance(minutes=2)
    asked = flow.ask(prompt="login")
    told = flow.told(_sign_in(flow.browser, asked, username))
    jwks = KeySet.import_key_set(flow.browser.get("/oauth2/jwks").get_json())
    id_token = jwt.decode(flow.redeem(told["code"]).get_json()["id_token"], jwks, ["ES256"])
    assert id_token.claims["auth_time"] == int(world.clock().timestamp())
    back = flow.browser.get(asked.headers["Location"])  # the sign-in's address: it is over
    assert back.headers["Location"].startswith("/oauth2/authorize?")
    again = flow.browser.get(back.headers["Location"])
    assert again.headers["Location"].startswith("/login/")


def test_a_common_client_library_gets_through(world: World, app: Any) -> None:
    party = world.register()
    browser = app.test_client()
    world.sign_in(browser)
    library = OAuth2Client(
        party.client_id,
        party.secret,
        scope="openid profile",
        redirect_uri=REDIRECT,
        code_challenge_method="S256",
        transport=httpx2.WSGITransport(app=app),
    )
    verifier = "v" * 50
    url, state = library.create_authorization_url(
        "http://localhost:8000/oauth2/authorize", code_verifier=verifier
    )
    answer = browser.get(url.removeprefix("http://localhost:8000")).headers["Location"]
    token = library.fetch_token(
        "http://localhost:8000/oauth2/token",
        authorization_response=answer,
        state=state,
        code_verifier=verifier,
    )
    told = library.get("http://localhost:8000/oauth2/userinfo").json()
    assert told["name"] == "Lê Thị Lan"
    fresh = library.refresh_token("http://localhost:8000/oauth2/token")
    assert fresh["access_token"] != token["access_token"]
    said = library.introspect_token(
        "http://localhost:8000/oauth2/introspect", token=fresh["access_token"]
    )
    assert said.json()["active"] is True
    assert library.revoke_token("http://localhost:8000/oauth2/revoke").status_code == 200


# ---- the person is asked ---------------------------------------------------------------------


def test_a_third_party_asks_for_consent_once(world: World, client: Any) -> None:
    flow = Flow(client, world.register("Bên ngoài", first_party=False), scope="openid email")
    world.sign_in(client)
    assert flow.told(flow.ask(prompt="none"))["error"] == "consent_required"
    page = flow.ask()
    assert page.status_code == 200
    assert "http://localhost:9001" in page.headers["Content-Security-Policy"]
    response = _answer(client, page, "allow")
    assert "code" in flow.told(response)
    assert "code" in flow.told(flow.ask(prompt="none"))
    flow.scope = "openid email org"
    assert flow.ask().status_code == 200


def test_refusing_consent_is_told_to_the_client(world: World, client: Any) -> None:
    flow = Flow(client, world.register("Bên ngoài", first_party=False))
    world.sign_in(client)
    told = flow.told(_answer(client, flow.ask(), "deny"))
    assert told["error"] == "access_denied"
    assert told["state"] == flow.state
    assert not world.all(Grant)


def test_consent_cannot_be_given_without_the_page(world: World, client: Any) -> None:
    flow = Flow(client, world.register("Bên ngoài", first_party=False), scope="openid")
    world.sign_in(client)
    page = flow.ask()
    form = hidden_fields(page.text)
    forged = client.post("/oauth2/consent", data=form | {"decision": "allow", "csrf_token": "x"})
    assert forged.status_code == 400
    wider = form["request"].replace("scope=openid", "scope=openid+email")
    other = client.post("/oauth2/consent", data=form | {"decision": "allow", "request": wider})
    assert other.status_code == 200  # the page again, for what is really asked
    assert not world.all(Grant)


def test_only_entitled_capacities_may_sign_in(world: World, client: Any) -> None:
    flow = Flow(client, world.restricted(unit_id=world.other_unit_id))
    world.sign_in(client)
    page = flow.ask()
    assert page.status_code == 403
    assert flow.told(flow.ask(prompt="none"))["error"] == "access_denied"
    assert not world.all(Grant)
    fitting = Flow(client, world.restricted(unit_id=world.unit_id))
    assert fitting.tokens()["access_token"]


def test_without_a_session_prompt_none_says_so_and_others_sign_in(flow: Flow) -> None:
    assert flow.told(flow.ask(prompt="none"))["error"] == "login_required"
    page = flow.ask()
    assert page.status_code == 303
    assert re.fullmatch(r"/login/[\w.-]{23,}", page.headers["Location"])


@pytest.mark.parametrize("wish", [{"prompt": "login"}, {"max_age": "0"}, {"max_age": "60"}])
def test_a_fresh_sign_in_can_be_demanded(world: World, flow: Flow, wish: dict[str, str]) -> None:
    world.sign_in(flow.browser)
    world.clock.advance(seconds=61)
    assert flow.ask(**wish).headers["Location"].startswith("/login/")
    assert "code" in flow.told(flow.ask(max_age="3600"))


def test_a_hint_about_somebody_else_asks_for_that_person(world: World, flow: Flow) -> None:
    world.sign_in(flow.browser)
    hint = flow.tokens()["id_token"]
    assert "code" in flow.told(flow.ask(id_token_hint=hint, prompt="none"))
    from tests.factories import make_assignment, make_user

    with world.services.db.write() as session:
        from directory.units import OrgUnit

        other = make_user(session, "Hà Mai")
        held = make_assignment(session, other, session.get_one(OrgUnit, world.unit_id))
    world.sign_in(flow.browser, user_id=other.id, assignment_id=held.id)
    told = flow.told(flow.ask(id_token_hint=hint, prompt="none"))
    assert told["error"] == "login_required"


# ---- keys ------------------------------------------------------------------------------------


def test_private_key_halves_are_never_published(client: Any) -> None:
    for key in client.get("/oauth2/jwks").get_json()["keys"]:
        assert not {"d", "p", "q", "dp", "dq", "qi"} & key.keys()


def _answer(browser: Any, page: Any, decision: str) -> Any:
    form = hidden_fields(page.text) | {"decision": decision}
    return browser.post("/oauth2/consent", data=form)
