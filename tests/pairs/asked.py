"""What a request of a kind names, made from what its ``asks`` says.

Of each type of field something is known that may be said of one person. A kind of these types is asked for
without a word about it here. What is required is filled in, and the post that is meant; where nothing is
required, the first text.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from directory.changes import field_types as types
from directory.changes.asks import Input, OneOf
from directory.changes.kind import Kind

FIRST, SECOND = "1", "2"
"""What is said of her first, and then anew."""


@dataclass(frozen=True)
class Hers:
    """What may be said of one person."""

    number: int
    name: str
    """Nobody else's."""
    position: str
    unit: Callable[[str], int]
    """The id of a unit of hers by its name in the model."""
    post: Callable[[str], int]
    """The id of a post of hers by that of its unit."""


_TEXTS: list[tuple[Any, Callable[[Hers, int], str]]] = [
    (types.PersonName, lambda her, nth: f"{her.name}{('', ' Anh', ' Chi')[nth]}"),
    (types.BirthDate, lambda _, nth: f"198{nth}-05-02"),
    (types.Email, lambda her, nth: f"lan{nth}.{her.number}@thanhhoa.gov.vn"),
    (types.Phone, lambda her, nth: f"09{nth}{her.number:07d}"),
    (types.CitizenNumber, lambda her, nth: f"03{nth}{her.number:09d}"),
    (types.SourceKey, lambda her, nth: f"K{nth}-{her.number}"),
    (types.Text, lambda _, nth: f"Lần {nth}"),
]


class NoExample(LookupError):
    """A kind requires a field of a type of which nothing is known."""


def fields(kind: Kind, what: str | None, her: Hers) -> dict[str, Any]:
    """The fields of a request; ``what`` is where to, why, or which of the things that are said of
    her. Raises NoExample.
    """
    found = _required(kind, kind.asks, what, her)
    if found:
        return found
    texts = ((name, _text(field)) for name, field in kind.asks.model_fields.items())
    name, text = next(((name, text) for name, text in texts if text), ("", None))
    return {name: text(her, _nth(what))} if text else {}


def _required(kind: Kind, model: type[BaseModel], what: str | None, her: Hers) -> dict[str, Any]:
    found = {}
    for name, field in model.model_fields.items():
        if field.is_required() or Input.HELD in field.metadata:
            found[name] = _example(kind, name, field, what, her)
    return found


def _example(kind: Kind, name: str, field: FieldInfo, what: str | None, her: Hers) -> Any:
    inner = field.annotation
    if isinstance(inner, type) and issubclass(inner, BaseModel):
        return _required(kind, inner, what, her)
    for said in field.metadata:
        if isinstance(said, OneOf):
            return what if what in said.words else next(iter(said.words))
        if said == Input.UNIT:
            return her.unit(str(what))
        if said == Input.HELD:
            return her.post(str(what))
        if said == Input.POSITION:
            return her.position
    if text := _text(field):
        return text(her, _nth(what))
    raise NoExample(f"{kind.code}.{name}: say in tests/pairs/asked.py what such a field may hold")


def _text(field: FieldInfo) -> Callable[[Hers, int], str] | None:
    known = (text for of, text in _TEXTS if of.__metadata__[0] in field.metadata)
    return next(known, None)


def _nth(what: str | None) -> int:
    return {FIRST: 1, SECOND: 2}.get(what or "", 0)
