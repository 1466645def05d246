"""What a kind of change asks for, said once: field types from which every edge makes its own.

A kind's ``asks`` is a pydantic model of these types. From it come the form of the console, the
options of the command line, the description of the API, and the errors that name a field:

    class Asks(Fields):
        to_unit: Annotated[UnitRef, Ask("Đơn vị đến", says="The unit she goes to.", option="--to")]

``answers.read`` checks a body against the model and resolves every reference to an id, in the
session of its ``Reading``. ``leaves`` gives the fields an edge shows, those of nested models too.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema
from sqlalchemy.orm import Session

from directory import assignments, people, units
from directory.base import values
from directory.base.crypto import Keyring
from directory.base.errors import InvalidInput
from directory.base.text import clean

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_LONGEST = 100
_LINE = 200


class Input(StrEnum):
    """How a field is filled in by hand."""

    TEXT = "text"
    DAY = "day"
    BIRTH = "birth"
    """A day of birth, or the year alone."""
    CHOICE = "choice"
    UNIT = "unit"
    POSITION = "position"
    HELD = "held"
    """One of the person's posts."""
    HELD_MANY = "held_many"


@dataclass(frozen=True)
class Ask:
    """The words of one field."""

    label: str
    """Vietnamese; the form's."""
    says: str = ""
    """English; for the description of the API and the command line."""
    help: str = ""
    """Vietnamese, below the field."""
    empty: str = ""
    """Vietnamese: what leaving a choice open means."""
    option: str = ""
    """The command line's option, where it is not the field's own name."""
    also: tuple[str, ...] = ()
    """What that option was called before."""
    missing: tuple[str, str] = ("invalid", "Trường này không được để trống.")
    """(code, Vietnamese sentence) where a required field is left out."""
    wrong: str = "Giá trị không hợp lệ."
    """Vietnamese: where its shape is not the one described."""
    now: str = ""
    """The column of the person whose present value the form begins with. Blank then takes it away;
    left out leaves it as it is."""
    secret: bool = False
    """Whether it never stands in an address, nor on a command line that others may read."""


@dataclass(frozen=True)
class OneOf:
    """A choice among codes, each with its Vietnamese words."""

    words: Mapping[str, str]
    wrong: str = "Giá trị không nằm trong danh mục."

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_before_validator_function(told(self._checked), handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.words)}

    def __hash__(self) -> int:
        return hash(tuple(self.words))

    def _checked(self, value: Any, info: ValidationInfo) -> str | None:
        text = clean(value) if isinstance(value, str) else value
        if text in (None, ""):
            return None
        if not isinstance(text, str) or text not in self.words:
            raise wrong(info.field_name or "", self.wrong)
        return text


@dataclass(frozen=True)
class Reading:
    """Where and when a request is read."""

    session: Session | None
    """Where references are looked up; None where the fields hold none."""
    today: date
    effective_on: date
    keyring: Keyring

    @property
    def directory(self) -> Session:
        """The session to look things up in."""
        if self.session is None:
            raise TypeError("fields that refer to the directory are read in a session")
        return self.session


class Fields(BaseModel):
    """A model of fields; values do not change once read."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Nothing(Fields):
    """A kind that asks for nothing beside whom, when and why."""


def wrong(field: str, message: str) -> InvalidInput:
    """The error of a field."""
    return InvalidInput("invalid", message, field=field)


def told(check: Callable[[Any, ValidationInfo], Any]) -> Callable[[Any, ValidationInfo], Any]:
    """A check whose error keeps nobody from looking at the other fields of the model."""

    def checked(value: Any, info: ValidationInfo) -> Any:
        try:
            return check(value, info)
        except InvalidInput as error:
            raise PydanticCustomError("told", "told", {"error": error}) from None

    return checked


def reads(check: Callable[[Any, ValidationInfo], Any]) -> BeforeValidator:
    """What makes a field of what was said, or raises InvalidInput."""
    return BeforeValidator(told(check))


def reference(value: Any, field: str) -> int | str:
    """An id or a code as it was given. Raises InvalidInput."""
    if isinstance(value, bool) or not isinstance(value, int | str) or len(str(value)) > _LONGEST:
        raise wrong(field, "Mã tham chiếu không hợp lệ.")
    return value


# ---- field types -----------------------------------------------------------------------------


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
        raise wrong(field, "Ngày này không có trong lịch.") from None


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


def ask_of(model: type[BaseModel], name: str) -> Ask:
    """The words of a field."""
    found = next((m for m in model.model_fields[name].metadata if isinstance(m, Ask)), None)
    return found or Ask(name)


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
