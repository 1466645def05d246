"""Work is begun when somebody rings for it, whoever she is; an idle worker asks next to nothing.

A worker that would look by itself in an hour only does what it was rung for.
"""

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, event, text

from bench.statements import heard
from directory.base import claiming, outbox
from directory.base.bell import fifo_of
from directory.base.clock import system_clock
from directory.base.db import Database
from directory.base.outbox import Job, JobKind
from idp.run import housekeeping, listening, wiring, worker
from idp.services import Services
from tests.serving import ROOT, until

KIND = JobKind.ACCOUNT_APPLY
AN_HOUR = 3600
on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)

ELSEWHERE = """
import sys
from directory.base import outbox
from directory.base.clock import system_clock
from directory.base.db import Database
with Database(sys.argv[1]).write() as session:
    outbox.enqueue(session, outbox.JobKind.ACCOUNT_APPLY, sys.argv[2], now=system_clock())
"""


@pytest.fixture
def live(services: Services, clock: Any) -> Iterator[Services]:
    """The installation as another process has it, with nothing to do and the world's clock."""
    clock.set(system_clock())
    with services.db.write() as session:
        session.execute(delete(Job))
    settings = services.settings.model_copy(update={"worker_poll_seconds": AN_HOUR})
    made = wiring.build(settings)
    yield made
    made.db.dispose()


@contextmanager
def working(has: Services, *, heard: bool = True) -> Iterator[list[str]]:
    """A worker that has looked once and sleeps; the keys of the jobs it does."""
    done: list[str] = []

    def handler(_tools: Any, claim: Any) -> Any:
        done.append(claim.key)
        return lambda _session: set()

    one = worker.Worker(has, handlers={KIND: handler})
    thread = threading.Thread(target=one.run)
    thread.start()
    try:
        assert not heard or until(lambda: _heard(has), within=60)
        yield done
    finally:
        one.stop()
        thread.join(60)
        assert not thread.is_alive()


def _heard(has: Services) -> bool:
    """Whether somebody listens to what others ring for."""
    if has.db.is_sqlite:
        return _fifo(has).exists()
    return bool(_ears(has.db))


def _ears(db: Database) -> list[int]:
    asked = text(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
    )
    with db.probe() as connection:
        return list(connection.scalars(asked))


@contextmanager
def _two_hear(has: Services) -> Iterator[None]:
    """Begun when a second worker hears, too."""
    ears = 2

    def hear() -> bool:
        if not has.db.is_sqlite:
            return len(_ears(has.db)) == ears
        named = [os.path.realpath(each) for each in Path("/proc/self/fd").iterdir()]
        return named.count(str(_fifo(has).resolve())) == ears

    assert until(hear, within=60)
    yield


def _fifo(has: Services) -> Path:
    file = fifo_of(has.db.engine.url.database)
    assert file is not None
    return file


def _enqueue(db: Database, key: str, **options: Any) -> None:
    with db.write() as session:
        outbox.enqueue(session, KIND, key, now=system_clock(), **options)


def _enqueue_and_fail(db: Database, key: str) -> None:
    with db.write() as session:
        outbox.enqueue(session, KIND, key, now=system_clock())
        raise ZeroDivisionError


# ---- rung for ------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_what_another_process_has_committed_is_begun_at_once(live: Services) -> None:
    with working(live) as done:
        subprocess.run(
            [sys.executable, "-c", ELSEWHERE, live.settings.database, "1:1"], cwd=ROOT, check=True
        )
        assert until(lambda: done == ["1:1"], within=60)


@pytest.mark.both_databases
def test_what_was_committed_here_is_begun_at_once(live: Services) -> None:
    with working(live) as done:
        _enqueue(live.db, "1:1")
        assert until(lambda: done == ["1:1"], within=60)


@pytest.mark.both_databases
def test_every_worker_is_rung_for_and_each_job_done_once(
    live: Services, services: Services
) -> None:
    other = wiring.build(live.settings)
    try:
        with working(live) as mine, working(other) as theirs:
            for number in range(10):
                _enqueue(services.db, f"{number}:1")
            assert until(lambda: len(mine) + len(theirs) >= 10, within=60)
    finally:
        other.db.dispose()
    assert sorted(mine + theirs) == [f"{number}:1" for number in range(10)]


@pytest.mark.both_databases
def test_a_job_of_a_later_moment_is_begun_at_that_moment(live: Services) -> None:
    with working(live) as done:
        moment = system_clock() + timedelta(seconds=1.5)
        _enqueue(live.db, "1:1", run_at=moment)
        assert until(lambda: done == ["1:1"], within=60)
        assert system_clock() >= moment


@pytest.mark.both_databases
def test_what_is_rung_for_between_look_and_sleep_is_not_lost(
    live: Services, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = claiming.coming
    late = threading.Event()

    def and_then_somebody_rings(db: Database) -> claiming.Coming:
        found = look(db)
        if found.at is None and not late.is_set():
            late.set()
            heard = threading.Event()
            with live.db.bell.heard(heard.set):
                _enqueue(live.db, "1:1")
            assert heard.wait(60)
        return found

    monkeypatch.setattr(claiming, "coming", and_then_somebody_rings)
    with working(live) as done:
        assert until(lambda: done == ["1:1"], within=60)


@pytest.mark.both_databases
def test_nobody_rings_before_the_commit_or_without_one(services: Services) -> None:
    there: list[bool] = []

    def look() -> None:
        with services.db.hot() as connection:
            found = connection.scalar(text("SELECT count(*) FROM job WHERE key = '7:7'"))
        there.append(bool(found))

    with services.db.bell.heard(look):
        with pytest.raises(ZeroDivisionError):
            _enqueue_and_fail(services.db, "7:7")
        assert there == []
        with services.db.write() as session:
            outbox.enqueue(session, KIND, "7:7", now=system_clock())
            outbox.enqueue(session, KIND, "7:8", now=system_clock())
            assert there == []
    assert there == [True]


# ---- not heard -----------------------------------------------------------------------------------


@on_postgresql
def test_a_worker_that_hears_nothing_looks_by_itself_and_hears_again(
    database_kind: str, live: Services, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut() -> None:
        with services.db.probe() as connection:
            for pid in _ears(live.db):
                connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})

    with working(live) as done:
        before = _ears(live.db)
        cut()
        assert until(lambda: _ears(live.db) not in ([], before), within=60)  # made anew
        _enqueue(services.db, "1:1")
        assert until(lambda: done == ["1:1"], within=60)
    often = live.settings.model_copy(update={"worker_poll_seconds": 0.2})
    monkeypatch.setattr(listening, "FIRST_PAUSE", 60.0)
    with working(replace(live, settings=often)) as done:
        cut()
        assert until(lambda: not _ears(live.db), within=60)
        _enqueue(services.db, "2:2")
        assert until(lambda: done == ["2:2"], within=60)


@on_postgresql
@pytest.mark.parametrize(
    "changed",
    [{"worker_listen_url": "postgresql://127.0.0.1:9/nobody"}, {"database_prepared": False}],
    ids=["nobody answers", "a pooler that tells nobody"],
)
def test_a_worker_that_can_hear_nothing_looks_by_itself(
    database_kind: str, live: Services, services: Services, changed: dict[str, Any]
) -> None:
    given = changed | {"worker_poll_seconds": 0.2}
    deaf = replace(live, settings=live.settings.model_copy(update=given))
    with working(deaf, heard=False) as done:
        _enqueue(services.db, "1:1")
        assert until(lambda: done == ["1:1"], within=60)
        assert not _ears(live.db)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_the_pipe_is_the_owners_and_goes_with_the_worker(
    database_kind: str, live: Services
) -> None:
    pipe = _fifo(live)
    live.db.bell.ring()  # nobody listens
    with working(live):
        found = pipe.lstat().st_mode
        assert (stat.S_ISFIFO(found), stat.S_IMODE(found)) == (True, 0o600)
    assert not pipe.exists()


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_file_in_the_pipes_place_is_left_alone(
    database_kind: str, live: Services, tmp_path: Path
) -> None:
    pipe, other = _fifo(live), tmp_path / "other"
    for put in (lambda: pipe.write_text(""), lambda: pipe.symlink_to(other)):
        other.write_text("")
        put()
        live.db.bell.ring()
        assert (pipe.read_text(), other.read_text()) == ("", "")
        pipe.unlink()


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_worker_leaves_what_is_no_pipe_where_it_is(
    database_kind: str, live: Services, tmp_path: Path
) -> None:
    pipe, other = _fifo(live), tmp_path / "other"
    for put in (lambda: pipe.write_text("kept"), lambda: pipe.symlink_to(other)):
        other.write_text("kept")
        put()
        with working(live, heard=False) as done:
            _enqueue(live.db, "1:1")
            assert until(lambda: done == ["1:1"], within=60)
        assert (pipe.read_text(), other.read_text()) == ("kept", "kept")
        pipe.unlink()


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_pipe_that_was_left_is_the_owners_again(database_kind: str, live: Services) -> None:
    pipe = _fifo(live)
    os.mkfifo(pipe)
    pipe.chmod(0o666)
    with working(live):
        assert until(lambda: stat.S_IMODE(pipe.lstat().st_mode) == 0o600, within=60)
    assert not pipe.exists()


@pytest.mark.both_databases
def test_a_worker_that_goes_takes_nothing_from_the_one_that_has_come(live: Services) -> None:
    other = wiring.build(live.settings)
    try:
        with ExitStack() as old:
            old.enter_context(working(live))
            with working(other) as done, _two_hear(live):
                old.close()
                assert _heard(live)
                subprocess.run(
                    [sys.executable, "-c", ELSEWHERE, live.settings.database, "1:1"],
                    cwd=ROOT,
                    check=True,
                )
                assert until(lambda: done == ["1:1"], within=60)
    finally:
        other.db.dispose()


# ---- asked while nothing happens -----------------------------------------------------------------


@contextmanager
def counted(db: Database) -> Iterator[list[str]]:
    """What the database is sent, beginnings and ends of transactions included."""
    sent: list[str] = []

    def edge(name: str) -> Callable[..., None]:
        return lambda *_: sent.append(name)

    # On SQLite we begin by a statement of our own; single statements need neither.
    edges = ("commit", "rollback") if db.is_sqlite else ("begin", "commit", "rollback")
    listeners = [(db.engine, name, edge(name)) for name in edges]
    for listener in listeners:
        event.listen(*listener)
    try:
        with heard(sent.append, *db.engines, db._probe):
            yield sent
    finally:
        for listener in listeners:
            event.remove(*listener)


@pytest.mark.both_databases
def test_an_idle_worker_sends_fewer_than_two_statements_a_second(
    services: Services, clock: Any
) -> None:
    with services.db.write() as session:
        session.execute(delete(Job))
    one = worker.Worker(services)
    for chore in housekeeping.CHORES:  # what there is to do at the beginning
        chore.do(services, clock())
    with services.db.write() as session:
        session.execute(delete(Job))
    parts: list[tuple[str, float, Callable[[], Any]]] = [
        ("dispatch", services.settings.worker_poll_seconds, one._dispatch),
        ("keeping", worker.KEEP_EVERY * worker.SHOW_EVERY, lambda: one._keep(show=True)),
    ]
    parts += [
        (each.name, each.every.total_seconds(), lambda each=each: each.do(services, clock()))
        for each in housekeeping.CHORES
    ]
    rates = {}
    for name, every, act in parts:
        act()
        with counted(services.db) as sent:
            act()
        rates[name] = len(sent) / every
    assert sum(rates.values()) <= 2, rates
    with counted(services.db) as sent:
        one._keep(show=False)
    assert sent == []
