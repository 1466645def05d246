"""Dinhdanh and its neighbours as child processes; none of them outlives this one.

Each child leads a process group of its own, so that Ctrl-C reaches this process first and the
whole group can be ended. Should this process be killed outright, the kernel tells each child
(``PR_SET_PDEATHSIG``), and Dinhdanh's children follow theirs.
"""

import contextlib
import ctypes
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_PATIENCE = 10.0
"""Seconds between asking a process to end and ending it."""


class CannotStart(Exception):
    """Something is in the way; the message is one line for the person at the terminal."""


@dataclass
class Child:
    """One running process."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def last_lines(self, count: int = 12) -> str:
        """The end of what it wrote."""
        lines = self.log.read_text("utf-8", errors="replace").splitlines()
        return "\n".join(lines[-count:])


class Children:
    """A context in which processes run; leaving it ends all of them."""

    def __init__(self, *, logs: Path, environment: Mapping[str, str], cwd: Path) -> None:
        self._logs = logs
        self._environment = dict(environment)
        self._cwd = cwd
        self._running: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str, command: Sequence[str]) -> Child:
        """Start a process; what it writes goes to a file of its own."""
        log = self._logs / f"{name}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                list(command),
                cwd=self._cwd,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        child = Child(name, process, log)
        self._running.append(child)
        return child

    def fallen(self) -> Child | None:
        """A process that has ended by itself."""
        return next((c for c in self._running if c.process.poll() is not None), None)

    def wait_until_answering(
        self, urls: Iterable[str], *, ca_file: Path | None = None, within: float = 120.0
    ) -> None:
        """Return once every address answers 200. Raises CannotStart when one does not."""
        trust = ssl.create_default_context(cafile=str(ca_file)) if ca_file else None
        deadline = time.monotonic() + within
        for url in urls:
            while not _answers(url, trust):
                fallen = self.fallen()
                if fallen is not None:
                    raise CannotStart(
                        f"{fallen.name} đã dừng / has stopped:\n{fallen.last_lines()}"
                    )
                if time.monotonic() > deadline:
                    raise CannotStart(
                        f"{url} không trả lời / does not answer; xem / see {self._logs}"
                    )
                time.sleep(0.1)

    def watch(self) -> Child:
        """Wait until one of them ends by itself, and give it."""
        while (fallen := self.fallen()) is None:
            time.sleep(0.3)
        return fallen

    def stop(self) -> None:
        """Ask every group to end, the last started first; end whoever does not."""
        for child in reversed(self._running):
            _signal_group(child.process.pid, signal.SIGTERM)
        deadline = time.monotonic() + _PATIENCE
        for child in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.1, deadline - time.monotonic()))
            # Also when the leader ended well: a grandchild may have stayed.
            _signal_group(child.process.pid, signal.SIGKILL)
            child.process.wait()
        self._running.clear()


def require_free(ports: Mapping[int, str], *, host: str = "127.0.0.1") -> None:
    """Raises CannotStart naming the first port somebody else listens on."""
    for port, name in ports.items():
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as exc:
                raise CannotStart(
                    f"Cổng {port} ({name}) đang được dùng / port {port} is in use: "
                    f"make demo PORT={min(ports) + 100}"
                ) from exc


def _end_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _signal_group(leader: int, number: signal.Signals) -> None:
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        return


def _answers(url: str, trust: ssl.SSLContext | None) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2, context=trust) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
