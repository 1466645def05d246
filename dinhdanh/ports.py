"""Ports that are somebody's for as long as she needs them.

    with ports.reserve(3) as block:
        start_server(block[0], block[1], block[2])

Asking the system for a free port and closing it again leaves a gap: until the server listens
there, another process may be given the same port, or an outgoing connection may sit on it. Here a
block is reserved by a lock on a file that every process of this user agrees about; the lock ends
with its holder, however that ends. All ports lie below those the system itself hands out.
"""

import contextlib
import errno
import fcntl
import os
import secrets
import socket
import tempfile
from pathlib import Path
from types import TracebackType

SIZE = 10
"""Neighbouring ports in a block, the most one reservation can have."""
_FIRST, _LAST = 20_000, 32_000
_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")

_held: list["Block"] = []
"""Keeps the locks of whoever does not release: until this process ends."""


class Block:
    """Neighbouring ports that nobody else of this user reserves or listens on."""

    def __init__(self, first: int, count: int, lock: int) -> None:
        self.first, self._count, self._lock = first, count, lock

    def __getitem__(self, index: int) -> int:
        if not 0 <= index < self._count:
            raise IndexError(index)
        return self.first + index

    def __len__(self) -> int:
        return self._count

    def release(self) -> None:
        """Let others have them. Releasing twice is releasing once."""
        if self in _held:
            _held.remove(self)
            os.close(self._lock)

    def __enter__(self) -> "Block":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def reserve(count: int = 1) -> Block:
    """``count`` neighbouring ports (at most ``SIZE``), until released or this process ends.

    Raises ValueError for another count, OSError when every block is taken.
    """
    if not 1 <= count <= SIZE:
        raise ValueError(f"one block has 1 to {SIZE} ports, not {count}")
    firsts = range(_FIRST, _end(), SIZE)
    start = secrets.randbelow(len(firsts))
    for turn in range(len(firsts)):
        first = firsts[(start + turn) % len(firsts)]
        lock = _locked(first)
        if lock is None:
            continue
        if all(_is_free(port) for port in range(first, first + count)):
            block = Block(first, count, lock)
            _held.append(block)
            return block
        os.close(lock)
    raise OSError("every block of ports is taken")


def _end() -> int:
    """Below the ports of outgoing connections, where the system says which those are."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        lowest = int(_RANGE_FILE.read_text("ascii").split()[0])
        if lowest > _FIRST + SIZE:
            return min(_LAST, lowest - SIZE)
    return _LAST


def _locked(first: int) -> int | None:
    folder = Path(tempfile.gettempdir()) / f"dinhdanh-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(folder / str(first), os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _is_free(port: int) -> bool:
    """Whether a server could listen there, on either family's loopback address."""
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as probe:
                # As servers do: connections of a predecessor that linger are no obstacle.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:  # not: this machine has no such family
                return False
    return True
