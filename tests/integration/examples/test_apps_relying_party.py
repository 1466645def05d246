"""The demonstration applications from outside, against a provider of fifty lines."""

import base64
import hashlib
import re
import secrets
from json import dumps
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response
from werkzeug.test import TestResponse

from examples.apps import profiles, texts
from examples.apps.database import utc_now
from examples.apps.provider import Provider
from examples.apps.relying_party import create_app
from examples.apps.settings import Settings

KEY = ECKey.generate_key("P-256", {"kid": "k1", "alg": "ES256", "use": "sig"}, private=True)
BASE = "http://localhost:8001"
BEARER = {"Authorization": "Bearer scim-token"}
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
ORG = {
    "assignment_id": "a-1",
    "unit": {"id": "u-1", "name": "Sở Nội vụ"},
    "position": {"code": "cv", "name": "Chuyên viên"},
    "capacity": "primary",
}


class TinyProvider:
    """An OpenID Provider that checks what a client must do and forges what a test asks for."""

    def __init__(self, server: HTTPServer) -> None:
        self.issuer = server.url_for("").rstrip("/")
        self.requests: dict[str, dict[str, str]] = {}
        self.alive: set[str] = set()
        self.refresh_tokens: set[str] = set()
        self.id_token_changes: dict[str, Any] = {}
        self.token_changes: dict[str, Any] = {}
        self.userinfo = {"sub": "sub-1", "name": "Nguyễn Văn Hiền", "org": ORG}
        server.expect_request("/.well-known/openid-configuration").respond_with_json(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "jwks_uri": f"{self.issuer}/jwks",
                "end_session_endpoint": f"{self.issuer}/logout",
                "id_token_signing_alg_values_supported": ["ES256"],
                "authorization_response_iss_parameter_supported": True,
            }
        )
        server.expect_request("/jwks").respond_with_json({"keys": [KEY.as_dict(private=False)]})
        server.expect_request("/token", method="POST").respond_with_handler(self._token)
        server.expect_request("/userinfo").respond_with_handler(self._userinfo)

    def authorize(self, url: str) -> dict[str, str]:
        """Play the person who signs in: the parameters that come back to the callback."""
        asked = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
        assert asked["code_challenge_method"] == "S256"
        assert asked["redirect_uri"] == f"{BASE}/callback"
        code = secrets.token_urlsafe()
        self.requests[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    def _token(self, request: Request) -> Response:
        assert request.authorization is not None
        assert request.authorization.parameters == {"username": "qlvb", "password": "secret"}
        if request.form["grant_type"] == "refresh_token":
            if request.form["refresh_token"] not in self.refresh_tokens:
                return Response(dumps({"error": "invalid_grant"}), 400, mimetype="application/json")
            return self._issue({})
        asked = self.requests.pop(request.form["code"])
        digest = hashlib.sha256(request.form["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
        return self._issue({"nonce": asked["nonce"]})

    def _issue(self, extra: dict[str, str]) -> Response:
        now = int(utc_now().timestamp())
        claims = {
            "iss": self.issuer,
            "sub": "sub-1",
            "aud": "qlvb",
            "iat": now,
            "exp": now + 300,
            "sid": "sid-1",
        }
        claims |= extra | self.id_token_changes
        token = {
            "access_token": secrets.token_urlsafe(),
            "refresh_token": secrets.token_urlsafe(),
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": jwt.encode({"alg": "ES256", "kid": "k1"}, claims, KEY),
        } | self.token_changes
        self.alive.add(token["access_token"])
        self.refresh_tokens = {token["refresh_token"]}
        body = {key: value for key, value in token.items() if value is not None}
        return Response(dumps(body), mimetype="application/json")

    def _userinfo(self, request: Request) -> Response:
        token = request.authorization.token if request.authorization else None
        if token not in self.alive:
            return Response("{}", 401, mimetype="application/json")
        return Response(dumps(self.userinfo), mimetype="application/json")


@pytest.fixture
def provider(httpserver: HTTPServer) -> TinyProvider:
    return TinyProvider(httpserver)


@pytest.fixture
def settings(provider: TinyProvider, tmp_path: Path) -> Settings:
    return Settings(
        profile="qlvb",
        base_url=BASE,
        issuer=provider.issuer,
        client_id="qlvb",
        client_secret="secret",
        scim_token="scim-token",
        store=tmp_path / "store.sqlite",
    )


@pytest.fixture
def browser(settings: Settings) -> FlaskClient:
    return create_app(settings).test_client()


def sign_in(browser: FlaskClient, provider: TinyProvider, **answer: str) -> TestResponse:
    started = browser.get("/login")
    assert started.status_code == 302
    return browser.get("/callback", query_string=provider.authorize(started.location) | answer)


def push_account(browser: FlaskClient, **changes: Any) -> str:
    body = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "userName": "hiennv",
        "externalId": "sub-1",
        "active": True,
        "roles": [{"value": "lanh_dao"}],
        ENTERPRISE: {"department": "Sở Nội vụ"},
    } | changes
    response = browser.post("/scim/v2/Users", json=body, headers=BEARER)
    assert response.status_code == 201
    return str(response.get_json(force=True)["id"])


def test_a_page_for_the_well_proven_asks_for_more_and_is_where_she_goes_then(
    browser: FlaskClient, provider: TinyProvider
) -> None:
    assert browser.get("/restricted").location == "/login?onward=restricted"
    push_account(browser)
    provider.id_token_changes = {"acr": "urn:vn:aal:1"}
    sign_in(browser, provider)
    page = browser.get("/restricted")
    assert page.status_code == 403
    assert 'href="/login?step_up"' in page.text

    started = browser.get("/login?step_up")
    answer = provider.authorize(started.location)
    assert provider.requests[answer["code"]]["acr_values"] == "urn:vn:aal:2"
    onward = browser.get("/callback", query_string=answer).location
    # The provider could not give more: she is told what to do about it.
    page = browser.get(onward)
    assert page.status_code == 403
    assert f"{provider.issuer}/portal/ways" in page.text

    provider.id_token_changes = {"acr": "urn:vn:aal:2"}
    answer = provider.authorize(browser.get("/login?step_up").location)
    page = browser.get(browser.get("/callback", query_string=answer).location)
    assert page.status_code == 200
    assert "mức 2" in page.text


def test_a_level_we_do_not_know_opens_nothing(browser: FlaskClient, provider: TinyProvider) -> None:
    push_account(browser)
    for told in ({}, {"acr": "urn:vn:aal:9"}, {"acr": ["urn:vn:aal:2"]}, {"acr": None}):
        provider.id_token_changes = told
        sign_in(browser, provider)
        assert browser.get("/restricted").status_code == 403, told


def test_a_person_with_an_active_account_sees_the_work_of_her_unit(
    browser: FlaskClient, provider: TinyProvider
) -> None:
    push_account(browser)

    assert sign_in(browser, provider).location == "/"

    page = browser.get("/").text
    assert "Nguyễn Văn Hiền" in page
    assert "Văn bản đến" in page
    assert "Cho ý kiến" in page  # the task of the role in her account
    assert browser.get("/whoami").get_json() == {
        "signed_in": True,
        "sub": "sub-1",
        "name": "Nguyễn Văn Hiền",
        "unit": "Sở Nội vụ",
        "unit_id": "u-1",
        "position": "Chuyên viên",
        "assignment_id": "a-1",
        "sid": "sid-1",
        "account": {
            "id": browser.get("/whoami").get_json()["account"]["id"],
            "user_name": "hiennv",
            "display_name": None,
            "active": True,
            "role": "lanh_dao",
            "roles": ["lanh_dao"],
            "department": "Sở Nội vụ",
            "organization": None,
            "employee_number": None,
        },
    }


def test_a_person_without_an_account_is_greeted_and_told_what_happens_next(
    browser: FlaskClient, provider: TinyProvider
) -> None:
    sign_in(browser, provider)

    response = browser.get("/")

    assert response.status_code == 200
    assert "Nguyễn Văn Hiền" in response.text
    assert "Anh/chị chưa có tài khoản nghiệp vụ" in response.text
    assert "Văn bản đến" not in response.text


@pytest.mark.parametrize("active", [False, None])
def test_a_person_whose_account_is_not_active_cannot_work(
    browser: FlaskClient, provider: TinyProvider, active: bool | None
) -> None:
    push_account(browser, active=active)
    sign_in(browser, provider)

    page = browser.get("/").text

    assert "đã bị khóa" in page
    assert "Văn bản đến" not in page


def test_an_account_that_arrives_or_changes_counts_from_the_next_click(
    browser: FlaskClient, provider: TinyProvider
) -> None:
    sign_in(browser, provider)
    account_id = push_account(browser)
    assert "Văn bản đến" in browser.get("/").text

    browser.delete(f"/scim/v2/Users/{account_id}", headers=BEARER)

    assert "chưa có tài khoản" in browser.get("/").text


def test_tokens_and_secrets_never_reach_the_browser(
    browser: FlaskClient, provider: TinyProvider
) -> None:
    response = sign_in(browser, provider)

    cookie = response.headers["Set-Cookie"]
    assert re.match(r"qlvb_session=[\w-]{40,}; HttpOnly; Path=/; SameSite=Lax", cookie)
    assert browser.get_cookie("session") is None


def test_claims_that_are_missing_everywhere_do_not_stop_anybody(
    browser: FlaskClient, provider: TinyProvider
) -> None:
    provider.userinfo = {"sub": "sub-1"}
    push_account(browser)
    sign_in(browser, provider)

    assert browser.get("/").status_code == 200
    assert browser.get("/whoami").get_json()["unit"] is None


def test_userinfo_about_somebody_else_is_not_used(
    browser: FlaskClient, provider: TinyProvider
) -> None:
    provider.userinfo["sub"] = "sub-2"
    sign_in(browser, provider)

    assert browser.get("/whoami").get_json()["name"] == "sub-1"


ID_TOKENS_REFUSED: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "http://other.invalid"},
    "another audience": {"aud": "motcua"},
    "another audience although azp is us": {"aud": "motcua", "azp": "qlvb"},
    "another nonce": {"nonce": "guessed"},
    "expired": {"exp": 1},
}


@pytest.mark.parametrize("changes", ID_TOKENS_REFUSED.values(), ids=ID_TOKENS_REFUSED)
def test_an_id_token_is_refused_with(
    browser: FlaskClient, provider: TinyProvider, changes: dict[str, Any]
) -> None:
    provider.id_token_changes = changes

    assert sign_in(browser, provider).status_code == 400
    assert browser.get("/whoami").get_json()["signed_in"] is False


def test_an_answer_without_an_id_token_is_refused(
    browser: FlaskClient, provider: TinyProvider
) -> None:
    provider.token_changes = {"id_token": None}

    assert sign_in(browser, provider).status_code == 400


@pytest.mark.parametrize("answer", [{"iss": "http://other.invalid"}, {"state": "guessed"}])
def test_an_answer_from_elsewhere_is_refused(
    browser: FlaskClient, provider: TinyProvider, answer: dict[str, str]
) -> None:
    assert sign_in(browser, provider, **answer).status_code == 400


def test_an_answer_is_good_once_and_in_the_browser_that_asked(
    browser: FlaskClient, provider: TinyProvider
) -> None:
    answer = provider.authorize(browser.get("/login").location)
    stranger = browser.application.test_client()

    assert stranger.get("/callback", query_string=answer).status_code == 400
    assert browser.get("/callback", query_string=answer).status_code == 302
    assert browser.get("/callback", query_string=answer).status_code == 400


def test_a_silent_sign_in_that_fails_shows_the_sign_in_page(
    browser: FlaskClient, provider: TinyProvider
) -> None:
    started = browser.get("/login?prompt=none")
    assert "prompt=none" in started.location
    answer = provider.authorize(started.location)
    del answer["code"]

    response = browser.get("/callback", query_string=answer | {"error": "login_required"})

    assert response.status_code == 200
    assert "chưa đăng nhập ở hệ thống định danh" in response.text


def test_a_refusal_of_the_provider_is_said_and_not_echoed_as_html(
    browser: FlaskClient, provider: TinyProvider
) -> None:
    answer = provider.authorize(browser.get("/login").location)
    answer |= {"error": "access_denied", "error_description": "<b>no</b>"}

    response = browser.get("/callback", query_string=answer)

    assert response.status_code == 403
    assert "access_denied" in response.text
    assert "<b>no</b>" not in response.text


def test_a_logout_token_ends_the_session(browser: FlaskClient, provider: TinyProvider) -> None:
    sign_in(browser, provider)
    now = int(utc_now().timestamp())
    token = jwt.encode(
        {"alg": "ES256", "kid": "k1", "typ": "logout+jwt"},
        {
            "iss": provider.issuer,
            "aud": "qlvb",
            "iat": now,
            "exp": now + 120,
            "jti": "j1",
            "sub": "sub-1",
            "sid": "sid-1",
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        },
        KEY,
    )

    assert browser.post("/backchannel-logout", data={"logout_token": token}).status_code == 200

    assert browser.get("/whoami").get_json()["signed_in"] is False
    last = browser.get("/activity", headers=BEARER).get_json()[-1]
    assert (last["kind"], last["detail"]["sessions_ended"]) == ("backchannel_logout", 1)


def test_signing_out_ends_our_session_and_goes_on_to_the_provider(
    browser: FlaskClient, provider: TinyProvider
) -> None:
    sign_in(browser, provider)
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/").text)
    assert token

    response = browser.post("/logout", data={"csrf_token": token[1]})

    assert response.status_code == 303
    assert response.location.startswith(f"{provider.issuer}/logout?")
    asked = parse_qs(urlsplit(response.location).query)
    assert asked["post_logout_redirect_uri"] == [f"{BASE}/"]
    assert asked["id_token_hint"][0].count(".") == 2
    assert browser.get("/whoami").get_json()["signed_in"] is False


@pytest.mark.parametrize("form", [{}, {"csrf_token": "guessed"}, {"csrf_token": "é"}])
def test_another_site_cannot_sign_anybody_out(
    browser: FlaskClient, provider: TinyProvider, form: dict[str, str]
) -> None:
    sign_in(browser, provider)

    assert browser.post("/logout", data=form).status_code == 400
    assert browser.get("/logout").status_code == 405
    assert browser.get("/whoami").get_json()["signed_in"] is True


def test_the_probes_tell_when_the_provider_has_killed_the_tokens(
    browser: FlaskClient, provider: TinyProvider
) -> None:
    sign_in(browser, provider)
    assert browser.get("/userinfo-check").get_json() == {"status": 200}
    assert browser.get("/refresh").get_json() == {"ok": True, "error": None}
    assert browser.get("/refresh").get_json() == {"ok": True, "error": None}

    provider.alive.clear()
    provider.refresh_tokens.clear()

    assert browser.get("/userinfo-check").get_json() == {"status": 401}
    assert browser.get("/whoami").get_json()["signed_in"] is True
    assert browser.get("/refresh").get_json() == {"ok": False, "error": "invalid_grant"}
    assert browser.get("/whoami").get_json()["signed_in"] is False


def test_a_refreshed_id_token_about_somebody_else_ends_the_session(
    browser: FlaskClient, provider: TinyProvider
) -> None:
    sign_in(browser, provider)
    provider.id_token_changes = {"sub": "sub-2"}

    assert browser.post("/refresh").get_json() == {"ok": False, "error": "invalid_token"}
    assert browser.get("/whoami").get_json()["signed_in"] is False


def test_the_application_waits_for_a_provider_that_is_not_there_yet(
    httpserver: HTTPServer, settings: Settings
) -> None:
    httpserver.clear()
    httpserver.expect_request("/.well-known/openid-configuration").respond_with_data(status=503)
    impatient = Provider(settings, pause=lambda _: None)
    browser = create_app(settings, provider=impatient).test_client()

    refused = browser.get("/login")
    assert refused.status_code == 503
    assert "Retry-After" in refused.headers

    httpserver.clear()
    TinyProvider(httpserver)
    assert browser.get("/login").status_code == 302


def test_a_discovery_document_of_another_issuer_is_not_believed(
    httpserver: HTTPServer, settings: Settings
) -> None:
    httpserver.clear()
    httpserver.expect_request("/.well-known/openid-configuration").respond_with_json(
        {"issuer": "http://other.invalid", "authorization_endpoint": "http://other.invalid/a"}
    )

    assert create_app(settings).test_client().get("/login").status_code == 503


@pytest.mark.parametrize("path", ["/", "/nowhere", "/callback", "/whoami", "/healthz"])
def test_every_answer_carries_a_strict_policy(browser: FlaskClient, path: str) -> None:
    policy = browser.get(path).headers["Content-Security-Policy"]

    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_pages_speak_english_to_those_who_ask(browser: FlaskClient) -> None:
    assert "Đăng nhập" in browser.get("/").text
    assert "Sign in" in browser.get("/", headers={"Accept-Language": "en-GB,en;q=0.9"}).text
    assert "Sign in" in browser.get("/?lang=en").text
    assert "Sign in" in browser.get("/").text  # remembered
    assert "Đăng nhập" in browser.get("/?lang=vi").text


def test_every_sentence_of_the_pages_has_its_english() -> None:
    templates = (Path(profiles.__file__).parent / "templates").glob("*.html")
    sentences = {
        found for page in templates for found in re.findall(r'_\("([^"]+)"', page.read_text())
    }
    for profile in profiles.PROFILES.values():
        sentences |= {profile.title, profile.tagline, profile.work_title, *profile.columns}
        sentences |= {role.label for role in profile.roles.values()}
        sentences |= {role.task for role in profile.roles.values()}
        sentences |= {sample.state for sample in profile.samples}

    assert sentences - texts.ENGLISH.keys() == set()
