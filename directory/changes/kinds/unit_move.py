"""``unit.move``: chuyển đơn vị trực thuộc; from a day on a unit lies under another one."""

from datetime import date
from typing import Annotated

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory import units
from directory.base.rows import in_force
from directory.changes import unit_facts, waiting_moves
from directory.changes.asks import Ask
from directory.changes.drafting import Ground, said
from directory.changes.field_types import UnitRef
from directory.changes.kind import About, Kind
from directory.changes.model import Plan, Spec
from directory.units import OrgUnit, UnitCode, UnitEdge, moves

_PREFIXED = "qd20"
"""Codes of QĐ 20/2020/QĐ-TTg begin with that of the unit directly above (Điều 4)."""


class Asks(unit_facts.OfUnit):
    """Which unit, and where to."""

    parent: Annotated[
        UnitRef,
        Ask(
            "Đơn vị cấp trên mới",
            says="The unit it comes under.",
            option="--under",
            missing=("parent_missing", "Thiếu đơn vị cấp trên mới."),
        ),
    ]


def plan(session: Session, spec: Spec, ground: Ground) -> Plan:
    """One parent that begins; everything below the unit goes with it."""
    asked = spec.ask(Asks)
    unit, parent = units.get(session, asked.unit), units.get(session, asked.parent)
    unit_facts.require(ground, (unit, "source"), (parent, "destination"))
    draft = unit_facts.FactDraft(session, spec, ground)
    on = spec.effective_on
    draft.begin(unit, UnitEdge(unit_id=unit.id, parent_id=parent.id, valid_from=on))
    for other, day in moves.comes_under(session, unit.id, on):
        draft.warn(
            "comes_under",
            "{unit} sẽ về trực thuộc {parent} từ ngày {day}, và theo đơn vị này.",
            unit=other.name,
            parent=unit.name,
            day=said(day),
        )
    _say_code(session, draft, unit, parent, on)
    _say_bodies(session, draft, unit, parent, on)
    draft.concerned(unit)
    return draft.done()


def _say_code(
    session: Session, draft: unit_facts.FactDraft, unit: OrgUnit, parent: OrgUnit, on: date
) -> None:
    codes = {
        code.unit_id: code.value
        for code in session.scalars(
            select(UnitCode).where(
                UnitCode.unit_id.in_([unit.id, parent.id]),
                UnitCode.scheme == _PREFIXED,
                UnitCode.value != "",
                in_force(UnitCode, on),
            )
        )
    }
    own, over = codes.get(unit.id), codes.get(parent.id)
    if own and over and not own.startswith(f"{over}."):
        draft.warn(
            "code_prefix",
            "Mã {code} không bắt đầu bằng mã {over} của đơn vị cấp trên mới; cần mã mới.",
            code=own,
            over=over,
        )


def _say_bodies(
    session: Session, draft: unit_facts.FactDraft, unit: OrgUnit, parent: OrgUnit, on: date
) -> None:
    if unit.legal_person:
        return
    places = units.places(session, [(unit.id, on), (parent.id, on)])
    now, then = places[unit.id, on].owner, places[parent.id, on].owner
    if now.id != then.id:
        draft.warn(
            "other_body",
            "Người làm việc tại đây chuyển từ {old} sang {new}: khi ngày đến, phiên làm việc của họ "
            "kết thúc.",
            old=now.name,
            new=then.name,
        )
        if going := waiting_moves.across(session, unit.path, on, now=draft.ground.now):
            draft.warn(
                "waiting_moves",
                "Điều động đang chờ của {n} người sẽ thành điều động sang cơ quan khác: đến ngày đó mọi "
                "phiên làm việc của họ kết thúc; các vị trí khác của họ vẫn còn, hãy xem lại.",
                n=going,
            )


KIND = Kind(
    code="unit.move",
    title="Chuyển đơn vị trực thuộc",
    summary="A unit comes under another one, with everything below it, from a day on.",
    about=About.UNIT,
    asks=Asks,
    subjects=unit_facts.subjects,
    plan=plan,
    write=unit_facts.write,
    take_back=unit_facts.plan_undo,
    undoable=True,
    moves_tree=True,
    order=211,
)
