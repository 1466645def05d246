"""Calls to clients' own servers under way at the same time, in one process.

A slow server must not take all our threads, nor one client what is there for all of them.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Slots:
    """So many calls at once, and one per client; safe to use from several threads.

    ``most_waiting`` may wait for ``patience`` seconds each until theirs is free: they, too, hold a
    thread.
    """

    def __init__(self, most: int, *, patience: float = 0.0, most_waiting: int = 0) -> None:
        self._most = most
        self._patience = patience
        self._most_waiting = most_waiting
        self._left = threading.Condition()
        self._calling: set[int] = set()
        self.waiting = 0
        """How many wait at this moment."""

    @contextmanager
    def one(self, client_id: int) -> Iterator[bool]:
        """Whether this client may be called now; while it lasts no second call to it may."""
        with self._left:
            free = self._free(client_id) or self._waited(client_id)
            if free:
                self._calling.add(client_id)
        try:
            yield free
        finally:
            if free:
                with self._left:
                    self._calling.discard(client_id)
                    self._left.notify_all()

    def _free(self, client_id: int) -> bool:
        return len(self._calling) < self._most and client_id not in self._calling

    def _waited(self, client_id: int) -> bool:
        if self.waiting >= self._most_waiting:
            return False
        self.waiting += 1
        try:
            return self._left.wait_for(lambda: self._free(client_id), self._patience)
        finally:
            self.waiting -= 1
