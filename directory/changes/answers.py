"""What was answered to what a kind asks: checked, references resolved, all that is wrong at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from directory.base.errors import InvalidInput, as_one
from directory.changes.asks import Ask, Reading, ask_of, wrong

Model = TypeVar("Model", bound=BaseModel)


def read(model: type[Model], body: Mapping[str, Any], reading: Reading) -> Model:
    """The fields as asked for, references resolved. Raises InvalidInput naming every wrong one."""
    try:
        found = model.model_validate(dict(body), context=reading)
    except ValidationError as exc:
        error = as_one(_said(model, body, one) for one in exc.errors(include_url=False))
        raise error or wrong("body", Ask("").wrong) from None
    for name, field in model.model_fields.items():
        if field.is_required() and getattr(found, name) is None:  # nothing but blanks
            raise _missing(model, name)
    return found


def _said(model: type[BaseModel], body: Mapping[str, Any], error: ErrorDetails) -> InvalidInput:
    """What pydantic has found, in our words."""
    path = [str(part) for part in error["loc"]]
    if error["type"] == "extra_forbidden":
        return wrong(".".join(path)[:60], "Không có trường này cho loại thay đổi đã chọn.")
    spot, given = _field_at(model, body, path)
    name = path[len(spot.path) - 1]
    if given in (None, "") and spot.required:
        return _missing(spot.model, name)
    if error["type"] == "told":
        found: InvalidInput = error["ctx"]["error"]
        return found
    return wrong(name, ask_of(spot.model, name).wrong)


@dataclass(frozen=True)
class _Spot:
    """A field of a model, or of one nested in it."""

    model: type[BaseModel]
    path: tuple[str, ...]

    @property
    def required(self) -> bool:
        return self.model.model_fields[self.path[-1]].is_required()


def _field_at(model: type[BaseModel], body: Any, path: list[str]) -> tuple[_Spot, Any]:
    """The innermost field on the way to an error, and what was said for it."""
    spot, given = _Spot(model, (path[0],)), _of(body, path[0])
    for name in path[1:]:
        inner = spot.model.model_fields[spot.path[-1]].annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        if name not in inner.model_fields:
            break
        spot, given = _Spot(inner, (*spot.path, name)), _of(given, name)
    return spot, given


def _of(body: Any, name: str) -> Any:
    return body.get(name) if isinstance(body, Mapping) else None


def _missing(model: type[BaseModel], name: str) -> InvalidInput:
    code, message = ask_of(model, name).missing
    return InvalidInput(code, message, field=name)
