"""What people type into the change forms → the body of the changes API.

Dates are written dd/mm/yyyy here; what cannot be read is refused at its own field.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from werkzeug.datastructures import MultiDict

from directory.base.errors import InvalidInput
from directory.changes.model import ChangeKind
from idp.web.i18n import error_text

KINDS = {
    "transfer": ChangeKind.TRANSFER,
    "suspend": ChangeKind.SUSPEND,
    "resume": ChangeKind.RESUME,
    "leave": ChangeKind.LEAVE,
}
CARRIED = ("to_unit", "position", "effective_on", "number", "issued_on", "issuer", "reason")
"""Fields that a preview hands on to its confirmation, beside ``keep``."""

_VIETNAMESE = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})")


def day(value: str, field: str) -> str | None:
    """An ISO date from dd/mm/yyyy (or already ISO); None for nothing. Raises InvalidInput."""
    value = value.strip()
    if not value:
        return None
    found = _VIETNAMESE.fullmatch(value)
    try:
        if found:
            return date(int(found[3]), int(found[2]), int(found[1])).isoformat()
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise InvalidInput(
            "day", "Ngày phải viết dạng ngày/tháng/năm, ví dụ 05/03/2026.", field=field
        ) from None


def day_asked(value: str, today: date) -> tuple[date, str]:
    """The day a page is asked for; today when what was typed is no day, and why."""
    try:
        found = day(value, "on")
    except InvalidInput as error:
        return today, error_text(error)
    return (date.fromisoformat(found) if found else today), ""


def body(kind: str, user_id: int, values: MultiDict[str, str]) -> dict[str, Any]:
    """The body the API would be sent for the same change. Raises InvalidInput."""
    made: dict[str, Any] = {"kind": KINDS[kind].value, "user": user_id}
    effective_on = day(values.get("effective_on", ""), "effective_on")
    if effective_on:
        made["effective_on"] = effective_on
    if kind == "transfer":
        made["to_unit"] = values.get("to_unit", "").strip()
        if values.get("position"):
            made["position"] = values["position"]
        keep = [k for k in values.getlist("keep") if k.isdecimal() and len(k) < 16]
        if keep:
            made["keep"] = [int(k) for k in keep]
    if kind == "leave":
        made["reason"] = values.get("reason", "")
    decision = _decision(values)
    if decision:
        made["decision"] = decision
    return made


def _decision(values: Mapping[str, str]) -> dict[str, Any] | None:
    number, issuer = values.get("number", "").strip(), values.get("issuer", "").strip()
    issued_on = day(values.get("issued_on", ""), "decision.issued_on")
    if not (number or issuer or issued_on):
        return None
    return {"number": number, "issued_on": issued_on, "issuer": issuer}


def carried(values: MultiDict[str, str]) -> list[tuple[str, str]]:
    """The hidden fields by which a preview's confirmation repeats the form."""
    return [(name, values[name]) for name in CARRIED if values.get(name)] + [
        ("keep", k) for k in values.getlist("keep")
    ]
