"""Serving: granian for the web, a worker beside it on a single node.

    dinhdanh serve                 parent ─ web (granian main ─ granian workers)
    dinhdanh serve --with-worker   parent ┬ web (…)
                                          └ worker
    dinhdanh worker                the worker alone, in this process

With ``pki_port`` there is one more web process, which answers ``/pki`` over plain http.

Every child dies with its parent by PR_SET_PDEATHSIG, down to granian's own workers, which would
otherwise keep the port and go on serving after a ``kill -9``. Measured: a trivial request costs
0.12 ms of processor time whatever the number of threads. ``web_threads`` requests are worked on
at once, so that slow ones (a wait for the writer) do not hold up the others, and none waits behind
a password hash; ``idp.run.admission`` counts them, ``idp.run.connections`` closes what brings none.
"""

import contextlib
import gc
import os
import resource
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from directory.base import outbox, patience, pooled, processors
from directory.base.config import Settings
from directory.base.workers import most
from idp.factors import registry
from idp.oidc.known_keys import SigningKeys
from idp.run import admission, connections, health, installation, logs, schema, supervisor, wiring
from idp.run.app import create_app
from idp.run.worker import Worker
from idp.services import Services
from idp.trail import anchor

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from flask import Flask

BACKLOG = 1024
MORE_CONNECTIONS = 64
"""Beyond ``web_open_connections``: some must still come in while others are being closed."""
FILES = 512
"""Descriptors for everything else."""
_GRANIAN_LOG = {
    "formatters": {},
    "handlers": {},
    "loggers": {"_granian": {"propagate": True}, "granian.access": {"propagate": True}},
}
_ENDING = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


def serve(settings: Settings, *, runs: Mapping[str, Callable[[Settings], int]]) -> None:
    """Run the parts under one parent until told to stop.

    Raises Misconfigured when the installation is not ready, already runs, or the port is taken.
    """
    logs.configure()
    locks = {"web": "instance", "worker": "worker"}
    with _locks(settings, [locks[name] for name in runs]):
        supervisor.require_free_port(settings.host, settings.port)
        beside = {}
        if settings.pki_port:
            supervisor.require_free_port(settings.host, settings.pki_port)
            beside["pki"] = _bound(run_pki, settings)
        _require_installed(settings)
        bound = {name: _bound(run, settings) for name, run in runs.items()}
        supervisor.supervise(bound | beside)


def work(settings: Settings) -> bool:
    """Run a worker in this process until told to stop; whether all its jobs were finished."""
    logs.configure()
    with _locks(settings, ["worker"]):
        _require_installed(settings)
        return run_worker(settings) == 0


def _bound(run: Callable[[Settings], int], settings: Settings) -> supervisor.Run:
    return lambda: run(settings)


@contextlib.contextmanager
def _locks(settings: Settings, names: list[str]) -> Iterator[None]:
    """Hold these locks; none for a database server, which any number of nodes may share."""
    with contextlib.ExitStack() as held:
        if settings.database.startswith("sqlite"):
            for name in names:
                held.enter_context(supervisor.Lock(settings.data_dir, name))
        yield


def _require_installed(settings: Settings) -> None:
    services = wiring.build(settings)
    try:
        pooled.require_right(settings.database, prepared=settings.database_prepared)
        with services.db.hot() as connection:
            schema.require(connection)
        installation.require(services)
        anchor.require(services)
    finally:
        services.db.dispose()  # no connection may be carried over a fork


def run_web(settings: Settings) -> int:
    """Be the web process: granian's main, which starts and restarts its workers."""
    tls = {
        "ssl_cert": settings.tls_certificate,
        "ssl_key": settings.tls_key,
        "ssl_protocol_min": SSLProtocols.tls12,
    }
    return _run(settings, settings.port, lambda app: app, workers=settings.web_processes, **tls)


def run_pki(settings: Settings) -> int:
    """Be the process that answers ``/pki`` over plain http, and nothing else."""
    return _run(settings, settings.pki_port, _only_pki, workers=1)


def _only_pki(app: "Flask") -> "Flask":
    whole = app.wsgi_app

    def some(environ: "WSGIEnvironment", start: "StartResponse") -> "Iterable[bytes]":
        if environ.get("PATH_INFO", "").startswith("/pki/"):
            return whole(environ, start)
        start("404 Not Found", [("Content-Type", "text/plain"), ("Content-Length", "0")])
        return [b""]

    app.wsgi_app = some  # type: ignore[method-assign, assignment]
    return app


def _run(
    settings: Settings, port: int, dress: Callable[["Flask"], "Flask"], *, workers: int, **tls: Any
) -> int:
    main = os.getpid()
    aside = most(processors.share(settings.web_processes))
    longest = settings.web_keep_alive_seconds + settings.web_header_seconds
    _allow_files(settings.web_open_connections + MORE_CONNECTIONS + FILES)

    def load(_target: str) -> "Flask":
        supervisor.die_with_parent(main)
        for name in [n for n in os.environ if n.startswith("HTTP_")]:
            # The server copies the environment into every request, where these would look
            # like headers that the client has sent.
            del os.environ[name]
        services = wiring.build(settings, limits=patience.of_web(settings))
        app = dress(create_app(services))
        SigningKeys(services.db, services.keyring).warm()
        registry.warm(services)
        services.passwords.get_ready()
        _mind(app, services, port)
        # What start-up has made stays: the collector need not walk it again and again.
        gc.collect()
        gc.freeze()
        return app

    Server(
        "dinhdanh",
        address=settings.host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=admission.threads(settings.web_threads, aside=aside),
        backlog=BACKLOG,
        # It counts connections. Requests are counted by the gate.
        backpressure=settings.web_open_connections + MORE_CONNECTIONS,
        http=HTTPModes.auto,
        # Of idle connections, too; what ends earlier is ended by idp.run.connections.
        http1_settings=HTTP1Settings(header_read_timeout=round(longest * 1000)),
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=10,
        log_level=LogLevels.error,
        log_dictconfig=_GRANIAN_LOG,
        **tls,
    ).serve(target_loader=load)
    return 0


def _mind(app: "Flask", services: Services, port: int) -> None:
    """Count the application's requests and close connections that bring none."""
    settings, hashes = services.settings, services.passwords.workers
    counted = admission.Gate(
        app.wsgi_app,
        places=settings.web_threads,
        secure=settings.secure,
        count=health.requests(app).answered,
    )
    hashes.aside = counted.aside
    app.wsgi_app = counted  # type: ignore[method-assign]
    minded = connections.Connections(
        counted,
        port=port,
        most=settings.web_open_connections,
        headers=settings.web_header_seconds,
        idle=settings.web_keep_alive_seconds,
    )
    minded.start()
    health.watch(app, lambda: counted.counts() | hashes.counts(), minded)


def _allow_files(wanted: int) -> None:
    """Let this process and its children hold so many descriptors, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def run_worker(settings: Settings) -> int:
    """Be the worker process: jobs in threads, signals here."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    services = wiring.build(settings, limits=patience.of_worker(settings))
    if services.db.is_sqlite:
        # The lock says that we are the only worker: what is running belongs to one that died.
        with services.db.write() as session:
            outbox.end_leases(session, now=services.clock())
    worker = Worker(services)
    finished: list[bool] = []
    thread = threading.Thread(target=lambda: finished.append(worker.run()), name="dispatch")
    thread.start()
    try:
        while thread.is_alive() and signal.sigtimedwait(_ENDING, 1.0) is None:
            pass
        worker.stop()
        thread.join()
    finally:
        services.db.dispose()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return 0 if finished == [True] else 1
