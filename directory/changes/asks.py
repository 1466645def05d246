"""What a kind of change asks for, said once: a model of fields from which every edge makes its own.

A kind's ``asks`` is a pydantic model of the types in ``field_types``. From it come the form of the
console, the options of the command line, the description of the API, and the errors that name a field:

    class Asks(Fields):
        to_unit: Annotated[UnitRef, Ask("Đơn vị đến", says="The unit she goes to.", option="--to")]

``read`` checks a body against the model and resolves every reference to an id, in the session of
its ``Reading``. What an edge shows of the model is in ``leaves``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import CoreSchema, core_schema
from sqlalchemy.orm import Session

from directory.base.crypto import Keyring
from directory.base.errors import InvalidInput
from directory.base.text import clean


class Input(StrEnum):
    """How a field is filled in by hand."""

    TEXT = "text"
    DAY = "day"
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
        return core_schema.with_info_before_validator_function(self._checked, handler(source))

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


Model = TypeVar("Model", bound=BaseModel)


def read(model: type[Model], body: Mapping[str, Any], reading: Reading) -> Model:
    """The fields as asked for, references resolved. Raises InvalidInput naming the first wrong one."""
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    for name in required:
        if body.get(name) in (None, ""):
            raise _missing(model, name)
    try:
        found = model.model_validate(dict(body), context=reading)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_context=False)[0]
        path = [str(part) for part in first["loc"]]
        if first["type"] == "extra_forbidden":
            raise wrong(
                ".".join(path)[:60], "Không có trường này cho loại thay đổi đã chọn."
            ) from None
        if first["type"] == "missing":
            raise wrong(path[-1], "Trường này không được để trống.") from None
        raise wrong(path[-1], ask_of(model, path[0]).wrong) from None
    for name in required:
        if getattr(found, name) is None:  # nothing but blanks
            raise _missing(model, name)
    return found


def _missing(model: type[BaseModel], name: str) -> InvalidInput:
    code, message = ask_of(model, name).missing
    return InvalidInput(code, message, field=name)


def ask_of(model: type[BaseModel], name: str) -> Ask:
    """The words of a field."""
    found = next((m for m in model.model_fields[name].metadata if isinstance(m, Ask)), None)
    return found or Ask(name)
