"""``rename``: another name, or a day of birth put right."""

from collections.abc import Mapping
from typing import Annotated, Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from directory.changes import personal
from directory.changes.asks import Ask, Fields
from directory.changes.drafting import Draft, Ground
from directory.changes.field_types import BirthDate, PersonName
from directory.changes.kind import Kind
from directory.changes.model import Plan, Spec
from directory.changes.table import Event
from directory.people import User, UserStatus


class Asks(Fields):
    """Who she is; what is left out stays."""

    full_name: Annotated[PersonName, Ask("Họ và tên", says="Her full name.", now="full_name")] = ""
    birth_date: Annotated[
        BirthDate,
        Ask("Ngày sinh", says="Her day of birth, or the year alone.", now="birth_date"),
    ] = None


def plan(session: Session, spec: Spec, ground: Ground) -> Plan:
    """Name parts, search and order follow the name; the username stays for ever."""
    draft = Draft(spec, ground)
    for user, new in personal.changed(session, spec, draft, ground, Event.RENAME, Asks):
        if _namesake(session, user, new):
            draft.warn(
                "namesake",
                "Đã có người trùng họ tên và ngày sinh; cần số định danh để phân biệt.",
                user,
            )
    return draft.done(units_touched=set())


def _namesake(session: Session, user: User, new: dict[str, Any]) -> bool:
    born = new.get("birth_date", user.birth_date)
    if not born:
        return False
    other = exists().where(
        User.full_name == new.get("full_name", user.full_name),
        User.birth_date == born,
        User.id != user.id,
    )
    return bool(session.scalar(select(other)))


def fed(user: User, brought: Mapping[str, Any]) -> Mapping[str, Any]:
    """A later load completes a year of birth; another name or day wants a decision."""
    born, before = brought.get("birth_date"), user.birth_date or ""
    completes = born is not None and len(before) <= len("1980") and born.startswith(before)
    return {"birth_date": born} if completes else {}


KIND = Kind(
    code="rename",
    title="Đổi họ tên, ngày sinh",
    summary="USER gets another name, or her day of birth is put right.",
    asks=Asks,
    plan=plan,
    fed=fed,
    undoable=True,
    offered_to=frozenset({UserStatus.ACTIVE, UserStatus.SUSPENDED}),
    order=70,
)
