"""Leaves: the fields that an edge shows of what a kind asks for, those of nested models too."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from directory.changes.asks import Ask, Input, OneOf, ask_of


@dataclass(frozen=True)
class Leaf:
    """One field as an edge shows it."""

    path: tuple[str, ...]
    input: Input
    ask: Ask
    required: bool
    words: Mapping[str, str]
    """Of a choice: code → Vietnamese."""
    usual: str = ""
    """Of a choice: the code that counts where none is said."""

    @property
    def name(self) -> str:
        """The name in a form: ``to_unit``, ``person.full_name``."""
        return ".".join(self.path)

    @property
    def option(self) -> str:
        """The option of the command line."""
        return self.ask.option or f"--{self.path[-1].replace('_', '-')}"

    def __hash__(self) -> int:
        return hash(self.path)


@lru_cache(maxsize=256)
def leaves(model: type[BaseModel]) -> tuple[Leaf, ...]:
    """Every field, in order; those of a nested model in its place."""
    found: list[Leaf] = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found += [replace(one, path=(name, *one.path)) for one in leaves(inner)]
            continue
        choice = next((m for m in field.metadata if isinstance(m, OneOf)), None)
        kind = next((m for m in field.metadata if isinstance(m, Input)), None)
        found.append(
            Leaf(
                (name,),
                kind or (Input.CHOICE if choice else Input.TEXT),
                ask_of(model, name),
                field.is_required(),
                choice.words if choice else {},
                str(field.default) if choice and field.default in choice.words else "",
            )
        )
    return tuple(found)


def nested(given: Mapping[str, Any]) -> dict[str, Any]:
    """Values by a leaf's name → the body the API would be sent."""
    body: dict[str, Any] = {}
    for name, value in given.items():
        *outer, last = name.split(".")
        place = body
        for part in outer:
            place = place.setdefault(part, {})
        place[last] = value
    return body
