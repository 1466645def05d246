"""The audit trail as an auditor reads it: newest first, by subject, within her reach."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Text, and_, cast, select
from sqlalchemy.orm import Session

from directory.assignments import Position
from directory.base.audit import AuditEntry
from directory.base.clock import local_day
from directory.entitlements import Application
from directory.people import User
from directory.permissions import Do, Rights, visible_people
from directory.units import OrgUnit
from idp.console import entries
from idp.oidc.clients import Client


@dataclass(frozen=True)
class AuditPage:
    """One page of entries, with the names of whom and what they are about and of who acted."""

    rows: list[AuditEntry]
    names: dict[entries.Subject, str]
    actors: dict[int, str]
    before: int | None


_NAMED = {
    "user": (User.id, User.full_name),
    "application": (Application.id, Application.name),
    "client": (Client.id, Client.name),
    "org_unit": (OrgUnit.id, OrgUnit.name),
    "position": (Position.id, Position.name),
}


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
        audited = granted.where(Do.SEE_AUDIT)
        seen = select(cast(User.id, Text)).where(visible_people(audited, local_day(now)))
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
    return AuditPage(rows, _names(session, rows), entries.names(session, rows), more)


def _names(session: Session, rows: list[AuditEntry]) -> dict[entries.Subject, str]:
    ids: dict[str, set[int]] = {}
    for row in rows:
        for kind, key in {(row.subject_kind, row.subject_id), *entries.referred(row.data)}:
            if kind in _NAMED and key.isdecimal():
                ids.setdefault(kind, set()).add(int(key))
    found = {}
    for kind, wanted in ids.items():
        column, name = _NAMED[kind]
        for row_id, words in session.execute(select(column, name).where(column.in_(wanted))):
            found[kind, str(row_id)] = words
    return found


def _id_of(session: Session, kind: str, subject: str) -> str:
    if kind in ("", "user") and not subject.isdecimal():
        found = session.scalar(select(User.id).where(User.username == subject.lower()))
        return str(found) if found is not None else subject
    return subject
