"""What people type into the change forms → the body of the changes API.

Dates are written dd/mm/yyyy here; what cannot be read is refused at its own field.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from werkzeug.datastructures import MultiDict

from directory.base.errors import Gathered, InvalidInput
from directory.base.values import written_day
from directory.changes import (
    kind,
    kinds,  # noqa: F401 (registered by being imported)
)
from directory.changes.asks import Input
from directory.changes.kind import About, Kind
from directory.changes.leaves import Leaf, leaves, nested
from idp.web.i18n import error_text

_DATED = ("effective_on", "number", "issued_on", "issuer")


def day(value: str, field: str) -> str | None:
    """An ISO date from dd/mm/yyyy (or already ISO); None for nothing. Raises InvalidInput."""
    value = value.strip()
    if not value:
        return None
    otherwise = "Ngày phải viết dạng ngày/tháng/năm, ví dụ 05/03/2026."
    return written_day(value, field, code="day", otherwise=otherwise).isoformat()


def day_asked(value: str, today: date) -> tuple[date, str]:
    """The day a page is asked for; today when what was typed is no day, and why."""
    try:
        found = day(value, "on")
    except InvalidInput as error:
        return today, error_text(error)
    return (date.fromisoformat(found) if found else today), ""


def kind_of(code: str, about: About) -> Kind | None:
    """The kind a page asks for, if people may ask for it."""
    found = kind.find(code)
    return found if found is not None and found.about == about else None


@dataclass(frozen=True)
class Filled:
    """A form as it was sent."""

    body: dict[str, Any]
    """What the API would be sent for the same change; what could not be read is left out."""
    wrong: tuple[InvalidInput, ...]
    """What could not be read."""


def body(one: Kind, user_id: int | None, values: MultiDict[str, str]) -> Filled:
    """The body the API would be sent for the same change."""
    gathered = Gathered()
    made: dict[str, Any] = {"kind": one.code} | ({"user": user_id} if user_id else {})
    effective_on = gathered.read(lambda: day(values.get("effective_on", ""), "effective_on"), None)
    if effective_on:
        made["effective_on"] = effective_on
    given = {
        leaf.name: gathered.read(partial(_given, leaf, values), None) for leaf in leaves(one.asks)
    }
    made |= nested({name: value for name, value in given.items() if value is not None})
    decision = _decision(values, gathered)
    if decision:
        made["decision"] = decision
    return Filled(made, tuple(gathered.errors))


def _given(leaf: Leaf, values: MultiDict[str, str]) -> Any:
    """What was filled in; None for nothing said. A field that began with what holds now says
    something when it is emptied.
    """
    if leaf.input == Input.HELD_MANY:
        return [int(k) for k in values.getlist(leaf.name) if _is_id(k)] or None
    text = values.get(leaf.name, "").strip()
    if leaf.input == Input.HELD:
        return int(text) if _is_id(text) else None
    if leaf.input == Input.DAY:
        return day(text, leaf.path[-1])
    said = leaf.required or (leaf.ask.now and leaf.name in values)
    return text if text or said else None


def _is_id(text: str) -> bool:
    return text.isdecimal() and len(text) < 16


def _decision(values: Mapping[str, str], gathered: Gathered) -> dict[str, Any] | None:
    number, issuer = values.get("number", "").strip(), values.get("issuer", "").strip()
    written = values.get("issued_on", "")
    issued_on = gathered.read(lambda: day(written, "decision.issued_on"), None)
    if not (number or issuer or written.strip()):
        return None
    return {"number": number, "issued_on": issued_on, "issuer": issuer}


def carried(one: Kind, values: MultiDict[str, str]) -> list[tuple[str, str]]:
    """The fields of a form as its preview hands them on to its confirmation."""
    names = [*(leaf.name for leaf in leaves(one.asks)), *_DATED]
    emptied = {leaf.name for leaf in leaves(one.asks) if leaf.ask.now}
    return [
        (name, value)
        for name in names
        for value in values.getlist(name)
        if value or name in emptied
    ]
