"""The second composition root: jobs.

dispatch loop     looks for due jobs and hands one to each free thread. Jobs that wait for
                  other people's machines never get all threads (one is left for logouts,
                  one for what we ask ourselves), and a slow target gets one
keeping           a thread of its own: renews leases, shows that the worker lives, and learns
                  how far our clock is from the database's, by which leases are told
job threads       ``idp.run.performing``: one job to whatever end it comes to
housekeeping      a thread of its own: ``idp.run.housekeeping``
"""

import queue
import secrets
import threading
import time
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from directory.base import claiming, nodes, outbox
from directory.base.away import is_away, kind_of
from directory.base.outbox import Claim, JobKind, LeaseLost
from idp.run import housekeeping
from idp.run.performing import HANDLERS, Handler, perform
from idp.services import Services

log = structlog.get_logger(__name__)

BUSY_PAUSE = 0.05
IDLE_PAUSE = 0.5
LONGEST_PAUSE = 5.0
"""While the database is away."""
STOP_WITHIN = 10.0
KEEP_EVERY = outbox.LEASE.total_seconds() / 4
SLOW = 5.0
"""Seconds after which a job says that its target is slow: then it gets one thread, not several."""
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
        if claiming.suspect_waits(self._services.db, now=self._now()):
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
            claim = claiming.claim(
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
