"""The worker's ear: a thread that wakes it when another process has rung (``directory.base.bell``).

    SQLite        a FIFO beside the database file, for the owner alone
    PostgreSQL    LISTEN on a connection of its own

Both are waited for in the kernel and cost nothing meanwhile. What breaks is mended with a growing
pause, and the worker is woken once when it is: something may have been said in between. Until then
it looks by itself every ``worker_poll_seconds``.
"""

import contextlib
import errno
import os
import selectors
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from directory.base.away import kind_of
from directory.base.bell import CHANNEL, Bell, fifo_of
from directory.base.db import unpooled
from directory.base.patience import Limits
from idp.services import Services

log = structlog.get_logger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds until what broke is tried again."""

_OURS = os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC

Hear = Callable[[], bool]
"""Take in what has come; whether there was anything for us. Raises OSError when it is broken."""
Source = Callable[[], AbstractContextManager[tuple[int, Hear]]]
"""Opens what is listened to: a descriptor to wait for, and what to do when it can be read."""


@contextlib.contextmanager
def listening(bell: Bell, source: Source | None, wake: Callable[[], None]) -> Iterator[None]:
    """Have ``wake`` called, here and in a thread, whenever there is work, for as long as the block
    lasts.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(bell.heard(wake))
        if source is not None:
            stack.enter_context(_Ear(source, wake))
        yield


def source_of(services: Services) -> Source | None:
    """Where this installation's other processes are heard; None: it has none. Raises Misconfigured."""
    settings = services.settings
    if not services.db.is_sqlite:
        if not (settings.worker_listen_url or settings.database_prepared):
            return None  # behind PgBouncer, which tells nobody
        limits = Limits(connect=settings.database_connect_seconds)
        engine = unpooled(settings.worker_listen_url or settings.database, limits=limits)
        return lambda: _server(engine, services.db.bell.voice)
    file = fifo_of(services.db.engine.url.database)
    return None if file is None else lambda: _fifo(file)


class _Ear:
    """A thread that listens until its block ends."""

    def __init__(self, source: Source, wake: Callable[[], None]) -> None:
        self._source, self._wake = source, wake
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listening", daemon=True)

    def __enter__(self) -> None:
        self._end, self._ended = os.pipe()
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        os.write(self._ended, b"\n")
        self._thread.join(timeout=3)
        if not self._thread.is_alive():
            os.close(self._end)
        os.close(self._ended)

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._over.is_set():
            try:
                with self._source() as (descriptor, hear):
                    pause = FIRST_PAUSE
                    self._wake()
                    self._hear(descriptor, hear)
            except (OSError, SQLAlchemyError) as error:
                log.warning("worker.hears_nothing", why=kind_of(error), again_in=pause)
            except Exception:
                log.exception("worker.hears_nothing", again_in=pause)
            self._over.wait(pause)
            pause = min(LONGEST_PAUSE, pause * 2)

    def _hear(self, descriptor: int, hear: Hear) -> None:
        with selectors.DefaultSelector() as waiting:
            waiting.register(descriptor, selectors.EVENT_READ)
            waiting.register(self._end, selectors.EVENT_READ)
            while not self._over.is_set():
                waiting.select()
                if not self._over.is_set() and hear():
                    self._wake()


@contextlib.contextmanager
def _fifo(file: Path) -> Iterator[tuple[int, Hear]]:
    with contextlib.suppress(FileExistsError):  # of one that was killed, or that is going
        os.mkfifo(file, 0o600)
    # To write as well: else it would be at its end whenever nobody is writing.
    fd = os.open(file, os.O_RDWR | _OURS)
    try:
        if not stat.S_ISFIFO(os.fstat(fd).st_mode):
            raise FileExistsError(f"{file} is no FIFO")
        os.fchmod(fd, 0o600)
    except OSError:
        os.close(fd)  # and what is not ours stays
        raise
    try:
        yield fd, lambda: bool(os.read(fd, 65536))
    finally:
        os.close(fd)
        with contextlib.suppress(OSError):
            _clear(file)


def _clear(file: Path) -> None:
    """Take the FIFO away, unless another worker has come that hears by it."""
    try:
        os.close(os.open(file, os.O_WRONLY | _OURS))
    except OSError as error:
        if error.errno != errno.ENXIO:  # nobody reads it
            raise
        file.unlink()


@contextlib.contextmanager
def _server(engine: Engine, ours: str) -> Iterator[tuple[int, Hear]]:
    lent = engine.raw_connection()
    driver: Any = lent.driver_connection

    def hear() -> bool:
        driver.pgconn.consume_input()
        told = False
        while (said := driver.pgconn.notifies()) is not None:
            told = told or said.extra != ours.encode()
        return told

    try:
        driver.execute(f"LISTEN {CHANNEL}")
        yield driver.pgconn.socket, hear
    except engine.dialect.loaded_dbapi.Error as error:
        raise ConnectionError(str(error)) from error
    finally:
        lent.invalidate()  # closes it, whether or not the other side still answers
