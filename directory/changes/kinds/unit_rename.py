"""``unit.rename``: đổi tên; from a day on a unit is called otherwise, or is of another kind."""

import re
from typing import Annotated

from pydantic import ValidationInfo, WithJsonSchema
from sqlalchemy.orm import Session

from directory import units
from directory.base import values
from directory.base.rows import in_force
from directory.base.text import clean
from directory.changes import unit_facts
from directory.changes.asks import Ask, reads, wrong
from directory.changes.drafting import Ground
from directory.changes.kind import About, Kind
from directory.changes.model import Plan, Spec
from directory.units import facts

_WORD = re.compile(r"[a-z][a-z0-9_]{0,59}")


def _name(value: object, info: ValidationInfo) -> str | None:
    field = info.field_name or ""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise wrong(field, "Trường này phải là chữ.")
    return values.unit_name(value, field)


def _word(value: object, info: ValidationInfo) -> str | None:
    if value is None or value == "":
        return None
    text = clean(value) if isinstance(value, str) else ""
    if not _WORD.fullmatch(text):
        raise wrong(info.field_name or "", "Loại đơn vị gồm chữ thường không dấu và gạch dưới.")
    return text


_TEXT = WithJsonSchema({"type": ["string", "null"]})
_Name = Annotated[str | None, reads(_name), _TEXT]


class Asks(unit_facts.OfUnit):
    """What it is called from the day on; what is left out stays."""

    name: Annotated[_Name, Ask("Tên mới", says="Its full name.")] = None
    short_name: Annotated[_Name, Ask("Tên ngắn", says="Its short name.")] = None
    unit_kind: Annotated[
        Annotated[str | None, reads(_word), _TEXT],
        Ask("Loại đơn vị", says="Which kind of unit it is, in the installation's own words."),
    ] = None


def plan(session: Session, spec: Spec, ground: Ground) -> Plan:
    """One name that begins; what is not said stays as it is on that day."""
    asked = spec.ask(Asks)
    unit = units.get(session, asked.unit)
    unit_facts.require(ground, (unit, "source"))
    draft = unit_facts.FactDraft(session, spec, ground)
    first = unit_facts.name_fact(
        unit.id, unit.name, unit.short_name, unit.kind, spec.effective_on, key=unit.sort_key
    )
    standing = unit_facts.standing_with_first(session, unit, first)
    now = next((s.fact for s in facts.spans(standing) if in_force(s, spec.effective_on)), first)
    fact = unit_facts.name_fact(
        unit.id,
        asked.name or now.name,
        asked.short_name or now.short_name,
        asked.unit_kind or now.kind,
        spec.effective_on,
    )
    draft.begin(unit, fact)
    draft.concerned(unit)
    return draft.done()


KIND = Kind(
    code="unit.rename",
    title="Đổi tên đơn vị",
    summary="A unit is called otherwise, or is of another kind, from a day on.",
    about=About.UNIT,
    asks=Asks,
    subjects=unit_facts.subjects,
    plan=plan,
    write=unit_facts.write,
    take_back=unit_facts.plan_undo,
    undoable=True,
    moves_tree=True,
    order=210,
)
