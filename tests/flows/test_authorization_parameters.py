"""Every parameter of an authorization request (OIDC Core §3.1.2.1), brought by GET and by POST.

Each case is a request of a client of ours for somebody who signed in a minute ago, and what
comes of it: ``code``, the ``sign-in`` pages, the ``consent`` page, or an error the client is told.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from directory.people import User
from directory.units import OrgUnit
from idp.factors import passwords
from idp.oidc.clients import Client, Options, TokenFormat
from idp.oidc.grants import Grant
from tests.bent import bent
from tests.browser_client import hidden_fields, submit
from tests.factories import make_assignment, make_user
from tests.relying_party import Flow, World, build_world

PASSWORD = "bếp củi reo vui sớm mai"
Prepare = Callable[[World, Flow], dict[str, str] | None]


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


def somebody_else(world: World) -> dict[str, int]:
    """Another official: the columns of a session of hers."""
    with world.services.db.write() as session:
        other = make_user(session, "Hà Mai")
        held = make_assignment(session, other, session.get_one(OrgUnit, world.unit_id))
        return {"user_id": other.id, "assignment_id": held.id}


# ---- what is prepared; what it gives is added to the request ----------------------------------


def options(**values: Any) -> Prepare:
    def prepare(world: World, flow: Flow) -> None:
        world.change(Client, flow.party.id, options=Options(**values).stored)

    return prepare


def own_hint(_world: World, flow: Flow) -> dict[str, str]:
    return {"id_token_hint": flow.tokens()["id_token"]}


def expired_hint(world: World, flow: Flow) -> dict[str, str]:
    hint = own_hint(world, flow)
    world.clock.advance(minutes=10)
    return hint


def hint_about_another(world: World, flow: Flow) -> dict[str, str]:
    hint = own_hint(world, flow)
    world.sign_in(flow.browser, **somebody_else(world))
    return hint


def hint_of_another_client(world: World, flow: Flow) -> dict[str, str]:
    return own_hint(world, Flow(flow.browser, world.register("Khác")))


def forged_hint(world: World, flow: Flow) -> dict[str, str]:
    head, body, mac = own_hint(world, flow)["id_token_hint"].split(".")
    return {"id_token_hint": ".".join((head, body, bent(mac, -1)))}


def access_token_as_hint(world: World, flow: Flow) -> dict[str, str]:
    world.change(Client, flow.party.id, access_token_format=TokenFormat.JWT.value)
    return {"id_token_hint": flow.tokens()["access_token"]}


def answer_as_hint(_world: World, flow: Flow) -> dict[str, str]:
    return {"id_token_hint": flow.told(flow.ask(response_mode="jwt"))["response"]}


def sub_of(world: World, user_id: int) -> str:
    return str(world.one(User, user_id).sub)


def claim_about_her(world: World, _flow: Flow) -> dict[str, str]:
    wish = {"id_token": {"sub": {"value": sub_of(world, world.user_id)}}}
    return {"claims": json.dumps(wish)}


def claim_about_another(world: World, _flow: Flow) -> dict[str, str]:
    wish = {"id_token": {"sub": {"value": sub_of(world, somebody_else(world)["user_id"])}}}
    return {"claims": json.dumps(wish)}


def claim_against_hint(world: World, flow: Flow) -> dict[str, str]:
    return own_hint(world, flow) | claim_about_another(world, flow)


def third_party(world: World, flow: Flow) -> None:
    world.change(Client, flow.party.id, first_party=False)


def nobody(_world: World, flow: Flow) -> None:
    flow.browser.delete_cookie("dinhdanh", domain="localhost")


def just_now(world: World, flow: Flow) -> None:
    world.sign_in(flow.browser)


@dataclass(frozen=True)
class Case:
    """A request, and what comes of it."""

    id: str
    comes: str
    changes: dict[str, str | None] = field(default_factory=dict)
    prepare: Prepare = lambda world, flow: None


CASES = [
    Case("nothing further", "code"),
    # prompt
    Case("none, signed in", "code", {"prompt": "none"}),
    Case("none, nobody there", "login_required", {"prompt": "none"}, nobody),
    Case("nobody there", "sign-in", {}, nobody),
    Case("login", "sign-in", {"prompt": "login"}),
    Case("select_account", "sign-in", {"prompt": "select_account"}),
    Case("consent of a client of ours", "consent", {"prompt": "consent"}),
    Case("login and consent", "sign-in", {"prompt": "login consent"}),
    Case("none, no consent yet", "consent_required", {"prompt": "none"}, third_party),
    Case("no consent yet", "consent", {}, third_party),
    Case("none and login", "invalid_request", {"prompt": "none login"}),
    Case("an unknown prompt", "invalid_request", {"prompt": "loud"}),
    Case("an empty prompt is none at all", "code", {"prompt": ""}),
    # max_age
    Case("young enough", "code", {"max_age": "3600"}),
    Case("too old", "sign-in", {"max_age": "60"}),
    Case("too old, quietly", "login_required", {"max_age": "60", "prompt": "none"}),
    Case("at once", "sign-in", {"max_age": "0"}, just_now),
    Case("at once, quietly", "login_required", {"max_age": "0", "prompt": "none"}, just_now),
    Case("a negative age", "invalid_request", {"max_age": "-1"}),
    Case("no number", "invalid_request", {"max_age": "soon"}),
    Case("default_max_age", "sign-in", {}, options(default_max_age=60)),
    Case("default_max_age 0", "sign-in", {}, options(default_max_age=0)),
    Case("max_age wins", "code", {"max_age": "3600"}, options(default_max_age=60)),
    # id_token_hint, and the claim sub
    Case("a hint at her", "code", {"prompt": "none"}, own_hint),
    Case("an expired hint", "code", {"prompt": "none"}, expired_hint),
    Case("a hint at another", "sign-in", {}, hint_about_another),
    Case("a hint at another, quietly", "login_required", {"prompt": "none"}, hint_about_another),
    Case("a hint given to another client", "invalid_request", {}, hint_of_another_client),
    Case("a forged hint", "invalid_request", {}, forged_hint),
    Case("an access token as hint", "invalid_request", {}, access_token_as_hint),
    Case("a signed answer as hint", "invalid_request", {}, answer_as_hint),
    Case("the claim sub, hers", "code", {"prompt": "none"}, claim_about_her),
    Case("the claim sub, another's", "sign-in", {}, claim_about_another),
    Case("sub, quietly", "login_required", {"prompt": "none"}, claim_about_another),
    Case("sub against the hint", "invalid_request", {}, claim_against_hint),
    # what is taken into account where it can be, and never an error
    Case("login_hint", "code", {"login_hint": "buffy@localhost"}),
    Case("ui_locales", "code", {"ui_locales": "en vi"}),
    Case("unknown locales", "code", {"ui_locales": "se fr-CA"}),
    Case("claims_locales", "code", {"claims_locales": "se"}),
    Case("display page", "code", {"display": "page"}),
    Case("display popup", "code", {"display": "popup"}),
    Case("an unknown display", "code", {"display": "hologram"}),
    Case("an unknown acr, quietly", "code", {"acr_values": "1 2", "prompt": "none"}),
    Case("an unknown parameter", "code", {"extra": "foobar"}),
    Case("an unknown claim", "code", {"claims": '{"userinfo": {"shoe_size": null}}'}),
    Case("scopes in another order", "code", {"scope": "org email openid"}),
    Case("unknown scopes beside", "code", {"scope": "openid shoes"}),
    Case("no nonce", "code", {"nonce": None}),
    Case("a long nonce", "code", {"nonce": "n" * 384}),
    Case("a long state", "code", {"state": "s" * 1000}),
    Case("no state", "code", {"state": None}),
    # what nobody understands
    Case("self-registration", "registration_not_supported", {"registration": "{}"}),
    Case("claims that are no JSON", "invalid_request", {"claims": "{"}),
]


def send(flow: Flow, changes: dict[str, str | None], method: str) -> Any:
    """By GET; or by POST, which is answered by the GET that carries the cookie."""
    query = {k: v for k, v in (flow.query | changes).items() if v is not None}
    if method == "get":
        return flow.browser.get("/oauth2/authorize", query_string=query)
    answer = flow.browser.post("/oauth2/authorize", data=query)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/oauth2/authorize?")
    return flow.browser.get(answer.headers["Location"])


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_what_comes_of_a_request(world: World, client: Any, case: Case, method: str) -> None:
    flow = Flow(client, world.register())
    world.sign_in(client)
    world.clock.advance(seconds=61)
    changes = dict(case.changes) | (case.prepare(world, flow) or {})
    before = len(world.all(Grant))
    answer = send(flow, changes, method)
    if case.comes == "consent":
        assert answer.status_code == 200
        assert 'name="decision"' in answer.text
    elif case.comes == "sign-in":
        assert answer.headers["Location"].startswith("/login/")
    else:
        told = flow.told(answer)
        assert told.get("error", "code") == case.comes, told
        assert told.get("state") == changes.get("state", flow.state)
        assert told["iss"] == "http://localhost:8000"
    assert len(world.all(Grant)) - before == (case.comes == "code")


# ---- what the person sees, and what comes of what she does ------------------------------------


def username(world: World, user_id: int) -> str:
    has = world.services
    with has.db.write() as session:
        passwords.set_password(
            session, has.passwords, user_id, PASSWORD, must_change=False, now=world.clock()
        )
        return session.get_one(User, user_id).username


def sign_in(flow: Flow, answer: Any, name: str) -> Any:
    """Through the sign-in pages: the answer, or the page that the authorization endpoint needs first."""
    page = flow.browser.get(answer.headers["Location"])
    done = submit(flow.browser, page, username=name, password=PASSWORD)
    where = done.headers["Location"]
    return flow.browser.get(where) if where.startswith("/oauth2/authorize?") else done


def test_a_login_hint_fills_in_the_name_and_ui_locales_choose_the_language(
    world: World, client: Any
) -> None:
    flow = Flow(client, world.register())
    page = client.get(flow.ask(login_hint="lan.lt", ui_locales="fr en").headers["Location"])
    assert 'value="lan.lt"' in page.text
    assert '<html lang="en">' in page.text
    other = client.get(flow.ask(ui_locales="se").headers["Location"])
    assert '<html lang="vi">' in other.text


def test_a_hint_is_only_text(world: World, client: Any) -> None:
    flow = Flow(client, world.register())
    page = client.get(flow.ask(login_hint='"><script>alert(1)</script>').headers["Location"])
    assert "<script>alert" not in page.text


def test_whoever_signs_in_instead_of_the_person_asked_about_is_not_told_about(
    world: World, client: Any
) -> None:
    """OIDC Core §3.1.2.2: no answer about somebody else, and no endless sign-in either."""
    flow = Flow(client, world.register())
    world.sign_in(client)
    hint = own_hint(world, flow)["id_token_hint"]
    nobody(world, flow)
    name = username(world, somebody_else(world)["user_id"])
    told = flow.told(sign_in(flow, flow.ask(id_token_hint=hint), name))
    assert told["error"] == "login_required"
    name = username(world, world.user_id)
    assert "code" in flow.told(sign_in(flow, flow.ask(id_token_hint=hint), name))


@pytest.mark.parametrize("wish", [{"prompt": "login"}, {"max_age": "0"}, {"max_age": "1"}])
def test_a_sign_in_that_was_asked_for_is_answered_with_its_time(
    world: World, client: Any, wish: dict[str, str]
) -> None:
    flow = Flow(client, world.register())
    world.sign_in(client)
    world.clock.advance(seconds=2)
    told = flow.told(sign_in(flow, flow.ask(**wish), username(world, world.user_id)))
    jwks = KeySet.import_key_set(client.get("/oauth2/jwks").get_json())
    answer = flow.redeem(told["code"]).get_json()
    said = jwt.decode(answer["id_token"], jwks, ["RS256"]).claims
    assert said["auth_time"] == int(world.clock().timestamp())


def test_login_and_consent_are_both_asked_once(world: World, client: Any) -> None:
    flow = Flow(client, world.register())
    world.sign_in(client)
    answer = flow.ask(prompt="login consent")
    page = sign_in(flow, answer, username(world, world.user_id))
    assert 'name="decision"' in page.text
    agreed = client.post("/oauth2/consent", data=hidden_fields(page.text) | {"decision": "allow"})
    assert "code" in flow.told(agreed)
