"""Bytes that are no text, where a server in front lets them pass: whoever sends them is refused in the
protocol he asked in, and nothing of ours stumbles over them.
"""

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, run_wsgi_app

from idp.run import logs
from tests.proving import Authority, authority, believing
from tests.recorded.faults import away, failing
from tests.relying_party import World, build_world

__all__ = ["authority"]

HERE = "http://localhost:8000"
FORM = "application/x-www-form-urlencoded"
RAW = "\xff\xfe"
"""As WSGI servers write bytes that are no text (PEP 3333: each byte a character)."""
PROGRAMS = (
    ("POST", "/oauth2/token"),
    ("PUT", "/oauth2/token"),
    ("OPTIONS", "/oauth2/token"),
    ("POST", "/oauth2/introspect"),
    ("POST", "/oauth2/revoke"),
    ("POST", "/oauth2/par"),
    ("POST", "/oauth2/device_authorization"),
    ("GET", "/oauth2/userinfo"),
    ("POST", "/oauth2/register"),
    ("GET", "/api/v1/changes/1"),
    ("POST", "/api/v1/changes/preview"),
    ("GET", "/scim/v2/Users"),
    ("GET", "/pki/ocsp/aa"),
)
PEOPLE = (
    ("GET", "/oauth2/authorize"),
    ("POST", "/oauth2/authorize"),
    ("DELETE", "/oauth2/authorize"),
    ("GET", "/oauth2/logout"),
    ("GET", "/login"),
    ("GET", "/device"),
    ("GET", "/"),
    ("POST", "/portal/sessions/end"),
    ("GET", "/console/people"),
    ("GET", "/khong-co"),
    ("GET", "/static/app.css"),
    ("GET", "/metrics"),
    ("GET", "/readyz"),
)
EVERYWHERE = PROGRAMS + PEOPLE
ANSWERS = {"application/json", "application/problem+json", "application/ocsp-response"}

Spoil = Callable[[dict[str, Any]], dict[str, Any]]


def _body(sent: bytes, kind: str = FORM) -> dict[str, Any]:
    return {
        "wsgi.input": io.BytesIO(sent),
        "CONTENT_LENGTH": str(len(sent)),
        "CONTENT_TYPE": kind,
    }


ELSEWHERE_IN_IT: dict[str, Spoil] = {
    "path": lambda found: {"PATH_INFO": found["PATH_INFO"] + RAW},
    "Cookie": lambda _: {
        "HTTP_COOKIE": "; ".join(
            f"{name}={RAW}"
            for name in ("dinhdanh", "dinhdanh-form", "dinhdanh-browser", "lang", RAW)
        )
    },
    "Bearer": lambda _: {"HTTP_AUTHORIZATION": f"Bearer {RAW}"},
    "Basic": lambda _: {"HTTP_AUTHORIZATION": f"Basic {RAW}"},
    "scheme": lambda _: {"HTTP_AUTHORIZATION": RAW},
    "DPoP": lambda _: {"HTTP_AUTHORIZATION": f"DPoP {RAW}", "HTTP_DPOP": RAW},
    "forwarding": lambda _: {
        "REMOTE_ADDR": "127.0.0.1",
        **{f"HTTP_X_FORWARDED_{name}": RAW for name in ("FOR", "HOST", "PROTO", "PORT")},
    },
    "peer": lambda _: {"REMOTE_ADDR": RAW, "REMOTE_PORT": RAW},
    "Host": lambda _: {"HTTP_HOST": RAW},
    "Origin": lambda _: {"HTTP_ORIGIN": RAW, "HTTP_REFERER": RAW},
    "what is accepted": lambda _: {
        f"HTTP_{name}": RAW for name in ("ACCEPT", "ACCEPT_LANGUAGE", "RANGE", "IF_NONE_MATCH")
    },
    "certificate": lambda _: {"REMOTE_ADDR": "127.0.0.1", "HTTP_CLIENT_CERT": RAW},
    "form": lambda _: _body(b"grant_type=\xff&\xfe=1&csrf_token=\xff"),
    "form in parts": lambda _: _body(
        b'--x\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n\xfe\r\n--x--',
        "multipart/form-data; boundary=x",
    ),
    "JSON": lambda _: _body(b'{"a": "\xff"}', "application/json"),
    "content type": lambda _: _body(b"a=1", RAW),
    "boundary": lambda _: _body(b"a=1", f"multipart/form-data; boundary={RAW}"),
    "length": lambda _: _body(b"a=1") | {"CONTENT_LENGTH": RAW},
}


@pytest.fixture
def settings(make_settings: Any, authority: Authority, tmp_path: Any) -> Any:
    """Where everything is read that can be sent: certificates, and what a proxy says."""
    return make_settings(**believing(authority, tmp_path), registration="open")


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


def sent(
    app: Flask, method: str, path: str, spoil: Spoil = lambda _: {}
) -> tuple[int, Headers, bytes]:
    """What the application answers, asked as a WSGI server asks it; with what is spoilt in it."""
    environ = EnvironBuilder(path, method=method, base_url=HERE).get_environ()
    pieces, status, headers = run_wsgi_app(app.wsgi_app, environ | spoil(environ), buffered=True)
    body = b"".join(pieces)
    if close := getattr(pieces, "close", None):
        close()
    return int(status.partition(" ")[0]), headers, body


def mimetype(headers: Headers) -> str:
    return headers.get("Content-Type", "").partition(";")[0]


@pytest.mark.parametrize("query", [f"x={RAW}", f"client_id={RAW}&{RAW}=1", "a=%C3%A1&b=\xc3"])
def test_an_address_that_is_no_text_is_refused_wherever_it_is_asked(
    app: Flask, caplog: pytest.LogCaptureFixture, query: str
) -> None:
    app.testing = False
    for method, path in EVERYWHERE:
        status, headers, body = sent(app, method, path, lambda _: {"QUERY_STRING": query})
        assert status == 400, (method, path)
        assert headers["X-Request-ID"]
        if (method, path) in PROGRAMS:
            assert mimetype(headers) == "application/problem+json"
            told = json.loads(body)
            assert (told["status"], told["code"]) == (400, "http_400")
        else:
            assert mimetype(headers) == "text/html"
            assert "Yêu cầu không hợp lệ." in body.decode()
    assert caplog.records == []


def test_a_signed_in_persons_address_that_is_no_text_is_refused_as_well(
    app: Flask, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    client = app.test_client()
    world.sign_in(client)
    app.testing = False
    held = "; ".join(
        f"{cookie.key}={cookie.value}"
        for cookie in (client.get_cookie(name) for name in ("dinhdanh", "dinhdanh-form"))
        if cookie is not None
    )
    assert held
    for method, path in PEOPLE:
        status, headers, _ = sent(
            app, method, path, lambda _: {"QUERY_STRING": f"x={RAW}", "HTTP_COOKIE": held}
        )
        assert (status, mimetype(headers)) == (400, "text/html"), (method, path)
    assert caplog.records == []


def test_letters_written_as_they_are_stay_what_they_mean(app: Flask) -> None:
    """Not as the standard wants it, but one reading only: browsers of old and curl send them."""
    raw = "/portal/sessions?tên=Đà".encode().decode("latin1")
    path, _, query = raw.partition("?")
    _, headers, _ = sent(app, "GET", path, lambda _: {"QUERY_STRING": query})
    _, as_it_should, _ = sent(app, "GET", "/portal/sessions?t%C3%AAn=%C4%90%C3%A0")
    assert headers["Location"].replace("%3D", "=").count("return_to=") == 1
    assert "%C3%AA" in headers["Location"]
    assert as_it_should["Location"]


@pytest.mark.parametrize("where", ELSEWHERE_IN_IT)
def test_wherever_else_they_stand_nobody_stumbles(
    app: Flask, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    app.testing = False
    for method, path in EVERYWHERE:
        spoil = ELSEWHERE_IN_IT[where]
        near = {"REMOTE_ADDR": "127.0.0.1"} if "REMOTE_ADDR" in spoil({"PATH_INFO": path}) else {}
        usual = sent(app, method, path, lambda _, near=near: near)[0]
        status, headers, _ = sent(app, method, path, spoil)
        assert status == usual or 400 <= status < 500, (method, path)
        if status >= 400:
            right = ANSWERS if (method, path) in PROGRAMS else {"text/html"}
            assert mimetype(headers) in right, (method, path)
    assert caplog.records == []


def test_a_good_client_with_a_proof_that_is_no_text_is_told_so(app: Flask, world: World) -> None:
    party = world.machine("changes:read")
    form = b"grant_type=client_credentials&scope=changes%3Aread"
    good = {"HTTP_AUTHORIZATION": party.basic["Authorization"]} | _body(form)
    assert sent(app, "POST", "/oauth2/token", lambda _: good)[0] == 200
    good |= _body(form)
    status, _, body = sent(app, "POST", "/oauth2/token", lambda _: good | {"HTTP_DPOP": RAW})
    assert (status, json.loads(body)["error"]) == (400, "invalid_dpop_proof")


@contextmanager
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.TextIOWrapper]:
    """The log as the server writes it, to a file that takes nothing but UTF-8."""
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="strict")
    made: list[logging.Handler] = []
    with monkeypatch.context() as patched:
        patched.setattr("sys.stderr", out)
        patched.setattr(logging, "basicConfig", lambda **given: made.extend(given["handlers"]))
        logs.configure()
    logging.getLogger().addHandler(made[0])
    try:
        yield out
    finally:
        logging.getLogger().removeHandler(made[0])


def test_the_log_keeps_to_lines_of_text(
    app: Flask, services: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.testing = False
    with written(monkeypatch) as out, failing(services.db, away()):
        for method, path in EVERYWHERE:
            for spoil in (lambda _: {"QUERY_STRING": f"x={RAW}"}, *ELSEWHERE_IN_IT.values()):
                sent(app, method, path, spoil)
        out.seek(0)
        told = [json.loads(line) for line in out]
    assert {(each["event"], each["level"]) for each in told} == {("database.away", "warning")}
    assert len(told) > len(EVERYWHERE)
