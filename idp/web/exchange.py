"""One HTTP exchange, as everything that answers knows it: what came, and what goes back.

    HttpRequest   one request as a WSGI server brings it (PEP 3333)
    Answer        status, headers, body
    Handed        what the front door has found out, for a page of Flask's to say

A part of a request is read when it is first asked for, exactly as Werkzeug reads it: the front door
and Flask must not understand one request in two ways. Nothing here knows Flask or the database.
"""

import io
import json
import os
import time
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from werkzeug import urls  # also how ``parse_qsl`` is told to keep bytes that are no text
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import ClientDisconnected
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header
from werkzeug.sansio.http import parse_cookie
from werkzeug.wsgi import get_input_stream

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

BODY_LIMIT = 1024 * 1024
"""Bytes of a body; a longer one is refused with 413."""
FORM = "application/x-www-form-urlencoded"
FIELD_LIMIT = 500_000
"""Bytes of one field of a multipart form, as Flask has it."""
FIELDS = 1000
_REQUEST, _HANDED = "dinhdanh.request", "dinhdanh.handed"
_UNTOLD = ("CONTENT_TYPE", "CONTENT_LENGTH")
"""Headers that CGI names without ``HTTP_``."""


class HttpRequest:
    """One request. ``form`` and ``body`` raise werkzeug's RequestEntityTooLarge, ClientDisconnected."""

    def __init__(self, environ: "WSGIEnvironment") -> None:
        self._environ = environ
        self.began = time.perf_counter()
        """When we first saw it, for the metrics."""
        self.method: str = environ["REQUEST_METHOD"].upper()
        path: str = environ.get("PATH_INFO") or ""
        if not path.isascii():
            path = path.encode("latin1").decode(errors="replace")
        self.path = "/" + path.lstrip("/")
        self.host: str = environ.get("HTTP_HOST", "")
        """As it was written."""

    def get(self, name: str, /) -> str | None:
        """One header by its name, however it is spelt."""
        key = name.upper().replace("-", "_")
        found: str | None = self._environ.get(key if key in _UNTOLD else f"HTTP_{key}")
        return found

    @cached_property
    def id(self) -> str:
        """What the log, the answer and the error page call this request."""
        return os.urandom(8).hex()

    @property
    def peer(self) -> tuple[str, str]:
        """(address, port) of who speaks to us directly, as the server tells them; may be empty."""
        environ = self._environ
        return environ.get("REMOTE_ADDR") or "", str(environ.get("REMOTE_PORT") or "")

    @cached_property
    def mimetype(self) -> str:
        """Of the body, in small letters, without parameters; empty where none is named."""
        named: str = self._environ.get("CONTENT_TYPE") or ""
        return named if named == FORM else named.partition(";")[0].strip().lower()

    @cached_property
    def legible(self) -> bool:
        """Whether what stands behind the question mark is text. Other bytes can only be written there
        with percent signs (RFC 3986 §2); a server in front of us may let them pass.
        """
        asked: str = self._environ.get("QUERY_STRING", "")
        try:
            return asked.isascii() or bool(asked.encode("latin1").decode())
        except UnicodeDecodeError:
            return False

    @cached_property
    def query(self) -> str:
        """What stands behind the question mark; nothing where it is no text."""
        asked: str = self._environ.get("QUERY_STRING", "") if self.legible else ""
        return asked if asked.isascii() else asked.encode("latin1").decode()

    @cached_property
    def args(self) -> "MultiDict[str, str]":
        """The parameters of the query."""
        return _pairs(self.query) if self.query else MultiDict()

    @cached_property
    def body(self) -> bytes:
        """The body, whole. Whoever reads the stream after us finds it again."""
        found = self._read()
        self._environ["wsgi.input"] = io.BytesIO(found)
        return found

    def _read(self) -> bytes:
        environ = self._environ
        told: str = environ.get("CONTENT_LENGTH") or ""
        plain = told.isascii() and told.isdecimal() and len(told) < 8
        if not plain or int(told) > BODY_LIMIT or "HTTP_TRANSFER_ENCODING" in environ:
            return get_input_stream(environ, max_content_length=BODY_LIMIT).read()
        found: bytes = environ["wsgi.input"].read(int(told))
        if len(found) < int(told) and "wsgi.input_terminated" not in environ:
            raise ClientDisconnected
        return found

    @cached_property
    def form(self) -> "MultiDict[str, str]":
        """The fields of the body; none where it is no form, or no text."""
        if self.mimetype == FORM:
            try:
                return _pairs(self.body.decode())
            except UnicodeDecodeError:
                return MultiDict()
        if self.mimetype == "multipart/form-data":
            options = parse_options_header(self._environ["CONTENT_TYPE"])[1]
            if options.get("boundary"):
                return self._in_parts(options)
        # Nobody reads it, but too large is too large.
        get_input_stream(self._environ, max_content_length=BODY_LIMIT)
        return MultiDict()

    def _in_parts(self, options: dict[str, str]) -> "MultiDict[str, str]":
        parser = FormDataParser(max_form_memory_size=FIELD_LIMIT, max_form_parts=FIELDS)
        size = len(self.body)
        return parser.parse(io.BytesIO(self.body), self.mimetype, size, options)[1]

    @cached_property
    def cookies(self) -> "MultiDict[str, str]":
        """The cookies it brings."""
        return parse_cookie(self._environ.get("HTTP_COOKIE"))


def _pairs(text: str) -> "MultiDict[str, str]":
    return MultiDict(parse_qsl(text, keep_blank_values=True, errors="werkzeug.url_quote"))


@dataclass
class Answer:
    """What goes back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""

    @property
    def mimetype(self) -> str:
        """Of the body."""
        named = (value for name, value in self.headers if name.lower() == "content-type")
        return next(named, "").partition(";")[0].strip().lower()


_SORTED = json.JSONEncoder(sort_keys=True).encode
_COMPACT = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def written(status: int, said: dict[str, Any] | str, headers: list[tuple[str, str]]) -> Answer:
    """An answer that says this, with these headers; one of them names what it is."""
    body = (said if isinstance(said, str) else _SORTED(said)).encode()
    return Answer(status, [*headers, ("Content-Length", str(len(body)))], body)


def json_answer(said: Any, status: int = 200, *, kind: str = "application/json") -> Answer:
    """An answer of JSON, one line."""
    body = (_COMPACT(said) + "\n").encode()
    return Answer(status, [("Content-Type", kind), ("Content-Length", str(len(body)))], body)


def elsewhere(location: str, status: int) -> Answer:
    """A redirect that nobody keeps."""
    return Answer(
        status,
        [
            ("Location", urls.iri_to_uri(location)),
            ("Cache-Control", "no-store"),
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", "0"),
        ],
    )


@dataclass(frozen=True)
class Handed:
    """What the front door has found out: Flask's view says it, and looks at nothing once more."""

    outcome: Any
    """An exception among them: whatever was raised is answered as Flask's handlers answer it."""
    looked_up: bool = False
    """Whether it has been asked who is signed in."""
    session: Any = None
    """Who is."""


_current: ContextVar[HttpRequest | None] = ContextVar("http_request", default=None)


def begin(asked: HttpRequest) -> None:
    """This thread works on this request from now on."""
    _current.set(asked)


def at_flask(environ: "WSGIEnvironment") -> HttpRequest:
    """The request that Flask works on: that of the front door, where it has looked at it."""
    found: HttpRequest | None = environ.get(_REQUEST)
    if found is None:
        found = environ[_REQUEST] = HttpRequest(environ)
        begin(found)
    return found


def current() -> HttpRequest | None:
    """The request that is worked on; None in a job or a command."""
    return _current.get()


def end() -> None:
    """It is answered, and not kept."""
    _current.set(None)


def hand_on(environ: "WSGIEnvironment", asked: HttpRequest, handed: Handed | None) -> None:
    """Leave the request to Flask, and to say this, where anything has been found out."""
    environ[_REQUEST] = asked
    if handed is not None:
        environ[_HANDED] = handed


def handed(environ: "WSGIEnvironment") -> Handed | None:
    """What the front door has left to be said; None where it has not looked at the request."""
    found: Handed | None = environ.get(_HANDED)
    return found
