"""A few threads for what keeps a processor busy, and two short queues in front of them.

    first    whose turn comes as soon as a thread is free
    others   whose turn comes when nobody is first
    full     whoever comes hears ``Busy``; who is first takes the place of the last of the others

The threads do nothing else, and there are as many as may be busy at once: so what a piece of work
leaves behind in its thread (memory that the allocator keeps for the next) is bounded with them.
They begin when there is work and end when there has been none for a while.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from directory.base.errors import Busy

T = TypeVar("T")

WAITING = 32
"""Pieces of work that may wait for each thread."""
PATIENCE = 10.0
"""Seconds one waits for its turn."""
IDLE = 10.0
"""Seconds without work after which a thread ends."""


def most(at_once: int) -> int:
    """How much may be taken on by so many threads: what they do, and what waits for them."""
    return at_once * (1 + WAITING)


Aside = Callable[[], AbstractContextManager[None]]


class Workers:
    """``at_once`` threads; per process."""

    def __init__(
        self, at_once: int, *, waiting: int | None = None, patience: float = PATIENCE
    ) -> None:
        self.at_once = at_once
        self._most = most(at_once) if waiting is None else at_once + waiting
        self._patience = patience
        self._changed = threading.Condition()
        self._first: deque[_Piece] = deque()
        self._others: deque[_Piece] = deque()
        self._threads = 0
        self._running = 0
        self._mine = threading.local()
        self.aside: Aside = nullcontext
        """Entered by whoever waits: what she holds of something else is free meanwhile."""

    def counts(self) -> dict[str, int]:
        """For the metrics."""
        return {"hashing": self._running, "waiting_for_hash": self._waiting()}

    def run(self, work: Callable[[], T], *, first: bool = False) -> T:
        """What the work gives, or raises. Raises Busy where too much waits, or for too long. What a
        piece of work runs itself is part of it, and waits for nothing.
        """
        if getattr(self._mine, "working", False):
            return work()
        piece = _Piece(work)
        self._take(piece, first=first)
        with self.aside():
            try:
                wait([piece.outcome], self._patience)
            finally:
                # Also of whoever is gone meanwhile (Ctrl-C): nobody is to work for her.
                withdrawn = not piece.outcome.done() and self._withdrawn(piece)
            if withdrawn:
                raise busy()
            result: T = piece.outcome.result()
            return result

    def _waiting(self) -> int:
        return len(self._first) + len(self._others)

    def _take(self, piece: "_Piece", *, first: bool) -> None:
        with self._changed:
            if self._running + self._waiting() >= self._most:
                if not (first and self._others):
                    raise busy()
                self._others.pop().outcome.set_exception(busy())
            (self._first if first else self._others).append(piece)
            if self._running + self._waiting() > self._threads and self._threads < self.at_once:
                self._threads += 1
                threading.Thread(target=self._work, name="hash", daemon=True).start()
            self._changed.notify()

    def _withdrawn(self, piece: "_Piece") -> bool:
        """Take it back, if it has not begun."""
        with self._changed:
            for queue in (self._first, self._others):
                if piece in queue:
                    queue.remove(piece)
                    return True
        return False

    def _work(self) -> None:
        self._mine.working = True
        while self._one():
            pass

    def _one(self) -> bool:
        """Do the next piece, and keep nothing of it; False where there has been none for a while."""
        piece = self._next()
        if piece is None:
            return False
        error: BaseException | None = None
        result = None
        try:
            result = piece.work()
        except BaseException as raised:  # noqa: BLE001 - it is hers who waits
            error = raised
        # The place is free before she hears: what she does next may be another piece.
        with self._changed:
            self._running -= 1
        if error is None:
            piece.outcome.set_result(result)
        else:
            piece.outcome.set_exception(error)
        return True

    def _next(self) -> "_Piece | None":
        with self._changed:
            while not (queue := self._first or self._others):
                if not self._changed.wait(IDLE) and not self._waiting():
                    self._threads -= 1
                    return None
            self._running += 1
            return queue.popleft()


class _Piece:
    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.outcome: Future[Any] = Future()


def busy() -> Busy:
    """Too many want the same at once."""
    return Busy("busy", "Hệ thống đang bận, hãy thử lại sau giây lát.")
