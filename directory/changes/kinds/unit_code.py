"""``unit.code``: cấp mã, thu hồi mã; from a day on a unit bears another code of a scheme, or none."""

import re
from typing import Annotated

from pydantic import ValidationInfo, WithJsonSchema
from sqlalchemy.orm import Session

from directory import units
from directory.changes import unit_facts
from directory.changes.asks import Ask, reads, wrong
from directory.changes.drafting import Ground
from directory.changes.kind import About, Kind
from directory.changes.model import Plan, Spec
from directory.units import UnitCode

_SCHEME = re.compile(r"[a-z][a-z0-9]{0,19}")
_VALUE = re.compile(r"[A-Z0-9][A-Z0-9.\-]{0,59}")
_SHAPES = {
    "gso": re.compile(r"\d{2}|\d{5}"),  # QĐ 124/2004/QĐ-TTg: province, commune
    "qd20": re.compile(r"(?=.{3,35}$)[A-Y]\d{2}(\.[0-9A-Z]+)*"),  # QĐ 20/2020/QĐ-TTg, Điều 4
}


def _scheme(value: object, info: ValidationInfo) -> str:
    text = value.strip().lower() if isinstance(value, str) else ""
    if not _SCHEME.fullmatch(text):
        raise wrong(info.field_name or "", "Loại mã gồm chữ thường không dấu và chữ số.")
    return text


def _value(value: object, info: ValidationInfo) -> str:
    text = value.strip().upper() if isinstance(value, str) else ""
    scheme = info.data.get("scheme", "")
    shape = _SHAPES.get(scheme, _VALUE)
    if value not in (None, "") and not shape.fullmatch(text):
        raise wrong(info.field_name or "", "Mã không đúng dạng của loại mã này.")
    return text


class Asks(unit_facts.OfUnit):
    """Which unit, which scheme, and the code; without one it bears none from the day on."""

    scheme: Annotated[
        Annotated[str, reads(_scheme), WithJsonSchema({"type": "string"})],
        Ask("Loại mã", says="The scheme: gso, qd20 or one of your own."),
    ]
    value: Annotated[
        Annotated[str, reads(_value), WithJsonSchema({"type": ["string", "null"]})],
        Ask(
            "Mã",
            says="The code; left out, the unit bears none of this scheme from that day on.",
            help="Để trống: từ ngày đó đơn vị không mang mã loại này nữa.",
        ),
    ] = ""


def plan(session: Session, spec: Spec, ground: Ground) -> Plan:
    """One code that begins, or none."""
    asked = spec.ask(Asks)
    unit = units.get(session, asked.unit)
    unit_facts.require(ground, (unit, "source"))
    draft = unit_facts.FactDraft(session, spec, ground)
    draft.begin(
        unit,
        UnitCode(
            unit_id=unit.id,
            scheme=asked.scheme,
            value=asked.value,
            issuer=spec.decision.issuer if spec.decision else "",
            valid_from=spec.effective_on,
        ),
    )
    return draft.done()


KIND = Kind(
    code="unit.code",
    title="Cấp, thu hồi mã đơn vị",
    summary="A unit bears a code of a scheme, or none, from a day on.",
    about=About.UNIT,
    asks=Asks,
    subjects=unit_facts.subjects,
    plan=plan,
    write=unit_facts.write,
    take_back=unit_facts.plan_undo,
    undoable=True,
    moves_tree=True,
    order=212,
)
