"""Every address, asked in a way it does not answer: nothing happens, and it says what it takes."""

import re
from typing import Any

import pytest

from tests.browser_client import hidden_fields
from tests.hr_world import build
from tests.relying_party import REDIRECT, Flow, World, build_world

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND")
PROGRAMS = (
    "/oauth2/token",
    "/oauth2/introspect",
    "/oauth2/revoke",
    "/oauth2/par",
    "/oauth2/device_authorization",
)
ANY = (
    *PROGRAMS,
    "/oauth2/authorize",
    "/oauth2/logout",
    "/oauth2/consent",
    "/oauth2/userinfo",
    "/oauth2/jwks",
    "/.well-known/openid-configuration",
    "/.well-known/oauth-protected-resource/api/v1",
    "/healthz",
    "/readyz",
    "/metrics",
    "/",
    "/login",
    "/portal/profile",
    "/console",
    "/console/clients/new",
    "/api/v1/changes",
    "/device",
    "/session/status",
)


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


def test_whatever_is_not_answered_says_what_is(client: Any) -> None:
    seen = 0
    for path in ANY:
        for method in METHODS:
            answer = client.open(path, method=method)
            if answer.status_code == 405:
                seen += 1
                allowed = {each.strip() for each in answer.headers.get("Allow", "").split(",")}
                assert allowed - {""}, (method, path)
                assert method not in allowed, (method, path)
            assert answer.status_code != 500, (method, path)
    assert seen > 60


def test_to_look_at_the_head_gives_no_code_and_signs_nobody_out(
    world: World, client: Any, services: Any
) -> None:
    from sqlalchemy import text

    world.sign_in(client)
    flow = Flow(client, world.register(), scope="openid")
    hint = flow.tokens()["id_token"]

    def grants() -> int:
        with services.db.hot() as connection:
            return int(connection.scalar(text("SELECT count(*) FROM access_grant")))

    before = grants()
    answer = client.head("/oauth2/authorize", query_string=flow.query)
    assert (answer.status_code, grants()) == (405, before)
    assert answer.headers["Allow"].replace(" ", "").split(",") == ["GET", "OPTIONS", "POST"]
    assert client.head("/oauth2/logout", query_string={"id_token_hint": hint}).status_code == 405
    assert "code" in flow.told(flow.ask(prompt="none")), "she is still signed in"


class TestTheOtherHost:
    """Where client certificates are asked for (RFC 8705 §5)."""

    MTLS = "https://mtls.localhost:8443"

    @pytest.fixture
    def settings(self, make_settings: Any) -> Any:
        return make_settings(
            client_certificates=True, trusted_proxies=["127.0.0.1"], mtls_base=self.MTLS
        )

    @pytest.mark.parametrize("path", PROGRAMS)
    def test_a_wrong_method_is_a_wrong_method(self, client: Any, path: str) -> None:
        answer = client.get(path, base_url=self.MTLS)
        assert answer.status_code == 405
        assert "POST" in answer.headers["Allow"]

    @pytest.mark.parametrize(
        ("path", "method"),
        [("/console", "GET"), ("/login", "PUT"), ("/", "DELETE"), ("/nowhere", "GET")],
    )
    def test_pages_are_not_there_by_any_method(self, client: Any, path: str, method: str) -> None:
        assert client.open(path, method=method, base_url=self.MTLS).status_code == 421
        assert client.open(path, method=method, base_url="https://x.example").status_code == 421


# ---- sentences and headers -----------------------------------------------------------------------


def test_what_is_missing_is_said_to_be_missing(world: World, client: Any) -> None:
    flow = Flow(client, world.register())
    missing, wrong = flow.ask(redirect_uri=None), flow.ask(redirect_uri=REDIRECT + "/x")
    assert "không nói địa chỉ chuyển về" in missing.text
    assert "không đúng với đăng ký" in wrong.text
    out = {"post_logout_redirect_uri": "http://localhost:9001/bye"}
    nobody = client.get("/oauth2/logout", query_string=out)
    named = client.get("/oauth2/logout", query_string=out | {"client_id": flow.party.client_id})
    assert "không nói nó là ứng dụng nào" in nobody.text
    assert "không đúng với đăng ký" in named.text
    assert (nobody.status_code, named.status_code) == (400, 400)


def test_no_window_of_others_holds_on_to_a_page_of_ours(
    services: Any, clock: Any, app: Any
) -> None:
    hr = build(services, clock, app)
    admin, lan = hr.browser("admin"), hr.browser("lan")
    pages = [
        admin.get("/console"),
        admin.get("/console/clients"),
        admin.get("/console/nowhere"),
        lan.get("/portal/profile"),
        lan.get("/"),
        lan.get("/device"),
    ]
    for page in pages:
        assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin", page.request.path
    # What an application opens in a window of its own must be able to come back to it.
    flow = Flow(lan, build_party(hr), scope="openid")
    assert "Cross-Origin-Opener-Policy" not in flow.ask().headers


def build_party(hr: Any) -> Any:
    """A client that people are asked about."""
    world = World(hr.services, hr.clock, 0, 0, 0, 0)
    return world.register(first_party=False)


# ---- hosts that registration takes ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "native"),
    [
        ("https://ung_dung.noibo.example/cb", False),
        ("https://ung-dung.example:8443/cb", False),
        ("http://[::1]:9000/cb", True),
        ("http://127.0.0.1:9000/cb", True),
    ],
)
def test_where_a_client_may_register_to_be_answered_the_page_lets_the_browser_go(
    services: Any, clock: Any, app: Any, uri: str, native: bool
) -> None:
    """A form of ours ends there by redirects, which ``form-action`` must allow (CSP3 §6.4.2);
    its grammar knows letters, digits and hyphens, and whole schemes.
    """
    hr = build(services, clock, app)
    world = World(hr.services, hr.clock, 0, 0, 0, 0)
    from idp.oidc.clients import ClientKind

    kind = ClientKind.NATIVE if native else ClientKind.WEB
    party = world.register(first_party=False, redirect_uris=(uri,), kind=kind)
    flow = Flow(hr.browser("lan"), party, redirect_uri=uri, scope="openid")
    page = flow.ask()
    assert hidden_fields(page.text), "she is asked for consent"
    policy = dict(
        p.strip().split(" ", 1) for p in page.headers["Content-Security-Policy"].split(";")
    )
    allowed = policy["form-action"].split()
    scheme, host = uri.split("/")[0], uri.split("/")[2]
    spelt = re.fullmatch(r"[A-Za-z0-9.-]+(:[0-9]+)?", host)
    assert (f"{scheme}//{host}" if spelt else scheme) in allowed
    assert all(re.fullmatch(r"'self'|[a-z]+:|[a-z]+://[A-Za-z0-9.-]+(:\d+)?", a) for a in allowed)
    data = hidden_fields(page.text) | {"decision": "allow"}
    assert "code" in flow.told(flow.browser.post("/oauth2/consent", data=data))
