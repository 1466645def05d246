"""Who did something, and an entry of the audit trail, in words.

A person is called by her full name, the operator by the name the operating system knows. What
an entry kept is shown key by key; the export and the API give it as it is stored.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory.people import User
from idp.web.i18n import day, gettext, instant
from idp.web.labels import LABELS, label

_WORDED = {
    "action": ("done", "action"),
    "bloc": ("bloc",),
    "effect": ("effect",),
    "kind": ("change", "kind", "job", "unit_kind"),
    "reason": ("reason", "leave.reason", "slip", "way_end"),
    "role": ("role",),
    "tier": ("tier",),
    "unit_kind": ("unit_kind",),
    "after": ("status",),
    "before": ("status",),
}
"""Details whose value is a code, and the groups of labels it may be found in."""
_NAMED = {
    "application": "application",
    "application_id": "application",
    "client": "client",
    "position": "position",
    "unit": "org_unit",
}
"""Details whose value may be the id of something that has a name, and what that is."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*[+-]\d\d:\d\d")


Subject = tuple[str, str]
"""Kind and id, as the trail keeps its subjects."""
NOTHING: Subject = ("", "")


class Acting(Protocol):
    """A change or an entry of the trail."""

    @property
    def actor_kind(self) -> str: ...
    @property
    def actor_id(self) -> int | None: ...
    @property
    def actor_label(self) -> str: ...


@dataclass(frozen=True)
class Who:
    """Somebody who acted, of a row that names more than one."""

    actor_kind: str
    actor_id: int | None
    actor_label: str


def names(session: Session, rows: Iterable[Acting]) -> dict[int, str]:
    """Full names of the people among the actors, by their id."""
    ids = {row.actor_id for row in rows if row.actor_kind == "user" and row.actor_id is not None}
    if not ids:
        return {}
    found = session.execute(select(User.id, User.full_name).where(User.id.in_(ids)))
    return {row.id: row.full_name for row in found}


def actor(row: Acting, people: Mapping[int, str]) -> str:
    """Who did it, as ``names`` knows people."""
    if row.actor_kind == "user":
        return people.get(row.actor_id or 0, row.actor_label)
    if row.actor_kind == "operator":
        return f"{label('actor', 'operator')} ({row.actor_label})"
    if row.actor_kind == "client":
        return row.actor_label or label("actor", "client")
    return label("actor", row.actor_kind)


def details(data: Mapping[str, Any], called: Mapping[Subject, str]) -> list[tuple[str, str]]:
    """What an entry kept, as (name, value) for people; what is empty is left out.

    ``called`` gives the names of what ``referred`` found.
    """
    return [
        (" · ".join(map(_name, path)), called.get(_subject(path[-1], v)) or _value(path[-1], v))
        for path, v in _flat(data)
    ]


def referred(data: Mapping[str, Any]) -> set[Subject]:
    """What an entry's details point at by its id."""
    return {_subject(path[-1], value) for path, value in _flat(data)} - {NOTHING}


def _subject(key: str, value: Any) -> Subject:
    if type(value) is int and key in _NAMED:
        return _NAMED[key], str(value)
    return NOTHING


def _flat(data: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[Any, Any]]:
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from _flat(value, (*path, key))
        elif value is not None and value != []:
            yield (*path, key), value


def _name(key: str) -> str:
    group = next((g for g in ("detail", "evidence") if key in LABELS[g]), "detail")
    return label(group, key)


def _value(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return gettext("Có") if value else gettext("Không")
    if isinstance(value, list):
        return ", ".join(_item(one) for one in value)
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    for group in _WORDED.get(key, ()):
        if value in LABELS[group]:
            return label(group, value)
    return _moment(value)


def _item(one: Any) -> str:
    if isinstance(one, Mapping):
        return ":".join(str(part) for part in one.values())
    return str(one)


def _moment(value: str) -> str:
    try:
        if _DAY.fullmatch(value):
            return day(date.fromisoformat(value))
        if _INSTANT.fullmatch(value):
            return instant(datetime.fromisoformat(value))
    except ValueError:
        pass
    return value
