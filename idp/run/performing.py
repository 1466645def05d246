"""One claimed job, done to whatever end it comes to.

The handler does the remote part, outside of any transaction; ONE transaction then records what was
seen, finishes the job and settles the changes.

What can go wrong with a job, and what becomes of it:

    Withheld                put off without counting: nothing is given yet after a restore
    Transient, Busy         put off: backoff with jitter, or as long as the other side asked
    database away           put off likewise
    any other of our errors parked with its sentence as the reason; a person decides
    too long                Transient: the whole of a job has a deadline (``job_timeout``)
    anything else           a fault of ours: logged, put off, parked after a few times
    LeaseLost               somebody else has the job: nothing is recorded; where it may have
                            written over what the other one put right, the job is done once more
    a dead process          the lease runs out and the job is claimed again

A job that has failed too often is parked before it is tried again. Deaths of workers are counted
apart: whoever was at work then is innocent until it is at work alone (``claiming.SUSPECT``); a job
that goes on killing its worker must not do so for ever.
"""

import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Protocol

import structlog
from sqlalchemy.orm import Session

from connectors import deadline, errors
from connectors.accounts import apply
from connectors.notices import sending
from connectors.pki import jobs as pki_jobs
from directory.base import audit, claiming, outbox
from directory.base.audit import Actor, Tag
from directory.base.away import is_away, kind_of
from directory.base.errors import Busy, DinhdanhError
from directory.base.failpoints import failpoint
from directory.base.outbox import Claim, JobKind, LeaseLost
from directory.changes import effects, proof, tree_day
from directory.changes.effects import State
from idp.oidc import jobs as oidc_jobs
from idp.services import Services
from idp.web import speaking

log = structlog.get_logger(__name__)

Record = Callable[[Session], set[str]]


class Handler(Protocol):
    """Does one job's remote part; what it returns is run in the worker's one transaction."""

    def __call__(self, tools: Services, claim: Claim, /) -> Record:
        """Raises the errors of ``connectors.errors``."""
        ...


ATTEMPTS = 12
"""Tries after which a job waits for a person; with the backoff, about forty minutes."""
FAULTS = 5
"""The same for what only a fault of ours explains."""
DEATHS = 20
"""Deaths of workers under a job, nearly all of them while it was alone, after which it waits."""


def take_effect(tools: Services, claim: Claim) -> Record:
    """A dated change of a person has come due: the door orders what follows from it."""

    def record(session: Session) -> set[str]:
        return tools.door.take_effect(session, int(claim.key), now=tools.clock())

    return record


def turn_tree(tools: Services, _claim: Claim) -> Record:
    """The tree of units becomes that of today."""

    def record(session: Session) -> set[str]:
        return tree_day.turn(session, now=tools.clock())

    return record


HANDLERS: Mapping[JobKind, Handler] = {
    JobKind.ACCOUNT_APPLY: apply.apply_account,
    JobKind.LOGOUT_DELIVER: oidc_jobs.deliver_logout,
    JobKind.ACCESS_PROBE: oidc_jobs.probe_access,
    JobKind.ACCESS_OVER: oidc_jobs.tell_of_end,
    JobKind.CRL_PUBLISH: pki_jobs.publish_crl,
    JobKind.CERTIFICATE_PROBE: pki_jobs.probe_certificate,
    JobKind.SUBJECT_BOUNDARY: take_effect,
    JobKind.TREE_BOUNDARY: turn_tree,
    JobKind.NOTICE_SEND: sending.sender(speaking.NOTICES),
}


def perform(
    services: Services, claim: Claim, *, handlers: Mapping[JobKind, Handler] = HANDLERS
) -> None:
    """Do one claimed job to whatever end it comes to."""
    bound = log.bind(job=claim.id, kind=claim.kind.value, attempt=claim.attempt)
    try:
        failpoint("worker.claimed")
        _attempt(services, claim, handlers)
        failpoint("worker.after_finish")
    except LeaseLost:
        _lost(bound, services, claim)
    except errors.Withheld as exc:
        _unless_lost(bound, _hold_back, services, claim, exc.text(), after=exc.retry_after)
    except errors.Transient as exc:
        _unless_lost(bound, _put_off, services, claim, exc.text(), after=exc.retry_after)
    except Busy as exc:
        _unless_lost(bound, _put_off, services, claim, exc.text())
    except DinhdanhError as exc:
        bound.warning("job.parked", code=exc.code)
        _unless_lost(bound, _park, services, claim, exc.text())
    except Exception as error:  # noqa: BLE001 (logged; a job of ours must not end its thread)
        if is_away(error):
            bound.warning("job.database_away", why=kind_of(error))
            _unless_lost(bound, _put_off, services, claim, "Cơ sở dữ liệu tạm thời không trả lời.")
            return
        bound.exception("job.fault")
        reason = "Lỗi nội bộ; chi tiết trong nhật ký máy chủ."
        act = _park if claim.tries >= FAULTS else _put_off
        _unless_lost(bound, act, services, claim, reason)


def _attempt(services: Services, claim: Claim, handlers: Mapping[JobKind, Handler]) -> None:
    if claim.tries > ATTEMPTS or claim.deaths > DEATHS:
        raise errors.Rejected("Đã thử nhiều lần mà không xong.")
    with deadline.within(services.settings.job_timeout):
        record = handlers[claim.kind](services, claim)
    with services.db.write() as session:
        touched = record(session)
        now = services.clock()
        failpoint("worker.before_finish")
        outbox.finish(session, claim, now=now)
        proof.settle(session, touched, now=now)


def _lost(bound: structlog.stdlib.BoundLogger, services: Services, claim: Claim) -> None:
    bound.warning("job.lease_lost")
    if claim.kind is not JobKind.ACCOUNT_APPLY:
        return
    # Its last write may have come late, over what whoever took the job has seen and recorded.
    try:
        with services.db.write() as session:
            job = session.get_one(outbox.Job, claim.id)
            outbox.enqueue(session, claim.kind, claim.key, now=services.clock(), lane=job.lane)
    except Exception as error:  # noqa: BLE001 (logged)
        _unrecorded(bound, error)


def _unless_lost(
    bound: structlog.stdlib.BoundLogger,
    act: Callable[..., None],
    services: Services,
    claim: Claim,
    *args: object,
    **options: object,
) -> None:
    try:
        act(services, claim, *args, **options)
    except LeaseLost:
        _lost(bound, services, claim)
    except Exception as error:  # noqa: BLE001 (logged)
        _unrecorded(bound, error)


def _unrecorded(bound: structlog.stdlib.BoundLogger, error: Exception) -> None:
    """Nothing is lost: the lease runs out and the job is claimed again."""
    if is_away(error):
        bound.warning("job.unrecorded", why=kind_of(error))
    else:
        bound.error("job.unrecorded", exc_info=error)


def _put_off(
    services: Services, claim: Claim, reason: str, *, after: timedelta | None = None
) -> None:
    if claim.tries >= ATTEMPTS:
        _park(services, claim, reason)
        return
    jitter = 0.5 + secrets.randbelow(1001) / 1000
    now = services.clock()
    with services.db.write() as session:
        wait = after if after is not None else outbox.backoff(claim.tries, jitter)
        heir = outbox.retry(session, claim, now=now, after=wait, reason=reason)
        waiting = effects.of_job(session, claim.id)
        touched = effects.advance(session, waiting, State.SENT, at=now, reason=reason)
        if heir != claim.id:
            effects.carry_over(session, claim.id, heir)
        proof.settle(session, touched, now=now)


def _hold_back(
    services: Services, claim: Claim, reason: str, *, after: timedelta | None = None
) -> None:
    wait = after if after is not None else outbox.LEASE
    with services.db.write() as session:
        now = services.clock()
        heir = outbox.retry(session, claim, now=now, after=wait, reason=reason)
        if heir == claim.id:
            session.get_one(outbox.Job, claim.id).attempts = claim.attempt - 1  # it was not tried
        else:
            effects.carry_over(session, claim.id, heir)


def _park(services: Services, claim: Claim, reason: str) -> None:
    now = services.clock()
    with services.db.write() as session:
        outbox.park(session, claim, now=now, reason=reason)
        waiting = effects.of_job(session, claim.id)
        touched = effects.advance(session, waiting, State.PARKED, at=now, reason=reason)
        audit.record(
            session,
            Tag.JOB_PARKED,
            at=now,
            actor=Actor.system(),
            subject=("job", claim.id),
            data={"kind": claim.kind.value, "key": claim.key, "reason": reason},
        )
        proof.settle(session, touched, now=now)


def drain(services: Services, *, handlers: Mapping[JobKind, Handler] = HANDLERS) -> int:
    """Do every job that is due, one after the other, here; how many there were."""
    done = 0
    while (claim := claiming.claim(services.db, now=services.clock())) is not None:
        perform(services, claim, handlers=handlers)
        done += 1
    return done
