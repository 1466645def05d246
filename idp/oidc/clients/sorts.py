"""Sorts of values that a client's metadata has, and how each is written.

    read      from a member of a JSON document
    typed     from texts that people typed, in a form or on the command line
    row       for the database, as JSON knows it
    back      from the database
    told      for a JSON document

What is of another sort raises InvalidInput naming the field.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from directory.base.errors import InvalidInput

LONGEST = 4000
"""Characters of one text."""
T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
ANYWHERE = ","
BEFORE_A_SCHEME = r",(?=\s*[A-Za-z][A-Za-z0-9+.-]*:)"
"""A comma may stand in an address, and parts two of them only where another scheme follows."""


def wrong(name: str, sentence: str) -> InvalidInput:
    """The refusal of one field of a registration."""
    return InvalidInput("client_" + name, sentence, field=name)


def member(name: str, value: str, known: type[E]) -> E:
    """One of a closed set. Raises InvalidInput naming the field."""
    try:
        return known(value)
    except ValueError as exc:
        raise wrong(name, "Giá trị không được hỗ trợ.") from exc


class Input(StrEnum):
    """How a value is filled in by hand."""

    TEXT = "text"
    LINES = "lines"
    TICK = "tick"
    CHOICE = "choice"
    BOXES = "boxes"


def _as_it_is(value: Any) -> Any:
    return value


@dataclass(frozen=True, eq=False)
class Sort(Generic[T]):
    """One sort of values; see the module."""

    default: T
    read: Callable[[str, Any], T]
    typed: Callable[[str, Sequence[str]], T]
    row: Callable[[Any], Any] = _as_it_is
    back: Callable[[Any], Any] = _as_it_is
    told: Callable[[Any], Any] | None = None
    input: Input = Input.TEXT
    comma: str = ""
    """What parts several texts that were typed as one; empty: it is one text."""
    members: type[StrEnum] | None = None

    def json(self, value: T) -> Any:
        """As a JSON document tells it."""
        return (self.told or self.row)(value)

    def parted(self, texts: Sequence[str]) -> list[str]:
        """The single texts, of which each may have been several with commas between."""
        if not self.comma:
            return list(texts)
        parts = (part.strip() for text in texts for part in re.split(self.comma, text))
        return list(dict.fromkeys(part for part in parts if part))


# ---- from JSON ---------------------------------------------------------------------------------


def _text(name: str, value: Any) -> str:
    if not (isinstance(value, str) and len(value) <= LONGEST):
        raise wrong(name, "Giá trị phải là một chuỗi ký tự không quá dài.")
    return value


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(
        isinstance(each, str) and len(each) <= LONGEST for each in value
    ):
        raise wrong(name, "Giá trị phải là danh sách các chuỗi ký tự không quá dài.")
    return tuple(value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise wrong(name, "Giá trị phải là true hoặc false.")
    return value


def _number(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong(name, "Giá trị phải là số nguyên.")
    return value


def _object(_name: str, value: Any) -> Any:
    return value


# ---- as typed ----------------------------------------------------------------------------------


def _one(name: str, texts: Sequence[str]) -> str:
    if len(texts) != 1:
        raise wrong(name, "Giá trị phải được nêu đúng một lần.")
    return texts[0].strip()


def _typed_flag(name: str, texts: Sequence[str]) -> bool:
    return _flag(name, {"true": True, "false": False}.get(_one(name, texts)))


def _typed_number(name: str, texts: Sequence[str]) -> int | None:
    text = _one(name, texts)
    if text and not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise wrong(name, "Giá trị phải là số nguyên.")
    return int(text) if text else None


def _untyped(name: str, _texts: Sequence[str]) -> Any:
    raise wrong(name, "Giá trị này không nhập trực tiếp được.")


def _maybe(name: str, texts: Sequence[str]) -> str | None:
    return _one(name, texts) or None


def _several(_name: str, texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(texts)


def _words(_name: str, texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for text in texts for word in text.split())


# ---- the sorts ---------------------------------------------------------------------------------


def _text_or_none() -> Sort[str | None]:
    return Sort(None, _text, _maybe)


LINE: Sort[str] = Sort("", _text, _one)
"""A text that is always there."""
TEXT = _text_or_none()
SUBJECT = _text_or_none()
"""A name of a certificate's subject."""
OUR_ALGORITHM = _text_or_none()
"""By which we sign."""
ALGORITHM = _text_or_none()
"""By which the client signs."""
FLAG: Sort[bool] = Sort(default=False, read=_flag, typed=_typed_flag, input=Input.TICK)
NUMBER: Sort[int | None] = Sort(None, _number, _typed_number)
TEXTS: Sort[tuple[str, ...]] = Sort(
    (), _texts, _several, row=list, back=tuple, input=Input.LINES, comma=ANYWHERE
)
ADDRESSES: Sort[tuple[str, ...]] = Sort(
    (), _texts, _several, row=list, back=tuple, input=Input.LINES, comma=BEFORE_A_SCHEME
)
WORDS: Sort[tuple[str, ...]] = Sort(
    (),
    lambda name, value: tuple(_text(name, value).split()),
    _words,
    row=list,
    back=tuple,
    told=" ".join,
    input=Input.BOXES,
    comma=ANYWHERE,
)
"""Words of one text (RFC 6749 §3.3)."""
OBJECT: Sort[dict[str, Any] | None] = Sort(None, _object, _untyped)
LANGUAGES: Sort[Mapping[str, str]] = Sort({}, _object, _untyped)
"""What is said in several languages, by tagged names (RFC 7591 §2.2)."""
REFERENCE: Sort[int | None] = Sort(None, _number, _untyped)
"""A row of another table."""


def one_of(usual: E) -> Sort[E]:
    """A member of a closed set, ``usual`` where nothing is said."""
    known = type(usual)
    return Sort(
        usual,
        lambda name, value: member(name, _text(name, value), known),
        lambda name, texts: member(name, _one(name, texts), known),
        row=str,
        back=known,
        input=Input.CHOICE,
        members=known,
    )


def some_of(known: type[E]) -> Sort[tuple[E, ...]]:
    """Members of a closed set."""

    def all_of(name: str, values: Sequence[str]) -> tuple[E, ...]:
        return tuple(member(name, value, known) for value in values)

    return Sort(
        (),
        lambda name, value: all_of(name, _texts(name, value)),
        all_of,
        row=lambda values: [str(each) for each in values],
        back=lambda values: tuple(known(each) for each in values),
        input=Input.LINES,
        comma=ANYWHERE,
        members=known,
    )
