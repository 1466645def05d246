"""Two ways to send a request: over a kept connection, and into the application with SQL counted."""

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, Self
from urllib.parse import urlencode, urlsplit

from flask.testing import FlaskClient

from bench.statements import heard
from idp.services import Services

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_COOKIE = re.compile(rb"\r\nset-cookie: *([^=;\s]+)=([^;\r\n]*)", re.IGNORECASE)
_LOCATION = re.compile(rb"\r\nlocation: *([^\r\n]*)", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    location: str
    body: bytes


class Caller(Protocol):
    """Sends requests and keeps cookies."""

    def send(
        self, method: str, path: str, *, form: Mapping[str, str] | None = None, **headers: str
    ) -> Answer:
        """One request; ``form`` makes it a form post."""

    def forget(self) -> None:
        """Forget all cookies."""

    def renew(self) -> None:
        """Be as ready as if nothing had rested."""


class Connection:
    """HTTP/1.1 over one kept socket; reads no more than is asked of it."""

    def __init__(self, issuer: str) -> None:
        self._server = urlsplit(issuer)
        self._socket = self._connected()
        self.cookies: dict[str, str] = {}

    def _connected(self) -> socket.socket:
        address = self._server.hostname or "", self._server.port or 80
        made = socket.create_connection(address)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def renew(self) -> None:
        """Connect anew: a server closes what has rested too long. The cookies stay."""
        self._socket.close()
        self._socket = self._connected()

    def send(
        self, method: str, path: str, *, form: Mapping[str, str] | None = None, **headers: str
    ) -> Answer:
        body = urlencode(form).encode() if form is not None else b""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._server.netloc}"]
        if form is not None:
            lines.append("Content-Type: application/x-www-form-urlencoded")
        if method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        if self.cookies:
            lines.append("Cookie: " + "; ".join(f"{k}={v}" for k, v in self.cookies.items()))
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return self._read()

    def _read(self) -> Answer:
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        while length is not None and len(body) < int(length[1]):
            body += self._more()
        for name, value in _COOKIE.findall(head):
            if value:
                self.cookies[name.decode()] = value.decode()
            else:
                self.cookies.pop(name.decode(), None)
        location = _LOCATION.search(head)
        return Answer(int(head[9:12]), location[1].decode() if location else "", body)

    def _more(self) -> bytes:
        got = self._socket.recv(65536)
        if not got:
            raise ConnectionError("The server closed the connection.")
        return got

    def forget(self) -> None:
        self.cookies.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()


class InProcess:
    """Into the application itself, for counting statements."""

    def renew(self) -> None:
        pass

    def __init__(self, browser: FlaskClient) -> None:
        self._browser = browser

    def send(
        self, method: str, path: str, *, form: Mapping[str, str] | None = None, **headers: str
    ) -> Answer:
        got = self._browser.open(path, method=method, data=form, headers=headers)
        return Answer(got.status_code, got.headers.get("Location", ""), got.data)

    def forget(self) -> None:
        self._browser._cookies.clear()  # noqa: SLF001 (werkzeug has no public way)


@contextmanager
def counted(services: Services) -> Iterator[list[str]]:
    """The statements executed inside the block, by their first word."""
    words: list[str] = []

    def count(statement: str) -> None:
        words.append(statement.split(maxsplit=1)[0].upper())

    with heard(count, *services.db.engines):
        yield words
