"""Giving and ending administrator's roles: only within the grantor's own reach, always audited."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory import people, permissions, units
from directory.assignments import Assignment
from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.clock import local_day
from directory.base.errors import InvalidInput, NotAllowed, NotFound
from directory.base.rows import ends_after, is_fact
from directory.changes import limits
from directory.entitlements import Installation
from directory.permissions import AdminRole, Do, Role


@dataclass(frozen=True)
class Holder:
    """Who holds a role: a person, maybe by virtue of one assignment, or a client."""

    user_id: int | None = None
    client_id: int | None = None
    assignment_id: int | None = None


def grant_role(
    session: Session,
    role: Role,
    holder: Holder,
    *,
    actor: Actor,
    now: datetime,
    unit_id: int | None = None,
    application_id: int | None = None,
) -> AdminRole:
    """Give a role over a unit's subtree, over one application, or over the installation.

    Giving what is already held changes nothing. Raises NotAllowed, InvalidInput.
    """
    _lock(session, holder)
    _require(session, actor, now, unit_id)
    if (holder.user_id is None) == (holder.client_id is None):
        raise InvalidInput(
            "holder", "Vai trò thuộc về một người hoặc một ứng dụng.", field="holder"
        )
    if holder.assignment_id is not None:
        post = session.get(Assignment, holder.assignment_id)
        if post is None or post.user_id != holder.user_id or not is_fact(post):
            raise InvalidInput("holder", "Phân công không phải của người này.", field="assignment")
    if application_id is not None and role != Role.APPLICATION_OWNER:
        raise InvalidInput("reach", "Chỉ chủ ứng dụng gắn với một ứng dụng.", field="application")
    columns = {
        "user_id": holder.user_id,
        "client_id": holder.client_id,
        "role": role.value,
        "unit_id": unit_id,
        "application_id": application_id,
        "assignment_id": holder.assignment_id,
    }
    held = session.scalars(
        select(AdminRole).where(
            *(getattr(AdminRole, name).is_not_distinct_from(v) for name, v in columns.items()),
            AdminRole.valid_to.is_(None),
        )
    ).first()
    if held is not None:
        return held
    granted = AdminRole(**columns, valid_from=local_day(now), valid_to=None, granted_by=actor.key)
    session.add(granted)
    session.flush()
    _record(session, Tag.ROLE_GRANT, granted, actor, now)
    return granted


def end_role(session: Session, role_id: int, *, actor: Actor, now: datetime) -> AdminRole:
    """End a role today; it counts no more at the next request. Nobody but the operator ends the
    last administrator's. Raises NotFound, NotAllowed.
    """
    role = session.get(AdminRole, role_id)
    if role is None or not ends_after(role.valid_to, local_day(now)):
        raise NotFound("role_unknown", "Không tìm thấy vai trò này.")
    _require(session, actor, now, role.unit_id)
    if actor.kind != "operator":
        limits.require_another_administrator(session, role, today=local_day(now))
    role.valid_to = local_day(now)
    _record(session, Tag.ROLE_END, role, actor, now)
    return role


def _lock(session: Session, holder: Holder) -> None:
    """Of two who give her the same role one finds it held: ending it once must end it."""
    if holder.user_id is not None:
        people.lock(session, [holder.user_id])
    else:
        # A client's row lives above this package.
        session.execute(select(Installation.id).with_for_update(key_share=True))


def _require(session: Session, actor: Actor, now: datetime, unit_id: int | None) -> None:
    path = units.get(session, unit_id).path if unit_id is not None else None
    if not permissions.rights(session, actor, local_day(now)).may(Do.GRANT_ROLE, path):
        raise NotAllowed("not_allowed", "Không có quyền thực hiện việc này.", missing="grant_role")


def _record(session: Session, tag: Tag, role: AdminRole, actor: Actor, now: datetime) -> None:
    subject = ("user", role.user_id) if role.user_id is not None else ("client", role.client_id)
    audit.record(
        session,
        tag,
        at=now,
        actor=actor,
        subject=subject,
        data={"role": role.role, "unit": role.unit_id, "application": role.application_id},
    )
