"""One JSON object, read strictly: what two readers could read differently is refused.

Each member stands once (RFC 8259 §4: of equal names each reader would take another one), numbers
are finite and no longer than numbers are, the text is UTF-8 without a mark, and nothing nests
deeper than anything honest does.
"""

import json
import math
from typing import Any

DEEPEST = 24
LONGEST_NUMBER = 40
"""Digits: to make a number of thousands of them takes long (CVE-2020-10735)."""


class Unreadable(ValueError):
    """It is no such object."""


def read(raw: bytes | str) -> dict[str, Any]:
    """The object. Raises Unreadable."""
    try:
        text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
        found = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse,
            parse_int=_whole,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as exc:
        raise Unreadable from exc
    if not isinstance(found, dict) or _depth(found) > DEEPEST:
        raise Unreadable
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable
    return found


def _refuse(constant: str) -> Any:
    """NaN and the infinities, which JSON does not know."""
    raise Unreadable(constant)


def _whole(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise Unreadable
    return int(text)


def _finite(text: str) -> float:
    found = float(text)
    if len(text) > LONGEST_NUMBER or not math.isfinite(found):
        raise Unreadable
    return found


def _depth(found: Any) -> int:
    """How deep it nests, without recursion; no deeper than it need be known."""
    depth, ahead = 0, [found]
    while ahead and depth <= DEEPEST:
        depth += 1
        inner: list[Any] = []
        for value in ahead:
            if isinstance(value, dict):
                inner.extend(value.values())
            elif isinstance(value, list):
                inner.extend(value)
        ahead = [value for value in inner if isinstance(value, dict | list)]
    return depth
