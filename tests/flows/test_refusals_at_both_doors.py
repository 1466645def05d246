"""Every refusal through both doors, and through the gate before them: whoever is refused gets the
headers of the house, is counted once, and stands in the log where it is a matter for the operator.
"""

import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, run_wsgi_app

from idp.run import admission, health
from tests.recorded.faults import away, broken, failing

ISSUER = "https://dangnhap.example.gov.vn"
FORM = "application/x-www-form-urlencoded"
HOUSE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Strict-Transport-Security": "max-age=31536000",
}
"""On whatever is answered (docs/architecture.md, OWASP Secure Headers)."""
BEFORE_FLASK = (
    "/oauth2/token",
    "/oauth2/introspect",
    "/oauth2/revoke",
    "/oauth2/par",
    "/oauth2/device_authorization",
    "/oauth2/userinfo",
)
BY_FLASK = ("/oauth2/register",)
A_SIGN_IN = "/login/" + "x" * 22
PAGES = ("/oauth2/authorize", A_SIGN_IN)
"""One before Flask, one of its own."""
EVERYWHERE = (*BEFORE_FLASK, *BY_FLASK, *PAGES)


@dataclass(frozen=True)
class Refusal:
    """What is asked, how a program and a person are answered, and what the operator reads."""

    program: int
    person: int
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"grant_type=refresh_token"
    kind: str = FORM
    query: str = ""
    while_: Callable[[Any], AbstractContextManager[None]] = lambda _: nullcontext()
    log: str = ""
    retry: bool = False
    but: dict[str, int | None] = field(default_factory=dict)
    """Another status at one address; None: there it is no refusal."""


@contextmanager
def busy(_services: Any) -> Iterator[None]:
    """Nobody may wait for a place any more."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(admission, "WAITING", 0)
        yield


REFUSALS = {
    "another host": Refusal(421, 421, headers={"Host": "elsewhere.example"}),
    "another method": Refusal(405, 405, "PATCH"),
    "an address that is no text": Refusal(400, 400, query="x=\xff"),
    "too large": Refusal(413, 413, body=b"a=" + b"y" * 1024 * 1024),
    "of another type": Refusal(
        # Userinfo has no use for a body; who posts nothing to be authorized is led to ask by a GET.
        400,
        400,
        body=b"a",
        kind="text/plain",
        but={"/oauth2/userinfo": 401, "/oauth2/authorize": None},
    ),
    "of another origin": Refusal(
        403,
        403,
        "PATCH",
        headers={"Origin": "https://elsewhere.example"},
    ),
    "the database is away": Refusal(
        503,
        503,
        "GET+POST",
        while_=lambda s: failing(s.db, away()),
        log="database.away",
        retry=True,
    ),
    "a fault of ours": Refusal(
        500, 500, "GET+POST", while_=lambda s: failing(s.db, broken()), log="request failed"
    ),
    "busy": Refusal(503, 503, while_=busy, retry=True),
}


@pytest.fixture
def settings(make_settings: Any) -> Any:
    return make_settings(issuer=ISSUER, registration="open")


def asked(wsgi: Any, path: str, why: Refusal) -> tuple[int, Headers, bytes]:
    method = why.method
    if method == "GET+POST":
        method = "GET" if path in PAGES else "POST"
    own = {"Authorization": "Bearer dda_" + "A" * 56} if path.endswith("userinfo") else {}
    kind = "application/json" if path in BY_FLASK and why.kind == FORM else why.kind
    own |= {"Accept": "text/html" if path in PAGES else "application/json"}
    query = "client_id=a" if method == "GET" else ""
    builder = EnvironBuilder(
        path,
        method=method,
        base_url=ISSUER,
        headers=own | why.headers,
        input_stream=io.BytesIO(why.body) if method != "GET" else None,
        content_type=kind if method != "GET" else None,
        content_length=len(why.body) if method != "GET" else None,
        query_string=query,
    )
    environ = builder.get_environ()
    environ |= {"QUERY_STRING": why.query} if why.query else {}
    pieces, status, headers = run_wsgi_app(wsgi, environ, buffered=True)
    return int(status.partition(" ")[0]), headers, b"".join(pieces)


def counts(app: Flask) -> dict[str, float]:
    """Answered requests by class of status."""
    text = app.test_client().get("/metrics", base_url=ISSUER).text
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "dinhdanh_requests_total" and sample.labels["part"] != "health":
                status = sample.labels["status"]
                found[status] = found.get(status, 0) + sample.value
    return found


@pytest.mark.parametrize("why", REFUSALS)
def test_it_has_the_headers_of_the_house_and_is_counted_and_told(
    app: Flask, services: Any, caplog: pytest.LogCaptureFixture, why: str
) -> None:
    app.testing = False
    refusal = REFUSALS[why]
    places = 0 if why == "busy" else 1
    gate = admission.Gate(
        app.wsgi_app,
        places=places,
        secure=services.settings.secure,
        count=health.requests(app).answered,
    )
    for path in EVERYWHERE:
        if refusal.but.get(path, 0) is None:
            continue
        before = counts(app)
        caplog.clear()
        with refusal.while_(services):
            status, headers, body = asked(gate, path, refusal)
        person = path in PAGES
        expected = refusal.but.get(path, refusal.person if person else refusal.program)
        assert status == expected, path

        assert {name: headers.get(name) for name in HOUSE} == HOUSE, path
        assert headers.get_all("Cache-Control") == ["no-store"], path
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], path
        assert re.fullmatch("[0-9a-f]{16}", headers["X-Request-ID"]), path
        assert (headers.get("Retry-After") is not None) is refusal.retry, path
        assert ("Allow" in headers) is (status == 405), path
        assert int(headers["Content-Length"]) == len(body), path
        kind = headers["Content-Type"].partition(";")[0]
        if person:
            assert kind == "text/html", path
        else:
            assert kind in ("application/json", "application/problem+json"), path
            told = json.loads(body) if body else {}
            assert told.get("request_id", headers["X-Request-ID"]) == headers["X-Request-ID"], path

        counted = counts(app)
        more = {name: n - before.get(name, 0) for name, n in counted.items()}
        assert {name: n for name, n in more.items() if n} == {f"{status // 100}xx": 1}, path

        # Ours are mappings; a library's own sentences may be heard beside them.
        lines: list[Any] = [r.msg for r in caplog.records if isinstance(r.msg, dict)]
        assert [line["event"] for line in lines] == ([refusal.log] if refusal.log else []), path
        for line in lines:
            assert line["request_id"] == headers["X-Request-ID"], path
            assert line["path"] == path.replace(A_SIGN_IN, "/login/<flow_id>")
