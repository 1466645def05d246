"""The second composition root: jobs.

    dispatch loop     looks for due jobs and hands one to each free thread; renews leases. Jobs
                      that wait for other people's machines never get all threads (one is left
                      for logouts, one for what we ask ourselves), and a slow target gets one
    job threads       ``perform``: handler (remote calls, no transaction), then ONE transaction
                      that records what was seen, finishes the job and settles the changes
    housekeeping      a thread of its own: idp.housekeeping

What can go wrong with a job, and what becomes of it:

    Withheld                put off without counting: nothing is given yet after a restore
    Transient, Busy         put off: backoff with jitter, or as long as the other side asked
    any other of our errors parked with its sentence as the reason; a person decides
    too long                Transient: the whole of a job has a deadline (``job_timeout``)
    anything else           a fault of ours: logged, put off, parked after a few times
    LeaseLost               somebody else has the job: nothing is recorded; where it may have
                            written over what the other one put right, the job is done once more
    a dead process          the lease runs out and the job is claimed again

A job that has been claimed too often is parked before it is tried again, whatever the cause: a
job that kills its worker must not do so for ever.
"""

import queue
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from sqlalchemy.orm import Session

from connectors import contract, deadline, provision
from connectors.pki import jobs as pki_jobs
from directory import effects
from directory.base import audit, outbox
from directory.base.audit import Actor, Tag
from directory.base.errors import Busy, DinhdanhError
from directory.base.failpoints import failpoint
from directory.base.outbox import Claim, JobKind, LeaseLost
from directory.changes import proof
from directory.effects import State
from idp import beat, housekeeping
from idp.oidc import jobs as oidc_jobs
from idp.wiring import Services

log = structlog.get_logger(__name__)

Record = Callable[[Session], set[str]]


class Handler(Protocol):
    """Does one job's remote part; what it returns is run in the worker's one transaction."""

    def __call__(self, tools: Services, claim: Claim, /) -> Record:
        """Raises the errors of ``connectors.contract``."""
        ...


ATTEMPTS = 12
"""Claims after which a job waits for a person; with the backoff, about forty minutes."""
FAULTS = 5
"""The same for what only a fault of ours explains."""
BUSY_PAUSE = 0.05
IDLE_PAUSE = 0.5
STOP_WITHIN = 10.0
RENEW_AFTER = outbox.LEASE / 3
SLOW = 5.0
"""Seconds after which a job says that its target is slow: then it gets one thread, not several."""


def take_effect(tools: Services, claim: Claim) -> Record:
    """A dated change of a person has come due: the door orders what follows from it."""

    def record(session: Session) -> set[str]:
        return tools.door.take_effect(session, int(claim.key), now=tools.clock())

    return record


HANDLERS: Mapping[JobKind, Handler] = {
    JobKind.ACCOUNT_APPLY: provision.apply_account,
    JobKind.LOGOUT_DELIVER: oidc_jobs.deliver_logout,
    JobKind.ACCESS_PROBE: oidc_jobs.probe_access,
    JobKind.CRL_PUBLISH: pki_jobs.publish_crl,
    JobKind.CERTIFICATE_PROBE: pki_jobs.probe_certificate,
    JobKind.SUBJECT_BOUNDARY: take_effect,
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
    except contract.Withheld as exc:
        _unless_lost(bound, _hold_back, services, claim, exc.text(), after=exc.retry_after)
    except contract.Transient as exc:
        _unless_lost(bound, _put_off, services, claim, exc.text(), after=exc.retry_after)
    except Busy as exc:
        _unless_lost(bound, _put_off, services, claim, exc.text())
    except DinhdanhError as exc:
        bound.warning("job.parked", code=exc.code)
        _unless_lost(bound, _park, services, claim, exc.text())
    except Exception:  # noqa: BLE001 (logged; a job of ours must not end its thread)
        bound.exception("job.fault")
        reason = "Lỗi nội bộ; chi tiết trong nhật ký máy chủ."
        act = _park if claim.attempt >= FAULTS else _put_off
        _unless_lost(bound, act, services, claim, reason)


def _attempt(services: Services, claim: Claim, handlers: Mapping[JobKind, Handler]) -> None:
    if claim.attempt > ATTEMPTS:
        raise contract.Rejected("Đã thử nhiều lần mà không xong.")
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
    except Exception:  # noqa: BLE001 (logged; the lease brings the job back)
        bound.exception("job.unrecorded")


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
    except Exception:  # noqa: BLE001 (logged)
        # Nothing is lost: the lease runs out and the job is claimed again.
        bound.exception("job.unrecorded")


def _put_off(
    services: Services, claim: Claim, reason: str, *, after: timedelta | None = None
) -> None:
    if claim.attempt >= ATTEMPTS:
        _park(services, claim, reason)
        return
    jitter = 0.5 + secrets.randbelow(1001) / 1000
    now = services.clock()
    with services.db.write() as session:
        wait = after if after is not None else outbox.backoff(claim.attempt, jitter)
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
    while (claim := outbox.claim(services.db, now=services.clock())) is not None:
        perform(services, claim, handlers=handlers)
        done += 1
    return done


OUTWARD = frozenset({JobKind.ACCOUNT_APPLY, JobKind.LOGOUT_DELIVER})
"""Jobs that wait for other people's machines."""


def _target(key: str) -> str:
    """The application of an account job."""
    return key.partition(":")[2]


@dataclass
class _Held:
    claim: Claim
    renewed: datetime


class Worker:
    """One process's worker: ``run`` until ``stop``."""

    def __init__(
        self, services: Services, *, handlers: Mapping[JobKind, Handler] = HANDLERS
    ) -> None:
        self._services = services
        self._handlers = handlers
        self._todo: queue.SimpleQueue[Claim] = queue.SimpleQueue()
        self._free = threading.BoundedSemaphore(services.settings.worker_threads)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._held: dict[int, _Held] = {}
        self._slow: set[str] = set()
        self._lock = threading.Lock()
        self._failures = 0

    def stop(self) -> None:
        """Take no more jobs; safe in a signal handler."""
        self._stopping.set()
        self._wake.set()

    def run(self) -> bool:
        """Work until ``stop``; whether every job begun was finished in time."""
        for number in range(self._services.settings.worker_threads):
            threading.Thread(target=self._work, name=f"job-{number}", daemon=True).start()
        keeper = threading.Thread(
            target=housekeeping.run, args=(self._services, self._stopping), daemon=True
        )
        keeper.start()
        log.info("worker.started", threads=self._services.settings.worker_threads)
        while not self._stopping.is_set():
            self._wake.clear()
            pause = self._dispatch()
            self._wake.wait(pause)
        return self._finish(keeper)

    def _dispatch(self) -> float:
        """Hand out what is due; how long to pause after."""
        try:
            self._renew()
            worked = self._hand_out()
            beat.show(self._services.settings.data_dir)
            self._failures = 0
        except Exception:
            # The database is away or the disk is full: the worker outlives it.
            log.exception("worker.dispatch_failed")
            self._failures += 1
            return min(30.0, 2.0**self._failures)
        return BUSY_PAUSE if worked else IDLE_PAUSE

    def _hand_out(self) -> bool:
        worked = False
        while not self._stopping.is_set() and self._free.acquire(blocking=False):
            try:
                claim = outbox.claim(
                    self._services.db, now=self._services.clock(), allowed=self._may_take
                )
            except BaseException:
                self._free.release()
                raise
            if claim is None:
                self._free.release()
                break
            with self._lock:
                self._held[claim.id] = _Held(claim, self._services.clock())
            self._todo.put(claim)
            worked = True
        return worked

    def _may_take(self, kind: JobKind, key: str) -> bool:
        """Whether a thread may go to this job: those who wait for other people's machines never
        get all of them, and a slow target gets one.
        """
        if kind not in OUTWARD:
            return True
        threads = self._services.settings.worker_threads
        with self._lock:
            held = [h.claim for h in self._held.values()]
        accounts = [c for c in held if c.kind is JobKind.ACCOUNT_APPLY]
        logouts = sum(c.kind is JobKind.LOGOUT_DELIVER for c in held)
        if threads > 1 and len(accounts) + logouts >= max(2, threads - 1):
            return False
        if kind is not JobKind.ACCOUNT_APPLY:
            return True
        if threads > 1 and len(accounts) >= max(1, threads - 2):
            return False
        target = _target(key)
        return target not in self._slow or all(_target(c.key) != target for c in accounts)

    def _note_speed(self, claim: Claim, took: float) -> None:
        if claim.kind is JobKind.ACCOUNT_APPLY:
            (self._slow.add if took >= SLOW else self._slow.discard)(_target(claim.key))

    def _renew(self) -> None:
        """Keep the leases of jobs that take long; a lost one is found out by whoever finishes."""
        now = self._services.clock()
        with self._lock:
            old = [h for h in self._held.values() if now - h.renewed >= RENEW_AFTER]
        for held in old:
            try:
                with self._services.db.write() as session:
                    outbox.renew(session, held.claim, now=now)
            except LeaseLost:
                log.warning("job.lease_lost", job=held.claim.id)
            held.renewed = now

    def _work(self) -> None:
        while True:
            claim = self._todo.get()
            begun = time.monotonic()
            try:
                perform(self._services, claim, handlers=self._handlers)
            finally:
                self._note_speed(claim, time.monotonic() - begun)
                with self._lock:
                    # A later claim of the same job may already be held by another thread.
                    held = self._held.get(claim.id)
                    if held is not None and held.claim is claim:
                        del self._held[claim.id]
                self._free.release()
                self._wake.set()

    def _finish(self, keeper: threading.Thread) -> bool:
        threads = self._services.settings.worker_threads
        finished = [self._free.acquire(timeout=STOP_WITHIN / threads) for _ in range(threads)]
        keeper.join(timeout=1)
        log.info("worker.stopped", unfinished=finished.count(False))
        return all(finished)
