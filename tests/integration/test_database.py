"""What our engines do beyond SQLAlchemy: what is gone is noticed, what is hot stands alone."""

import gc
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from directory.base import db
from directory.base.db import Database
from directory.base.patience import Limits


def _end_all_others(database: Database) -> None:
    """What a restart of the server does to the connections that wait in the pools."""
    ended = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    own = db.unpooled(database.engine.url.render_as_string(hide_password=False))
    with own.connect() as connection:
        connection.execute(ended)


@pytest.mark.both_databases
def test_a_connection_that_waited_is_asked_before_it_is_used(
    services: Any, database_url: str
) -> None:
    if services.db.is_sqlite:
        pytest.skip("a file has no server that could go away")
    database = Database(database_url, limits=Limits(trusted=0.0))
    with database.hot() as connection, database.read() as session:
        assert (connection.scalar(text("SELECT 1")), session.scalar(text("SELECT 1"))) == (1, 1)
    _end_all_others(database)
    with database.hot() as connection, database.read() as session:
        assert (connection.scalar(text("SELECT 1")), session.scalar(text("SELECT 1"))) == (1, 1)


@pytest.mark.both_databases
def test_of_requests_that_follow_each_other_only_the_first_notices_a_lost_server(
    services: Any, database_url: str
) -> None:
    if services.db.is_sqlite:
        pytest.skip("a file has no server that could go away")
    database = Database(database_url, limits=Limits(trusted=3600.0))
    with database.hot() as one, database.hot() as other:
        assert (one.scalar(text("SELECT 1")), other.scalar(text("SELECT 1"))) == (1, 1)
    _end_all_others(database)
    with pytest.raises(DBAPIError), database.hot() as connection:
        connection.scalar(text("SELECT 1"))
    for _ in range(3):
        with database.hot() as one, database.hot() as other:
            assert (one.scalar(text("SELECT 1")), other.scalar(text("SELECT 1"))) == (1, 1)


@pytest.mark.both_databases
def test_hot_statements_stand_alone_and_transactions_do_not(services: Any) -> None:
    database: Database = services.db
    with database.hot() as connection:
        connection.execute(text("CREATE TABLE alone (n INTEGER)"))
        connection.execute(text("INSERT INTO alone VALUES (1)"))
        with database.hot() as other:
            assert other.scalar(text("SELECT count(*) FROM alone")) == 1
    with suppress(ZeroDivisionError), database.write() as session:
        session.execute(text("INSERT INTO alone VALUES (2)"))
        raise ZeroDivisionError
    with database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM alone")) == 1
    with database.hot() as connection:
        connection.execute(text("DROP TABLE alone"))


@pytest.mark.both_databases
def test_a_database_that_nobody_holds_any_more_keeps_no_connection(
    services: Any, database_url: str
) -> None:
    """A command that ends early, or another installation of the same process."""
    forgotten = Database(database_url)
    with forgotten.hot() as connection, forgotten.read() as session:
        session.execute(text("SELECT 1"))
        pools = [connection.engine.pool, session.get_bind().engine.pool]
    assert all(pool.checkedin() + pool.checkedout() for pool in pools)
    del forgotten, connection, session
    gc.collect()
    # What it had pooled is closed; a pool that is disposed of begins anew.
    assert not any(pool.checkedin() + pool.checkedout() for pool in pools)
