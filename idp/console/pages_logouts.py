"""Who has not acknowledged: logout tokens that are on their way, or wait for a person.

An application that has not answered may still show somebody as signed in, though nothing that it
holds of ours works any more. Owners see the clients of their applications; people's names are
shown to whoever may see people anyway.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, or_, select, true
from sqlalchemy.orm import Session

from directory import permissions
from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.base.errors import NotFound
from directory.base.outbox import Job, JobKind
from directory.entitlements import Application
from directory.people import User
from directory.permissions import GIVES, Do, Rights
from idp.console import pages_jobs
from idp.oidc.clients.client_rows import Client
from idp.oidc.grants import Grant

PAGE = 50
AT_ONCE = 500
"""Parked deliveries of one client that one click sends again."""
WAITING = ("ready", "running")
PARKED = "parked"


@dataclass(frozen=True)
class Delivery:
    """One logout token that has not been acknowledged."""

    job: Job
    client_id: str
    client: str
    application: str | None
    address: str | None
    person: str | None
    """None: the asker may not see her."""
    retriable: bool
    age: timedelta


@dataclass(frozen=True)
class Silent:
    """A client that has not acknowledged."""

    client_id: str
    name: str
    waiting: int
    parked: int
    oldest: timedelta


@dataclass(frozen=True)
class LogoutsPage:
    """The silent clients, and one page of their deliveries."""

    clients: list[Silent]
    rows: list[Delivery]
    before: int | None
    chosen: str | None
    """The name of the one client looked at."""
    may_retry: bool


def _theirs(granted: Rights, on: date) -> ColumnElement[bool]:
    """What the asker may look at: everything, the clients of her applications, and as an auditor
    what is about people of her subtree.
    """
    if granted.may(Do.MANAGE_INSTALLATION, None):
        return true()
    managed = {
        reach.application_id
        for reach in granted.reaches
        if Do.MANAGE_APPLICATION in GIVES[reach.role] and reach.path is None
    }
    own = (
        Client.application_id.is_not(None)
        if None in managed
        else Client.application_id.in_(managed)
    )
    return or_(own, permissions.visible_people(granted.where(Do.SEE_AUDIT), on))


def _silent(granted: Rights, on: date, *columns: Any) -> Select[Any]:
    return (
        select(*columns)
        .select_from(Job)
        .join(Grant, Grant.id == Job.key)
        .join(Client, Client.id == Grant.client_id)
        .join(User, User.id == Grant.user_id)
        .where(
            Job.kind == JobKind.LOGOUT_DELIVER.value,
            Job.state.in_((*WAITING, PARKED)),
            _theirs(granted, on),
        )
    )


def listed(
    session: Session,
    granted: Rights,
    *,
    now: datetime,
    client_id: str | None,
    parked: str | None,
    before: int | None,
) -> LogoutsPage:
    """The newest first; of one client, or only the parked ones, where that is asked."""
    on = local_day(now)
    name = case((permissions.visible_people(granted, on), User.full_name))
    query = (
        _silent(granted, on, Job, Client, Application.name, name)
        .outerjoin(Application, Application.id == Client.application_id)
        .order_by(Job.id.desc())
        .limit(PAGE + 1)
    )
    if client_id:
        query = query.where(Client.client_id == client_id)
    if parked:
        query = query.where(Job.state == PARKED)
    if before:
        query = query.where(Job.id < before)
    found = [
        Delivery(
            job,
            client.client_id,
            client.name,
            application,
            client.backchannel_logout_uri,
            person,
            job.state == PARKED and may_retry(granted, client.application_id),
            now - job.created_at,
        )
        for job, client, application, person in session.execute(query)
    ]
    clients = silent_clients(session, granted, now=now)
    return LogoutsPage(
        clients,
        found[:PAGE],
        found[PAGE - 1].job.id if len(found) > PAGE else None,
        next((c.name for c in clients if c.client_id == client_id), None),
        any(row.retriable for row in found),
    )


def silent_clients(session: Session, granted: Rights, *, now: datetime) -> list[Silent]:
    """The clients that have something to acknowledge, the longest silence first."""
    parked = func.sum(case((Job.state == PARKED, 1), else_=0))
    rows = session.execute(
        _silent(
            granted,
            local_day(now),
            Client.client_id,
            Client.name,
            func.count(),
            parked,
            func.min(Job.created_at),
        )
        .group_by(Client.id, Client.client_id, Client.name)
        .order_by(func.min(Job.created_at))
    )
    return [
        Silent(client_id, name, count - late, late, now - oldest)
        for client_id, name, count, late, oldest in rows
    ]


def may_retry(granted: Rights, application_id: int | None) -> bool:
    """Administrators, and owners for their own application; an auditor only looks."""
    if granted.may(Do.MANAGE_INSTALLATION, None):
        return True
    return application_id is not None and granted.may_manage(application_id)


def retry(session: Session, job_id: int, *, actor: Actor, now: datetime) -> None:
    """Send a parked one again. Raises NotFound for one the asker may not send, Conflict."""
    _retry(session, Job.id == job_id, actor=actor, now=now)


def retry_all(session: Session, client_id: str, *, actor: Actor, now: datetime) -> int:
    """Send all parked ones of a client again; how many. Raises NotFound."""
    own = Client.client_id == client_id
    return _retry(session, own, Job.state == PARKED, actor=actor, now=now)


def _retry(session: Session, *chosen: ColumnElement[bool], actor: Actor, now: datetime) -> int:
    on = local_day(now)
    granted = permissions.rights(session, actor, on)
    found = session.execute(
        _silent(granted, on, Job.id, Client.application_id)
        .where(*chosen)
        .order_by(Job.id)
        .limit(AT_ONCE)
    ).all()
    ids = [row.id for row in found if may_retry(granted, row.application_id)]
    if not ids:
        raise NotFound("delivery_unknown", "Không tìm thấy lượt báo đăng xuất này.")
    for job_id in ids:
        pages_jobs.retry(session, job_id, actor=actor, now=now)
    return len(ids)
