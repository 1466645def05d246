"""What the OpenID Provider refuses, each with the answer the standard asks for."""

import base64
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import select

from directory.base.audit import AuditEntry, Tag
from idp.oidc.clients import Client, GrantType
from idp.oidc.grants import Grant
from idp.oidc.opaque_tokens import Refresh
from idp.oidc.tokens import Tokens
from tests.relying_party import REDIRECT, Flow, World, build_world


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@pytest.fixture
def flow(world: World, client: Any) -> Flow:
    made = Flow(client, world.register())
    world.sign_in(client)
    return made


# ---- at the authorization endpoint: told to the client ---------------------------------------

TOLD = [
    ("no PKCE", {"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    ("PKCE without its method", {"code_challenge_method": None}, "invalid_request"),
    ("PKCE plain", {"code_challenge_method": "plain"}, "invalid_request"),
    ("a challenge that is no SHA-256", {"code_challenge": "a" * 42}, "invalid_request"),
    ("a challenge outside the alphabet", {"code_challenge": "~" * 43}, "invalid_request"),
    ("implicit", {"response_type": "id_token"}, "unsupported_response_type"),
    ("hybrid", {"response_type": "code id_token"}, "unsupported_response_type"),
    ("no response_type", {"response_type": None}, "invalid_request"),
    ("no scope", {"scope": None}, "invalid_scope"),
    ("unknown scopes only", {"scope": "admin root"}, "invalid_scope"),
    ("a request nobody signed", {"request": "e30.e30."}, "invalid_request_object"),
    ("a foreign request_uri", {"request_uri": "https://evil.example/"}, "invalid_request_uri"),
    ("self-registration", {"registration": "{}"}, "registration_not_supported"),
    ("an unknown response_mode", {"response_mode": "cookie"}, "invalid_request"),
    ("an unknown prompt", {"prompt": "loud"}, "invalid_request"),
    ("none with another prompt", {"prompt": "none login"}, "invalid_request"),
    ("a max_age that is no number", {"max_age": "-1"}, "invalid_request"),
    ("a max_age in other digits", {"max_age": "١٢"}, "invalid_request"),
    ("claims that are no JSON", {"claims": "{"}, "invalid_request"),
    ("claims that are no object", {"claims": "[]"}, "invalid_request"),
    ("a hint we did not sign", {"id_token_hint": "a.b.c"}, "invalid_request"),
]


@pytest.mark.parametrize(("changes", "error"), [t[1:] for t in TOLD], ids=[t[0] for t in TOLD])
def test_the_client_is_told(
    world: World, flow: Flow, changes: dict[str, str | None], error: str
) -> None:
    told = flow.told(flow.ask(**changes))
    assert told["error"] == error
    assert told["state"] == flow.state
    assert told["iss"] == "http://localhost:8000"
    assert "code" not in told
    assert not world.all(Grant)


def test_offline_access_alone_is_nothing_without_refresh(world: World, client: Any) -> None:
    """OIDC Core §11: it is ignored, and a request for nothing is refused (RFC 6749 §3.3)."""
    flow = Flow(client, world.register(grant_types=(GrantType.CODE,)))
    world.sign_in(client)
    assert flow.told(flow.ask(scope="offline_access"))["error"] == "invalid_scope"
    assert not world.all(Grant)
    assert flow.tokens(scope="openid offline_access")["scope"] == "openid"


@pytest.mark.parametrize(
    ("name", "shortest", "longest"),
    [("code_lifetime", 5, 60), ("device_lifetime", 60, 1800), ("device_interval", 1, 60)],
)
def test_no_installation_makes_them_longer(
    make_settings: Any, name: str, shortest: int, longest: int
) -> None:
    """FAPI 2.0 §5.3.2.1 item 11: a code is good for a minute at most. RFC 8628 §5.1, §3.5."""
    for good in (shortest, longest):
        assert getattr(make_settings(**{name: good}), name) == good
    for bad in (shortest - 1, longest + 1):
        with pytest.raises(ValueError, match=name):
            make_settings(**{name: bad})


SHOWN = [
    ("an unknown client", {"client_id": "nobody"}),
    ("no client", {"client_id": None}),
    ("no redirect URI", {"redirect_uri": None}),
    ("another path", {"redirect_uri": REDIRECT + "/deeper"}),
    ("another port", {"redirect_uri": REDIRECT.replace("9001", "9002")}),
    ("another query", {"redirect_uri": REDIRECT + "?x=1"}),
    ("another case", {"redirect_uri": REDIRECT.upper()}),
    ("a fragment", {"redirect_uri": REDIRECT + "#x"}),
    ("user information", {"redirect_uri": REDIRECT.replace("//", "//evil@")}),
    ("an IDN host", {"redirect_uri": "https://xn--đ.example/"}),
    ("letters that are not ASCII", {"redirect_uri": REDIRECT + "/đ"}),
    ("a NUL", {"redirect_uri": REDIRECT + "\0"}),
    ("more than there is room for", {"nonce": "n" * 9000}),
]


@pytest.mark.parametrize("changes", [s[1] for s in SHOWN], ids=[s[0] for s in SHOWN])
def test_our_own_page_says_so(world: World, flow: Flow, changes: dict[str, str | None]) -> None:
    response = flow.ask(**changes)
    assert response.status_code == 400
    assert "Location" not in response.headers
    assert response.mimetype == "text/html"
    assert not world.all(Grant)


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "state", "scope", "code_challenge"])
def test_a_repeated_parameter_is_refused(world: World, flow: Flow, name: str) -> None:
    query = [*flow.query.items(), (name, flow.query[name])]
    response = flow.browser.get("/oauth2/authorize?" + urlencode(query))
    assert response.status_code == 400
    assert not world.all(Grant)


def test_a_disabled_client_is_as_good_as_unknown(world: World, flow: Flow) -> None:
    world.change(Client, flow.party.id, enabled=False)
    assert flow.ask().status_code == 400
    assert flow.token(grant_type="client_credentials").get_json()["error"] == "invalid_client"


# ---- codes -----------------------------------------------------------------------------------


def _refused(response: Any, error: str = "invalid_grant", status: int = 400) -> None:
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.get_json()["error"] == error
    assert "access_token" not in response.get_json()
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": "x" * 43}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_request"),
        ({"redirect_uri": "http://localhost:9001/other"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
    ],
    ids=["another verifier", "no verifier", "a malformed one", "another redirect", "no redirect"],
)
def test_a_code_is_bound_to_its_request(
    flow: Flow, changes: dict[str, str | None], error: str
) -> None:
    code = flow.code()
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": flow.verifier,
    }
    _refused(flow.token(**(form | changes)), error)
    assert flow.redeem(code).status_code == 200


def test_a_code_used_twice_takes_back_what_it_gave(world: World, flow: Flow) -> None:
    code = flow.code()
    answer = flow.redeem(code).get_json()
    _refused(flow.redeem(code))
    assert flow.userinfo(answer["access_token"]).status_code == 401
    _refused(flow.refresh(answer["refresh_token"]))
    with world.services.db.read() as session:
        told = session.scalars(
            select(AuditEntry).where(AuditEntry.tag == Tag.GRANT_REVOKE.value)
        ).one()
        assert told.data["reason"] == "code_replay"


def test_a_code_of_another_client_is_refused_and_stays_good(world: World, flow: Flow) -> None:
    code = flow.code()
    thief = Flow(flow.browser, world.register("Kẻ trộm"), verifier=flow.verifier)
    _refused(thief.redeem(code))
    assert flow.redeem(code).status_code == 200


def test_a_code_lives_one_minute(world: World, flow: Flow) -> None:
    code = flow.code()
    world.clock.advance(seconds=61)
    _refused(flow.redeem(code))


# ---- refresh tokens --------------------------------------------------------------------------


def test_a_retry_within_ten_seconds_costs_nothing(world: World, flow: Flow) -> None:
    first = flow.tokens()
    second = flow.refresh(first["refresh_token"]).get_json()
    world.clock.advance(seconds=9)
    _refused(flow.refresh(first["refresh_token"]))
    assert flow.refresh(second["refresh_token"]).status_code == 200


def test_later_reuse_revokes_the_grant(world: World, flow: Flow) -> None:
    first = flow.tokens()
    second = flow.refresh(first["refresh_token"]).get_json()
    world.clock.advance(seconds=11)
    _refused(flow.refresh(first["refresh_token"]))
    _refused(flow.refresh(second["refresh_token"]))
    assert flow.userinfo(second["access_token"]).status_code == 401


def test_reuse_of_an_older_generation_revokes_at_once(flow: Flow) -> None:
    first = flow.tokens()
    second = flow.refresh(first["refresh_token"]).get_json()
    third = flow.refresh(second["refresh_token"]).get_json()
    _refused(flow.refresh(first["refresh_token"]))
    _refused(flow.refresh(third["refresh_token"]))


def test_another_clients_refresh_token_is_refused(world: World, flow: Flow) -> None:
    answer = flow.tokens()
    _refused(Flow(flow.browser, world.register("Kẻ trộm")).refresh(answer["refresh_token"]))
    assert flow.refresh(answer["refresh_token"]).status_code == 200


def test_a_future_generation_nobody_was_given_is_refused(world: World, flow: Flow) -> None:
    answer = flow.tokens()
    tokens = Tokens(world.services)
    held = tokens.handles.open_refresh(answer["refresh_token"])
    assert held is not None
    _refused(flow.refresh(tokens.handles.refresh(Refresh(held.grant_id, 7))))


def test_a_code_that_was_never_redeemed_gives_no_refresh(world: World, flow: Flow) -> None:
    tokens = Tokens(world.services)
    code = tokens.handles.open_code(flow.code())
    assert code is not None
    _refused(flow.refresh(tokens.handles.refresh(Refresh(code.grant_id, 0))))


# ---- the wrong thing in the wrong place ------------------------------------------------------


def test_each_token_is_good_for_one_thing_only(flow: Flow) -> None:
    code = flow.code()
    assert flow.userinfo(code).status_code == 401
    assert flow.introspect(code) == {"active": False}
    answer = flow.redeem(code).get_json()
    access, refresh, id_token = (answer[f"{n}_token"] for n in ("access", "refresh", "id"))
    for text in (refresh, id_token):
        assert flow.userinfo(text).status_code == 401
    for text in (access, id_token, code):
        _refused(flow.refresh(text))
    for text in (access, refresh, id_token):
        _refused(flow.redeem(text))
    assert flow.introspect(id_token) == {"active": False}


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_handle_with_any_bit_changed_is_nothing(flow: Flow, kind: str) -> None:
    text = flow.tokens()[kind]
    prefix, body = text[:4], text[4:]
    raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    for at in range(0, len(raw) * 8, 7):
        bent = bytearray(raw)
        bent[at // 8] ^= 1 << at % 8
        spelt = prefix + base64.urlsafe_b64encode(bytes(bent)).decode().rstrip("=")
        assert flow.introspect(spelt) == {"active": False}
    for other in (text[:-1], text[:20], text + "A", text + "=", text.upper(), prefix, "x" + text):
        assert flow.introspect(other) == {"active": False}
    assert flow.introspect(text)["active"] is True


def test_an_access_token_expires(world: World, flow: Flow) -> None:
    text = flow.tokens()["access_token"]
    world.clock.advance(seconds=301)
    assert flow.introspect(text) == {"active": False}
    response = flow.userinfo(text)
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


def test_userinfo_without_a_token_says_only_how(flow: Flow) -> None:
    response = flow.browser.get("/oauth2/userinfo")
    assert response.status_code == 401
    how = 'Bearer realm="dinhdanh", DPoP algs="PS256 ES256"'
    assert response.headers["WWW-Authenticate"] == how


def test_userinfo_takes_no_token_from_the_query_and_none_twice(flow: Flow) -> None:
    text = flow.tokens()["access_token"]
    url = "/oauth2/userinfo"
    assert flow.browser.get(url, query_string={"access_token": text}).status_code == 400
    twice = flow.browser.post(
        url, data={"access_token": text}, headers={"Authorization": f"Bearer {text}"}
    )
    assert twice.status_code == 400
    assert flow.browser.post(url, data={"access_token": text}).status_code == 200


def test_userinfo_needs_openid(flow: Flow) -> None:
    flow.scope = "email"
    response = flow.userinfo(flow.tokens()["access_token"])
    assert response.status_code == 403
    assert 'error="insufficient_scope"' in response.headers["WWW-Authenticate"]
