"""Connections that ``hot`` keeps at hand: the one that was given back last is taken again, and whatever
makes the pool look at a connection makes it look at these.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import TimeoutError as NoneFree

from directory.base.db import Database
from directory.base.patience import UNHURRIED

on_both = pytest.mark.both_databases
on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
FEW = replace(UNHURRIED, hot=2, transactions=0, pool=5.0)


@pytest.fixture
def database(services: Any, database_url: str) -> Iterator[Database]:
    made = Database(database_url, limits=FEW)
    yield made
    made.dispose()


def _asked_for(database: Database) -> list[str]:
    """What the pool is asked for from now on."""
    told: list[str] = []
    event.listen(database.engines[1], "checkout", lambda *_: told.append("taken"))
    return told


def _driver(database: Database) -> Any:
    with database.hot() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
        return connection.connection.driver_connection


@on_both
def test_the_last_one_is_taken_again_without_the_pool(database: Database) -> None:
    first = _driver(database)
    told = _asked_for(database)
    assert [_driver(database) is first for _ in range(3)] == [True] * 3
    assert told == []


@on_both
def test_after_something_went_wrong_it_goes_back_to_the_pool(database: Database) -> None:
    _driver(database)
    told = _asked_for(database)
    with suppress(ZeroDivisionError), database.hot():
        raise ZeroDivisionError
    assert told == []
    _driver(database)
    assert told == ["taken"]


@on_both
def test_one_that_rested_too_long_goes_through_the_pool_which_asks_it(
    services: Any, database_url: str
) -> None:
    database = Database(database_url, limits=replace(FEW, trusted=0.0))
    first, told = _driver(database), _asked_for(database)
    assert _driver(database) is first
    assert told == ["taken"]
    database.dispose()


@on_both
def test_whoever_waits_gets_what_others_give_back(database: Database) -> None:
    def use(_n: int) -> int:
        with database.hot() as connection:
            return int(connection.scalar(text("SELECT 1")))

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(use, range(2000))) == 2000


@on_both
def test_one_who_waits_at_the_pool_is_given_the_one_that_comes_back(database: Database) -> None:
    held = [ExitStack(), ExitStack()]
    for each in held:
        each.enter_context(database.hot())
    got = threading.Event()

    def wait() -> None:
        with database.hot():
            got.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not got.wait(0.2)
    held[0].close()
    assert got.wait(60)
    waiting.join()
    held[1].close()


@on_both
def test_there_are_never_more_than_the_pool_has(services: Any, database_url: str) -> None:
    database = Database(database_url, limits=replace(FEW, pool=0.2))
    most = database.engines[1].pool.size()  # type: ignore[attr-defined]
    with ExitStack() as held:
        for _ in range(most):
            held.enter_context(database.hot())
        with pytest.raises(NoneFree), database.hot():
            pass
    with ExitStack() as held:
        for _ in range(most):
            held.enter_context(database.hot())
    database.dispose()


@on_both
def test_after_all_are_closed_none_that_was_there_is_taken(database: Database) -> None:
    first = _driver(database)
    database.dispose()
    assert _driver(database) is not first
    with database.hot() as connection:
        second = connection.connection.driver_connection
        database.dispose()
    assert _driver(database) is not second


@on_postgresql
def test_when_one_turns_out_to_be_lost_a_write_meets_none_of_the_others(
    database: Database, services: Any
) -> None:
    """A write is never repeated: it must not be sent where a read has found nobody."""
    with database.hot(), database.hot():
        pass
    with services.db.hot() as admin:
        admin.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    with suppress(Exception), database.hot() as connection:
        connection.scalar(text("SELECT 1"))
    with database.hot() as connection, database.hot() as other:
        assert connection.scalar(text("SELECT 1")) == other.scalar(text("SELECT 1")) == 1


@on_both
def test_listeners_that_come_later_hear_of_statements(database: Database) -> None:
    _driver(database)
    heard: list[str] = []
    event.listen(
        database.engines[1], "before_cursor_execute", lambda *given: heard.append(given[2])
    )
    with database.hot() as connection:
        connection.execute(text("SELECT 1"))
    assert heard == ["SELECT 1"]
