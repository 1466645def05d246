"""The types of the fields that a kind of change asks for: how each is read, and what it is read as."""

import re
from datetime import date
from typing import Annotated, Any

from pydantic import PlainSerializer, ValidationInfo, WithJsonSchema

from directory import assignments, people, units
from directory.base import values
from directory.base.text import clean
from directory.changes.asks import Input, Reading, reads, wrong

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_LONGEST = 100
_LINE = 200


def reference(value: Any, field: str) -> int | str:
    """An id or a code as it was given. Raises InvalidInput."""
    if isinstance(value, bool) or not isinstance(value, int | str) or len(str(value)) > _LONGEST:
        raise wrong(field, "Mã tham chiếu không hợp lệ.")
    return value


def _reading(info: ValidationInfo) -> Reading:
    found = info.context
    if not isinstance(found, Reading):
        raise TypeError("asks are read within a Reading")
    return found


def _unit(value: Any, info: ValidationInfo) -> int | None:
    field = info.field_name or ""
    if value in (None, ""):
        return None
    reading = _reading(info)
    ref = reference(value, field)
    return units.by_ref(reading.directory, ref, on=reading.effective_on, field=field).id


def _position(value: Any, info: ValidationInfo) -> int | None:
    if value in (None, ""):
        return None
    code = str(reference(value, info.field_name or ""))
    return assignments.position_by_code(_reading(info).directory, code).id


def _day(value: Any, info: ValidationInfo) -> date | None:
    return day(value, info.field_name or "")


def day(value: Any, field: str) -> date | None:
    """An ISO day; None for nothing. Raises InvalidInput."""
    if value in (None, ""):
        return None
    # fromisoformat also takes week dates and compact forms; people write one form here.
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise wrong(field, "Ngày phải viết dạng năm-tháng-ngày.")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise wrong(field, values.NO_SUCH_DAY) from None


def _held(value: Any, info: ValidationInfo) -> int | None:
    if value in (None, ""):
        return None
    if type(value) is not int or value < 1:
        raise wrong(info.field_name or "", "Phân công không hợp lệ.")
    return value


def _held_many(value: Any, info: ValidationInfo) -> tuple[int, ...]:
    if value in (None, []):
        return ()
    if not isinstance(value, list) or not all(type(v) is int for v in value):
        raise wrong(info.field_name or "", "Danh sách phân công giữ lại không hợp lệ.")
    return tuple(sorted(set(value)))


def _text(value: Any, info: ValidationInfo) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise wrong(info.field_name or "", "Trường này phải là chữ.")
    return clean(value) or None


def _line(value: Any, info: ValidationInfo) -> str | None:
    text, field = _text(value, info), info.field_name or ""
    return values.line(text, field, longest=_LINE) if text else None


def _source_key(value: Any, info: ValidationInfo) -> str | None:
    text, field = _text(value, info), info.field_name or "source_key"
    return values.line(text, field, longest=values.KEY) if text else None


def _person_name(value: Any, info: ValidationInfo) -> str:
    return values.person_name(_text(value, info) or "", info.field_name or "full_name")


def _birth_date(value: Any, info: ValidationInfo) -> str | None:
    return values.birth_date(_text(value, info), _reading(info).today, info.field_name or "")


def _email(value: Any, info: ValidationInfo) -> str | None:
    return values.email(_text(value, info), info.field_name or "email")


def _phone(value: Any, info: ValidationInfo) -> str | None:
    return values.phone(_text(value, info), info.field_name or "phone")


def _citizen(value: Any, info: ValidationInfo) -> dict[str, str | None] | None:
    number = _text(value, info)
    return people.citizen_columns(_reading(info).keyring, number) if number else None


_STRING = {"type": ["string", "null"]}
_REFERENCE = {"type": ["string", "integer"]}

UnitRef = Annotated[int, reads(_unit), WithJsonSchema(_REFERENCE), Input.UNIT]
"""A unit by id, by ``scheme:code`` as borne on the effective day, or by ``scheme:code@day``; read as its id."""
PositionRef = Annotated[int, reads(_position), WithJsonSchema({"type": "string"}), Input.POSITION]
"""A position by its catalogue code; read as its id."""
MaybePosition = Annotated[int | None, reads(_position), WithJsonSchema(_STRING), Input.POSITION]
Day = Annotated[date, reads(_day), WithJsonSchema({"type": "string", "format": "date"}), Input.DAY]
MaybeDay = Annotated[
    date | None,
    reads(_day),
    WithJsonSchema({"type": ["string", "null"], "format": "date"}),
    Input.DAY,
]
HeldRef = Annotated[
    int | None,
    reads(_held),
    WithJsonSchema({"type": ["integer", "null"]}),
    Input.HELD,
]
"""One of the person's assignments, by id."""
HeldRefs = Annotated[
    tuple[int, ...],
    reads(_held_many),
    WithJsonSchema({"type": "array", "items": {"type": "integer"}}),
    Input.HELD_MANY,
]
Text = Annotated[str | None, reads(_line), WithJsonSchema(_STRING)]
"""One line of text."""
SourceKey = Annotated[str | None, reads(_source_key), WithJsonSchema(_STRING)]
PersonName = Annotated[str, reads(_person_name), WithJsonSchema({"type": "string"})]
BirthDate = Annotated[str | None, reads(_birth_date), WithJsonSchema(_STRING), Input.BIRTH]
Email = Annotated[str | None, reads(_email), WithJsonSchema(_STRING)]
Phone = Annotated[str | None, reads(_phone), WithJsonSchema(_STRING)]
CitizenNumber = Annotated[
    dict[str, str | None] | None,
    reads(_citizen),
    WithJsonSchema(_STRING),
    # What is kept of a request never holds the number: the keyed hash tells two apart.
    PlainSerializer(lambda columns: columns and columns["citizen_hash"]),
]
"""Read as the three stored forms of the number."""
