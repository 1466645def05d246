"""What a kind of change asks for, said once: a model of fields from which every edge makes its own.

A kind's ``asks`` is a pydantic model of the types in ``field_types``. From it come the form of the
console, the options of the command line, the description of the API, and the errors that name a field:

    class Asks(Fields):
        to_unit: Annotated[UnitRef, Ask("Đơn vị đến", says="The unit she goes to.", option="--to")]

``answers.read`` checks a body against the model and resolves every reference to an id, in the
session of its ``Reading``. What an edge shows of the model is in ``leaves``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema
from sqlalchemy.orm import Session

from directory.base.crypto import Keyring
from directory.base.errors import InvalidInput
from directory.base.text import clean


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
    """Whether it never stands in an address, nor in a list, nor on a command line that others may read."""
    settles: bool = False
    """Whether a form asks for it only where a preview finds something to settle."""


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


def ask_of(model: type[BaseModel], name: str) -> Ask:
    """The words of a field."""
    found = next((m for m in model.model_fields[name].metadata if isinstance(m, Ask)), None)
    return found or Ask(name)
