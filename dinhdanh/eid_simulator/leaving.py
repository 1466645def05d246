"""How answers leave: whole, or as a fault wants it."""

import socket
import struct
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from werkzeug import Response

from dinhdanh.eid_simulator.artefacts import Answer, Ending

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER of a socket that is reset when it is closed."""


def sent(
    answer: Answer, environ: "WSGIEnvironment", start_response: "StartResponse", base: str
) -> Iterable[bytes]:
    """The answer, and the connection's end."""
    if answer.ending is Ending.RESET:
        raise reset(environ)
    headers = dict(answer.headers)
    if headers.get("Location", "").startswith("/"):
        headers["Location"] = f"{base}{headers['Location']}"
    response = Response(
        answer.body, answer.status, content_type=answer.content_type, headers=headers
    )
    if answer.ending is Ending.CUT:
        response.headers["Content-Length"] = str(len(answer.body))
        response.response = _half(answer.body, environ)
    return response(environ, start_response)


def reset(environ: "WSGIEnvironment") -> ConnectionResetError:
    """The error that ends a connection without a word; the peer sees a reset, where the server
    is our own.
    """
    connection = environ.get("werkzeug.socket")
    if isinstance(connection, socket.socket):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    return ConnectionResetError("simulated")


def is_reset(connection: socket.socket) -> bool:
    """Whether a connection is to end by a reset."""
    return connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(AT_ONCE)) == AT_ONCE


def _half(body: bytes, environ: "WSGIEnvironment") -> Iterator[bytes]:
    yield body[: len(body) // 2]
    raise reset(environ)
