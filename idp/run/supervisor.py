"""One parent, a few child processes, nothing left behind.

    Lock              an embedded database is served by one instance: flock on a file
    die_with_parent   a child that outlives its parent would keep the port and the database
    supervise         start, restart with back-off, pass the signal on, wait, kill

The lock's descriptor stays open in the children on purpose: the instance is free again when the
last of its processes is gone, not when the first one is.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from directory.base import private
from directory.base.errors import Misconfigured

log = structlog.get_logger(__name__)

SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
STOP_WITHIN = 15.0
STEADY_AFTER = 60.0
"""A child that lived this long may be restarted at once again."""
LONGEST_PAUSE = 30.0
PR_SET_PDEATHSIG = 1

Run = Callable[[], int]


class Lock:
    """Holds ``<data_dir>/<name>.lock``; raises Misconfigured while a living process does."""

    PATIENCE = 2.0
    """After a kill the last children may still be on their way out."""

    def __init__(self, data_dir: Path, name: str) -> None:
        self._file = data_dir / f"{name}.lock"

    def __enter__(self) -> Self:
        """Take it."""
        private.folder(self._file.parent)
        self._fd = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + self.PATIENCE
        while True:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    holder = os.read(self._fd, 20).decode() or "?"
                    os.close(self._fd)
                    raise Misconfigured(
                        "already_running",
                        "Hệ thống này đang chạy rồi (tiến trình {pid}, {file}).",
                        pid=holder,
                        file=self._file,
                    ) from None
                time.sleep(0.05)
        os.ftruncate(self._fd, 0)
        os.write(self._fd, str(os.getpid()).encode())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give it back."""
        os.close(self._fd)


def require_free_port(host: str, port: int) -> None:
    """Raises Misconfigured when something already listens there.

    The server shares its port between its own processes (SO_REUSEPORT), and so would silently
    share it with a stranger's too.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as exc:
            why = "đang được dùng" if exc.errno == errno.EADDRINUSE else (exc.strerror or str(exc))
            raise Misconfigured(
                "port", "Cổng {host}:{port}: {why}.", host=host, port=port, why=why
            ) from exc


def die_with_parent(parent: int) -> None:
    """Be killed when the process ``parent`` ends, however it ends; at once if it has already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


@dataclass
class _Child:
    name: str
    run: Run
    pid: int | None = None
    started: float = 0.0
    failures: int = 0
    due: float = 0.0

    def start(self) -> None:
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _become(self.run, parent)
        self.pid, self.started = pid, time.monotonic()

    def ended(self) -> int | None:
        """The exit status if it has ended since."""
        if self.pid is None:
            return None
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            return None
        self.pid = None
        return os.waitstatus_to_exitcode(status)

    def send(self, number: signal.Signals) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _become(run: Run, parent: int) -> None:
    """Be the child; never returns."""
    code = 1
    try:
        # A group of its own: Ctrl-C reaches the parent alone, which then stops us in order.
        os.setpgrp()
        die_with_parent(parent)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        code = run()
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else 1
    except BaseException:
        log.exception("process.failed")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


@contextlib.contextmanager
def _blocked() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def supervise(runs: Mapping[str, Run]) -> None:
    """Run each in a process of its own until SIGTERM, SIGINT or SIGHUP; then stop them all.

    Must be called from a main thread that has no other threads beside it.
    """
    children = [_Child(name, run) for name, run in runs.items()]
    with _blocked():
        for child in children:
            child.start()
            log.info("process.started", process=child.name, pid=child.pid)
        while not _told_to_stop(_next_due(children)):
            for child in children:
                _look_after(child)
        _stop(children)


def _next_due(children: list[_Child]) -> float:
    waiting = [c.due - time.monotonic() for c in children if c.pid is None]
    return max(0.0, min([*waiting, 60.0]))


def _told_to_stop(timeout: float) -> bool:
    received = signal.sigtimedwait(SIGNALS, timeout)
    return received is not None and received.si_signo != signal.SIGCHLD


def _look_after(child: _Child) -> None:
    now = time.monotonic()
    code = child.ended()
    if code is not None:
        steady = now - child.started >= STEADY_AFTER
        child.failures = 1 if steady else child.failures + 1
        pause = min(LONGEST_PAUSE, 0.1 * 2 ** (child.failures - 1))
        child.due = now + pause
        log.error("process.ended", process=child.name, status=code, again_in=pause)
    if child.pid is None and child.due <= now:
        child.start()
        log.info("process.started", process=child.name, pid=child.pid)


def _stop(children: list[_Child]) -> None:
    for child in children:
        child.send(signal.SIGTERM)
    deadline = time.monotonic() + STOP_WITHIN
    while any(c.pid is not None for c in children):
        left = deadline - time.monotonic()
        impatient = left <= 0 or _told_to_stop(min(left, 0.5))
        for child in children:
            child.ended()
            if impatient:
                child.send(signal.SIGKILL)
        if impatient:
            deadline = time.monotonic() + 0.2
    log.info("process.all_stopped")
