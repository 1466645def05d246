"""The second composition root: jobs.

    dispatch loop     looks for due jobs and hands one to each free thread. Jobs that wait for
                      other people's machines never get all threads (one is left for logouts,
                      one for what we ask ourselves), and a slow target gets one
    keeping           a thread of its own: renews leases, shows that the worker lives, and learns
                      how far our clock is from the database's, by which leases are told
    job threads       ``perform``: handler (remote calls, no transaction), then ONE transaction
                      that records what was seen, finishes the job and settles the changes
    housekeeping      a thread of its own: idp.housekeeping

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
apart: whoever was at work then is innocent until it is at work alone (``outbox.SUSPECT``); a job
that goes on killing its worker must not do so for ever.
"""

import queue
import secrets
import threading
import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from connectors import contract, deadline, provision
from connectors.pki import jobs as pki_jobs
from directory import effects
from directory.base import audit, nodes, outbox
from directory.base.audit import Actor, Tag
from directory.base.away import is_away, kind_of
from directory.base.errors import Busy, DinhdanhError
from directory.base.failpoints import failpoint
from directory.base.outbox import Claim, JobKind, LeaseLost
from directory.changes import proof
from directory.effects import State
from idp import housekeeping
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
"""Tries after which a job waits for a person; with the backoff, about forty minutes."""
FAULTS = 5
"""The same for what only a fault of ours explains."""
DEATHS = 20
"""Deaths of workers under a job, nearly all of them while it was alone, after which it waits."""
BUSY_PAUSE = 0.05
IDLE_PAUSE = 0.5
LONGEST_PAUSE = 5.0
"""While the database is away."""
STOP_WITHIN = 10.0
KEEP_EVERY = outbox.LEASE.total_seconds() / 4
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
    while (claim := outbox.claim(services.db, now=services.clock())) is not None:
        perform(services, claim, handlers=handlers)
        done += 1
    return done


OUTWARD = frozenset({JobKind.ACCOUNT_APPLY, JobKind.LOGOUT_DELIVER})
"""Jobs that wait for other people's machines."""


def _target(key: str) -> str:
    """The application of an account job."""
    return key.partition(":")[2]


class Worker:
    """One process's worker: ``run`` until ``stop``."""

    def __init__(
        self, services: Services, *, handlers: Mapping[JobKind, Handler] = HANDLERS
    ) -> None:
        self._services = services
        self._handlers = handlers
        self._name = nodes.WORKER + secrets.token_hex(8)
        self._todo: queue.SimpleQueue[Claim] = queue.SimpleQueue()
        self._free = threading.BoundedSemaphore(services.settings.worker_threads)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._over = threading.Event()
        self._held: dict[int, Claim] = {}
        self._alone: int | None = None
        self._slow: set[str] = set()
        self._lock = threading.Lock()
        self._failures = 0
        self._ahead = timedelta(0)
        """How far the database's clock is ahead of ours."""

    def stop(self) -> None:
        """Take no more jobs; safe in a signal handler."""
        self._stopping.set()
        self._wake.set()

    def run(self) -> bool:
        """Work until ``stop``; whether every job begun was finished in time."""
        for number in range(self._services.settings.worker_threads):
            threading.Thread(target=self._work, name=f"job-{number}", daemon=True).start()
        chores = threading.Thread(
            target=housekeeping.run, args=(self._services, self._stopping), daemon=True
        )
        chores.start()
        self._keep()
        keeper = threading.Thread(target=self._keep_on, name="keeper", daemon=True)
        keeper.start()
        log.info("worker.started", threads=self._services.settings.worker_threads)
        while not self._stopping.is_set():
            self._wake.clear()
            pause = self._dispatch()
            self._wake.wait(pause)
        whole = self._finish()
        chores.join(timeout=1)
        self._over.set()
        keeper.join(timeout=3)
        return whole

    # ---- what is kept while jobs run -----------------------------------------------------------

    def _keep_on(self) -> None:
        while not self._over.wait(KEEP_EVERY):
            self._keep()
        try:
            with self._services.db.probe() as connection:
                nodes.gone(connection, self._name)
        except SQLAlchemyError as error:
            log.warning("worker.unkept", why=kind_of(error))

    def _keep(self) -> None:
        """Renew the leases of whatever is at work; who lost one finds out when she finishes."""
        try:
            with self._services.db.probe() as connection:
                there = nodes.now_there(connection)
                if there is not None:
                    self._ahead = there - self._services.clock()
                now = self._now()
                with self._lock:
                    held = list(self._held.values())
                for claim in held:
                    try:
                        outbox.renew(connection, claim, now=now)
                    except LeaseLost:
                        log.warning("job.lease_lost", job=claim.id)
                nodes.show(connection, self._name, now=now)
        except SQLAlchemyError as error:
            log.warning("worker.unkept", why=kind_of(error))

    def _now(self) -> datetime:
        """The time by which leases are told: the database's."""
        return self._services.clock() + self._ahead

    # ---- handing out ---------------------------------------------------------------------------

    def _dispatch(self) -> float:
        """Hand out what is due; how long to pause after."""
        try:
            worked = self._hand_out()
            self._failures = 0
        except Exception as error:
            # The database is away or the disk is full: the worker outlives it.
            self._failures += 1
            if is_away(error):
                log.warning("worker.database_away", why=kind_of(error))
                return min(LONGEST_PAUSE, 2.0**self._failures)
            log.exception("worker.dispatch_failed")
            return min(30.0, 2.0**self._failures)
        return BUSY_PAUSE if worked else IDLE_PAUSE

    def _hand_out(self) -> bool:
        with self._lock:
            ours = set(self._held)
        if self._alone in ours:
            return False
        self._alone = None
        if outbox.suspect_waits(self._services.db, now=self._now()):
            # Nobody else is to be blamed if we die of it: first whatever runs comes to its end.
            if ours or not (claim := self._take(alone=True, ours=())):
                return False
            self._alone = claim.id
            return True
        worked = False
        while not self._stopping.is_set() and self._take(alone=False, ours=ours):
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
            held = list(self._held.values())
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

    def _take(self, *, alone: bool, ours: Collection[int]) -> Claim | None:
        """Claim one job for a free thread, if there are both."""
        if not self._free.acquire(blocking=False):
            return None
        try:
            claim = outbox.claim(
                self._services.db,
                now=self._now(),
                allowed=self._may_take,
                alone=alone,
                ours=ours,
            )
        except BaseException:
            self._free.release()
            raise
        if claim is None:
            self._free.release()
            return None
        with self._lock:
            self._held[claim.id] = claim
        self._todo.put(claim)
        return claim

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
                    if self._held.get(claim.id) is claim:
                        del self._held[claim.id]
                self._free.release()
                self._wake.set()

    def _finish(self) -> bool:
        """Give what runs ``STOP_WITHIN`` seconds in all, however many there are."""
        deadline = time.monotonic() + STOP_WITHIN
        threads = self._services.settings.worker_threads
        finished = [
            self._free.acquire(timeout=max(0.0, deadline - time.monotonic()))
            for _ in range(threads)
        ]
        log.info("worker.stopped", unfinished=finished.count(False))
        return all(finished)
