"""The second composition root: jobs.

dispatch loop     looks for due jobs and hands one to each free thread. Jobs that wait for
                  other people's machines never get all threads (one is left for logouts,
                  one for what we ask ourselves), and a slow target gets one. When nothing is
                  due it sleeps until something is, two seconds at most, or until it is rung for
listening         a thread of its own: ``idp.run.listening`` hears what other processes ring for
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
from idp.run import housekeeping, listening
from idp.run.performing import HANDLERS, Handler, perform
from idp.services import Services

log = structlog.get_logger(__name__)

BUSY_PAUSE = 0.05
BLOCKED_PAUSE = 0.5
"""While something is due that may not be taken yet; the end of a job here ends it."""
LONGEST_PAUSE = 5.0
"""While the database is away."""
STOP_WITHIN = 10.0
KEEP_EVERY = outbox.LEASE.total_seconds() / 4
SHOW_EVERY = 3
"""Times that leases are looked at for one sign of life."""
SLOW = 5.0
"""Seconds after which a job says that its target is slow: then it gets one thread, not several."""
OUTWARD = frozenset({JobKind.ACCOUNT_APPLY, JobKind.LOGOUT_DELIVER, JobKind.NOTICE_SEND})
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
        self._source = listening.source_of(services)
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
        self._keep(show=True)
        keeper = threading.Thread(target=self._keep_on, name="keeper", daemon=True)
        keeper.start()
        with listening.listening(self._services.db.bell, self._source, self._wake.set):
            log.info("worker.started", threads=self._services.settings.worker_threads)
            while not self._stopping.is_set():
                # Before the look: what rings after it, and so may not have been seen, is not lost.
                self._wake.clear()
                pause = self._dispatch()
                self._wake.wait(pause)
        whole = self._finish()
        chores.join(timeout=3)
        self._over.set()
        keeper.join(timeout=3)
        return whole

    # ---- what is kept while jobs run -----------------------------------------------------------

    def _keep_on(self) -> None:
        beat = 0
        while not self._over.wait(KEEP_EVERY):
            beat += 1
            self._keep(show=beat % SHOW_EVERY == 0)
        try:
            with self._services.db.probe() as connection:
                nodes.gone(connection, self._name)
        except SQLAlchemyError as error:
            log.warning("worker.unkept", why=kind_of(error))

    def _keep(self, *, show: bool) -> None:
        """Renew the leases of whatever is at work; who lost one finds out when she finishes. With
        them, and now and then without (``show``): we live, and so far is our clock off.
        """
        with self._lock:
            held = list(self._held.values())
        if not held and not show:
            return
        try:
            with self._services.db.probe() as connection:
                there = nodes.show(connection, self._name, now=self._now())
                if there is not None:
                    self._ahead = there - self._services.clock()
                for claim in held:
                    try:
                        outbox.renew(connection, claim, now=self._now())
                    except LeaseLost:
                        log.warning("job.lease_lost", job=claim.id)
        except SQLAlchemyError as error:
            log.warning("worker.unkept", why=kind_of(error))

    def _now(self) -> datetime:
        """The time by which leases are told: the database's."""
        return self._services.clock() + self._ahead

    # ---- handing out ---------------------------------------------------------------------------

    def _dispatch(self) -> float:
        """Hand out what is due; how long to pause after."""
        try:
            pause = self._hand_out()
            self._failures = 0
        except Exception as error:
            # The database is away or the disk is full: the worker outlives it.
            self._failures += 1
            if is_away(error):
                log.warning("worker.database_away", why=kind_of(error))
                return min(LONGEST_PAUSE, 2.0**self._failures)
            log.exception("worker.dispatch_failed")
            return min(30.0, 2.0**self._failures)
        return pause

    def _hand_out(self) -> float:
        settings = self._services.settings
        with self._lock:
            ours = set(self._held)
        if self._alone in ours or len(ours) >= settings.worker_threads:
            return BLOCKED_PAUSE
        self._alone = None
        coming = claiming.coming(self._services.db)
        now = self._now()
        if coming.at is None or coming.at > now:
            wait = settings.worker_poll_seconds
            return wait if coming.at is None else min(wait, (coming.at - now).total_seconds())
        if coming.suspect_at is not None and coming.suspect_at < now:
            # Nobody else is to be blamed if we die of it: first whatever runs comes to its end.
            if ours or not (claim := self._take(alone=True, ours=())):
                return BLOCKED_PAUSE
            self._alone = claim.id
            return BUSY_PAUSE
        worked = False
        while not self._stopping.is_set() and self._take(alone=False, ours=ours):
            worked = True
        return BUSY_PAUSE if worked else BLOCKED_PAUSE

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
        others = sum(c.kind in OUTWARD for c in held) - len(accounts)
        if threads > 1 and len(accounts) + others >= max(2, threads - 1):
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
