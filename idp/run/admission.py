"""In front of the application: how many requests are worked on, wait, and are still arriving.

    body      read whole before anybody works on it, so that slow ones hold no place
    place     ``web_threads`` requests are worked on at once, ``WAITING`` wait, for ``PATIENCE``
    nothing   what says whether all is well, and what is ready beforehand, waits for no place
    aside     whoever waits for a password hash has no place meanwhile: others are worked on

The server's threads are cheap while they wait (one costs some 60 KB), and there are enough of them
for all of these together; who is refused hears 503 with Retry-After, and the headers of every answer. How long a connection may
take, or say nothing, is the business of ``idp.run.connections``, which asks ``Gate.moments`` here.
"""

import io
import json
import queue
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from werkzeug.http import HTTP_STATUS_CODES

from idp.web import page_policy
from idp.web.exchange import Answer, HttpRequest
from idp.web.front_door import Count

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

WAITING = 1024
"""Requests that may wait for a place."""
PATIENCE = 20.0
"""Seconds one waits for it."""
ARRIVING = 512
"""Bodies that may be arriving at once."""
SPARE = 32
"""Threads for what waits for nothing."""
LARGEST = 1024 * 1024
"""Bytes of a body that are read here: no endpoint takes more."""
ALL_BODIES = 64 * LARGEST
"""Bytes of all bodies that may be held at once: arriving, waiting and worked on."""
_TOO_LARGE = b"\0" * (LARGEST + 1)
"""In place of a longer one, which is refused for its length by whoever was asked."""
PIECE = 65536
FREE = ("/healthz", "/readyz", "/metrics", "/.well-known/", "/oauth2/jwks")
RETRY_AFTER = "2"
_PAGE = (
    "<!doctype html><html lang=vi><meta charset=utf-8><title>503</title>"
    "<h1>Hệ thống đang bận</h1><p>Hãy thử lại sau giây lát."
    "<p lang=en>The system is busy. Please try again shortly."
)


def threads(places: int, *, aside: int) -> int:
    """How many threads the server needs for so many places, and so many who wait aside."""
    return places + aside + WAITING + ARRIVING + SPARE


class Gate:
    """WSGI middleware; one per process."""

    def __init__(
        self, application: "WSGIApplication", *, places: int, secure: bool, count: Count
    ) -> None:
        self._application = application
        self._secure, self._count = secure, count
        # In C, and first come first served; a semaphore costs ten times as much.
        self._places: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(places):
            self._places.put(None)
        self._counting = threading.Lock()
        self._arriving: dict[int, float] = {}
        self._held = 0
        self._waiting = 0
        self._taken: dict[int, float] = {}
        self._bodies: dict[int, int] = {}
        """Bytes of the body that each of these brought."""

    @property
    def arriving(self) -> int:
        """Bodies that have not come whole yet."""
        return len(self._arriving)

    def moments(self) -> list[float]:
        """When each request that waits or is worked on had come whole (monotonic seconds)."""
        return list(self._taken.values())

    def counts(self) -> dict[str, int]:
        """For the metrics."""
        return {
            "arriving": len(self._arriving),
            "waiting": self._waiting,
            "taken": len(self._taken),
        }

    @contextmanager
    def aside(self) -> Iterator[None]:
        """The request of this thread lets others work while it waits for something else."""
        if threading.get_ident() not in self._taken:
            yield
            return
        self._places.put(None)
        try:
            yield
        finally:
            # Without end: whoever has a place waits for nobody who has none.
            self._places.get()

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """One request (PEP 3333)."""
        free = environ.get("PATH_INFO", "").startswith(FREE)
        size = 0
        length, chunked = _announced(environ)
        if length or chunked:
            body = self._read(environ, length, chunked=chunked)
            if body is None:
                return self._sent(environ, start_response, _busy(environ))
            size = len(body) if body is not _TOO_LARGE else 0
            if length is not None and len(body) < min(length, LARGEST):
                self._hold(-size)
                return self._sent(environ, start_response, _half())
            environ["wsgi.input"] = io.BytesIO(body)
        token = self._enter(size)
        if free:
            return self._answer(environ, start_response, token, place=False)
        if not self._place():
            self._leave(token, place=False)
            return self._sent(environ, start_response, _busy(environ))
        return self._answer(environ, start_response, token, place=True)

    def _answer(
        self,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
        token: int,
        *,
        place: bool,
    ) -> Iterable[bytes]:
        try:
            answer = self._application(environ, start_response)
        except BaseException:
            self._leave(token, place=place)
            raise
        if isinstance(answer, list):
            self._leave(token, place=place)
            return answer
        return _Streamed(answer, lambda: self._leave(token, place=place))

    def _sent(
        self, environ: "WSGIEnvironment", start_response: "StartResponse", answer: Answer
    ) -> list[bytes]:
        """A refusal, with the headers of every answer, counted as every answer is."""
        asked = HttpRequest(environ)
        there = {name.lower() for name, _ in answer.headers}
        answer.headers += page_policy.headers(
            asked, there, mimetype=answer.mimetype, secure=self._secure
        )
        self._count(asked, "other", answer.status)
        start_response(
            f"{answer.status} {HTTP_STATUS_CODES[answer.status].upper()}", answer.headers
        )
        return [answer.body]

    # ---- bodies --------------------------------------------------------------------------------

    def _read(
        self, environ: "WSGIEnvironment", length: int | None, *, chunked: bool
    ) -> bytes | None:
        """The body as far as it came, or its first ``LARGEST`` bytes and some; None: no room. It
        is held until its request leaves.
        """
        if length is not None and length > LARGEST:
            return _TOO_LARGE
        # No more than it has: to ask for its end costs two threads of the server a turn each.
        most = LARGEST + 1 if chunked or length is None else length
        if not self._arrives():
            return None
        pieces: list[bytes] = []
        size = 0
        whole = False
        try:
            while size < most:
                piece = environ["wsgi.input"].read(min(PIECE, most - size))
                if not piece:
                    break
                pieces.append(piece)
                size += len(piece)
                if not self._hold(len(piece)):
                    return None
            whole = True
        except OSError:
            whole = True  # the other side is gone
        finally:
            with self._counting:
                del self._arriving[threading.get_ident()]
            if not whole:
                self._hold(-size)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _arrives(self) -> bool:
        """Whether there is room for one more; it is counted then."""
        with self._counting:
            if len(self._arriving) >= ARRIVING:
                return False
            self._arriving[threading.get_ident()] = time.monotonic()
            return True

    def _hold(self, size: int) -> bool:
        with self._counting:
            self._held += size
            return self._held <= ALL_BODIES

    # ---- places --------------------------------------------------------------------------------

    def _enter(self, size: int) -> int:
        key = threading.get_ident()
        self._taken[key] = time.monotonic()
        if size:
            self._bodies[key] = size
        return key

    def _leave(self, key: int, *, place: bool) -> None:
        self._taken.pop(key, None)
        if size := self._bodies.pop(key, 0):
            self._hold(-size)
        if place:
            self._places.put(None)

    def _place(self) -> bool:
        try:
            self._places.get_nowait()
        except queue.Empty:
            return self._wait()
        return True

    def _wait(self) -> bool:
        with self._counting:
            if self._waiting >= WAITING:
                return False
            self._waiting += 1
        try:
            self._places.get(timeout=PATIENCE)
        except queue.Empty:
            return False
        else:
            return True
        finally:
            with self._counting:
                self._waiting -= 1


class _Streamed:
    """An answer that is made while it is sent: its place is free when it ends."""

    def __init__(self, pieces: Iterable[bytes], done: Any) -> None:
        self._pieces, self._done = pieces, done

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)

    def close(self) -> None:
        done, self._done = self._done, None
        try:
            with suppress(AttributeError):
                self._pieces.close()  # type: ignore[attr-defined]
        finally:
            if done is not None:
                done()


def _announced(environ: "WSGIEnvironment") -> tuple[int | None, bool]:
    """The length of the body, None if not said, and whether it comes in chunks."""
    text = environ.get("CONTENT_LENGTH") or ""
    coding = environ.get("HTTP_TRANSFER_ENCODING")
    chunked = coding is not None and "chunked" in coding.lower()
    return (int(text) if text.isdecimal() else None), chunked


def _busy(environ: "WSGIEnvironment") -> Answer:
    if "text/html" in environ.get("HTTP_ACCEPT", ""):
        kind, body = "text/html; charset=utf-8", _PAGE.encode()
    else:
        kind = "application/json"
        body = json.dumps({"error": "temporarily_unavailable", "status": 503}).encode()
    headers = [
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("Retry-After", RETRY_AFTER),
    ]
    return Answer(503, headers, body)


def _half() -> Answer:
    """The rest of the body never came (RFC 9112 §8): what came is no request."""
    return Answer(400, [("Content-Length", "0")])
