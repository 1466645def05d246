"""Rung once work has been committed, so that workers look for it at once instead of at their next turn.

    in this process     who listens is called
    SQLite              a line into a FIFO beside the database file: web, commands and worker are
                        processes of one machine
    PostgreSQL          NOTIFY, which reaches the workers of every node

It only saves waiting. Workers look by themselves every few seconds, so nothing is lost where nobody
hears it, and whoever rings is never held up or refused for it: the transaction is committed.
"""

import contextlib
import os
import secrets
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.exc import SQLAlchemyError

CHANNEL = "dinhdanh_work"
"""Of NOTIFY; each database of a server has its own."""
_TOLD = select(func.pg_notify(CHANNEL, bindparam("voice")))


class Bell:
    """Of one database, in one process. ``tell`` reaches the others, and is given ``voice``: by it
    whoever listens knows what was rung here and heard already.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self.voice = secrets.token_hex(8)
        self._hearing: tuple[Callable[[], None], ...] = ()
        self._changing = threading.Lock()

    def ring(self) -> None:
        """There is work, and it has been committed."""
        for act in self._hearing:
            act()
        self._tell(self.voice)

    @contextlib.contextmanager
    def heard(self, act: Callable[[], None]) -> Iterator[None]:
        """Have ``act`` called, in the thread of whoever rings here, for as long as the block lasts."""
        with self._changing:
            self._hearing = (*self._hearing, act)
        try:
            yield
        finally:
            with self._changing:
                self._hearing = tuple(each for each in self._hearing if each is not act)


def by_notify(connect: Callable[[], AbstractContextManager[Connection]]) -> Callable[[str], None]:
    """Tells by a statement of its own, after the commit: the server lets transactions that notify
    commit one after the other only, and this one has nothing that must reach the disk first.
    """

    def tell(voice: str) -> None:
        with contextlib.suppress(SQLAlchemyError), connect() as connection:
            connection.execute(_TOLD, {"voice": voice})

    return tell


def by_fifo(file: Path | None) -> Callable[[str], None]:
    """Tells by the FIFO of this name, if a worker is there to read it."""

    def tell(_voice: str) -> None:
        if file is None:
            return
        with contextlib.suppress(OSError):
            # Without a reader this is refused, and a full pipe has been heard often enough.
            fd = os.open(file, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if stat.S_ISFIFO(os.fstat(fd).st_mode):
                    os.write(fd, b"\n")
            finally:
                os.close(fd)

    return tell


def fifo_of(database: str | None) -> Path | None:
    """The name of the FIFO beside a database file; None for one that is in memory."""
    if not database or database.startswith((":memory:", "file:")):
        return None
    return Path(database + "-work")
