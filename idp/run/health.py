"""Whether the installation is fit to work: ``/readyz`` and ``/metrics``.

``/readyz`` looks at what a process needs and is for load balancers (``/healthz``, in idp.run.app,
only says that it answers). ``/metrics`` is for Prometheus on this machine. Several web processes
count their requests each for itself, told apart by the label ``process``.
"""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Blueprint, Flask, Response, abort, current_app, jsonify, request
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from directory.base import hosts, nodes
from directory.base.audit import AuditEntry
from directory.base.away import is_away, kind_of
from directory.base.outbox import Job
from directory.changes.model import Change, ChangeState
from directory.entitlements import Installation
from idp.run import schema
from idp.run.connections import Connections
from idp.services import Services
from idp.web import gate
from idp.web.exchange import HttpRequest
from idp.web.gate import services

blueprint = Blueprint("health", __name__)

SKEW = timedelta(seconds=2)
SILENT = 30.0
"""Seconds without a sign of any worker after which there is none."""
ROOM = 16 * 2**20
"""Bytes that must be left on the disk."""
_FORWARDED = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Via")


@dataclass(frozen=True)
class Check:
    """One thing looked at. ``detail`` is for the operator, not for the network."""

    name: str
    holds: bool
    detail: str = ""


def checks(has: Services) -> list[Check]:
    """Everything ``/readyz`` and ``dinhdanh check`` look at."""
    try:
        with has.db.probe() as connection:
            return [Check("database", holds=True), *_of_database(has, connection), _disk(has)]
    except SQLAlchemyError as exc:
        return [Check("database", holds=False, detail=kind_of(exc)), _disk(has)]


def _of_database(has: Services, connection: Connection) -> Iterator[Check]:
    found, ours = schema.current(connection), schema.head()
    served = schema.standing(connection) is schema.SchemaFit.FITS
    yield Check("migrations", holds=served, detail=f"{found} / {ours}")
    if not served:
        return
    key_id = connection.scalar(select(Installation.keyring_id))
    yield Check(
        "keyring", holds=key_id is not None and has.keyring.knows(key_id), detail=str(key_id)
    )
    skew = _skew(has, connection)
    yield Check("clock", holds=skew <= SKEW, detail=f"{skew.total_seconds():.1f} s")
    yield _write(has, connection)


def _write(has: Services, connection: Connection) -> Check:
    """Whether something can be written: no sign-in can do without."""
    try:
        nodes.probe(connection, now=has.clock())
    except SQLAlchemyError as exc:
        return Check("write", holds=False, detail=kind_of(exc))
    return Check("write", holds=True)


def _disk(has: Services) -> Check:
    """Whether the folder of this node has room left for what it writes there."""
    try:
        left = shutil.disk_usage(has.settings.data_dir).free
    except OSError as exc:
        return Check("disk", holds=False, detail=str(exc.strerror))
    return Check("disk", holds=left >= ROOM, detail=f"{left // 2**20} MB")


def worker_age(has: Services, connection: Connection) -> float | None:
    """Seconds since some worker last showed that it lives, by the database's clock; None: never."""
    seen = nodes.worker_seen(connection)
    if seen is None:
        return None
    now = nodes.now_there(connection) or has.clock()
    return max(0.0, (now - seen).total_seconds())


def _skew(has: Services, connection: Connection) -> timedelta:
    """How far our clock is from the database server's; an embedded database has ours."""
    if has.db.is_sqlite:
        return timedelta(0)
    theirs = nodes.now_there(connection)
    return timedelta.max if theirs is None else abs(has.clock() - theirs)


class _Looks:
    """One look at a time; whoever asked before it began is told what it found. So everybody is
    told what was so after she asked, and however many ask, one connection is taken up: they are
    strangers, and must not make a process look unready that is not.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._began = -1.0
        self._found: dict[str, Any] = {}

    def share(self, look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What this look, or another that began after this moment, finds."""
        asked = time.monotonic()
        with self._turn:
            if self._began < asked:
                began = time.monotonic()
                self._found = look()
                self._began = began
            return self._found


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """200 when this process can do its work, 503 otherwise; says which check fails, not why.

    Of the worker it says apart whether one lives, wherever it runs: people sign in without it, but
    nothing that was decided reaches anybody.
    """
    body = current_app.extensions["dinhdanh-looks"].share(lambda: _readiness(services()))
    return jsonify(body), 200 if body["ready"] else 503


def _readiness(has: Services) -> dict[str, Any]:
    found = checks(has)
    ready = all(check.holds for check in found)
    body: dict[str, Any] = {
        "ready": ready,
        "checks": {c.name: "ok" if c.holds else "failed" for c in found},
        "worker": "unknown",
    }
    if found[0].holds:
        with suppress(SQLAlchemyError), has.db.probe() as connection:
            age = worker_age(has, connection)
            body["worker"] = "missing" if age is None or age > SILENT else "ok"
            if age is not None:
                body["worker_seconds_ago"] = round(age, 1)
    return body


@blueprint.get("/metrics")
def metrics() -> Response:
    """The metrics, for callers on this machine that come without a proxy in between."""
    direct = hosts.address(request.environ.get("REMOTE_ADDR", ""))
    local = direct is not None and direct.is_loopback
    if not local or any(name in request.headers for name in _FORWARDED):
        abort(404)
    registry = current_app.extensions["dinhdanh-metrics"]
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Database(Collector):
    """Gauges read from the database when they are asked for."""

    def __init__(self, has: Services) -> None:
        self._has = has

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read them; none while the database is away."""
        try:
            found = list(self._read())
        except SQLAlchemyError as exc:
            if not is_away(exc):
                raise
            found = []
        up = GaugeMetricFamily("dinhdanh_database_up", "Whether the database answers")
        up.add_metric([], float(bool(found)))
        yield from (up, *found)

    def _read(self) -> Iterator[GaugeMetricFamily]:
        jobs = GaugeMetricFamily("dinhdanh_jobs", "Jobs by state", labels=["state"])
        overdue = GaugeMetricFamily("dinhdanh_job_overdue_seconds", "Age of the oldest due job")
        attention = GaugeMetricFamily("dinhdanh_changes_attention", "Changes that need attention")
        unsettled = GaugeMetricFamily("dinhdanh_changes_unsettled", "Changes not settled yet")
        unsealed = GaugeMetricFamily("dinhdanh_audit_unsealed", "Audit entries not chained yet")
        worker = GaugeMetricFamily("dinhdanh_worker_age_seconds", "Since the worker last showed")
        with self._has.db.probe() as connection:
            for state in ("ready", "running", "parked"):
                jobs.add_metric([state], _count(connection, Job, Job.state == state))
            now = self._has.clock()
            oldest = connection.scalar(select(func.min(Job.run_at)).where(Job.state == "ready"))
            late = (now - oldest).total_seconds() if oldest else 0.0
            overdue.add_metric([], max(0.0, late))
            attention.add_metric([], _count(connection, Change, Change.needs_attention))
            committed = Change.state == ChangeState.COMMITTED.value
            unsettled.add_metric([], _count(connection, Change, committed))
            unsealed.add_metric([], _count(connection, AuditEntry, AuditEntry.seq.is_(None)))
            age = worker_age(self._has, connection)
        if age is not None:
            worker.add_metric([], age)
        yield from (jobs, overdue, attention, unsettled, unsealed, worker)


def _count(connection: Connection, table: Any, *conditions: Any) -> float:
    return float(connection.scalar(select(func.count()).select_from(table).where(*conditions)) or 0)


class _Server(Collector):
    """Gauges of this process's requests and connections."""

    def __init__(self, requests: Callable[[], dict[str, int]], minded: Connections) -> None:
        self._requests, self._minded = requests, minded

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Count them."""
        process = str(os.getpid())
        labels = ["state", "process"]
        requests = GaugeMetricFamily("dinhdanh_web_requests", "Requests now", labels=labels)
        for state, count in self._requests().items():
            requests.add_metric([state, process], count)
        yield requests
        name = "dinhdanh_web_connections"
        opened = GaugeMetricFamily(name, "Connections open now", labels=["process"])
        opened.add_metric([process], self._minded.count)
        yield opened
        name = "dinhdanh_web_connections_closed"
        closed = GaugeMetricFamily(name, "Connections closed by us", labels=["why", "process"])
        for why, count in sorted(self._minded.closed.items()):
            closed.add_metric([why, process], count)
        yield closed


def watch(app: Flask, requests: Callable[[], dict[str, int]], minded: Connections) -> None:
    """Show what the server counts and closes."""
    app.extensions["dinhdanh-metrics"].register(_Server(requests, minded))


class Requests:
    """How many requests there were and how long they took, by part."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._process = str(os.getpid())
        self._count = Counter(
            "dinhdanh_requests",
            "Requests by part and class of answer",
            ["part", "status", "process"],
            registry=registry,
        )
        self._seconds = Histogram(
            "dinhdanh_request_seconds",
            "Time to answer, by part",
            ["part", "process"],
            buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0),
            registry=registry,
        )
        self._known: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def answered(self, asked: HttpRequest, part: str, status: int) -> None:
        """One request of a part of the house, at this moment, with this status."""
        key = part, status // 100
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = (
                self._count.labels(part, f"{status // 100}xx", self._process),
                self._seconds.labels(part, self._process),
            )
        known[0].inc()
        known[1].observe(time.perf_counter() - asked.began)


def requests(app: Flask) -> Requests:
    """The counts of the installation that the application answers for."""
    found: Requests = app.extensions["dinhdanh-requests"]
    return found


def _count_request(response: Response) -> Response:
    part = request.blueprint or "other"
    requests(current_app).answered(gate.this_request(), part, response.status_code)
    return response


def install(app: Flask) -> None:
    """Count and time the application's requests."""
    app.after_request(_count_request)


def furnish(app: Flask, has: Services) -> Requests:
    """The counts of one installation, none yet."""
    registry = CollectorRegistry()
    registry.register(_Database(has))
    app.extensions["dinhdanh-metrics"] = registry
    app.extensions["dinhdanh-looks"] = _Looks()
    counts = app.extensions["dinhdanh-requests"] = Requests(registry)
    return counts
