"""``slip``: two agree that somebody is given an activation slip which one alone may not print.

It changes nothing of hers. What it allows, the one who proposed it may do once, soon, while she stands
as she stood: ``idp.factors.slip_approval``.
"""

from typing import Annotated

from sqlalchemy.orm import Session

from directory import assignments
from directory.changes.asks import Ask, Fields, OneOf
from directory.changes.drafting import Draft, Ground, people_of
from directory.changes.kind import About, Kind
from directory.changes.model import Plan, Spec
from directory.changes.table import Event
from directory.permissions import Do

BECAUSE = {
    "recovery": "Đã từng kích hoạt: phiếu này đặt lại mật khẩu",
    "office": "Giữ hoặc sắp giữ vai trò quản trị",
}


class Asks(Fields):
    """Why one alone may not print it."""

    because: Annotated[
        str,
        OneOf(BECAUSE, wrong="Lý do không hợp lệ."),
        Ask("Vì sao cần phê duyệt", says="Why it takes a second person."),
    ]


def plan(session: Session, spec: Spec, ground: Ground) -> Plan:
    """Whoever may reset her factors may ask. Raises NotAllowed."""
    draft = Draft(spec, ground, ordered=False)
    for user, before in people_of(session, spec):
        at = assignments.stands_in(before, ground.today)
        ground.rights.require(Do.RESET_FACTORS, at.unit.path if at else None, missing="source")
        if draft.works(user):
            draft.person(user, Event.SLIP, before, [])
    return draft.done(units_touched=set())


KIND = Kind(
    code="slip",
    title="Cấp phiếu kích hoạt",
    summary="USER is given an activation slip.",
    about=About.NONE,
    asks=Asks,
    plan=plan,
    needs_approval=True,
)
