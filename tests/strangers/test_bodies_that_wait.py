"""Bodies are held in memory as long as their requests wait: there is a limit for all of them. And no
more is asked of the server than a body has: it has two threads take turns for each question.
"""

import io
import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any

from idp.run.admission import Gate

MEGABYTE = 1024 * 1024
MOST = 64 * MEGABYTE
"""What a process holds of bodies at once."""
MANY = 150


def _post(gate: Gate, told: "Counter[str]", path: str, body: bytes) -> None:
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    answer: Any = gate(environ, lambda status, _headers: told.update([status[:3]]))  # type: ignore[arg-type]
    list(answer)
    if hasattr(answer, "close"):
        answer.close()


def _flood(gate: Gate, told: "Counter[str]", many: int, size: int) -> "list[threading.Thread]":
    body = bytes(size)
    threads = [
        threading.Thread(target=_post, args=(gate, told, "/login/x", body)) for _ in range(many)
    ]
    for thread in threads:
        thread.start()
    return threads


def _gate(busy: threading.Event, held: "list[int]", *, streams: bool = False) -> Gate:
    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        busy.wait(60)
        held.append(len(environ["wsgi.input"].read()))
        start_response("200 OK", [])
        return iter([b"done"]) if streams else [b"done"]

    return Gate(application, places=1, secure=False, count=lambda *_: None)


def test_while_everybody_waits_no_more_bodies_are_taken_than_there_is_room_for() -> None:
    free, held, told = threading.Event(), list[int](), Counter[str]()
    gate = _gate(free, held)
    threads = _flood(gate, told, MANY, MEGABYTE - 1)
    for _ in range(600):
        if told["503"] >= MANY - 65:
            break
        threading.Event().wait(0.05)
    refused = told["503"]
    free.set()
    for thread in threads:
        thread.join(60)
    assert refused >= MANY - MOST // (MEGABYTE - 1) - 1, told
    assert sum(held) <= MOST
    assert told["200"] + told["503"] == MANY


def test_room_is_free_again_when_the_answers_are_given() -> None:
    for streams in (False, True):
        free, held, told = threading.Event(), list[int](), Counter[str]()
        free.set()
        gate = _gate(free, held, streams=streams)
        for _ in range(3):
            for thread in _flood(gate, told, 40, MEGABYTE - 1):
                thread.join(60)
        assert told == {"200": 120}


def test_small_forms_are_taken_while_others_wait() -> None:
    free, held, told = threading.Event(), list[int](), Counter[str]()
    gate = _gate(free, held)
    threads = _flood(gate, told, MANY, 4096)
    threading.Event().wait(0.3)
    free.set()
    for thread in threads:
        thread.join(60)
    assert told == {"200": MANY}


class _Stream:
    """Gives its pieces one by one, as they would come, and counts how often it is asked."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces, self.asked = [*pieces], 0

    def read(self, size: int) -> bytes:
        self.asked += 1
        if not self._pieces:
            return b""
        piece = self._pieces.pop(0)
        if len(piece) > size:
            self._pieces.insert(0, piece[size:])
        return piece[:size]


def _sent(stream: _Stream, **told: str) -> tuple[str, bytes]:
    found: list[Any] = ["", b""]

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        found[1] = environ["wsgi.input"].read()
        start_response("200 OK", [])
        return [b""]

    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/oauth2/token", "wsgi.input": stream, **told}
    list(
        Gate(application, places=1, secure=False, count=lambda *_: None)(
            environ, lambda status, _h: found.insert(0, status)
        )
    )  # type: ignore[arg-type]
    return found[0], found[-1]


def test_a_body_that_has_come_whole_is_not_asked_for_its_end() -> None:
    for pieces in ([b"grant_type=x"], [b"grant_", b"type=x"]):
        stream = _Stream(*pieces)
        assert _sent(stream, CONTENT_LENGTH="12") == ("200 OK", b"grant_type=x")
        assert stream.asked == len(pieces)


def test_a_body_ends_where_it_was_said_to_or_where_its_pieces_do() -> None:
    longer, chunked = _Stream(b"grant_type=x&y"), _Stream(b"grant_", b"type=x")
    assert _sent(longer, CONTENT_LENGTH="12") == ("200 OK", b"grant_type=x")
    assert _sent(chunked, HTTP_TRANSFER_ENCODING="chunked") == ("200 OK", b"grant_type=x")
    assert _sent(_Stream(b"grant_"), CONTENT_LENGTH="12")[0].startswith("400 ")


def test_a_body_in_pieces_that_is_too_long_is_not_read_to_its_end() -> None:
    stream = _Stream(*[bytes(65536)] * 64)
    status, body = _sent(stream, HTTP_TRANSFER_ENCODING="chunked")
    assert (status, len(body)) == ("200 OK", MEGABYTE + 1)
    assert stream.asked == 17
