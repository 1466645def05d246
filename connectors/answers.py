"""What comes back from outside, read within bounds: bytes, unfolded bytes, depth.

A small body may unfold into a huge one, and a short one may be nested a hundred thousand deep.
"""

import json
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from connectors.errors import Rejected

BODY_LIMIT = 1024 * 1024
"""Bytes of one answer, unfolded."""
DEPTH = 40
"""How deep JSON may be nested. SCIM needs six."""

GZIP = frozenset({"gzip", "x-gzip"})
PLAIN = frozenset({"", "identity"})
KNOWN = PLAIN | GZIP | {"deflate"}
"""What ``Content-Encoding`` may say (RFC 9110 §8.4.1)."""


def capped(chunks: Iterable[bytes], host: str) -> Iterator[bytes]:
    """The same bytes. Raises Rejected when there are more than an answer may have."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > BODY_LIMIT:
            raise Rejected("Câu trả lời của {host} quá dài.", host=host)
        yield chunk


def unfolded(chunks: Iterable[bytes], coding: str, host: str) -> Iterator[bytes]:
    """Bytes as they were before they were compressed; never more than asked for at a time.

    ``deflate`` is read with and without its zlib wrapper: both are sent. Raises Rejected for
    what is no such stream.
    """
    try:
        yield from _unfold(chunks, coding)
    except zlib.error as exc:
        raise Rejected("Câu trả lời của {host} bị nén hỏng.", host=host) from exc


def _unfold(chunks: Iterable[bytes], coding: str) -> Iterator[bytes]:
    unpack = None
    for chunk in chunks:
        waiting = chunk
        while waiting:
            if unpack is None:
                unpack = _unpacker(coding, waiting)
            out = unpack.decompress(waiting, 65_536)
            if out:
                yield out
            waiting = unpack.unconsumed_tail
            if unpack.eof:
                waiting, unpack = unpack.unused_data.lstrip(b"\0"), None
    if unpack is not None and not unpack.eof:
        raise zlib.error("cut short")


def _unpacker(coding: str, begin: bytes) -> Any:
    if coding in GZIP:
        return zlib.decompressobj(16 + zlib.MAX_WBITS)
    wrapped = begin[0] & 0x0F == 8 and (begin[0] << 8 | (begin[1:2] or b"\0")[0]) % 31 == 0
    return zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)


def read_json(body: bytes) -> Any:
    """The JSON of a body. Raises Rejected when it is none, or nested too deeply."""
    try:
        value = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as exc:
        raise Rejected("Câu trả lời không phải là JSON hợp lệ.") from exc
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEPTH:
            raise Rejected("Câu trả lời lồng nhau quá sâu.")
        level = [inner for outer in level for inner in _inside(outer)]
    return value


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)
