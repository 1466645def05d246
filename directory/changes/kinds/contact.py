"""``contact``: how she is reached; by a form, or by a feed that brings another address or number."""

from collections.abc import Mapping
from typing import Annotated, Any

from sqlalchemy.orm import Session

from directory.changes import addresses, personal
from directory.changes.asks import Ask, Fields
from directory.changes.drafting import Draft, Ground
from directory.changes.field_types import Email, Phone
from directory.changes.kind import Kind
from directory.changes.model import Plan, Spec
from directory.changes.table import Event
from directory.people import User, UserStatus


class Asks(Fields):
    """Her addresses; what is left out stays."""

    email: Annotated[
        Email, Ask("Thư điện tử", says="Her e-mail address; empty: none.", now="email")
    ] = None
    phone: Annotated[
        Phone, Ask("Điện thoại", says="Her telephone number; empty: none.", now="phone")
    ] = None


def plan(session: Session, spec: Spec, ground: Ground) -> Plan:
    """What is said replaces what was; an address that is somebody else's is told or refused."""
    draft = Draft(spec, ground, ordered=False)
    rows = {row["user"]: row.get("row") for row in spec.rows}
    given = [
        {"row": rows.get(user.id), "person": {"email": new["email"], "full_name": user.full_name}}
        for user, new in personal.changed(session, spec, draft, ground, Event.CONTACT, Asks)
        if new.get("email")
    ]
    draft.conflicts += addresses.taken(session, given, ground)
    draft.warnings += addresses.shared(session, given, ground)
    return draft.done(units_touched=set())


def fed(_user: User, brought: Mapping[str, Any]) -> Mapping[str, Any]:
    """A later load brings another address or number."""
    return {name: brought[name] for name in Asks.model_fields if name in brought}


KIND = Kind(
    code="contact",
    title="Đổi thông tin liên hệ",
    summary="USER is reached by another e-mail address or telephone number.",
    asks=Asks,
    plan=plan,
    fed=fed,
    undoable=True,
    offered_to=frozenset({UserStatus.ACTIVE, UserStatus.SUSPENDED}),
    order=80,
)
