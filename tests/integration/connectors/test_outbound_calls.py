"""Calling out over real sockets: pinned, timed, capped, verified, kept alive."""

import gzip
import itertools
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from connectors import pinned
from connectors.answers import BODY_LIMIT
from connectors.errors import Misconfigured, Rejected, Transient
from connectors.outbound import Outbound
from directory.base.config import Settings
from tests.scim_fixture import serving
from tests.slapd_fixture import Authority, authority  # noqa: F401 (a fixture)

Make = Callable[..., Outbound]


@pytest.fixture
def outbound() -> Iterator[Make]:
    """Make clients; closed afterwards."""
    made: list[Outbound] = []

    def make(
        *allow: str, resolve: Callable[[str, int], list[str]] | None = None, **settings: Any
    ) -> Outbound:
        made.append(Outbound(Settings(outbound_allow=list(allow), **settings), resolve=resolve))
        return made[-1]

    yield make
    for each in made:
        each.close()


@Request.application
def echo(request: Request) -> Response:
    """Says what it was asked."""
    answer = Response(f"{request.method} {request.host} {request.get_data(as_text=True)}")
    answer.set_cookie("tracked", "1")
    answer.headers["X-Cookies"] = request.headers.get("Cookie", "")
    return answer


@contextmanager
def keeping_alive() -> Iterator[tuple[int, list[int]]]:
    """An HTTP/1.1 server that keeps connections; the ports its callers called from."""
    callers: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            callers.append(self.client_address[1])
            body = self.headers["Host"].encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port, callers
        server.shutdown()
        thread.join()


@contextmanager
def raw(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that says what it likes to everyone who connects."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65536)
                    answer(connection)
                except OSError:
                    pass

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=5)


@pytest.mark.parametrize(
    "spelling", ["2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "127.0.0.1."]
)
def test_other_spellings_of_loopback_are_refused(spelling: str, outbound: Make) -> None:
    with serving(echo) as port, pytest.raises(Misconfigured):
        outbound().request("GET", f"http://{spelling}:{port}/")


@pytest.mark.parametrize("host", ["[::1]", "[::ffff:7f00:1]", "[::]", "0.0.0.0", "localhost"])
def test_loopback_is_refused_under_every_name(host: str, outbound: Make) -> None:
    with serving(echo) as port, pytest.raises(Misconfigured):
        outbound().request("GET", f"http://{host}:{port}/")


def test_a_listed_pair_is_called(outbound: Make) -> None:
    with serving(echo) as port:
        pair = f"127.0.0.1:{port}"
        answer = outbound(pair).request("POST", f"http://{pair}/x", content=b"hi").require_ok()
    assert answer.body.decode() == f"POST {pair} hi"


def test_the_connection_goes_to_the_checked_address_and_keeps_the_name(outbound: Make) -> None:
    asked = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        # A second look would lead elsewhere (DNS rebinding).
        return ["127.0.0.1"] if len(asked) == 1 else ["192.0.2.1"]

    with keeping_alive() as (port, _):
        client = outbound(f"app.example:{port}", resolve=resolve)
        first = client.request("GET", f"http://app.example:{port}/")
        second = client.request("GET", f"http://app.example:{port}/")
        client.close()
    assert first.body.decode() == f"app.example:{port}"
    assert second.ok
    assert asked == ["app.example"]


def test_the_next_address_is_tried_when_one_does_not_listen(outbound: Make) -> None:
    with serving(echo) as port:
        client = outbound(f"app.example:{port}", resolve=lambda *_: ["127.0.0.2", "127.0.0.1"])
        assert client.request("GET", f"http://app.example:{port}/").ok


def test_a_connection_is_kept_and_used_again(outbound: Make) -> None:
    with keeping_alive() as (port, callers):
        url = f"http://127.0.0.1:{port}/"
        client = outbound(f"127.0.0.1:{port}")
        for _ in range(3):
            assert client.request("GET", url).ok
        with client.client() as librarys:  # closing it leaves the pool open
            librarys.get(url)
        assert client.request("GET", url).ok
        client.close()
    assert len(callers) == 5
    assert len(set(callers)) == 1


def test_a_redirect_is_not_followed(outbound: Make) -> None:
    reached = []

    def redirect(environ: Any, start_response: Any) -> Any:
        reached.append(environ["PATH_INFO"])
        return Response("", 302, headers={"Location": "/elsewhere"})(environ, start_response)

    with serving(redirect) as port:
        answer = outbound(f"127.0.0.1:{port}").request("GET", f"http://127.0.0.1:{port}/")
    assert (answer.status, reached) == (302, ["/"])
    with pytest.raises(Misconfigured):
        answer.require_ok()


def test_no_cookie_is_kept(outbound: Make) -> None:
    with serving(echo) as port:
        client = outbound(f"127.0.0.1:{port}")
        client.request("GET", f"http://127.0.0.1:{port}/")
        assert client.request("GET", f"http://127.0.0.1:{port}/").headers["X-Cookies"] == ""


def test_the_environments_proxy_is_not_used(
    outbound: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with serving(echo) as port:
        client = outbound(f"127.0.0.1:{port}")
        assert client.request("GET", f"http://127.0.0.1:{port}/").ok


@pytest.mark.parametrize("size", [BODY_LIMIT, BODY_LIMIT + 1])
def test_an_answer_has_a_size_limit(size: int, outbound: Make) -> None:
    @Request.application
    def long(request: Request) -> Response:
        return Response(itertools.chain([b"x" * size]), content_type="text/plain")

    with serving(long) as port:
        client = outbound(f"127.0.0.1:{port}")
        if size <= BODY_LIMIT:
            assert len(client.request("GET", f"http://127.0.0.1:{port}/").body) == size
        else:
            with pytest.raises(Rejected):
                client.request("GET", f"http://127.0.0.1:{port}/")


BODY = b'{"name": "' + "Nguyễn".encode() * 1000 + b'"}'


def zipped(coding: str) -> bytes:
    """The body in one of the ways that servers compress it."""
    if coding == "gzip":
        return gzip.compress(BODY[:500]) + gzip.compress(BODY[500:])  # RFC 1952 §2.2: members
    raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bare = raw.compress(BODY) + raw.flush()
    return bare if coding == "bare" else zlib.compress(BODY)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "bare"])
def test_an_answer_compressed_unasked_is_read_all_the_same(outbound: Make, coding: str) -> None:
    @Request.application
    def small(request: Request) -> Response:
        assert request.headers["Accept-Encoding"] == "identity"
        name = "deflate" if coding == "bare" else coding
        return Response(zipped(coding), headers={"Content-Encoding": name})

    with serving(small) as port:
        answer = outbound(f"127.0.0.1:{port}").request("GET", f"http://127.0.0.1:{port}/")
    assert answer.body == BODY
    assert "Content-Encoding" not in answer.headers


def _bomb() -> bytes:
    return gzip.compress(b"\0" * (50 * 1024 * 1024))


@pytest.mark.parametrize(
    ("made", "coding"),
    [
        (_bomb, "gzip"),
        (lambda: gzip.compress(_bomb()), "gzip, gzip"),
        (lambda: gzip.compress(BODY)[:-20], "gzip"),
        (lambda: b"not compressed at all", "gzip"),
        (lambda: b"x", "br"),
        (lambda: b"x", "deflate"),
    ],
    ids=["bomb", "twice", "short", "plain", "unknown", "no deflate"],
)
def test_what_unfolds_too_far_or_not_at_all_is_refused(
    outbound: Make, made: Callable[[], bytes], coding: str
) -> None:
    body = made()

    @Request.application
    def small(request: Request) -> Response:
        return Response(body, headers={"Content-Encoding": coding})

    with serving(small) as port, pytest.raises(Rejected):
        outbound(f"127.0.0.1:{port}").request("GET", f"http://127.0.0.1:{port}/")


def trickle(head: bytes) -> Callable[[socket.socket], None]:
    """Every byte arrives in time, the answer never."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(100):
            connection.sendall(b"x")
            time.sleep(0.1)

    return answer


@pytest.mark.parametrize(
    "head",
    [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"],
    ids=["status", "headers", "body"],
)
def test_a_trickle_of_bytes_does_not_outlast_the_call(head: bytes, outbound: Make) -> None:
    with raw(trickle(head)) as port:
        client = outbound(f"127.0.0.1:{port}")
        begun = time.monotonic()
        with pytest.raises(Transient):
            client.request("GET", f"http://127.0.0.1:{port}/", timeout=0.5)
        assert time.monotonic() - begun < 8  # of the ten that it goes on


def test_the_limit_counts_for_each_call_anew(
    outbound: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them takes twenty of its thirty seconds, by a clock that need not be waited for."""
    passed = 0

    class Clock:
        def monotonic(self) -> float:
            return time.monotonic() + passed

    monkeypatch.setattr(pinned, "time", Clock())

    @Request.application
    def slow(request: Request) -> Response:
        nonlocal passed
        passed += 20
        return Response("ok")

    with serving(slow) as port:
        client = outbound(f"127.0.0.1:{port}")
        for _ in range(3):
            assert client.request("GET", f"http://127.0.0.1:{port}/", timeout=30).ok


@pytest.mark.parametrize(
    "said",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort"],
)
def test_a_broken_answer_is_tried_again_later(said: bytes, outbound: Make) -> None:
    with raw(lambda connection: connection.sendall(said)) as port, pytest.raises(Transient):
        outbound(f"127.0.0.1:{port}").request("GET", f"http://127.0.0.1:{port}/")


def test_many_threads_share_one_client(outbound: Make) -> None:
    with serving(echo) as port:
        client = outbound(f"127.0.0.1:{port}")
        wrong: list[object] = []

        def call(number: int) -> None:
            for _ in range(10):
                answer = client.request(
                    "POST", f"http://127.0.0.1:{port}/", content=str(number).encode()
                )
                if not answer.body.decode().endswith(f" {number}"):
                    wrong.append(answer)

        threads = [threading.Thread(target=call, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


@contextmanager
def secure(authority: Authority, host: str) -> Iterator[int]:  # noqa: F811
    """An HTTPS server with a certificate for ``host``."""
    certificate, key = authority.issue(host)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = make_server("127.0.0.1", 0, echo, threaded=True, ssl_context=context)
    server.RequestHandlerClass.log_request = lambda *_: None  # type: ignore[method-assign,union-attr]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def test_tls_verifies_the_name_of_the_url_not_the_address(
    authority: Authority,  # noqa: F811
    outbound: Make,
) -> None:
    with secure(authority, "app.example") as port:
        client = outbound(
            f"app.example:{port}",
            f"other.example:{port}",
            resolve=loopback,
            outbound_ca_file=authority.file,
        )
        assert client.request("GET", f"https://app.example:{port}/").ok
        with pytest.raises(Misconfigured) as refused:
            client.request("GET", f"https://other.example:{port}/")
    assert "Chứng thư" in refused.value.reason


def test_a_certificate_of_an_unknown_authority_is_refused(
    authority: Authority,  # noqa: F811
    outbound: Make,
) -> None:
    with secure(authority, "app.example") as port:
        client = outbound(f"app.example:{port}", resolve=loopback)
        with pytest.raises(Misconfigured):
            client.request("GET", f"https://app.example:{port}/")
