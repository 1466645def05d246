"""Several web processes and workers of one installation, as ``dinhdanh serve`` starts them: none has
anything of another's connections, each worker hears for itself, and told to stop all are gone.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, text

from bench import meter
from directory.base import outbox
from directory.base.clock import system_clock
from directory.base.outbox import Job, JobKind
from tests.conftest import SERVER, missing
from tests.serving import Serving, until
from tests.wire import Wire

pytestmark = [
    pytest.mark.slow,  # two nodes of five processes
    pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True),
]
AN_HOUR = 3600
PAGE = "/login/" + "x" * 22
"""A sign-in that is looked for in the database, and is not there."""
OTHERS = (
    "datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)
ESTABLISHED = "01"


@pytest.fixture
def wire(database_kind: str) -> Iterator[Wire]:
    if not SERVER:
        missing("PostgreSQL (TEST_DATABASE_URL)")
    with Wire(SERVER) as made:
        yield made


@pytest.fixture
def served(tmp_path: Path, settings: Any, services: Any, wire: Wire) -> Iterator[Serving]:
    """Nothing to do, and a worker that looks for work in an hour only does what it hears of."""
    with services.db.write() as session:
        session.execute(delete(Job))
    services.db.dispose()
    with Serving(
        tmp_path,
        database_url=wire.url(settings.database_url),
        keyring_file=settings.keyring,
        web_processes=2,
        worker_poll_seconds=AN_HOUR,
    ) as made:
        yield made


def counted(services: Any, condition: str) -> int:
    asked = text(f"SELECT count(*) FROM pg_stat_activity WHERE {OTHERS} AND {condition}")
    with services.db.probe() as connection:
        return int(connection.scalar(asked))


def ears(services: Any) -> int:
    return counted(services, "query LIKE 'LISTEN%'")


def owners(wire: Wire, processes: set[int]) -> dict[str, set[int]]:
    """By connection to the database: whose descriptor it is."""
    theirs: dict[str, set[int]] = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, _, remote, state, *_, inode = line.split()[:10]
        if int(remote.partition(":")[2], 16) == wire.port and state == ESTABLISHED:
            theirs[f"socket:[{inode}]"] = set()
    for pid in processes:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                theirs.get(str(descriptor.readlink()), set()).add(pid)
            except FileNotFoundError:
                continue  # closed meanwhile
    return theirs


def ring(services: Any, keys: list[str]) -> None:
    for key in keys:
        with services.db.write() as session:
            outbox.enqueue(session, JobKind.ACCOUNT_APPLY, key, now=system_clock())


def attempts(services: Any, keys: list[str]) -> list[int]:
    """Of those of these jobs that have come to an end."""
    with services.db.read() as session:
        ended = select(Job.attempts).where(Job.key.in_(keys), Job.state.in_(("done", "parked")))
        return list(session.scalars(ended))


def worker_of(served: Serving, before: int | None = None) -> int:
    """The newest worker process that the parent tells of."""

    def told() -> int | None:
        lines = [json.loads(x) for x in served.log.read_text().splitlines() if x.startswith("{")]
        started = [x["pid"] for x in lines if x.get("process") == "worker" and "pid" in x]
        return started[-1] if started and started[-1] != before else None

    found = until(told, within=60)
    assert isinstance(found, int), served.log.read_text()
    return found


def gone(processes: set[int]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in processes)


def test_each_process_has_its_own_connections_and_each_worker_its_ear(
    served: Serving, services: Any, wire: Wire
) -> None:
    nodes: list[subprocess.Popen[bytes]] = [served.start("--with-worker"), served.spawn("worker")]
    assert until(lambda: ears(services) == 2, within=60), served.log.read_text()

    def asked() -> dict[str, set[int]]:
        with ThreadPoolExecutor(16) as people:
            assert set(people.map(lambda _: served.get(PAGE)[0], range(64))) == {404}
        processes = set[int]().union(*(meter.tree(node.pid) for node in nodes))
        return owners(wire, processes)

    # Two workers, two of the web, of which one may come late; neither parents nor granian's main
    # process.
    assert until(lambda: len(set[int]().union(*asked().values())) == 4)
    found = asked()
    assert {len(whose) for whose in found.values()} == {1}, found
    assert len(set[int]().union(*found.values())) == 4

    keys = [f"{n}:1" for n in range(1, 31)]
    ring(services, keys)
    assert until(lambda: len(attempts(services, keys)) == len(keys), within=60)
    assert set(attempts(services, keys)) == {1}

    killed = worker_of(served)
    os.kill(killed, signal.SIGKILL)
    nodes[1].send_signal(signal.SIGTERM)
    assert nodes[1].wait(60) == 0
    assert worker_of(served, before=killed) not in (0, killed)
    assert until(lambda: ears(services) == 1, within=60)  # the new one alone
    more = [f"{n}:2" for n in range(1, 11)]
    ring(services, more)
    assert until(lambda: len(attempts(services, more)) == len(more), within=60)

    processes = meter.tree(nodes[0].pid)
    nodes[0].send_signal(signal.SIGTERM)
    assert nodes[0].wait(60) == 0
    assert until(lambda: gone(processes), within=60)
    services.db.dispose()
    assert until(lambda: counted(services, "true") == 0, within=60)
    assert "Traceback" not in served.log.read_text()
