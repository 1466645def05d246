"""What every request goes through."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, render_template_string, request

from directory.base.errors import (
    Busy,
    Conflict,
    InvalidInput,
    Locked,
    Misconfigured,
    NeedsStepUp,
    NotAllowed,
    NotFound,
)
from idp import sessions
from idp.login import views as login
from idp.portal import views as portal
from idp.run import wiring
from idp.web import form_keys, gate, i18n, language_switch, page_policy, pages, unwritten


@pytest.fixture
def make_app(make_settings: Callable[..., Any], clock: Any) -> Any:
    opened = []

    def make(**settings: Any) -> Flask:
        services = wiring.build(make_settings(**settings), clock=clock)
        opened.append(services)
        app = Flask("idp")
        app.config["TESTING"] = False
        gate.install(
            app,
            resolve_session=sessions.resolve,
            on_session_end=lambda *_, **__: None,
            onward=lambda *_: None,
            around_tokens=form_keys.install,
        )
        gate.furnish(app, services)
        unwritten.install(app)
        page_policy.install(app)
        i18n.install(app)
        pages.install(app)
        language_switch.install(app)
        app.register_blueprint(login.blueprint)
        app.register_blueprint(portal.blueprint)
        return app

    yield make
    for services in opened:
        services.db.dispose()


@pytest.fixture
def app(make_app: Any) -> Flask:
    return make_app()


def test_pages_forbid_framing_foreign_code_and_keeping(app: Flask) -> None:
    headers = app.test_client().get("/login", follow_redirects=True).headers
    policy = headers["Content-Security-Policy"]
    for part in (
        "default-src 'self'",
        "img-src 'self' data:",
        "form-action 'self';",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ):
        assert part in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in headers


def test_pages_hold_no_inline_script_or_style(app: Flask) -> None:
    text = app.test_client().get("/login", follow_redirects=True).text
    for forbidden in ("style=", "<style", "onclick", "javascript:"):
        assert forbidden not in text
    assert set(re.findall(r"<script[^>]*>", text)) == {
        '<script type="module" src="/static/password.js">',
        '<script type="module" src="/static/passkey.js">',
    }
    assert re.search(r"<script[^>]*></script>", text)


def test_https_gets_host_cookies_and_hsts(make_app: Any) -> None:
    app = make_app(issuer="https://sso.thanhhoa.example")
    answer = app.test_client().get("/login")
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert cookie.startswith("__Host-dinhdanh-browser=")
    assert "Secure" in cookie


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8000", 303),
        ("LOCALHOST:8000", 303),
        ("evil.example", 421),
        ("localhost", 421),
        ("localhost:8000.evil.example", 421),
        ("localhost:8000@evil.example", 421),
        ("evil.example@localhost:8000", 421),
        ("localhost:8000/evil.example", 421),
        ("localhost:port", 421),
    ],
)
def test_another_host_is_refused(app: Flask, host: str, status: int) -> None:
    assert app.test_client().get("/login", headers={"Host": host}).status_code == status


def test_a_default_port_may_be_left_out(make_app: Any) -> None:
    client = make_app(issuer="https://sso.thanhhoa.example").test_client()
    for host in ("sso.thanhhoa.example", "sso.thanhhoa.example:443"):
        assert client.get("/login", headers={"Host": host}).status_code == 303


def test_an_issuer_may_be_written_otherwise_than_browsers_write_origins(make_app: Any) -> None:
    """RFC 6454 §6.2: small letters, no standard port."""
    client = make_app(issuer="https://SSO.thanhhoa.example:443").test_client()
    told = {"Host": "sso.thanhhoa.example", "Origin": "https://sso.thanhhoa.example"}
    assert client.post("/logout", headers=told).status_code == 400  # for want of a form token
    assert client.post("/logout", headers=told | {"Origin": "https://a.b"}).status_code == 403


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://localhost:8000", 400), ("https://evil.example", 403), ("null", 403), (None, 400)],
)
def test_posts_of_another_origin_are_refused_before_their_token_is_read(
    app: Flask, origin: str | None, status: int
) -> None:
    headers = {"Origin": origin} if origin else {}
    assert app.test_client().post("/logout", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        ([], "203.0.113.9", ("10.0.0.1", 1234)),
        (["10.0.0.1"], "203.0.113.9", ("203.0.113.9", None)),
        (["10.0.0.1"], "203.0.113.9:4711", ("203.0.113.9", 4711)),
        (["10.0.0.0/8"], "1.2.3.4, 203.0.113.9, 10.0.0.2", ("203.0.113.9", None)),
        (["10.0.0.1"], "1.2.3.4, 203.0.113.9", ("203.0.113.9", None)),
        (["10.0.0.1"], "[2001:db8::7]:4711", ("2001:db8::7", 4711)),
        (["10.0.0.1"], "not an address", ("10.0.0.1", 1234)),
        (["10.0.0.1"], "", ("10.0.0.1", 1234)),
    ],
    ids=[
        "nobody is trusted",
        "a trusted proxy is believed",
        "with the port",
        "a chain of trusted proxies",
        "what the client wrote itself is not believed",
        "IPv6",
        "nonsense is not believed",
        "nothing forwarded",
    ],
)
def test_client_address(
    make_app: Any, proxies: list[str], forwarded: str, expected: tuple[str, int | None]
) -> None:
    app = make_app(trusted_proxies=proxies)
    environ = {"REMOTE_ADDR": "10.0.0.1", "REMOTE_PORT": "1234"}
    with app.test_request_context(headers={"X-Forwarded-For": forwarded}, environ_base=environ):
        assert gate.client_address() == expected


@pytest.mark.parametrize(
    "value",
    [
        "/",
        "/portal/x?a=b%2F&c=//d",
        "/oauth2/authorize?redirect_uri=https://app.example/cb",
        "/a:b",
    ],
)
def test_paths_of_this_server_are_followed(value: str) -> None:
    assert gate.local_path(value) == value


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "a",
        "//h",
        "///h",
        "/\\h",
        "\\h",
        "https://h",
        "/a\r\nSet-Cookie: b",
        "/a b",
        "/" * 2,
    ],
)
def test_other_addresses_are_not(value: str | None) -> None:
    assert gate.local_path(value) is None


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://app.example/cb?x=1", "form-action 'self' https://app.example;"),
        ("http://127.0.0.1:8001/cb", "form-action 'self' http://127.0.0.1:8001;"),
        ("vn.gov.app:/cb", "form-action 'self' vn.gov.app:;"),
        ("javascript:alert(1)", "form-action 'self';"),
        ("https://a.example; script-src *", "form-action 'self';"),
        (None, "form-action 'self';"),
    ],
)
def test_forms_may_end_at_the_relying_party(app: Flask, url: str | None, allowed: str) -> None:
    @app.get("/form")
    def form() -> str:
        page_policy.allow_form_to(url)
        return ""

    assert allowed in app.test_client().get("/form").headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("x", "Không tìm thấy trang này."), 404),
        (Conflict("x", "Không tìm thấy trang này."), 409),
        (InvalidInput("x", "Không tìm thấy trang này.", field="f"), 422),
        (NotAllowed("x", "Không tìm thấy trang này."), 403),
        (Busy("x", "Không tìm thấy trang này."), 503),
    ],
)
def test_errors_are_pages_in_the_readers_language(app: Flask, error: Any, status: int) -> None:
    @app.get("/fails")
    def fails() -> str:
        raise error

    answer = app.test_client().get("/fails", headers={"Accept-Language": "en"})
    assert answer.status_code == status
    assert "This page was not found." in answer.text
    assert answer.headers["X-Request-ID"] in answer.text


def test_a_lock_says_when_to_come_back(app: Flask, clock: Any) -> None:
    @app.get("/fails")
    def fails() -> str:
        raise Locked(clock.advance(seconds=0) + __import__("datetime").timedelta(minutes=5))

    answer = app.test_client().get("/fails")
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "300"


def test_a_stronger_sign_in_is_asked_for_by_going_there(app: Flask) -> None:
    @app.get("/fails")
    def fails() -> str:
        raise NeedsStepUp("urn:vn:aal:1")

    answer = app.test_client().get("/fails?a=1")
    assert answer.status_code == 303
    query = "return_to=/fails?a%3D1&prompt=login&least=urn:vn:aal:1"
    assert answer.headers["Location"] == f"/login?{query}"


def test_nobody_is_sent_to_sign_in_for_what_nobody_reaches(app: Flask) -> None:
    @app.get("/fails")
    def fails() -> str:
        raise NeedsStepUp("urn:vn:aal:3")

    answer = app.test_client().get("/fails")
    assert answer.status_code == 401
    assert "Cần xác thực thêm" in answer.text


@pytest.mark.parametrize(
    "error", [ValueError("mật khẩu là x"), Misconfigured("c", "bí mật {k}", k=1)]
)
@pytest.mark.parametrize("path", ["/fails", "/api/fails"])
def test_faults_tell_nothing_about_the_inside(app: Flask, error: Exception, path: str) -> None:
    @app.get(path)
    def fails() -> str:
        raise error

    answer = app.test_client().get(path)
    assert answer.status_code == 500
    for inside in ("mật khẩu là x", "bí mật", "ValueError", "Traceback", "Misconfigured"):
        assert inside not in answer.text
    assert answer.headers["X-Request-ID"] in answer.text
    if path.startswith("/api"):
        assert answer.mimetype == "application/problem+json"


def test_too_large_a_body_is_refused(app: Flask) -> None:
    @app.post("/upload", endpoint="api.upload")
    def upload() -> str:
        return str(len(request.get_data()))

    app.extensions["csrf"].exempt(upload)
    client = app.test_client()
    assert client.post("/upload", data=b"x" * 1000).text == "1000"
    assert client.post("/upload", data=b"x" * (gate.BODY_LIMIT + 1)).status_code == 413


def test_every_process_of_an_installation_reads_the_others_form_tokens(make_app: Any) -> None:
    assert make_app().secret_key == make_app().secret_key


def test_macros_are_usable_with_and_without_a_caller(app: Flask) -> None:
    @app.get("/parts")
    def parts() -> str:
        return render_template_string(
            """{% import "parts.html" as parts %}{{ parts.page_head("T") }}
            {% call parts.page_head("T", "L") %}act{% endcall %}
            {{ parts.state("verified") }}{{ parts.state("unheard-of") }}
            {% call parts.table(["A", ""], caption="C") %}<tr><td>1</td></tr>{% endcall %}
            {{ parts.timeline([{"when": "w", "what": "<b>", "text": "", "kind": "now"}]) }}
            {{ parts.facts([("a", "1"), ("b", none), ("c", "")]) }}
            {{ parts.empty("t", "s") }}{{ parts.pager("/next") }}"""
        )

    text = app.test_client().get("/parts").text
    assert "Đã xác minh" in text
    assert "unheard-of" in text
    assert "&lt;b&gt;" in text
    assert text.count("<dt>") == 1
