"""Many connections, most of them doing nothing: whoever asks something is answered meanwhile."""

import contextlib
import resource
import shutil
import socket
import sqlite3
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.serving import Serving, until

pytestmark = pytest.mark.serial

MANY = 300
HEADERS = 2
"""Seconds that headers may take in these tests; bodies are given as long before they are judged."""
PATIENT = 30
"""The same, where it is seen who is answered while they run."""
SOON = 10.0
"""Seconds in which a busy machine answers: fewer than those, in which nobody would be."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    with Serving(folder) as made:
        made.migrate()
    return folder


@contextlib.contextmanager
def serving(installed: Path, folder: Path, **settings: int) -> Iterator[Serving]:
    shutil.copytree(installed / "var", folder / "var")
    with Serving(folder, **settings) as made:
        made.start()
        yield made


@pytest.fixture(scope="module")
def served(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    hurried = {"web_header_seconds": HEADERS, "web_keep_alive_seconds": HEADERS * 4}
    with serving(installed, tmp_path_factory.mktemp("served"), **hurried) as made:
        yield made


@pytest.fixture(scope="module")
def patient(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    settings = {"web_header_seconds": PATIENT, "web_keep_alive_seconds": PATIENT * 3}
    with serving(installed, tmp_path_factory.mktemp("patient"), **settings) as made:
        yield made


@pytest.fixture
def room() -> Iterator[None]:
    """This process may hold as many connections as the test wants."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 if hard == resource.RLIM_INFINITY else min(4096, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def silent(end: socket.socket) -> None:
    """Says nothing."""


def kept_alive(end: socket.socket) -> None:
    end.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"200" in end.recv(4096)


def slow_headers(end: socket.socket) -> None:
    end.sendall(b"GET /healthz HTTP/1.1\r\nHost: local")


def slow_body(end: socket.socket) -> None:
    end.sendall(
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\nusername="
    )


def slow_chunks(end: socket.socket) -> None:
    end.sendall(
        b"POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\n4\r\ngran\r\n"
    )


def continued(end: socket.socket) -> None:
    end.sendall(
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
        b"Expect: 100-continue\r\n\r\n"
    )


KINDS = (silent, kept_alive, slow_headers, slow_body, slow_chunks, continued)


@contextlib.contextmanager
def opened(
    port: int, count: int, begin: Callable[[socket.socket], None]
) -> Iterator[list[socket.socket]]:
    """So many connections on which something was begun and is not gone on with."""
    ends: list[socket.socket] = []
    try:
        for _ in range(count):
            ends.append(socket.create_connection(("127.0.0.1", port), timeout=30))
            begin(ends[-1])
        yield ends
    finally:
        for end in ends:
            end.close()


def is_closed(end: socket.socket) -> bool:
    """By the other side; what it still said is read away."""
    end.settimeout(0)
    try:
        while end.recv(4096):
            pass
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    return True


def answered_soon(served: Serving, path: str) -> None:
    began = time.monotonic()
    status = served.get(path, timeout=SOON * 2)[0]
    assert (status, time.monotonic() - began < SOON) == (200, True), path


def whoever_looks_is_answered(served: Serving) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/.well-known/openid-configuration"):
        answered_soon(served, path)


def everybody_is_answered(served: Serving) -> None:
    whoever_looks_is_answered(served)
    began = time.monotonic()
    status, headers, _ = served.get("/login", timeout=SOON * 2)
    assert status in (302, 303)
    browser = {"Cookie": headers["set-cookie"].partition(";")[0]}
    assert served.get(headers["location"], timeout=SOON * 2, **browser)[0] == 200
    assert time.monotonic() - began < SOON


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_whoever_asks_is_answered_beside_many_who_do_not(
    patient: Serving, room: None, kind: Callable[[socket.socket], None]
) -> None:
    with opened(patient.port, MANY, kind):
        everybody_is_answered(patient)


def test_who_is_silent_or_slow_is_closed_and_who_is_neither_is_not(served: Serving) -> None:
    ends, begun = {}, {}
    with contextlib.ExitStack() as held:
        for kind in KINDS:
            begun[kind.__name__] = time.monotonic()
            ends[kind.__name__] = held.enter_context(opened(served.port, 3, kind))
        alive = held.enter_context(opened(served.port, 1, kept_alive))[0]
        began = time.monotonic()
        closed: dict[str, float] = {}
        while len(closed) < len(KINDS) and time.monotonic() - began < HEADERS * 4 + 12:
            time.sleep(0.5)
            for name, group in ends.items():
                if name not in closed and all(map(is_closed, group)):
                    closed[name] = time.monotonic() - begun[name]
            if time.monotonic() - began < HEADERS * 4:
                # One that goes on asking is never closed.
                alive.settimeout(30)
                kept_alive(alive)
        assert closed.keys() == ends.keys()
        quick = {"silent", "slow_headers", "slow_body", "slow_chunks"}
        for name in quick:
            assert HEADERS * 0.5 <= closed[name] <= HEADERS * 4 - 1, closed
        assert closed["kept_alive"] >= HEADERS * 4 - 1, closed


def test_a_body_that_trickles_is_closed_and_one_that_flows_is_not(served: Serving) -> None:
    """The rate decides, not the time since the last byte."""
    with opened(served.port, 2, slow_body) as (trickling, flowing):
        flowing.close()
        flowing = socket.create_connection(("127.0.0.1", served.port), timeout=30)
        size = 400_000
        flowing.sendall(
            b"POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n\r\n" % size
        )
        until_when = time.monotonic() + HEADERS + 4
        sent, ended = 0, None
        while time.monotonic() < until_when:
            time.sleep(0.2)
            sent += flowing.send(b"a" * min(10_000, size - sent))
            if ended is None:
                try:
                    trickling.sendall(b"x")
                except OSError:
                    ended = True
        flowing.sendall(b"a" * (size - sent))
        assert ended
        assert flowing.recv(20).startswith(b"HTTP/1.1 4")
        flowing.close()


def test_a_request_that_takes_long_is_not_taken_for_a_slow_one(served: Serving) -> None:
    """Everything came; what is slow is the answer: here another writes to the database."""
    file = served.environment["DINHDANH_DATA_DIR"] + "/dinhdanh.db"
    form = (
        b"POST /oauth2/device_authorization HTTP/1.1\r\nHost: localhost:%d\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 11\r\n\r\nclient_id=x"
    ) % served.port
    page = b"GET /login HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % served.port
    with (
        contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other,
        opened(served.port, 3, kept_alive) as again,
        opened(served.port, 3, silent) as first,
    ):
        other.execute("BEGIN EXCLUSIVE")
        for end in (*again, *first):
            end.sendall(page)
        time.sleep(HEADERS + 2.5)
        other.execute("ROLLBACK")
        for end in (*again, *first):
            end.settimeout(60)
            assert end.recv(4096).startswith(b"HTTP/1.1 303")
            end.sendall(form)
            assert end.recv(4096).startswith(b"HTTP/1.1 4")


@pytest.mark.slow
def test_over_tls_the_same_holds(installed: Path, tmp_path: Path) -> None:
    chain, key = self_signed(tmp_path)
    shutil.copytree(installed / "var", tmp_path / "var")
    with Serving(
        tmp_path,
        web_header_seconds=HEADERS,
        web_keep_alive_seconds=HEADERS * 2,
        tls_certificate=chain,
        tls_key=key,
    ) as made:
        made.environment["DINHDANH_ISSUER"] = f"https://localhost:{made.port}"
        made.spawn("serve")
        trusting = ssl.create_default_context(cafile=str(chain))
        assert until(lambda: _over_tls(trusting, made.port) == b"HTTP/1.1 200")
        with opened(made.port, 3, silent) as quiet, _tls(trusting, made.port) as kept:
            kept_alive(kept)
            time.sleep(1)
            kept_alive(kept)
            assert until(lambda: all(map(is_closed, quiet)))
            assert until(lambda: is_closed(kept))


def self_signed(folder: Path) -> tuple[Path, Path]:
    chain, key = folder / "chain.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", str(key), "-out", str(chain), "-days", "3650", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return chain, key


def _tls(trusting: ssl.SSLContext, port: int) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", port), timeout=30)
    return trusting.wrap_socket(plain, server_hostname="localhost")


def _over_tls(trusting: ssl.SSLContext, port: int) -> bytes:
    with contextlib.suppress(OSError), _tls(trusting, port) as end:
        end.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return end.recv(4096)[:12]
    return b""


def test_half_a_form_is_not_taken_for_a_whole_one(served: Serving) -> None:
    with opened(served.port, 1, silent) as (end,):
        end.sendall(
            b"POST /oauth2/token HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: 1000\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
            b"grant_type=client_credentials&client_id=x&client_secret=y" % served.port
        )
        end.shutdown(socket.SHUT_WR)
        said = end.recv(4096)
    assert b"invalid_client" not in said


def test_when_connections_are_short_the_longest_idle_one_goes_first(
    installed: Path, tmp_path: Path, room: None
) -> None:
    shutil.copytree(installed / "var", tmp_path / "var")
    with Serving(tmp_path, web_open_connections=100) as made:
        made.start()
        with opened(made.port, 60, kept_alive) as first:
            time.sleep(1)
            with opened(made.port, 60, kept_alive) as second:
                until(lambda: sum(map(is_closed, first)) >= 20)
                everybody_is_answered(made)
                gone = (sum(map(is_closed, first)), sum(map(is_closed, second)))
    assert gone[0] >= 20
    assert gone[1] == 0


NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log warn; worker_processes 1;
events {{ worker_connections 1500; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream dinhdanh {{ server 127.0.0.1:{behind}; keepalive 300; }}
  server {{ listen 127.0.0.1:{port} backlog=2048; location / {{ proxy_pass http://dinhdanh;
    proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_set_header Host localhost:{behind}; proxy_set_header X-Forwarded-For $remote_addr; }} }}
}}
"""


@pytest.mark.slow  # a foreign server; 600 callers at once on a small machine
def test_six_hundred_at_once_through_nginx_are_all_answered(
    served: Serving, room: None, tmp_path: Path
) -> None:
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if nginx is None:
        missing("nginx")
    port = served.block[1]
    folder = tmp_path / "nginx"
    folder.mkdir()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, behind=served.port))
    server = subprocess.Popen([nginx, "-p", str(folder), "-c", str(config)])
    try:
        assert until(lambda: _status(port, "/healthz", 2)[0] == 200)
        with opened(served.port, MANY, kept_alive), ThreadPoolExecutor(600) as callers:
            begin = threading.Barrier(600, timeout=60)

            def call(_number: int) -> tuple[int, float]:
                begin.wait()
                return _status(port, "/login?return_to=/", 30)

            asked = [callers.submit(call, n) for n in range(600)]
            time.sleep(1)
            whoever_looks_is_answered(served)
            found = [each.result() for each in asked]
        took = sorted(seconds for _, seconds in found)
        statuses = Counter(status for status, _ in found)
        # Whoever waited too long was told so; most were served.
        assert statuses.keys() <= {303, 503}, statuses
        assert statuses[303] > 540, statuses
        assert took[300] < 15, (took[300], took[-1])
    finally:
        server.terminate()
        server.wait(60)


def _status(port: int, path: str, timeout: float) -> tuple[int, float]:
    began = time.monotonic()
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), timeout) as end,
    ):
        end.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        said = end.recv(64)
        if said.startswith(b"HTTP/1.1 "):
            return int(said[9:12]), time.monotonic() - began
    return 0, time.monotonic() - began
