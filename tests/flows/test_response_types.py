"""What the authorization endpoint itself gives, and the ways an answer may take.

Implicit and hybrid response types (OIDC Core §3.2, §3.3), response modes (OAuth 2.0 Multiple
Response Type Encoding Practices, Form Post), signed answers (JARM).
"""

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from directory.base.errors import InvalidInput
from idp import sessions
from idp.oidc.clients import Client, GrantType, Options, ResponseType
from idp.oidc.grants import Grant
from tests.browser_client import hidden_fields
from tests.relying_party import REDIRECT, Flow, World, build_world
from tests.signed_requests import ISSUER, SECURE, Fapi, SignedFlow, register, register_fapi

FRONT = [each.value for each in ResponseType if each is not ResponseType.CODE]
GRANTS = (GrantType.CODE, GrantType.REFRESH, GrantType.IMPLICIT)


@pytest.fixture
def settings(make_settings: Any) -> Any:
    return make_settings(response_types=[each.value for each in ResponseType])


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@pytest.fixture
def flow(world: World, client: Any) -> Flow:
    party = world.register(
        redirect_uris=(SECURE,),
        grant_types=GRANTS,
        response_types=tuple(ResponseType),
        id_token_alg="ES256",
    )
    world.sign_in(client)
    return Flow(client, party, redirect_uri=SECURE, scope="openid email")


def keys(flow: Flow) -> KeySet:
    return KeySet.import_key_set(flow.browser.get("/oauth2/jwks").get_json())


def opened(flow: Flow, text: str, alg: str = "ES256") -> dict[str, Any]:
    return jwt.decode(text, keys(flow), [alg]).claims


def half_hash(text: str) -> str:
    """OIDC Core §3.3.2.11."""
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")


# ---- what is given ---------------------------------------------------------------------------


@pytest.mark.parametrize("response_type", FRONT)
def test_each_response_type_gives_what_its_words_name(flow: Flow, response_type: str) -> None:
    answer = flow.ask(response_type=response_type)
    assert answer.status_code == 302
    assert urlsplit(answer.headers["Location"]).query == ""
    told, words = flow.told(answer), set(response_type.split())
    always = {"state", "iss"}
    by_token = {"access_token", "token_type", "expires_in", "scope"}
    expected = always | ({"code", "id_token"} & words) | (by_token if "token" in words else set())
    assert set(told) == expected
    assert (told["state"], told["iss"]) == (flow.state, ISSUER)
    if "id_token" in words:
        said = opened(flow, told["id_token"])
        assert (said["nonce"], said["aud"]) == (flow.nonce, flow.party.client_id)
        hashes = {name for name in ("at_hash", "c_hash") if name in said}
        assert hashes == {{"token": "at_hash", "code": "c_hash"}[w] for w in words - {"id_token"}}
        if "code" in words:
            assert said["c_hash"] == half_hash(told["code"])
        if "token" in words:
            assert said["at_hash"] == half_hash(told["access_token"])
    if "token" in words:
        assert told["token_type"] == "Bearer"
        assert 0 < int(told["expires_in"]) <= 300
        assert "email" in flow.userinfo(told["access_token"]).get_json()
    if "code" in words:
        second = flow.redeem(told["code"]).get_json()
        assert opened(flow, second["id_token"])["nonce"] == flow.nonce
        assert flow.userinfo(second["access_token"]).status_code == 200
        assert "refresh_token" in second


@pytest.mark.parametrize("response_type", ["token id_token", "id_token  token code"])
def test_the_order_of_words_does_not_matter(flow: Flow, response_type: str) -> None:
    """OAuth 2.0 Multiple Response Types §2."""
    assert "id_token" in flow.told(flow.ask(response_type=response_type))


def test_only_a_lone_id_token_tells_what_scopes_give(flow: Flow) -> None:
    """OIDC Core §5.4: who has no access token has no userinfo to ask."""
    for response_type, tells in (("id_token", True), ("id_token token", False)):
        told = flow.told(flow.ask(response_type=response_type))
        assert ("email" in opened(flow, told["id_token"])) is tells


def test_an_id_token_in_the_front_channel_needs_a_nonce(world: World, flow: Flow) -> None:
    """OIDC Core §3.2.2.1, §3.3.2.11."""
    for response_type in FRONT:
        told = flow.told(flow.ask(response_type=response_type, nonce=None))
        if "id_token" in response_type:
            assert (told["error"], told["state"]) == ("invalid_request", flow.state)
        else:
            assert "code" in told


def test_an_id_token_needs_openid(flow: Flow) -> None:
    told = flow.told(flow.ask(response_type="id_token", scope="email"))
    assert told["error"] == "invalid_scope"


def test_nothing_lasting_passes_through_the_browser(world: World, flow: Flow) -> None:
    told = flow.told(flow.ask(response_type="id_token token", scope="openid offline_access"))
    assert told["scope"] == "openid"
    (grant,) = world.all(Grant)
    assert not grant.refreshable
    assert not grant.offline


def test_pkce_protects_a_hybrid_code_as_well(flow: Flow) -> None:
    bare = {"code_challenge": None, "code_challenge_method": None}
    assert flow.told(flow.ask(response_type="code token", **bare))["error"] == "invalid_request"
    assert "access_token" in flow.told(flow.ask(response_type="id_token token", **bare))


def test_a_hybrid_code_used_twice_takes_back_the_token_of_the_front_channel(flow: Flow) -> None:
    told = flow.told(flow.ask(response_type="code token"))
    assert flow.redeem(told["code"]).status_code == 200
    assert flow.userinfo(told["access_token"]).status_code == 200
    assert flow.redeem(told["code"]).status_code == 400
    assert flow.userinfo(told["access_token"]).status_code == 401


def test_its_tokens_die_with_the_session(world: World, flow: Flow) -> None:
    view = world.sign_in(flow.browser)
    text = flow.told(flow.ask(response_type="id_token token"))["access_token"]
    assert flow.introspect(text)["active"] is True
    with world.services.db.write() as session:
        sessions.end(session, view.id, now=world.clock(), reason="test")
    assert flow.introspect(text) == {"active": False}


# ---- who may have it -------------------------------------------------------------------------


def test_a_client_has_what_it_has_registered(world: World, client: Any) -> None:
    flow = Flow(client, world.register())
    world.sign_in(client)
    for response_type in FRONT:
        told = flow.told(flow.ask(response_type=response_type))
        assert told["error"] == "unauthorized_client"
    assert not world.all(Grant)


def test_an_installation_has_it_off_unless_it_says_otherwise(world: World, flow: Flow) -> None:
    world.services.settings.response_types = ["code"]
    for response_type in FRONT:
        told = flow.told(flow.ask(response_type=response_type))
        assert told["error"] == "unsupported_response_type"
    assert "code" in flow.told(flow.ask())


def test_tokens_that_belong_to_a_key_are_never_given_in_the_front_channel(
    world: World, flow: Flow
) -> None:
    world.change(Client, flow.party.id, options=Options(dpop_bound_access_tokens=True).stored)
    for response_type in FRONT:
        told = flow.told(flow.ask(response_type=response_type))
        if "token" in response_type.split():
            assert told["error"] == "unauthorized_client"
        else:
            assert "id_token" in told


def test_a_fapi_client_has_nothing_but_codes(world: World, client: Any) -> None:
    """FAPI 2.0 §5.3.2.2 item 1, also where the row says otherwise."""
    with pytest.raises(InvalidInput):
        register_fapi(world, response_types=(ResponseType.CODE_ID_TOKEN,), grant_types=GRANTS)
    fapi = Fapi(
        client, register_fapi(world), redirect_uri=SECURE, now=int(world.clock().timestamp())
    )
    world.change(Client, fapi.party.id, response_types=[each.value for each in ResponseType])
    for response_type in FRONT:
        answer = fapi.push(response_type=response_type)
        assert (answer.status_code, answer.get_json()["error"]) == (400, "unauthorized_client")


def test_discovery_follows_the_settings(client: Any) -> None:
    told = client.get("/.well-known/openid-configuration").get_json()
    assert set(told["response_types_supported"]) == {each.value for each in ResponseType}
    assert "implicit" in told["grant_types_supported"]
    assert {"query", "fragment", "form_post", "jwt"} <= set(told["response_modes_supported"])
    assert {"RS256", "ES256"} <= set(told["authorization_signing_alg_values_supported"])


# ---- response modes --------------------------------------------------------------------------


def _query(answer: Any) -> dict[str, str]:
    parts = urlsplit(answer.headers["Location"])
    assert parts.fragment == ""
    return {k: v[0] for k, v in parse_qs(parts.query).items()}


def _fragment(answer: Any) -> dict[str, str]:
    parts = urlsplit(answer.headers["Location"])
    assert parts.query == ""
    return {k: v[0] for k, v in parse_qs(parts.fragment).items()}


def _form(answer: Any) -> dict[str, str]:
    assert answer.status_code == 200
    assert f'action="{SECURE}"' in answer.text
    return hidden_fields(answer.text.partition("<main")[2])


READ = {"query": _query, "fragment": _fragment, "form_post": _form}


@pytest.mark.parametrize(
    ("response_mode", "response_type", "carrier"),
    [
        (None, "code", "query"),
        ("query", "code", "query"),
        ("fragment", "code", "fragment"),
        ("form_post", "code", "form_post"),
        (None, "id_token", "fragment"),
        ("fragment", "code id_token", "fragment"),
        ("form_post", "id_token token", "form_post"),
    ],
)
def test_an_answer_takes_the_way_that_was_asked_for(
    flow: Flow, response_mode: str | None, response_type: str, carrier: str
) -> None:
    asked = {"response_mode": response_mode, "response_type": response_type}
    told = READ[carrier](flow.ask(**asked))
    assert set(response_type.split()) - {"token"} <= set(told)
    assert (told["state"], told["iss"]) == (flow.state, ISSUER)
    refused = READ[carrier](flow.ask(**asked, prompt="none", max_age="0"))
    assert (refused["error"], refused["state"]) == ("login_required", flow.state)


@pytest.mark.parametrize("response_mode", ["query", "query.jwt"])
@pytest.mark.parametrize("response_type", FRONT)
def test_tokens_never_stand_in_a_query(
    world: World, flow: Flow, response_mode: str, response_type: str
) -> None:
    """OAuth 2.0 Multiple Response Types §3, JARM §2.3.1."""
    told = _fragment(flow.ask(response_mode=response_mode, response_type=response_type))
    assert told["error"] == "invalid_request"
    assert not world.all(Grant)


def test_the_page_that_posts_works_without_scripts_and_posts_nowhere_else(flow: Flow) -> None:
    answer = flow.ask(response_mode="form_post")
    policy = answer.headers["Content-Security-Policy"]
    assert "form-action 'self' https://app.example;" in policy
    assert "unsafe-inline" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    page = answer.text.partition("<main")[2]
    assert '<button class="btn btn-primary" type="submit">' in page
    assert 'method="post"' in page
    assert '<script src="/static/form_post.js' in page
    assert " onload=" not in answer.text
    told = hidden_fields(page)
    assert set(told) == {"code", "state", "iss"}
    assert flow.redeem(told["code"]).status_code == 200


def test_what_a_client_wrote_stays_text_on_that_page(flow: Flow) -> None:
    flow.state = '"><script>alert(1)</script>'
    answer = flow.ask(response_mode="form_post")
    assert "<script>alert" not in answer.text
    assert _form(answer)["state"] == flow.state


# ---- signed answers (JARM) -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response_mode", "response_type", "carrier"),
    [
        ("jwt", "code", "query"),
        ("query.jwt", "code", "query"),
        ("fragment.jwt", "code", "fragment"),
        ("form_post.jwt", "code", "form_post"),
        ("jwt", "code id_token", "fragment"),
        ("form_post.jwt", "code token", "form_post"),
    ],
)
def test_a_signed_answer_is_one_parameter(
    world: World, flow: Flow, response_mode: str, response_type: str, carrier: str
) -> None:
    asked = {"response_mode": response_mode, "response_type": response_type}
    told = READ[carrier](flow.ask(**asked))
    assert set(told) == {"response"}
    said = opened(flow, told["response"], "RS256")
    assert (said["iss"], said["aud"], said["state"]) == (ISSUER, flow.party.client_id, flow.state)
    assert 0 < said["exp"] - int(world.clock().timestamp()) <= 600
    assert flow.redeem(said["code"]).status_code == 200
    if "token" in response_type.split():
        assert isinstance(said["expires_in"], int)
    refused = READ[carrier](flow.ask(**asked, prompt="none", max_age="0"))
    assert opened(flow, refused["response"], "RS256")["error"] == "login_required"


def test_a_client_chooses_the_algorithm_of_its_answers(world: World, client: Any) -> None:
    options = Options(authorization_signed_response_alg="PS256")
    flow = Flow(client, world.register(options=options))
    world.sign_in(client)
    told = flow.told(flow.ask(response_mode="jwt"))
    assert "code" in opened(flow, told["response"], "PS256")


def test_a_fapi_clients_answers_are_signed_by_what_the_profile_allows(
    world: World, client: Any
) -> None:
    world.sign_in(client)
    now = int(world.clock().timestamp())
    fapi = Fapi(client, register_fapi(world), redirect_uri=SECURE, now=now)
    uri = fapi.push(response_mode="jwt").get_json()["request_uri"]
    query = {"client_id": fapi.party.client_id, "request_uri": uri}
    told = fapi.told(client.get("/oauth2/authorize", query_string=query))
    assert "code" in opened(fapi, told["response"], "ES256")


def test_a_signed_request_may_ask_for_a_signed_answer(world: World, client: Any) -> None:
    flow = SignedFlow(client, register(world), now=int(world.clock().timestamp()))
    world.sign_in(client)
    told = flow.told(flow.bring(flow.signed(response_mode="jwt")))
    assert set(told) == {"response"}
    assert flow.redirect_uri == REDIRECT
