"""The audit trail as an auditor reads it: newest first, by subject, within her reach."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Text, and_, cast, select
from sqlalchemy.orm import Session

from directory.base.audit import AuditEntry
from directory.base.clock import local_day
from directory.people import User
from directory.permissions import Do, Rights, visible_people


@dataclass(frozen=True)
class AuditPage:
    """One page of entries; names of the people they are about."""

    rows: list[AuditEntry]
    names: dict[str, str]
    before: int | None


def listed(
    session: Session,
    granted: Rights,
    *,
    now: datetime,
    subject_kind: str = "",
    subject: str = "",
    before: int | None = None,
) -> AuditPage:
    """Entries newest first. ``subject`` is an id, or a person's username."""
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(51)
    if granted.paths(Do.SEE_AUDIT) is not None:
        seen = select(cast(User.id, Text)).where(visible_people(granted, local_day(now)))
        query = query.where(
            and_(AuditEntry.subject_kind == "user", AuditEntry.subject_id.in_(seen))
        )
    if subject_kind:
        query = query.where(AuditEntry.subject_kind == subject_kind)
    if subject:
        query = query.where(AuditEntry.subject_id == _id_of(session, subject_kind, subject))
    if before:
        query = query.where(AuditEntry.id < before)
    rows = list(session.scalars(query))
    more = rows[49].id if len(rows) > 50 else None
    rows = rows[:50]
    ids = {int(r.subject_id) for r in rows if r.subject_kind == "user" and r.subject_id.isdecimal()}
    people = session.execute(select(User.id, User.full_name).where(User.id.in_(ids)))
    return AuditPage(rows, {str(row.id): row.full_name for row in people}, more)


def _id_of(session: Session, kind: str, subject: str) -> str:
    if kind in ("", "user") and not subject.isdecimal():
        found = session.scalar(select(User.id).where(User.username == subject.lower()))
        return str(found) if found is not None else subject
    return subject
