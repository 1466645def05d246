"""Addresses and hosts in every spelling they come in: one reader of them all.

A host has one name however it is written (RFC 3986 §3.2.2, RFC 5952, WHATWG URL §3): by small
letters, without the dot at its end, an IPv6 address in brackets and at its shortest, a standard
port left out. An address of IPv4 that comes as IPv6 (a socket that listens on ``::``) is itself.
"""

import http.client
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from sqlalchemy import text

from idp.services import Services
from tests.browser_client import hidden_fields, sign_in
from tests.command_line import Operator, operator
from tests.hr_world import PASSWORD, build
from tests.serving import Serving, until

__all__ = ["operator"]

ISSUERS = [
    # issuer, the Host header of a browser, the Origin header
    ("http://localhost:8000", "localhost:8000", "http://localhost:8000"),
    ("http://[::1]:8000", "[::1]:8000", "http://[::1]:8000"),
    ("http://[::1]", "[::1]", "http://[::1]"),
    ("http://[0:0:0:0:0:0:0:1]:8000", "[::1]:8000", "http://[::1]:8000"),
    ("https://[2001:DB8::7]:443", "[2001:db8::7]", "https://[2001:db8::7]"),
    ("https://[2001:db8::7]:8443", "[2001:db8::7]:8443", "https://[2001:db8::7]:8443"),
    ("http://[::ffff:192.0.2.1]:8000", "[::ffff:c000:201]:8000", "http://[::ffff:c000:201]:8000"),
    ("http://192.0.2.1:8000", "192.0.2.1:8000", "http://192.0.2.1:8000"),
    ("https://ID.Example:443", "id.example", "https://id.example"),
    ("https://id.example.", "id.example.", "https://id.example."),
    ("https://id.example", "id.example.", "https://id.example."),
    ("https://dang_nhap.noibo.example", "dang_nhap.noibo.example", None),
    ("https://xn--ngnhp-qwa1hs100a.example", "xn--ngnhp-qwa1hs100a.example", None),
]
"""None: the Origin is the issuer."""


def world_at(make_settings: Any, another_app: Any, clock: Any, **others: Any) -> Any:
    """An installation with these settings, and people in it."""
    from idp.run import wiring

    built = wiring.build(make_settings(**others), clock=clock)
    app = another_app(built)
    app.testing = True
    return build(built, clock, app)


@pytest.fixture
def built(
    make_settings: Any, services: Any, clock: Any, another_app: Callable[[Services], Flask]
) -> Any:
    """Makes the world of other settings."""
    made: list[Any] = []

    def make(**others: Any) -> Any:
        made.append(world_at(make_settings, another_app, clock, **others))
        return made[-1]

    yield make
    for each in made:
        each.services.db.dispose()


def form_sent(app: Flask, host: str, origin: str) -> int:
    """The status of a sign-in form that a browser sends with these headers."""
    browser = app.test_client()
    named = {"Host": host}
    first = browser.get("/login", headers=named)
    if first.status_code not in (302, 303):
        return int(first.status_code)
    path = first.headers["Location"]
    page = browser.get(path, headers=named)
    data = hidden_fields(page.text) | {"username": "khong-co", "password": "khong-dung"}
    return int(browser.post(path, data=data, headers=named | {"Origin": origin}).status_code)


@pytest.mark.parametrize(("issuer", "host", "origin"), ISSUERS)
def test_a_form_is_taken_however_the_issuer_is_written(
    built: Any, issuer: str, host: str, origin: str | None
) -> None:
    hr = built(issuer=issuer)
    assert form_sent(hr.app, host, origin or issuer) not in (400, 403, 404, 421, 500)
    assert form_sent(hr.app, host, "https://evil.example") == 403
    assert form_sent(hr.app, host, "null") == 403


SAME = {
    "http://localhost:8000": ("LOCALHOST:8000", "localhost.:8000"),
    "http://[::1]:8000": ("[0:0:0:0:0:0:0:1]:8000", "[::0001]:8000"),
    "https://id.example": ("ID.example", "id.example:443", "id.example:", "id.example.:443"),
    "https://[2001:db8::7]": ("[2001:DB8:0::7]", "[2001:db8::7]:443"),
}
OTHER = (
    *("", " ", "evil.example", "localhost", "localhost:8001", "localhost:8000:1", "[::2]:8000"),
    *("[::1", "::1", "::1:8000", "[::1]8000", "[::1]:", "[::1%25lo]:8000", "[::1%lo]:8000"),
    *("localhost@evil.example", "evil.example#localhost:8000", "localhost:8000/", "127.0.0.1:8000"),
    *("localhost:0", "localhost:-8000", "localhost:99999", "localhost:8000\t", "localhost:+8000"),
    *("id.example:80", "id..example", ".id.example", "id.example..", "-id.example", "1.2.3"),
    *("localhost:٨٠٠٠", "[2001:db8::8]", "[127.0.0.1]:8000", "lọcalhost:8000", "localhost%00:8000"),
)


@pytest.mark.parametrize("issuer", SAME)
def test_only_its_own_host_is_answered_in_any_spelling(built: Any, issuer: str) -> None:
    hr = built(issuer=issuer)
    for host in SAME[issuer]:
        answer = hr.app.test_client().get("/login", environ_overrides={"HTTP_HOST": host})
        assert answer.status_code == 303, host
    for host in OTHER:
        written = host.encode("utf-8", "replace").decode("latin-1")
        answer = hr.app.test_client().get("/login", environ_overrides={"HTTP_HOST": written})
        assert answer.status_code in (400, 421), (host, answer.status_code)


@pytest.mark.parametrize(
    ("issuer", "said"),
    [
        ("http://[::1", "issuer"),
        ("http://[fe80::1%25eth0]:8000", "issuer"),
        ("http://exa mple", "issuer"),
        ("http://a..b", "issuer"),
        ("http://1.2.3", "issuer"),
        ("http://*.example", "issuer"),
        ("http://localhost:99999", "issuer"),
        ("http://localhost:x", "issuer"),
        ("https://đăngnhập.example", "xn--"),
        ("https://user@id.example", "issuer"),
    ],
)
def test_an_issuer_that_no_browser_could_name_is_one_sentence(
    services: Any, operator: Operator, issuer: str, said: str
) -> None:
    done = operator("check", issuer=issuer)
    assert done.code == 1
    assert said in done.err
    assert "Traceback" not in done.err
    assert len(done.err.strip().splitlines()) == 1


# ---- who asks ------------------------------------------------------------------------------------


PROXIES = ["127.0.0.1", "10.0.0.0/8", "[2001:db8:a::]/48", "::ffff:192.0.2.0/120", " fd00::1 "]
ASKING = [
    # who speaks to us, X-Forwarded-For, who asks
    ("::ffff:127.0.0.1", "203.0.113.9", "203.0.113.9"),
    ("::ffff:203.0.113.9", None, "203.0.113.9"),
    ("127.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
    ("127.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
    ("127.0.0.1", "[::ffff:203.0.113.9]:4711", "203.0.113.9"),
    ("127.0.0.1", '"[2001:DB8:B:0::9]:4711"', "2001:db8:b::9"),
    ("127.0.0.1", "[2001:db8:b::9]", "2001:db8:b::9"),
    ("127.0.0.1", "2001:db8:b::9", "2001:db8:b::9"),
    ("127.0.0.1", "fe80::1%eth0", "fe80::1"),
    ("fe80::1%eth0", "203.0.113.9", "fe80::1"),
    ("127.0.0.1", "198.51.100.1, 203.0.113.9, 10.1.1.1", "203.0.113.9"),
    ("127.0.0.1", "203.0.113.9, 2001:db8:a::5", "203.0.113.9"),
    ("192.0.2.77", "203.0.113.9", "203.0.113.9"),
    ("::ffff:192.0.2.77", "203.0.113.9", "203.0.113.9"),
    ("fd00::1", "203.0.113.9", "203.0.113.9"),
    ("192.0.3.1", "203.0.113.9", "192.0.3.1"),
    ("127.0.0.1", "203.0.113.9, unknown", "127.0.0.1"),
    ("127.0.0.1", "203.0.113.9, _hidden", "127.0.0.1"),
    ("127.0.0.1", "127.1", "127.0.0.1"),
    ("127.0.0.1", "0x7f.0.0.1", "127.0.0.1"),
    ("127.0.0.1", "0203.0.113.9", "127.0.0.1"),
    ("127.0.0.1", "203.0.113.9:99999", "127.0.0.1"),
    ("127.0.0.1", "[203.0.113.9", "127.0.0.1"),
    ("127.0.0.1", "localhost", "127.0.0.1"),
]


def test_who_asks_is_known_however_the_address_is_written(built: Any) -> None:
    hr = built(trusted_proxies=PROXIES)
    wrong = []
    for peer, forwarded, expected in ASKING:
        browser = hr.app.test_client()
        browser.environ_base["REMOTE_ADDR"] = peer
        if forwarded is not None:
            browser.environ_base["HTTP_X_FORWARDED_FOR"] = forwarded
        sign_in(browser, hr.names["lan"], PASSWORD)
        hr.clock.advance(seconds=1)
        with hr.services.db.hot() as connection:
            newest = text("SELECT ip FROM sso_session ORDER BY created_at DESC LIMIT 1")
            found = connection.scalar(newest)
        if found != expected:
            wrong.append((peer, forwarded, expected, found))
    assert not wrong


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.8.8.8"])
def test_metrics_are_for_this_machine_by_any_of_its_addresses(built: Any, peer: str) -> None:
    browser = built().app.test_client()
    assert browser.get("/metrics", environ_base={"REMOTE_ADDR": peer}).status_code == 200
    for other in ("::ffff:203.0.113.9", "203.0.113.9", "fe80::1%lo", "", "127.0.0.1 "):
        assert browser.get("/metrics", environ_base={"REMOTE_ADDR": other}).status_code == 404


@pytest.mark.parametrize(
    "entry", ["localhost", "10.0.0.300", "10.0.0.0/33", "", "*", "10.0.0.1:80"]
)
def test_a_proxy_that_is_no_address_is_said_at_the_start(
    services: Any, operator: Operator, entry: str
) -> None:
    done = operator("check", trusted_proxies=f'["127.0.0.1", "{entry}"]')
    assert done.code == 1
    assert "trusted_proxies" in done.err
    assert len(done.err.strip().splitlines()) == 1


# ---- what may be called --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ("localhost:8443", "https://LOCALHOST.:8443/"),
        ("LocalHost.:8443", "https://localhost:8443/"),
        ("127.0.0.1:8443", "https://127.0.0.1:8443/"),
        ("[::1]:8443", "https://[0:0:0:0:0:0:0:1]:8443/"),
        ("[0::1]:8443", "https://[::1]:8443/"),
        ("::1:8443", None),
        ("localhost", None),
        ("localhost:x", None),
    ],
)
def test_an_address_that_may_be_called_may_be_in_any_spelling(
    services: Any, make_settings: Any, operator: Operator, allowed: str, url: str | None
) -> None:
    from connectors.errors import ConnectorError
    from connectors.outbound import Outbound

    if url is None:
        done = operator("check", outbound_allow=f'["{allowed}"]')
        assert done.code == 1
        assert "outbound_allow" in done.err
        return
    caller = Outbound(make_settings(outbound_allow=[allowed], outbound_timeout=1.0))
    try:
        with pytest.raises(ConnectorError) as found:
            caller.request("GET", url)
        assert "chưa được phép" not in str(found.value.reason), "nobody listens there, that is all"
        with pytest.raises(ConnectorError) as found:
            caller.request("GET", url.replace("8443", "8444"))
        assert "chưa được phép" in str(found.value.reason)
    finally:
        caller.close()


@pytest.mark.parametrize(
    ("host", "family"), [("127.0.0.1", socket.AF_INET), ("[0:0::1]", socket.AF_INET6)]
)
def test_a_log_service_may_be_in_any_spelling(
    operator: Operator, host: str, family: socket.AddressFamily
) -> None:
    if family is socket.AF_INET6 and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with socket.socket(family, socket.SOCK_DGRAM) as service:
        service.bind(("::1" if family is socket.AF_INET6 else host, 0))
        service.settimeout(60)
        port = service.getsockname()[1]
        assert operator("migrate", audit_syslog=f"{host}:{port}").code == 0
        assert b"audit-checkpoint" in service.recv(4096)


@pytest.mark.parametrize("service", ["10.0.0.9", "::1:514", "loghost:x", "dev/log"])
def test_a_log_service_that_is_none_is_refused_at_the_start(
    operator: Operator, service: str
) -> None:
    done = operator("check", audit_syslog=service)
    assert done.code == 1
    assert "audit_syslog" in done.err


# ---- where we listen -----------------------------------------------------------------------------


def _alive(address: str, port: int) -> bool:
    with (
        suppress(OSError, http.client.HTTPException),
        closing(http.client.HTTPConnection(address, port, timeout=5)) as connection,
    ):
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    return False


@pytest.mark.parametrize(("host", "asked"), [("::", "127.0.0.1"), ("[::1]", "::1")])
@pytest.mark.slow
def test_it_listens_at_an_ipv6_address_behind_a_proxy(tmp_path: Any, host: str, asked: str) -> None:
    """A socket at ``::`` tells of IPv4 as IPv6: the proxy beside us is still believed."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with Serving(tmp_path, host=host, trusted_proxies='["127.0.0.1", "::1"]') as served:
        served.migrate()
        served.spawn("serve")
        assert until(lambda: _alive(asked, served.port)), served.log.read_text()
        made = http.client.HTTPConnection(asked, served.port, timeout=60)
        with closing(made) as connection:
            connection.request("GET", "/metrics", headers={"Host": "x"})
            assert connection.getresponse().status == 200
        with closing(http.client.HTTPConnection(asked, served.port, timeout=60)) as connection:
            named = {"Host": f"localhost:{served.port}", "X-Forwarded-For": "203.0.113.9"}
            connection.request("GET", "/login", headers=named)
            answer = connection.getresponse()
            answer.read()
            path, cookie = answer.headers["Location"], answer.headers["Set-Cookie"].split(";")[0]
            cookies = {"Cookie": cookie}
            connection.request("GET", path, headers=named | cookies)
            answer = connection.getresponse()
            fields = hidden_fields(answer.read().decode())
            more = [v.split(";")[0] for v in answer.headers.get_all("Set-Cookie", [])]
            form = urlencode(fields | {"username": "khong-co", "password": "khong-dung"})
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            origin = {"Origin": f"http://localhost:{served.port}"}
            cookies = {"Cookie": "; ".join([cookie, *more])}
            connection.request("POST", path, form, named | cookies | kind | origin)
            assert connection.getresponse().status not in (400, 403, 421, 500)
        with sqlite3.connect(tmp_path / "var" / "dinhdanh.db") as database:
            rows = database.execute("SELECT source_ip FROM audit_entry WHERE source_ip <> ''")
            assert {row[0] for row in rows} == {"203.0.113.9"}
        database.close()
