"""The server's open connections: which are silent, idle or too slow, and are therefore closed.

    silent      nothing came since it was opened                         ``web_header_seconds``
    receiving   a request comes: its headers, or its body below ``RATE``  the same
    stalled     a request began to come and does not go on               the same
    idle        everything asked was answered                            ``web_keep_alive_seconds``
    in work     what came is waiting or worked on                        as long as it takes

The server itself (granian) knows the first and the last two of none of these. The kernel does:
TCP_INFO tells when bytes last came and went. A thread looks once a second at the sockets of this
process, which costs about 5 µs each and nothing per request. A connection whose bytes stopped
coming is in work if some request had come whole at that moment (``Gate.moments``); if none had,
it is stalled. When more than ``FULL`` of the places for connections are taken, the longest idle
ones go first, and then those that are receiving for the longest time.

Linux only; elsewhere nothing is closed, and a proxy in front must do it.
"""

import contextlib
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from idp.run.admission import ARRIVING, Gate

log = structlog.get_logger(__name__)

RATE = 4096
"""Bytes a second that a body must bring, on the average since its request began."""
FULL = 0.9
ENOUGH = 0.8
"""Of the places for connections: more than ``FULL`` taken, and some are closed down to this."""
TOO_MANY_BODIES = 0.75
"""The same for bodies that are arriving (``idp.run.admission.ARRIVING``)."""
TICK = 1.0
HURRIED = 0.1
"""Between two looks, and when places are short."""
FITS = 3.0
"""Seconds that a request may have been on its way from the kernel to the gate."""
_FDS = Path("/proc/self/fd")
_TCP_INFO = struct.Struct("=8B24I4Q6I")
"""``struct tcp_info`` up to ``tcpi_data_segs_out`` (linux/tcp.h); it only ever grows."""
_SENT, _RECEIVED, _BYTES, _ANSWERS = 8 + 9, 8 + 11, 8 + 24 + 3, 8 + 24 + 4 + 5
ESTABLISHED = (1, 8)
"""TCP_ESTABLISHED, and TCP_CLOSE_WAIT: the other side has said all it wanted."""


@dataclass
class _Seen:
    """What is known of one connection."""

    began: float
    """When its present request began to come."""
    before: int = 0
    """Bytes that had come before that."""
    receiving: bool = False


@dataclass(frozen=True)
class _Look:
    """One connection at one moment. ``sent`` and ``received``: seconds ago; since it was opened
    where there was nothing yet.
    """

    fd: int
    inode: int
    sent: float
    received: float
    size: int
    answered: bool
    """Whether anything was ever sent."""

    @property
    def receiving(self) -> bool:
        """Whether its last bytes came rather than went; the clock of both ticks every 4 ms."""
        return self.size > 0 and (self.received < self.sent or not self.answered)


class Connections:
    """Minds the connections that others have opened to one port of this process."""

    def __init__(self, gate: Gate, *, port: int, most: int, headers: float, idle: float) -> None:
        self._gate = gate
        self._port, self._most = port, most
        self._headers, self._idle = headers, idle
        self._seen: dict[int, _Seen] = {}
        self.count = 0
        self.closed: dict[str, int] = {}

    def start(self) -> None:
        """Mind them from now on, in a thread."""
        if sys.platform == "linux":
            threading.Thread(target=self._run, name="connections", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(HURRIED if self.count > self._most * ENOUGH else TICK)
            try:
                self.mind(time.monotonic())
            except Exception:
                log.exception("connections.unminded")

    def mind(self, now: float) -> None:
        """Look at all of them once and close what must be closed."""
        looks = list(self._look())
        self.count = len(looks)
        self._seen = {look.inode: self._of(look, now) for look in looks}
        moments = self._gate.moments()
        idle: list[tuple[float, _Look]] = []
        slow: list[tuple[float, _Look]] = []
        for look in looks:
            why = self._wrong(look, now, moments)
            if why:
                self._close(look, why)
            elif not look.receiving:
                idle.append((look.sent, look))
            elif not _in_work(look, now, moments):
                slow.append((now - self._seen[look.inode].began, look))
        idle.sort(key=lambda each: -each[0])
        slow.sort(key=lambda each: -each[0])
        surplus = self.count - round(self._most * ENOUGH) if self.count > self._most * FULL else 0
        bodies = self._gate.arriving - round(ARRIVING * TOO_MANY_BODIES)
        for _, look in [*idle, *slow][: max(0, surplus)] + [*slow, *idle][: max(0, bodies)]:
            self._close(look, "short")

    def _of(self, look: _Look, now: float) -> _Seen:
        known = self._seen.get(look.inode) or _Seen(now - max(look.sent, look.received))
        if look.receiving and not known.receiving:
            # What came since it was last idle; at most one look ago.
            known.began = max(known.began, now - min(look.sent, TICK + look.received))
        elif not look.receiving:
            known.before = look.size
        known.receiving = look.receiving
        return known

    def _wrong(self, look: _Look, now: float, moments: list[float]) -> str | None:
        """Why a connection must be closed; None when it need not."""
        if look.size == 0:
            return "silent" if look.sent > self._headers else None
        if not look.receiving:
            return "idle" if look.sent > self._idle else None
        known = self._seen[look.inode]
        took = now - known.began
        if took <= self._headers or _in_work(look, now, moments):
            return None
        if look.received > self._headers:
            return "stalled"
        return "slow" if (look.size - known.before) < RATE * took else None

    def _close(self, look: _Look, why: str) -> None:
        with contextlib.suppress(OSError):
            # Ours for a moment, so that it cannot become another's between look and end.
            mine = os.dup(look.fd)
            end = socket.socket(fileno=mine)
            with end:
                if os.fstat(mine).st_ino == look.inode:
                    end.shutdown(socket.SHUT_RDWR)
                    self.closed[why] = self.closed.get(why, 0) + 1

    def _look(self) -> Iterator[_Look]:
        for entry in _FDS.iterdir():
            with contextlib.suppress(OSError):
                fd = int(entry.name)
                found = os.fstat(fd)
                if found.st_mode & 0o170000 != 0o140000:
                    continue
                look = self._told(fd, found.st_ino)
                if look is not None:
                    yield look

    def _told(self, fd: int, inode: int) -> _Look | None:
        end = socket.socket(fileno=fd)
        try:
            if end.family not in (socket.AF_INET, socket.AF_INET6):
                return None
            if end.getsockname()[1] != self._port:
                return None
            raw = end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
            told = _TCP_INFO.unpack(raw)
            if told[0] not in ESTABLISHED:
                return None
            sent, received = told[_SENT] / 1000, told[_RECEIVED] / 1000
            return _Look(fd, inode, sent, received, told[_BYTES], told[_ANSWERS] > 0)
        finally:
            end.detach()


def _in_work(look: _Look, now: float, moments: list[float]) -> bool:
    """Whether some request had come whole when this connection's last bytes came."""
    last = now - look.received
    return any(-0.1 <= moment - last <= FITS for moment in moments)
