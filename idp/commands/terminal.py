"""Speaking to a terminal or a pipe of any encoding: what it cannot show loses its marks.

Python's streams raise where a letter does not fit their encoding. A sentence with ``khong`` for
``không`` in it can be read; half a sentence and a traceback cannot.
"""

import codecs
import io
import os
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TextIO

from directory.base import storable

_ERRORS = "dinhdanh.plain"
_ELSE = {
    "đ": "d",
    "Đ": "D",
    "…": "...",
    "–": "-",
    "—": "-",
    "→": "->",
    "✗": "x",
    "·": "-",
    "“": '"',
    "”": '"',
}


def plain(text: str) -> str:
    """The text in ASCII: letters without their marks, and ``?`` for what has no likeness."""
    return "".join(map(_likeness, text))


def _likeness(letter: str) -> str:
    if letter in _ELSE:
        return _ELSE[letter]
    bare = "".join(c for c in unicodedata.normalize("NFD", letter) if not unicodedata.combining(c))
    if bare:
        return bare if bare.isascii() else "?"
    return ""  # a mark that stands alone


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return plain(error.object[error.start : error.end]), error.end


codecs.register_error(_ERRORS, _replace)


def accept(streams: Iterable[TextIO]) -> None:
    """Let these streams take every text."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)


def unreadable(arguments: Sequence[str]) -> list[str]:
    """Those of a command's arguments that were typed in another encoding than the one we were
    told, in ASCII. A file may be called anything.
    """
    return [
        plain(text)
        for text in arguments
        if not storable.is_text(text) and not os.path.lexists(text)
    ]
