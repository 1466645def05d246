"""The bodies of the changes API beside what a kind of change asks for: one model each, from which
reading, errors and description come. What kinds ask for is in ``directory.changes.asks``.
"""

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from directory.base.errors import InvalidInput

Sentence = tuple[str, str]
"""Code and Vietnamese sentence."""


@dataclass(frozen=True)
class Says:
    """What is said where a field is left out, and where it is not as described."""

    missing: Sentence
    wrong: Sentence


_TEXT = ("invalid", "Trường này phải là chữ.")
_EXTRA = ("invalid", "Không có trường này.")


class Fingerprint(BaseModel):
    """The plan that somebody has seen: nothing else is to be done."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fingerprint: Annotated[
        str,
        Field(pattern="^[0-9a-f]{64}$", description="As the preview gave it."),
        Says(
            missing=("fingerprint_missing", "Thiếu fingerprint của bản xem trước."),
            wrong=("fingerprint_invalid", "Fingerprint không đúng dạng."),
        ),
    ]


class Commit(Fingerprint):
    """A change, and the fingerprint of its preview."""

    model_config = ConfigDict(frozen=True, extra="allow")

    @property
    def change(self) -> dict[str, Any]:
        """What its preview was asked with."""
        return dict(self.model_extra or {})


class Decline(BaseModel):
    """No, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Annotated[
        str,
        # How long it may be is told by whoever keeps it.
        Field(json_schema_extra={"minLength": 1, "maxLength": 500}),
        Says(missing=_TEXT, wrong=_TEXT),
    ]


Model = TypeVar("Model", bound=BaseModel)


def read(model: type[Model], values: dict[str, Any]) -> Model:
    """The body as this model. Raises InvalidInput naming the first field that is wrong."""
    try:
        return model.model_validate(values)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_context=False, include_input=False)[0]
    name = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        code, sentence = _EXTRA
    else:
        says = next(m for m in model.model_fields[name].metadata if isinstance(m, Says))
        code, sentence = says.wrong if values.get(name) is not None else says.missing
    raise InvalidInput(code, sentence, field=name[:40])
