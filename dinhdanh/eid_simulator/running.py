"""A simulator that listens: in a thread of one's own process, or as a process.

    with simulate() as sim:
        sim.control.next(person="huong", faults=["nonce_missing"])
        …                                     # a relying party that knows sim.base

Werkzeug's server is enough for a simulation, and it shows the socket: connections can be reset,
and for an outage the port is closed, so that the next connection is refused.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from dinhdanh import ports
from dinhdanh.eid_simulator import clients, kept, leaving, people
from dinhdanh.eid_simulator.application import Application
from dinhdanh.eid_simulator.control import Control
from dinhdanh.eid_simulator.providers.provider import Provider
from dinhdanh.eid_simulator.simulation import MOUNTS, Mount, Settings

PATIENCE = 5.0
"""Seconds in which the port must be ours again after an outage."""
TURN = 0.1
"""Seconds after which it looks whether it shall still listen."""


class _Handler(WSGIRequestHandler):
    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        self.close_connection = True

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 (Werkzeug's name)
        """Addresses hold codes: nothing is logged."""


class _Server(ThreadedWSGIServer):
    def shutdown_request(self, request: Any) -> None:
        """Close a connection; one that is to be reset without the farewell of others."""
        if leaving.is_reset(request):
            self.close_request(request)
        else:
            super().shutdown_request(request)


class Simulator:
    """A simulator at an address of its own."""

    def __init__(self, settings: Settings, *, host: str, port: int) -> None:
        self.application = Application(settings)
        self._host, self._port = host, port
        self._server: _Server | None = None
        self._listens = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="eid-simulator", daemon=True)

    # ---- what a test uses ----------------------------------------------------------------------

    @property
    def base(self) -> str:
        """Where it is found."""
        return self.application.simulation.base

    @property
    def control(self) -> Control:
        """The hidden side."""
        return self.application.control

    @property
    def demo_private_key(self) -> str:
        """The private key of the client ``demo``, in PEM."""
        return kept.in_pem(self.application.simulation.demo_private_key)

    def provider(self, prefix: str) -> Provider:
        """One of its providers."""
        return self.application.providers[prefix]

    # ---- how it runs ---------------------------------------------------------------------------

    def start(self) -> Self:
        """Listen. Raises OSError where somebody else does."""
        self._server = self._listening()
        outage = self.application.simulation.outage
        outage.hang_up, outage.pick_up = self._hang_up, self._pick_up
        self._listens.set()
        self._thread.start()
        return self

    def stop(self) -> None:
        """Listen no more."""
        self.application.simulation.stopping.set()
        self._hang_up()
        self._thread.join()

    def _listening(self) -> _Server:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        with socket.socket(family) as ear:
            ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            ear.bind((self._host, self._port))
            ear.listen(128)
            return _Server(self._host, self._port, self.application, _Handler, fd=ear.fileno())

    def _serve(self) -> None:
        simulation = self.application.simulation
        while not simulation.stopping.is_set():
            if self._server is None:
                if simulation.outage.left:
                    simulation.wait(TURN)
                    continue
                self._server = self._back()
                self._listens.set()
            self._server.serve_forever(poll_interval=TURN)
            self._server.server_close()
            self._server = None

    def _back(self) -> _Server:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self._listening()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(TURN)

    def _hang_up(self) -> None:
        """Close the port; returns when the next connection is refused."""
        server = self._server
        if server is not None:
            self._listens.clear()
            server.shutdown()
            server.server_close()

    def _pick_up(self) -> None:
        self._listens.wait(PATIENCE)


@contextlib.contextmanager
def simulate(
    *,
    client_entries: Iterable[Mapping[str, Any]] = (),
    people_entries: list[Mapping[str, Any]] | None = None,
    mounts: tuple[Mount, ...] = MOUNTS,
    port: int | None = None,
    folder: Path | None = None,
    **settings: Any,
) -> Iterator[Simulator]:
    """A simulator on this machine for as long as the block lasts.

    ``client_entries`` and ``people_entries`` are what the files hold; ``settings`` are further
    fields of ``Settings``.
    """
    with ports.reserve() as block:
        chosen = block[0] if port is None else port
        made = Settings(
            base=f"http://localhost:{chosen}",
            people=_people(people_entries),
            clients=tuple(
                clients.made_of(dict(entry), said_by="client") for entry in client_entries
            ),
            mounts=mounts,
            folder=folder,
            **settings,
        )
        simulator = Simulator(made, host="127.0.0.1", port=chosen).start()
        try:
            yield simulator
        finally:
            simulator.stop()


def _people(entries: list[Mapping[str, Any]] | None) -> tuple[people.Person, ...]:
    if entries is None:
        return people.PEOPLE
    return people.made_of([dict(entry) for entry in entries], said_by="people")
