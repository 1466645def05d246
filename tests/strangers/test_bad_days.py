"""Whole installations on bad days: the network swallows, tables are locked, the disk is full.

What people and programs are told meanwhile, and that web and worker go on by themselves when it is
over. Real time passes here; what can be seen without is in ``test_database_away``.
"""

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from directory.base.db import unpooled
from tests.cluster import Cluster
from tests.conftest import SERVER, missing
from tests.serving import Serving, until
from tests.wire import Wire

pytestmark = [pytest.mark.slow, pytest.mark.serial]
on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)

HOLE = 40.0
"""Seconds: longer than any of the limits, so that each of them has to end something."""
LOCKED = 20.0
LONGEST = 25.0
"""Seconds that an answer may take while the database says nothing: an idle connection is tried, a
new one, and whoever comes then waits for a place."""


@pytest.fixture
def wire(database_kind: str) -> Iterator[Wire]:
    if not SERVER:
        missing("PostgreSQL (TEST_DATABASE_URL)")
    with Wire(SERVER) as made:
        yield made


@pytest.fixture
def served(tmp_path: Path, settings: Any, wire: Wire) -> Iterator[Serving]:
    """On PostgreSQL at the end of a wire, with every default."""
    given = {"database_url": wire.url(settings.database_url), "keyring_file": settings.keyring}
    with Serving(tmp_path, **given) as made:
        made.start("--with-worker")
        assert until(lambda: worker(made) == "ok", within=60), made.log.read_text()
        yield made


def worker(served: Serving) -> str:
    told = served.get("/readyz")[2]
    return str(json.loads(told)["worker"]) if told else ""


def job_is_done(served: Serving, url: str) -> bool:
    """A job that comes due now is taken: no handler is needed to see that it was begun."""
    engine = unpooled(url)
    try:
        with engine.connect() as connection:
            return bool(
                connection.scalar(text("SELECT count(*) = 0 FROM job WHERE state = 'ready'"))
            )
    finally:
        engine.dispose()


PAGE = "/login/" + "x" * 22
"""A sign-in that is looked for in the database, and is not there."""


class Watch:
    """Asks all the time, from several threads, as people do; keeps what was answered."""

    def __init__(self, served: Serving) -> None:
        self._served, self._over = served, threading.Event()
        self.pages: list[tuple[int | None, float]] = []
        self.free: list[tuple[int | None, float]] = []
        self._threads = [threading.Thread(target=self._people) for _ in range(20)]
        self._threads.append(threading.Thread(target=self._probes))

    def __enter__(self) -> "Watch":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _people(self) -> None:
        while not self._over.wait(0.5):
            self.pages.append(self._ask(PAGE, 60))

    def _probes(self) -> None:
        paths = ("/healthz", "/.well-known/openid-configuration", "/oauth2/jwks", "/metrics")
        while not self._over.wait(0.5):
            self.free += [self._ask(path, 30) for path in paths]

    def _ask(self, path: str, timeout: float) -> tuple[int | None, float]:
        began = time.monotonic()
        status = self._served.get(path, timeout=timeout)[0]
        return status, time.monotonic() - began

    def judge(self, *, longest: float) -> None:
        statuses = {status for status, _ in self.pages}
        assert statuses <= {404, 503}, statuses
        assert max(took for _, took in self.pages) < longest
        assert {status for status, _ in self.free} == {200}
        assert max(took for _, took in self.free) < 15


def recovered(served: Serving) -> None:
    assert until(lambda: served.get(PAGE)[0] == 404, within=60), served.log.read_text()
    assert until(lambda: worker(served) == "ok", within=60), served.log.read_text()
    assert served.get("/readyz")[0] == 200


@on_postgresql
def test_after_a_hole_of_forty_seconds_web_and_worker_go_on(
    served: Serving, wire: Wire, settings: Any
) -> None:
    with Watch(served) as watch:
        time.sleep(2)
        wire.swallow()
        time.sleep(HOLE)
        wire.heal()
        recovered(served)
    watch.judge(longest=LONGEST)
    assert {status for status, _ in watch.pages} == {404, 503}
    assert until(lambda: job_is_done(served, settings.database_url), within=60)
    # Each that was refused is one line of the log, not ten kilobytes of it.
    lines = [line for line in served.log.read_text().splitlines() if "Traceback" in line]
    assert lines == []


@on_postgresql
def test_locked_tables_hold_up_only_who_needs_them(
    served: Serving, wire: Wire, settings: Any
) -> None:
    engine = unpooled(settings.database_url)
    with Watch(served) as watch:
        with engine.connect() as holder:
            holder.execute(text("BEGIN"))
            holder.execute(text("LOCK TABLE login_flow, job IN ACCESS EXCLUSIVE MODE"))
            time.sleep(LOCKED)
            holder.execute(text("ROLLBACK"))
        engine.dispose()
        recovered(served)
    watch.judge(longest=LONGEST)


@on_postgresql
def test_a_server_that_restarts_is_a_matter_of_seconds(served: Serving, wire: Wire) -> None:
    with Watch(served) as watch:
        for _ in range(3):
            wire.refuse()
            time.sleep(2)
            wire.heal()
            time.sleep(2)
        recovered(served)
    watch.judge(longest=LONGEST)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(folder)], capture_output=True
    )
    if done.returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_told_and_gone_when_there_is_room(small_disk: Path) -> None:
    with Serving(small_disk) as made:
        made.log = small_disk.parent / "serve.log"
        made.migrate()
        made.start("--with-worker")
        assert made.get("/readyz")[0] == 200
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as out, contextlib.suppress(OSError):
            while True:
                out.write(b"\0" * 4096)
        assert until(lambda: made.get("/readyz")[0] == 503, within=60)
        checks = json.loads(made.get("/readyz")[2])["checks"]
        assert checks["disk"] == "failed"
        assert until(lambda: made.try_to_sign_in()[0] == 503, within=60)
        status, headers, page = made.try_to_sign_in(Accept="text/html", Accept_Language="vi")
        assert (status, "tạm thời" in page, int(headers["retry-after"]) > 0) == (503, True, True)
        assert made.get("/healthz")[0] == 200
        filler.unlink()
        recovered(made)
        assert "Traceback" not in made.log.read_text()
        done = made.command("audit", "verify")
        assert done.returncode == 0, done.stderr


@pytest.fixture
def lonely() -> Iterator[str]:
    """The URL of a server whose commits wait for a standby that is not there, once told to."""
    with Cluster() as made:
        yield made.url


def test_a_standby_that_is_missing_stops_no_answer(lonely: str, tmp_path: Path) -> None:
    def said(*statements: str) -> None:
        engine = unpooled(lonely)
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()

    with Serving(tmp_path, database_url=lonely, web_database_seconds=3) as made:
        made.migrate()
        made.start("--with-worker")
        with Watch(made) as watch:
            time.sleep(1)
            said("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
            began = time.monotonic()
            heard = made.try_to_sign_in()  # what is written must be told of as not done
            assert (heard[0], time.monotonic() - began < LONGEST) == (503, True)
            time.sleep(LOCKED)
            said("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
            recovered(made)
        watch.judge(longest=LONGEST)
