"""Connections kept at hand for ``Database.hot``: what asks a single statement need not go to the pool.

A connection comes from SQLAlchemy's pool, and goes back to it, through some fifty calls; of a short
request that is an eighth. Here the one that was given back last is taken again as it is, if

    nothing went wrong meanwhile, with it or with any other (``spoilt``)
    it has not rested longer than connections are trusted (``directory.base.patience.Limits``)

and else it is closed, or goes back to the pool, which asks it whether it is still there. The pool counts those at hand as
taken, so that there are never more; whoever finds none waits at the pool, and as long as somebody
waits there what is given back goes there.
"""

import threading
import time
from collections import deque

from sqlalchemy import Connection, Engine

RESTED_SINCE = "rested_since"
"""In the ``info`` of a connection that goes back to the pool: it has been unused since then."""


class AtHand:
    """Those of one engine; safe to use from several threads."""

    def __init__(self, engine: Engine, *, most: int, trusted: float) -> None:
        """At most ``most`` are kept, each for ``trusted`` seconds unused."""
        self._engine, self._most, self._trusted = engine, most, trusted
        self._free: deque[tuple[Connection, int, float]] = deque()
        self._spoilt = 0
        self._waiting = 0
        self._counting = threading.Lock()

    def spoilt(self) -> None:
        """One turned out to be lost, or all are to be closed: none that is there by now is taken on
        trust any more.
        """
        self._spoilt += 1

    def take(self) -> tuple[Connection, int]:
        """A connection, and what ``give_back`` is to be told beside it. Raises what the pool raises."""
        try:
            connection, spoilt, since = self._free.pop()
        except IndexError:
            return self._from_pool()
        if spoilt != self._spoilt:
            _end(connection)
        elif time.monotonic() - since > self._trusted:
            _to_pool(connection, since)
        else:
            return connection, spoilt
        return self._from_pool()

    def give_back(self, connection: Connection, spoilt: int) -> None:
        """Of a connection all is well with."""
        if connection.in_transaction():
            connection.rollback()  # what SQLAlchemy takes for a transaction: there is none
        if spoilt != self._spoilt:
            _end(connection)
            return
        if connection.closed or connection.invalidated or len(self._free) >= self._most:
            connection.close()
            return
        self._free.append((connection, spoilt, time.monotonic()))
        if self._waiting:  # looked at last: who began to wait before this has looked in vain
            self._let_go()

    def empty(self) -> None:
        """All go back to the pool."""
        while self._let_go():
            pass

    def _let_go(self) -> bool:
        try:
            connection, _, since = self._free.popleft()
        except IndexError:
            return False
        _to_pool(connection, since)
        return True

    def _from_pool(self) -> tuple[Connection, int]:
        spoilt = self._spoilt
        with self._counting:
            self._waiting += 1
        try:
            self._let_go()  # given back between our look and our waiting
            return self._engine.connect(), spoilt
        finally:
            with self._counting:
                self._waiting -= 1


def _to_pool(connection: Connection, since: float) -> None:
    connection.info[RESTED_SINCE] = since
    connection.close()


def _end(connection: Connection) -> None:
    """Close it for good, and tell nobody: that one is lost has been told already."""
    if not connection.closed and not connection.invalidated:
        connection.detach()
    connection.close()
