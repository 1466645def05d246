"""What must be done now and then, whatever else happens; one thread of the worker.

    every second        the audit's new entries are chained and signed
    every 5 seconds     what could only wait for tokens to lapse is looked at
    every minute        a new CRL is ordered where the last one is due for renewal
    every hour          what has expired and serves no proof is deleted

Several workers may do all of it at once: each chore is one short transaction that finds nothing
left to do when another was first.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, select

from connectors.pki import crl, marks
from connectors.pki.tables import Authority, AuthorityKind
from directory.base import audit, outbox
from directory.base.audit import AuditEntry
from directory.base.outbox import Job
from directory.changes import proof
from directory.changes.model import Idempotency
from idp import throttle
from idp.login.flow import LoginFlow
from idp.oidc import artefact
from idp.wiring import Services

log = structlog.get_logger(__name__)

TICK = 0.25
SEALED_AT_ONCE = 2000
JOBS_KEPT = timedelta(days=90)


@dataclass(frozen=True)
class Chore:
    """Something to do every so often."""

    name: str
    every: timedelta
    do: Callable[[Services, datetime], None]


def seal_audit(services: Services, _now: datetime) -> None:
    """Chain and sign the entries written since."""
    with services.db.hot() as connection:
        waiting = connection.scalar(select(AuditEntry.id).where(AuditEntry.seq.is_(None)).limit(1))
    while waiting is not None:
        with services.db.write() as session:
            if audit.seal(session, services.keyring, limit=SEALED_AT_ONCE) < SEALED_AT_ONCE:
                return


def lapse(services: Services, now: datetime) -> None:
    """Complete the effects that only waited for tokens to run out."""
    with services.db.write() as session:
        proof.settle(session, artefact.lapse_due(session, now), now=now)


def renew_lists(services: Services, now: datetime) -> None:
    """Order a new CRL where the newest is as old as lists are to get."""
    age = timedelta(seconds=services.settings.crl_every)
    with services.db.read() as session:
        found = [
            (authority, crl.newest(session, authority))
            for authority in session.scalars(
                select(Authority.id).where(Authority.kind == AuthorityKind.ISSUING.value)
            )
        ]
    due = [a for a, newest in found if newest is None or newest.this_update + age <= now]
    if due:
        with services.db.write() as session:
            rows = [marks.crl_job(a, now=now, priority=outbox.Priority.NORMAL) for a in due]
            outbox.enqueue_rows(session, rows)


def purge(services: Services, now: datetime) -> None:
    """Delete what has expired: sign-ins under way, idempotency keys, throttles, old jobs."""
    with services.db.write() as session:
        session.execute(delete(LoginFlow).where(LoginFlow.expires_at < now))
        session.execute(delete(Idempotency).where(Idempotency.expires_at < now))
        throttle.purge(session, now=now, settings=services.settings)
        session.execute(delete(Job).where(Job.state == "done", Job.finished_at < now - JOBS_KEPT))


CHORES = (
    Chore("seal_audit", timedelta(seconds=1), seal_audit),
    Chore("lapse", timedelta(seconds=5), lapse),
    Chore("renew_lists", timedelta(minutes=1), renew_lists),
    Chore("purge", timedelta(hours=1), purge),
)


def run(
    services: Services, stopping: threading.Event, *, chores: tuple[Chore, ...] = CHORES
) -> None:
    """Do each chore when it is due, until told to stop."""
    due = dict.fromkeys(chores, services.clock())
    while not stopping.wait(TICK):
        for chore in chores:
            now = services.clock()
            if now < due[chore]:
                continue
            due[chore] = now + chore.every
            try:
                chore.do(services, now)
            except Exception:
                log.exception("housekeeping.failed", chore=chore.name)
