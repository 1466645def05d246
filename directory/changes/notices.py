"""What a plan tells: a warning may be committed over, a conflict must be settled first."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Choice:
    """One way to settle what a notice tells: a value of the field that it names."""

    value: str
    message: str
    args: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"value": self.value, "label": self.message.format(**self.args)}


@dataclass(frozen=True)
class Notice:
    """A warning (may be committed over) or a conflict (must be settled first)."""

    code: str
    message: str
    user_id: int | None = None
    named: str | None = None
    """The field of the request it is about."""
    args: dict[str, Any] = field(default_factory=dict)
    row: int | None = None
    lifted: bool = False
    """A conflict that a second person's approval lifts."""
    choices: tuple[Choice, ...] = ()
    """How it is settled, by a value of the field that it names (``named``)."""

    def text(self) -> str:
        """The Vietnamese sentence."""
        return self.message.format(**self.args) if self.args else self.message

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        found: dict[str, Any] = {
            "code": self.code,
            "message": self.text(),
            "user": self.user_id,
            "row": self.row,
        }
        if self.choices:
            found |= {"field": self.named, "choices": [one.as_dict() for one in self.choices]}
        return found
