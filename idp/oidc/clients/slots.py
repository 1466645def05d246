"""Calls to clients' own servers under way at the same time, in one process.

A slow server must not take all our threads, nor one client what is there for all of them.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Slots:
    """So many calls at once, and one per client; safe to use from several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._calling: set[int] = set()

    @contextmanager
    def one(self, client_id: int) -> Iterator[bool]:
        """Whether this client may be called now; while it lasts no second call to it may."""
        with self._lock:
            free = len(self._calling) < self._most and client_id not in self._calling
            if free:
                self._calling.add(client_id)
        try:
            yield free
        finally:
            if free:
                with self._lock:
                    self._calling.discard(client_id)
