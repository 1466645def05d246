"""What came from outside, in a form that every database can hold.

PostgreSQL takes no NUL, no driver takes half of a surrogate pair, and an error text of a megabyte
is no reason. What cannot be kept is kept escaped, so that a person can still see what it was.
"""

import re
from collections.abc import Mapping
from typing import Any

LONGEST = 1_000
"""Characters of one text; what is longer is cut, and says so."""
DEPTH = 20
_UNHOLDABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_HALVES = re.compile("[\ud800-\udfff]")


def is_text(value: str) -> bool:
    """Whether a database can hold it as it is: PostgreSQL knows no NUL (CWE-158), and JSON (a
    signed request, an assertion) can hold halves of characters, which UTF-8 cannot (CWE-176).
    """
    return "\0" not in value and (value.isascii() or _HALVES.search(value) is None)


def text(value: str, longest: int = LONGEST) -> str:
    """The text with control characters and lone surrogates as ``\\x00`` or ``\\ud800``, cut."""
    shown = _UNHOLDABLE.sub(_escaped, value[: longest + 1])
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def json(value: Any, longest: int = 10 * LONGEST, *, depth: int = DEPTH) -> Any:
    """The same for every text inside a JSON value; what is nested too deeply is left out."""
    if isinstance(value, str):
        return text(value, longest)
    if isinstance(value, Mapping | list | tuple) and depth == 0:
        return None
    if isinstance(value, Mapping):
        return {text(str(k)): json(v, longest, depth=depth - 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [json(v, longest, depth=depth - 1) for v in value]
    return value


def holdable(value: str, longest: int = LONGEST) -> bool:
    """Whether it can be kept exactly as it is: for what must be found again, such as a key."""
    return len(value) <= longest and _UNHOLDABLE.search(value) is None


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
