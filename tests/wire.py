"""A wire to PostgreSQL that a test can spoil: a TCP port of ours in front of the server's own.

with Wire(server_url) as wire:
    Settings(database_url=wire.url(database_url))
    wire.swallow()    what is sent goes nowhere, in both directions: no answer, no end
    wire.deafen()     what the server says goes nowhere, and it hears everything
    wire.reset()      every connection ends at once; new ones are taken
    wire.refuse()     every connection ends at once; new ones are refused
    wire.delay(0.2)   every piece comes so many seconds later
    wire.heal()       as at first; a connection that has lost bytes stays dead
"""

import contextlib
import socket
import struct
import threading
import time
from types import TracebackType
from typing import Self

from sqlalchemy import make_url

_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER: the connection ends with a reset."""


class Wire:
    """Listens on a port of 127.0.0.1 until its block ends."""

    def __init__(self, server: str) -> None:
        url = make_url(server)
        folder, port = str(url.query.get("host") or ""), url.query.get("port") or url.port or 5432
        self._behind: str | tuple[str, int] = (
            f"{folder}/.s.PGSQL.{port}" if folder.startswith("/") else (url.host or "", int(port))
        )
        self._swallowing = self._deaf = self._refusing = False
        self._delay = 0.0
        self._lock = threading.Lock()
        self._ends: set[socket.socket] = set()

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._refusing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._end_all()

    def url(self, database_url: str) -> str:
        """The same database over this wire."""
        behind = make_url(database_url)
        through = behind.set(host="127.0.0.1", port=self.port, query={})
        return through.render_as_string(hide_password=False)

    def swallow(self) -> None:
        self._swallowing = True

    def deafen(self) -> None:
        self._deaf = True

    def reset(self) -> None:
        self._end_all()

    def refuse(self) -> None:
        self._refusing = True
        self._end_all()

    def delay(self, seconds: float) -> None:
        self._delay = seconds

    def heal(self) -> None:
        self._swallowing = self._deaf = self._refusing = False
        self._delay = 0.0

    @property
    def open(self) -> int:
        """Connections over this wire."""
        with self._lock:
            return len(self._ends) // 2

    def _end_all(self) -> None:
        with self._lock:
            ends, self._ends = self._ends, set()
        for end in ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            _close(end)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                near.close()
                continue
            try:
                far = self._reach()
            except OSError:
                near.close()
                continue
            with self._lock:
                self._ends |= {near, far}
            for ends in ((near, far, False), (far, near, True)):
                threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _reach(self) -> socket.socket:
        if isinstance(self._behind, tuple):
            return socket.create_connection(self._behind, timeout=None)
        far = socket.socket(socket.AF_UNIX)
        far.connect(self._behind)
        return far

    def _carry(self, one: socket.socket, other: socket.socket, answers: bool) -> None:
        lost = False
        try:
            while piece := one.recv(65536):
                if self._delay:
                    time.sleep(self._delay)
                lost = lost or self._swallowing or (answers and self._deaf)
                if not lost:
                    other.sendall(piece)
        except OSError:
            pass
        with self._lock:
            self._ends -= {one, other}
        _close(one)
        _close(other)


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
