"""Workers and nodes that die, stop, tell another time or run another release; who is ready."""

import json
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, exc, text

from directory.base import claiming, outbox
from directory.base.clock import system_clock
from directory.base.db import Database
from directory.base.nodes import SchemaCompatibility
from directory.base.outbox import Job, JobKind
from idp.run import performing, wiring, worker
from tests.command_line import Operator, Outcome, operator
from tests.conftest import SERVER, missing
from tests.serving import ROOT, Serving, until
from tests.wire import Wire

__all__ = ["operator"]

pytestmark = pytest.mark.slow  # several nodes, and how they die

KIND = JobKind.ACCOUNT_APPLY
on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)


@pytest.fixture
def queue(services: Any, clock: Any) -> Callable[..., int]:
    """Enqueue a job; nothing else waits."""
    with services.db.write() as session:
        session.execute(delete(Job))

    def enqueue(key: str = "1:1", lane: str | None = None) -> int:
        with services.db.write() as session:
            return outbox.enqueue(session, KIND, key, now=clock(), lane=lane)

    return enqueue


def handlers(act: Callable[[], None]) -> Any:
    def handler(_tools: Any, _claim: Any) -> Any:
        act()
        return lambda _session: set()

    return {KIND: handler}


def state(services: Any, job: int) -> str:
    with services.db.read() as session:
        return str(session.get_one(Job, job).state)


class Running:
    """A worker in threads of this process, until its block ends."""

    def __init__(self, services: Any, act: Callable[[], None]) -> None:
        self.worker = worker.Worker(services, handlers=handlers(act))
        self.ended: list[bool] = []
        self.thread = threading.Thread(target=lambda: self.ended.append(self.worker.run()))

    def __enter__(self) -> "Running":
        self.thread.start()
        return self

    def stop(self) -> None:
        self.worker.stop()
        self.thread.join(60)
        assert not self.thread.is_alive()

    def __exit__(self, *_error: object) -> None:
        self.stop()


# ---- workers -------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_what_a_dead_worker_held_is_taken_over_within_ten_seconds(
    services: Any, clock: Any, queue: Any
) -> None:
    job = queue()
    assert claiming.claim(services.db, now=clock()) is not None  # and then it dies
    clock.advance(seconds=10)
    assert performing.drain(services, handlers=handlers(lambda: None)) == 1
    assert state(services, job) == "done"


@pytest.mark.both_databases
def test_a_job_that_takes_longer_than_a_lease_is_done_once(
    services: Any, clock: Any, queue: Any
) -> None:
    clock.set(system_clock())
    live = wiring.build(services.settings)
    job, calls = queue(), []

    def slowly() -> None:
        calls.append(1)
        time.sleep(outbox.LEASE.total_seconds() + 2 if outbox.LEASE.total_seconds() < 20 else 2)

    try:
        with Running(live, slowly), Running(live, slowly):
            assert until(lambda: state(services, job) == "done", within=60)
    finally:
        live.db.dispose()
    assert calls == [1]


def test_a_worker_that_is_told_to_stop_finishes_what_it_has_begun(
    services: Any, clock: Any, queue: Any
) -> None:
    job, begun = queue(), threading.Event()

    def slowly() -> None:
        begun.set()
        time.sleep(4)

    with Running(services, slowly) as running:
        assert begun.wait(60)
        running.stop()
        queue("2:2")
    assert running.ended == [True]
    assert state(services, job) == "done"
    assert claiming.claim(services.db, now=clock()) is not None  # nothing new was taken


@on_postgresql
@pytest.mark.parametrize("wrong", [timedelta(hours=-1), timedelta(hours=1)], ids=["slow", "fast"])
def test_a_node_whose_clock_is_wrong_takes_nobodys_job(
    services: Any, clock: Any, queue: Any, wrong: timedelta
) -> None:
    clock.set(system_clock())
    right = wiring.build(services.settings)
    other = wiring.build(services.settings, clock=lambda: system_clock() + wrong)
    job, calls = queue(), []

    def slowly() -> None:
        calls.append(1)
        time.sleep(2.5)

    try:
        with Running(other, slowly):
            assert until(lambda: calls, within=60)
            with Running(right, slowly):
                assert until(lambda: state(services, job) == "done", within=60)
        calls.clear()
        job = queue("2:2")
        with Running(right, slowly):
            assert until(lambda: calls, within=60)
            with Running(other, slowly):
                assert until(lambda: state(services, job) == "done", within=60)
    finally:
        right.db.dispose()
        other.db.dispose()
    assert calls == [1]


@pytest.mark.both_databases
def test_deaths_of_workers_park_no_innocent_job(services: Any, clock: Any, queue: Any) -> None:
    job = queue()
    for _ in range(13):
        assert claiming.claim(services.db, now=clock()) is not None
        clock.advance(minutes=10)
    assert performing.drain(services, handlers=handlers(lambda: None)) == 1
    assert state(services, job) == "done"


@pytest.mark.both_databases
def test_a_job_under_whose_hands_workers_die_is_done_alone(
    services: Any, clock: Any, queue: Any
) -> None:
    clock.set(system_clock() - timedelta(hours=5))
    suspect = queue("9:9")
    for _ in range(4):
        assert claiming.claim(services.db, now=clock()) is not None
        clock.advance(hours=1)
    others = [queue(f"1:{n}") for n in range(6)]
    live = wiring.build(services.settings)
    running: list[str] = []
    together: set[tuple[str, ...]] = set()
    changed = threading.Condition()

    def handler(_tools: Any, claim: Any) -> Any:
        with changed:
            running.append(claim.key)
            together.add(tuple(sorted(running)))
            changed.notify_all()
            # Time enough for another beside it: long for the first of those that may have company.
            patience = 0.1 if claim.key == "9:9" else 20
            changed.wait_for(lambda: any(len(group) > 1 for group in together), patience)
            running.remove(claim.key)
        return lambda _session: set()

    one = worker.Worker(live, handlers={KIND: handler})
    thread = threading.Thread(target=one.run)
    thread.start()
    try:
        for job in (suspect, *others):
            assert until(lambda job=job: state(services, job) == "done", within=60)
    finally:
        one.stop()
        thread.join(60)
        live.db.dispose()
    assert {group for group in together if "9:9" in group} == {("9:9",)}
    assert any(len(group) > 1 for group in together)


@pytest.mark.both_databases
def test_a_database_that_is_away_is_no_fault_of_the_job(
    services: Any, clock: Any, queue: Any
) -> None:
    job = queue()

    def away() -> None:
        raise exc.TimeoutError("no connection is free")

    for _ in range(6):
        assert performing.drain(services, handlers=handlers(away)) == 1
        clock.advance(minutes=10)
    assert state(services, job) == "ready"
    assert performing.drain(services, handlers=handlers(lambda: None)) == 1
    assert state(services, job) == "done"


# ---- readiness -----------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_readiness_tells_of_the_worker_apart(services: Any, client: Any, clock: Any) -> None:
    clock.set(system_clock())
    alone = client.get("/readyz")
    assert (alone.status_code, alone.json["worker"]) == (200, "missing")
    live = wiring.build(services.settings)
    try:
        with Running(live, lambda: None):
            clock.set(system_clock())
            assert until(lambda: client.get("/readyz").json["worker"] == "ok", within=60)
            assert client.get("/readyz").json["worker_seconds_ago"] < 10
    finally:
        live.db.dispose()
    clock.advance(minutes=2)
    assert client.get("/readyz").json["worker"] == "missing"


def _mark(services: Any, found: str, serves_from: str | None) -> None:
    """The schema of another release, and from which on releases can serve it."""
    with services.db.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": found})
        session.execute(text("DELETE FROM schema_compatibility"))
        if serves_from:
            row = text("INSERT INTO schema_compatibility (id, serves_from) VALUES (1, :v)")
            session.execute(row, {"v": serves_from})


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("found", "serves_from", "ready"),
    [
        ("9999", "0001", True),
        ("9999", "9999", False),
        ("9999", None, False),
        ("0001", "0001", False),
    ],
)
def test_a_node_serves_a_newer_schema_that_allows_it_and_no_older_one(
    services: Any, client: Any, clock: Any, found: str, serves_from: str | None, ready: bool
) -> None:
    clock.set(system_clock())
    assert client.get("/readyz").status_code == 200
    _mark(services, found, serves_from)
    answer = client.get("/readyz")
    assert answer.status_code == (200 if ready else 503)
    assert answer.json["checks"]["migrations"] == ("ok" if ready else "failed")


# ---- commands ------------------------------------------------------------------------------------


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Serving]:
    with Serving(tmp_path) as serving:
        yield serving


def _version(database: Database, value: str) -> None:
    with database.write() as session:
        session.execute(delete(SchemaCompatibility))
        # A newer one that has taken something away.
        session.add(SchemaCompatibility(id=1, serves_from=value))
        session.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": value})


def _one_sentence(done: Outcome, *words: str) -> None:
    said = done.err.strip().splitlines()
    assert (done.code, "Traceback" in done.err) == (1, False), done.err
    assert len(said) <= 2
    assert all(word in said[-1] for word in words), said


@pytest.mark.both_databases
def test_a_start_with_a_schema_it_cannot_serve_is_refused_in_one_sentence(
    database: Database, operator: Operator
) -> None:
    _version(database, "0001")
    _one_sentence(operator("serve"), "dinhdanh migrate")
    _version(database, "9999")
    for command in ("worker", "migrate", "restored"):
        _one_sentence(operator(command), "9999")


def test_a_keyring_is_written_whole_or_not_at_all(made: Serving) -> None:
    made.folder.joinpath("var").mkdir()
    process = subprocess.run(
        [sys.executable, "-m", "idp.commands.main", "migrate"],
        cwd=ROOT,
        env=made.environment | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20)),
    )
    assert process.returncode == 1
    assert "Traceback" not in process.stderr, process.stderr
    assert [
        entry.name for entry in (made.folder / "var").iterdir() if "keyring" in entry.name
    ] == []
    made.migrate()
    stored = json.loads((made.folder / "var" / "keyring.json").read_text())
    assert stored["current"] in stored["keys"]


@on_postgresql
def test_an_address_of_several_hosts_leads_to_the_one_that_lives(
    database_kind: str, database_url: str, operator: Operator
) -> None:
    if not SERVER:
        missing("PostgreSQL (TEST_DATABASE_URL)")
    with Wire(SERVER) as wire:
        name = database_url.rpartition("/")[2].partition("?")[0]
        several = f"postgresql://postgres@127.0.0.1:9,localhost:{wire.port}/{name}"
        done = operator("migrate", "--check", database_url=several)
        assert done.code == 0, done.err


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://one:5432,two:nothing/dinhdanh",
        "mysql://root@localhost/dinhdanh",
        "postgresql://:geheim@[::1/dinhdanh",
    ],
)
def test_an_address_that_cannot_be_read_is_said_in_one_sentence(
    operator: Operator, url: str
) -> None:
    done = operator("migrate", "--check", database_url=url)
    _one_sentence(done, "database_url")
    assert "geheim" not in done.said


@on_postgresql
def test_check_compares_the_pools_with_what_the_server_allows(operator: Operator) -> None:
    assert "max_connections" not in operator("check").out
    done = operator("check", web_connections="400")
    assert done.code == 1
    assert "max_connections" in done.out


# ---- what fails ----------------------------------------------------------------------------------

DEEP = """
from idp.run import logs
import structlog
logs.configure()
def inner(n):
    if n: return inner(n - 1)
    try:
        {}["missing" * 5000]
    except KeyError as error:
        raise RuntimeError("what happened " * 2000) from error
try:
    inner(300)
except RuntimeError:
    structlog.get_logger("test").exception("request failed", path="/x")
"""


def test_a_fault_is_one_bounded_line_of_the_log() -> None:
    done = subprocess.run(
        [sys.executable, "-c", DEEP], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    (line,) = done.stderr.splitlines()
    assert len(line.encode()) < 3000
    told = json.loads(line)
    assert (told["event"], told["path"]) == ("request failed", "/x")
    assert "RuntimeError" in told["exception"]
    assert "KeyError" in told["exception"]
    assert "inner" in told["exception"]


@pytest.mark.serial
def test_a_disk_without_room_is_not_ready_and_no_fault(made: Serving) -> None:
    """Room is taken by a limit on the size of files, which SQLite meets as it meets a full disk."""
    made.migrate()
    process = made.start()
    assert made.get("/readyz")[0] == 200
    for pid in _family(process.pid):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    assert until(lambda: made.get("/readyz")[0] == 503, within=60)
    assert json.loads(made.get("/readyz")[2])["checks"]["write"] == "failed"
    status, headers, page = made.try_to_sign_in(Accept="text/html")
    assert (status, "Hệ thống" in page) == (503, True)
    assert int(headers["retry-after"]) >= 1
    for path in ("/healthz", "/.well-known/openid-configuration"):
        assert made.get(path)[0] == 200
    for pid in _family(process.pid):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    assert until(lambda: made.get("/readyz")[0] == 200, within=60)
    assert made.try_to_sign_in()[0] == 422


def _family(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        found += [int(child) for child in children]
    return found
