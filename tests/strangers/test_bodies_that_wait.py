"""Bodies are held in memory as long as their requests wait: there is a limit for all of them."""

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
        busy.wait(30)
        held.append(len(environ["wsgi.input"].read()))
        start_response("200 OK", [])
        return iter([b"done"]) if streams else [b"done"]

    return Gate(application, places=1, secure=False, count=lambda *_: None)


def test_while_everybody_waits_no_more_bodies_are_taken_than_there_is_room_for() -> None:
    free, held, told = threading.Event(), list[int](), Counter[str]()
    gate = _gate(free, held)
    threads = _flood(gate, told, MANY, MEGABYTE - 1)
    for _ in range(100):
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
