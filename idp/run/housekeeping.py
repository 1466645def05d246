"""What must be done now and then, whatever else happens; one thread of the worker.

    every 2 seconds     the audit's new entries are chained and signed, and its head is written
                        down outside the database
    every 5 seconds     what could only wait for tokens to lapse is looked at
    every minute        a new CRL is ordered where the last one is due for renewal
                        what outsiders have had us write down and nobody can use is deleted
                        certificates whose making died are given up
                        whose sign-in is closed is told
                        proposals that nobody approved in time, or whose proposer is not who she
                        was, are written off
    every hour          signing keys that are old enough are replaced
                        what has expired and serves no proof is deleted

Several workers may do all of it at once: each chore is one short transaction that finds nothing
left to do when another was first.
"""

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, select

from connectors.accounts import handed_back
from connectors.notices import Notice, told
from connectors.pki import authority, crl, requests, revocations
from connectors.pki.tables import Authority, AuthorityKind
from directory.base import audit, nodes, outbox, replay_cache
from directory.base.audit import Actor, AuditEntry
from directory.base.away import is_away, kind_of
from directory.base.errors import Conflict, InvalidInput
from directory.base.outbox import Job
from directory.changes import approval, proof
from directory.changes.repeats import Idempotency
from idp import approving
from idp.factors import throttle
from idp.login.flow_rows import LoginFlow
from idp.oidc import cutter, signing_keys
from idp.oidc.authorization import pushed
from idp.oidc.clients import invites, refusals
from idp.oidc.grant_types import device
from idp.services import Services
from idp.sessions import answers
from idp.trail import anchor

log = structlog.get_logger(__name__)

FIRST, LONGEST = 0.25, 2.0
"""Seconds until the first chores, and at most between two looks at what is due."""
SEALED_AT_ONCE = 2000
JOBS_KEPT = timedelta(days=90)
TOLD_AGAIN = timedelta(days=1)


@dataclass(frozen=True)
class Chore:
    """Something to do every so often."""

    name: str
    every: timedelta
    do: Callable[[Services, datetime], None]


_told: dict[str, datetime] = {}
TELL_AGAIN = timedelta(minutes=1)


def keep_audit(services: Services, now: datetime) -> None:
    """Chain and sign the entries written since, and write a checkpoint where the sealed head has
    moved: one statement where nothing was written.
    """
    found = _anchor(services, now)
    if found is None or found.unsealed:
        _seal(services)
        _anchor(services, now)


def _seal(services: Services) -> None:
    with services.db.hot() as connection:
        waiting = connection.scalar(select(AuditEntry.id).where(AuditEntry.seq.is_(None)).limit(1))
    while waiting is not None:
        with services.db.write() as session:
            if audit.seal(session, services.keyring, limit=SEALED_AT_ONCE) < SEALED_AT_ONCE:
                return


def _anchor(services: Services, now: datetime) -> anchor.AnchorStanding | None:
    """The log says when the checkpoint cannot be written (None), or knows more than the database."""
    try:
        found = anchor.keep(services, now)
    except OSError as exc:
        _tell("audit.checkpoint_unwritten", now, reason=exc.strerror or type(exc).__name__)
        return None
    if found.behind and found.newest is not None:
        _tell("audit.behind_checkpoint", now, seq=found.seq, checkpoint=found.newest.seq)
    return found


def _tell(event: str, now: datetime, **facts: object) -> None:
    """Say it once a minute, not every second."""
    if event not in _told or now - _told[event] >= TELL_AGAIN:
        _told[event] = now
        log.error(event, **facts)


def lapse(services: Services, now: datetime) -> None:
    """Complete the effects that only waited for tokens to run out."""
    with services.db.hot() as connection:
        if not cutter.lapse_waits(connection, now):
            return
    with services.db.write() as session:
        proof.settle(session, cutter.lapse_due(session, now), now=now)


def renew_lists(services: Services, now: datetime) -> None:
    """Order a new CRL where the newest is as old as lists are to get, and make what an authority
    needs besides where it is missing; nothing of it while a key is offline.
    """
    kinds = (AuthorityKind.ISSUING.value, AuthorityKind.ROOT.value)
    with services.db.read() as session:
        found = [
            (a.id, crl.newest(session, a.id), crl.every(a, services.settings))
            for a in session.scalars(
                select(Authority).where(
                    Authority.kind.in_(kinds), Authority.key_sealed.is_not(None)
                )
            )
        ]
    due = [a for a, newest, age in found if newest is None or newest.this_update + age <= now]
    if found:
        with services.db.write() as session:
            authority.complete(session, services.keyring, services.settings, now=now)
    if due:
        with services.db.write() as session:
            rows = [revocations.crl_job(a, now=now, priority=outbox.Priority.NORMAL) for a in due]
            outbox.enqueue_rows(session, rows)


def give_up(services: Services, now: datetime) -> None:
    """Abandon the certificates whose making died."""
    with services.db.write() as session:
        requests.give_up(session, now=now)


def lapse_proposals(services: Services, now: datetime) -> None:
    """Write off the proposals that can no longer be approved, and forget whom old ones were about."""
    kept = timedelta(days=services.settings.approval_kept_days)
    with services.db.write() as session:
        approval.lapse_due(session, approving.outside(services), now=now)
        approval.forget_due(session, before=now - kept)


def hand_back(services: Services, now: datetime) -> None:
    """Take work from people at applications that are called by now."""
    with services.db.write() as session:
        proof.settle(session, handed_back.look(session, now=now), now=now)


LOCKS_AT_ONCE = 100


def tell_of_locks(services: Services, now: datetime) -> None:
    """Tell people whose sign-in is closed, once in a day each. Not when it closes: an attempt on a name
    that somebody has would then do more than one on a name that nobody has.
    """
    with services.db.read() as session:
        locked = throttle.people_locked(session, now=now)
        fresh = told.untold(session, locked, Notice.LOCKED, since=now - TOLD_AGAIN)
    if fresh:
        with services.db.write() as session:
            for user_id in fresh[:LOCKS_AT_ONCE]:
                until = locked[user_id].isoformat()
                told.tell(session, user_id, Notice.LOCKED, now=now, until=until)


def rotate_keys(services: Services, now: datetime) -> None:
    """Replace the signing keys that are as old as they are to get."""
    age = timedelta(days=services.settings.signing_key_days)
    with services.db.read() as session:
        due = signing_keys.due(session, now, age=age)
    for alg in due:
        with contextlib.suppress(Conflict, InvalidInput), services.db.write() as session:
            # Refused when another worker was first: the next key is then too new to sign.
            signing_keys.rotate(
                session,
                services.keyring,
                now,
                alg=alg,
                actor=Actor.system(),
                overlap=signing_keys.overlap(services.settings),
            )


def purge(services: Services, now: datetime) -> None:
    """Delete what has expired: sign-ins under way, idempotency keys, throttles, invitations, old
    jobs.
    """
    with services.db.write() as session:
        # One that was given up is remembered until its address is too old.
        over = now - timedelta(seconds=services.settings.flow_lifetime)
        session.execute(delete(LoginFlow).where(LoginFlow.expires_at < over))
        session.execute(delete(Idempotency).where(Idempotency.expires_at < now))
        throttle.purge(session, now=now)
        invites.purge(session, now=now)
        nodes.forget(session, now=now)
        told.forget(session, before=now - timedelta(days=services.settings.notice_days))
        session.execute(delete(Job).where(Job.state == "done", Job.finished_at < now - JOBS_KEPT))


def sweep(services: Services, now: datetime) -> None:
    """Delete what any client can have us keep, as soon as it is of no use: pushed requests, device
    requests, proofs that were used, reasons of refusals.
    """
    with services.db.write() as session:
        device.purge(session, now=now)
        pushed.purge(session, now=now)
        replay_cache.purge(session, now=now)
        answers.purge(session, now=now)
        refusals.purge(session, now=now)


CHORES = (
    Chore("keep_audit", timedelta(seconds=2), keep_audit),
    Chore("lapse", timedelta(seconds=5), lapse),
    Chore("renew_lists", timedelta(minutes=1), renew_lists),
    Chore("sweep", timedelta(minutes=1), sweep),
    Chore("give_up", timedelta(minutes=1), give_up),
    Chore("lapse_proposals", timedelta(minutes=1), lapse_proposals),
    Chore("tell_of_locks", timedelta(minutes=1), tell_of_locks),
    Chore("hand_back", timedelta(minutes=10), hand_back),
    Chore("rotate_keys", timedelta(hours=1), rotate_keys),
    Chore("purge", timedelta(hours=1), purge),
)


def run(
    services: Services, stopping: threading.Event, *, chores: tuple[Chore, ...] = CHORES
) -> None:
    """Do each chore when it is due, until told to stop."""
    due = dict.fromkeys(chores, services.clock())
    pause = FIRST
    while not stopping.wait(pause):
        for chore in chores:
            now = services.clock()
            if now < due[chore]:
                continue
            if stopping.is_set():
                return
            due[chore] = now + chore.every
            try:
                chore.do(services, now)
            except Exception as error:
                if is_away(error):
                    log.warning("housekeeping.failed", chore=chore.name, why=kind_of(error))
                else:
                    log.exception("housekeeping.failed", chore=chore.name)
        next_one = (min(due.values()) - services.clock()).total_seconds()
        pause = min(LONGEST, max(0.0, next_one))
