"""Pushed authorization requests (RFC 9126), alone, signed, and as FAPI 2.0 wants them."""

import threading
from typing import Any

import pytest

from directory.people import User
from idp.factors import passwords
from idp.oidc.authorization.pushed import URN, PushedRequest
from idp.oidc.clients import AuthMethod, Options, Profile
from idp.oidc.clients.refusals import Refusal
from idp.oidc.grants import Grant
from idp.run import housekeeping
from tests.browser_client import hidden_fields, submit
from tests.relying_party import REDIRECT, Flow, Party, World, build_world
from tests.signed_requests import (
    SECURE,
    Fapi,
    SignedFlow,
    dpop,
    key_for,
    register,
    register_fapi,
    thumbprint,
)

PASSWORD = "bếp củi reo vui sớm mai"


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@pytest.fixture
def flow(world: World, client: Any) -> Flow:
    made = Flow(client, world.register())
    world.sign_in(client)
    return made


def at(world: World) -> int:
    return int(world.clock().timestamp())


def push(flow: Flow, **changes: str | None) -> Any:
    """Push the flow's request with some parameters changed."""
    form = {k: v for k, v in (flow.query | changes).items() if v is not None}
    return flow.post("/oauth2/par", form)


def pushed(flow: Flow, **changes: str | None) -> str:
    """The request_uri of a push that must succeed."""
    answer = push(flow, **changes)
    assert answer.status_code == 201, answer.text
    return answer.get_json()["request_uri"]


def bring(flow: Flow, uri: str, browser: Any = None, **outer: str) -> Any:
    """Send a browser with it."""
    query = {"client_id": flow.party.client_id, "request_uri": uri} | outer
    return (browser or flow.browser).get("/oauth2/authorize", query_string=query)


# ---- the endpoint ----------------------------------------------------------------------------


def test_a_pushed_request_is_named_by_a_urn_that_lives_a_minute(flow: Flow) -> None:
    answer = push(flow)
    assert answer.status_code == 201
    assert answer.mimetype == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.get_json()
    assert set(body) == {"request_uri", "expires_in"}
    assert body["request_uri"].startswith(URN)
    assert body["expires_in"] == 60
    told = flow.told(bring(flow, body["request_uri"]))
    assert told["state"] == flow.state
    assert flow.redeem(told["code"]).status_code == 200


def test_a_public_client_may_push(world: World, client: Any) -> None:
    flow = Flow(client, world.register(auth_method=AuthMethod.NONE))
    world.sign_in(client)
    assert "code" in flow.told(bring(flow, pushed(flow)))


def test_nothing_but_what_was_pushed_counts(world: World, flow: Flow) -> None:
    uri = pushed(flow, scope="openid", state=None)
    outer = {"state": "outer", "scope": "openid org", "nonce": "outer", "prompt": "login"}
    told = flow.told(bring(flow, uri, **outer, redirect_uri="https://evil.example/"))
    assert "state" not in told
    (grant,) = world.all(Grant)
    assert (grant.scopes, grant.nonce) == (["openid"], flow.nonce)


def test_who_authenticates_need_not_be_named_again(world: World, flow: Flow) -> None:
    """OIDC Core §3.1.2.1, RFC 9126 §2.1: a hint is the client's own whoever says who it is."""
    hint = flow.tokens()["id_token"]
    uri = pushed(flow, client_id=None, id_token_hint=hint, prompt="none")
    assert "code" in flow.told(bring(flow, uri))
    another = Flow(flow.browser, world.register("Khác")).tokens()["id_token"]
    answer = push(flow, client_id=None, id_token_hint=another)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


def test_credentials_are_not_kept(world: World, client: Any) -> None:
    party = world.register(auth_method=AuthMethod.POST)
    flow = Flow(client, party)
    form = flow.query | {"client_secret": party.secret or ""}
    assert client.post("/oauth2/par", data=form).status_code == 201
    (kept,) = world.all(PushedRequest)
    assert kept.parameters == flow.query


REFUSED = [
    ("no redirect URI", {"redirect_uri": None}, "invalid_request"),
    ("another redirect URI", {"redirect_uri": "https://evil.example/"}, "invalid_request"),
    ("no response type", {"response_type": None}, "invalid_request"),
    ("implicit", {"response_type": "id_token"}, "unsupported_response_type"),
    ("no scope", {"scope": None}, "invalid_scope"),
    ("no PKCE", {"code_challenge": None}, "invalid_request"),
    ("PKCE plain", {"code_challenge_method": "plain"}, "invalid_request"),
    ("a request_uri", {"request_uri": URN + "x"}, "invalid_request"),
    ("an address", {"request_uri": "https://app.example/request"}, "invalid_request"),
    ("a request nobody signed", {"request": "e30.e30."}, "invalid_request_object"),
    ("an unknown mode", {"response_mode": "cookie"}, "invalid_request"),
    ("an unknown prompt", {"prompt": "loud"}, "invalid_request"),
    ("claims that are no JSON", {"claims": "{"}, "invalid_request"),
    ("a strange key", {"dpop_jkt": "short"}, "invalid_request"),
    ("self-registration", {"registration": "{}"}, "registration_not_supported"),
    ("a NUL", {"state": "a\0b"}, "invalid_request"),
    ("too much", {"state": "s" * 9000}, "invalid_request"),
]


@pytest.mark.parametrize(
    ("changes", "error"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_what_the_authorization_endpoint_would_refuse_is_refused_at_once(
    world: World, flow: Flow, changes: dict[str, str | None], error: str
) -> None:
    answer = push(flow, **changes)
    assert (answer.status_code, answer.get_json()["error"]) == (400, error)
    assert answer.headers["Cache-Control"] == "no-store"
    assert world.all(PushedRequest) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"redirect_uri": "https://else.example/"}, "redirect_uri"),
        ({"redirect_uri": None}, "redirect_uri_missing"),
        ({"prompt": "loud"}, "request"),
    ],
)
def test_its_owner_is_told_one_reason_for_one_refusal(
    world: World, flow: Flow, changes: dict[str, str | None], reason: str
) -> None:
    assert push(flow, **changes).status_code == 400
    assert [row.reason for row in world.all(Refusal)] == [reason]


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_only_post_pushes(flow: Flow, method: str) -> None:
    assert getattr(flow.browser, method)("/oauth2/par").status_code == 405


def test_the_client_proves_who_it_is(world: World, flow: Flow) -> None:
    nobody = flow.browser.post("/oauth2/par", data=flow.query)
    other = world.register("Khác")
    wrong = flow.browser.post(
        "/oauth2/par", data=flow.query, headers=Party(0, other.client_id, "x").basic
    )
    for answer in (nobody, wrong):
        assert answer.status_code in (400, 401)
    assert nobody.get_json()["error"] == "invalid_client"
    assert world.all(PushedRequest) == []


def test_discovery_says_where(client: Any) -> None:
    told = client.get("/.well-known/oauth-authorization-server").get_json()
    assert told["pushed_authorization_request_endpoint"] == "http://localhost:8000/oauth2/par"
    assert told["require_pushed_authorization_requests"] is False


# ---- whose, how long, how often --------------------------------------------------------------


def _gone(answer: Any) -> None:
    assert answer.status_code == 400
    assert "invalid_request_uri" in answer.text
    assert "Location" not in answer.headers


def test_it_belongs_to_the_client_that_pushed_it(world: World, flow: Flow) -> None:
    uri = pushed(flow)
    _gone(bring(Flow(flow.browser, world.register("Khác")), uri))
    assert "code" in flow.told(bring(flow, uri))


def test_a_client_that_says_where_beside_it_is_told_there(flow: Flow) -> None:
    told = flow.told(bring(flow, URN + "x", redirect_uri=REDIRECT, state="s1"))
    assert (told["error"], told["state"]) == ("invalid_request_uri", "s1")
    _gone(bring(flow, URN + "x", redirect_uri="https://evil.example/"))


def test_it_is_used_up_when_the_client_is_answered(flow: Flow) -> None:
    uri = pushed(flow)
    assert "code" in flow.told(bring(flow, uri))
    _gone(bring(flow, uri))


def test_an_error_is_an_answer(flow: Flow) -> None:
    uri = pushed(flow, prompt="none", max_age="0")
    assert flow.told(bring(flow, uri))["error"] == "login_required"
    _gone(bring(flow, uri))


def test_nobody_brings_it_after_a_minute(world: World, flow: Flow) -> None:
    uri = pushed(flow)
    world.clock.advance(seconds=61)
    _gone(bring(flow, uri))


def _username(world: World) -> str:
    has = world.services
    with has.db.write() as session:
        passwords.set_password(
            session, has.passwords, world.user_id, PASSWORD, must_change=False, now=world.clock()
        )
        return session.get_one(User, world.user_id).username


def test_visiting_does_not_use_it_up_and_the_sign_in_may_take_its_time(
    world: World, client: Any
) -> None:
    """FAPI 2.0 §5.3.2.2 note 3."""
    flow = Flow(client, world.register())
    username = _username(world)
    uri = pushed(flow)
    assert bring(flow, uri).headers["Location"].startswith("/login/")
    page = client.get(bring(flow, uri).headers["Location"])
    world.clock.advance(minutes=10)
    answer = submit(client, page, username=username, password=PASSWORD)
    assert "code" in flow.told(answer)
    back = client.get(page.request.path).headers["Location"]
    _gone(client.get(back))


def test_saying_no_uses_it_up(world: World, client: Any) -> None:
    flow = Flow(client, world.register("Ngoài", first_party=False))
    world.sign_in(client)
    uri = pushed(flow)
    page = bring(flow, uri)
    answer = client.post("/oauth2/consent", data=hidden_fields(page.text) | {"decision": "deny"})
    assert flow.told(answer)["error"] == "access_denied"
    _gone(bring(flow, uri))


@pytest.mark.both_databases
def test_of_two_browsers_that_bring_it_one_is_answered(world: World, app: Any) -> None:
    flow = Flow(app.test_client(), world.register())
    browsers = [app.test_client() for _ in range(4)]
    for browser in browsers:
        world.sign_in(browser)
    for _ in range(3):
        uri = pushed(flow)
        barrier, answers = threading.Barrier(len(browsers)), []

        def one(browser: Any, uri: str = uri, barrier: Any = barrier, to: Any = answers) -> None:
            barrier.wait()
            to.append(bring(flow, uri, browser))

        threads = [threading.Thread(target=one, args=(browser,)) for browser in browsers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(a.status_code for a in answers) == [302, 400, 400, 400]
    assert len(world.all(Grant)) == 3


@pytest.mark.both_databases
def test_what_nobody_can_bring_any_more_is_deleted(world: World, flow: Flow) -> None:
    pushed(flow)
    housekeeping.sweep(world.services, world.clock())
    assert len(world.all(PushedRequest)) == 1
    world.clock.advance(minutes=2)
    housekeeping.sweep(world.services, world.clock())
    assert world.all(PushedRequest) == []


@pytest.mark.both_databases
def test_what_is_used_up_is_deleted_at_once(world: World, flow: Flow) -> None:
    uri = pushed(flow)
    assert "code" in flow.told(bring(flow, uri))
    housekeeping.sweep(world.services, world.clock())
    assert world.all(PushedRequest) == []
    _gone(bring(flow, uri))


# ---- who must push, and sign -----------------------------------------------------------------


def test_a_client_may_be_held_to_push(world: World, client: Any) -> None:
    options = Options(require_pushed_authorization_requests=True)
    flow = Flow(client, world.register(options=options))
    world.sign_in(client)
    told = flow.told(flow.ask())
    assert (told["error"], told["state"]) == ("invalid_request", flow.state)
    assert "code" in flow.told(bring(flow, pushed(flow)))


def test_a_signed_request_may_be_pushed_and_only_its_inside_counts(
    world: World, client: Any
) -> None:
    flow = SignedFlow(client, register(world), now=at(world))
    world.sign_in(client)
    form = {"request": flow.signed(scope="openid"), "scope": "openid org", "state": "outer"}
    answer = flow.post("/oauth2/par", form)
    assert answer.status_code == 201
    told = flow.told(bring(flow, answer.get_json()["request_uri"]))
    assert told["state"] == flow.state
    assert world.all(Grant)[0].scopes == ["openid"]


def test_a_client_that_must_sign_pushes_nothing_unsigned(world: World, client: Any) -> None:
    party = register(world, options={"require_signed_request_object": True})
    flow = SignedFlow(client, party, now=at(world))
    assert push(flow).get_json()["error"] == "invalid_request"
    assert flow.post("/oauth2/par", {"request": flow.signed()}).status_code == 201


# ---- bound to a key (RFC 9449 §10) -----------------------------------------------------------


def test_a_proof_at_the_push_binds_the_code_to_its_key(world: World, flow: Flow) -> None:
    proof = dpop("POST", "/oauth2/par", now=at(world))
    answer = flow.browser.post(
        "/oauth2/par", data=flow.query, headers=flow.party.basic | {"DPoP": proof}
    )
    assert answer.status_code == 201
    code = flow.told(bring(flow, answer.get_json()["request_uri"]))["code"]
    assert world.all(Grant)[0].code_jkt == thumbprint(key_for("ES256"))
    assert flow.redeem(code).get_json()["error"] in ("invalid_grant", "invalid_request")


def test_a_named_key_binds_the_code_as_well(world: World, flow: Flow) -> None:
    jkt = thumbprint(key_for("ES256"))
    for answer in (flow.ask(dpop_jkt=jkt), bring(flow, pushed(flow, dpop_jkt=jkt))):
        assert "code" in flow.told(answer)
    assert {grant.code_jkt for grant in world.all(Grant)} == {jkt}


def test_a_proof_and_a_named_key_must_agree(world: World, flow: Flow) -> None:
    headers = flow.party.basic | {"DPoP": dpop("POST", "/oauth2/par", now=at(world))}
    form = flow.query | {"dpop_jkt": thumbprint(key_for("ES256", "foreign"))}
    answer = flow.browser.post("/oauth2/par", data=form, headers=headers)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_dpop_proof")
    assert world.all(PushedRequest) == []


# ---- FAPI 2.0 --------------------------------------------------------------------------------


@pytest.fixture
def fapi(world: World, client: Any) -> Fapi:
    world.sign_in(client)
    return Fapi(client, register_fapi(world), redirect_uri=SECURE, now=at(world))


def test_a_fapi_client_pushes_and_proves_and_is_answered(world: World, fapi: Fapi) -> None:
    told = fapi.told(bring(fapi, fapi.push().get_json()["request_uri"]))
    assert told["iss"] == "http://localhost:8000"
    answer = fapi.redeem(told["code"])
    assert answer.status_code == 200, answer.text
    assert answer.get_json()["token_type"] == "DPoP"


def test_a_fapi_client_asks_in_no_other_way(world: World, fapi: Fapi) -> None:
    assert fapi.told(fapi.ask())["error"] == "invalid_request"
    assert fapi.told(fapi.bring(fapi.signed(), redirect_uri=SECURE))["error"] == "invalid_request"
    for changes in ({"code_challenge": None}, {"code_challenge_method": "plain"}):
        assert fapi.push(**changes).get_json()["error"] == "invalid_request"
    assert world.all(Grant) == []


def test_message_signing_means_signed_requests_and_signed_answers(
    world: World, client: Any
) -> None:
    world.sign_in(client)
    party = register_fapi(world, profile=Profile.FAPI2_SIGNED)
    fapi = Fapi(client, party, redirect_uri=SECURE, now=at(world))
    assert fapi.push(response_mode="jwt").get_json()["error"] == "invalid_request"
    assert fapi.push_signed().get_json()["error"] == "invalid_request"  # no response_mode=jwt
    answer = fapi.push_signed(response_mode="jwt")
    assert answer.status_code == 201, answer.text
    told = fapi.told(bring(fapi, answer.get_json()["request_uri"]))
    assert set(told) == {"response"}


LIVES = [
    ("no nbf", {"nbf": None}, False),
    ("no exp", {"exp": None}, False),
    ("no aud", {"aud": None}, False),
    ("nbf an hour ago", {"nbf": -3601, "exp": -1}, False),
    ("an hour and a little", {"exp": 3601}, False),
    ("an hour", {"exp": 3600}, True),
    ("another clock, 8 s ahead", {"nbf": 8}, True),
    ("another clock, 61 s ahead", {"nbf": 61}, False),
    ("expired", {"exp": -31}, False),
]


@pytest.mark.parametrize(("changes", "good"), [c[1:] for c in LIVES], ids=[c[0] for c in LIVES])
def test_a_fapi_clients_request_lives_an_hour_at_most(
    fapi: Fapi, changes: dict[str, Any], good: bool
) -> None:
    """FAPI 2.0 Message Signing §5.3.1."""
    moved = {k: v if v is None else fapi.now + v for k, v in changes.items()}
    answer = fapi.push_signed(**moved)
    expected = (201, None) if good else (400, "invalid_request_object")
    assert (answer.status_code, answer.get_json().get("error")) == expected


def test_a_fapi_client_signs_by_ps256_or_es256(fapi: Fapi) -> None:
    """FAPI 2.0 §5.4.1."""
    for alg, status in (("PS256", 201), ("ES256", 201), ("RS256", 400)):
        fapi.alg = alg
        assert fapi.push_signed().status_code == status
    assert REDIRECT != SECURE
