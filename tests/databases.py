"""PostgreSQL databases for the tests: made once, emptied and filled again between two tests.

To copy a template and to drop the copy costs the server 60 ms and more; to delete what a test wrote
and to put back what a fresh installation holds costs a third of it. A database is given again only
where nothing but rows can differ from the template: whatever a test did to a table, a trigger, a
sequence or a setting left its transaction's number in the catalogues, and that database is dropped.
"""

import os
import secrets
from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import make_url

USES = 25
"""Deleted rows take room until they are cleared away."""
_CATALOGUES = (
    "pg_attrdef",
    "pg_attribute",
    "pg_class",
    "pg_constraint",
    "pg_index",
    "pg_namespace",
    "pg_proc",
    "pg_rewrite",
    "pg_sequence",
    "pg_trigger",
    "pg_type",
)
_SHAPE = " UNION ALL ".join(
    f"SELECT '{name}', count(*), sum(xmin::text::bigint) FROM {name}" for name in _CATALOGUES
)
_SETTINGS = (
    "SELECT d.datconnlimit, d.datallowconn, (SELECT count(*) FROM pg_db_role_setting s"
    " WHERE s.setdatabase = d.oid) FROM pg_database d WHERE d.datname = current_database()"
)


_administrators: dict[tuple[str, int], psycopg.Connection[Any]] = {}
"""Kept by server and process: to connect costs as much as what is done then."""


def administer(server: str, *statements: str) -> None:
    """Run statements on the server, each by itself."""
    which = (server, os.getpid())  # a forked process has its own
    connection = _administrators.get(which)
    if connection is None or connection.closed:
        connection = psycopg.connect(_plain(server, None), autocommit=True)
        _administrators[which] = connection
    for statement in statements:
        connection.execute(statement)


def leave() -> None:
    """This process is done with the servers."""
    mine = [which for which in _administrators if which[1] == os.getpid()]
    for which in mine:
        _administrators.pop(which).close()


def _plain(server: str, name: str | None) -> str:
    url = make_url(server).set(drivername="postgresql")
    url = url if name is None else url.set(database=name)
    return url.render_as_string(hide_password=False)


class Databases:
    """Copies of one template on one server."""

    def __init__(self, server: str, template: str) -> None:
        self._server, self._template = server, template
        self._free: list[str] = []
        self._used: dict[str, int] = {}
        with psycopg.connect(_plain(server, template), autocommit=True) as connection:
            self._shape = self._looks(connection)
            tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            self._tables = [name for (name,) in connection.execute(tables)]
            self._rows = {t: rows for t in self._tables if (rows := _copied(connection, t))}
            self._sequences = _sequences(connection)
            self._emptied = ";".join(f'DELETE FROM "{table}"' for table in self._tables)

    def take(self) -> str:
        """The name of a database that holds what the template holds."""
        if self._free:
            name = self._free.pop()
            self._used[name] += 1
            return name
        name = f"test_{secrets.token_hex(6)}"
        self._used[name] = 1
        administer(
            self._server, f'CREATE DATABASE "{name}" TEMPLATE "{self._template}" STRATEGY FILE_COPY'
        )
        return name

    def give_back(self, name: str) -> None:
        """A test is done with it."""
        if self._used[name] < USES and self._made_new(name):
            self._free.append(name)
        else:
            self._drop([name])

    def close(self) -> None:
        """Drop what is left."""
        self._drop(self._free)

    def _drop(self, names: Iterable[str]) -> None:
        administer(self._server, *(f'DROP DATABASE IF EXISTS "{n}" WITH (FORCE)' for n in names))

    def _made_new(self, name: str) -> bool:
        try:
            with psycopg.connect(_plain(self._server, name), autocommit=True) as connection:
                return self._put_back(connection)
        except psycopg.Error:
            return False  # no such database any more, or not ours to change: another is made

    def _put_back(self, connection: psycopg.Connection[Any]) -> bool:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        if self._looks(connection) != self._shape:
            return False
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")  # in any order
            connection.execute(self._emptied)
            for table, rows in self._rows.items():
                into = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))
                with connection.cursor().copy(into) as copy:
                    copy.write(rows)
            for sequence, last in _sequences(connection).items():
                if last != (stood := self._sequences[sequence]):
                    connection.execute(
                        "SELECT setval(%s::regclass, %s, %s)",
                        (f'"{sequence}"', stood or 1, stood is not None),
                    )
        return True

    @staticmethod
    def _looks(connection: psycopg.Connection[Any]) -> list[Any]:
        shape = connection.execute(_SHAPE).fetchall()
        return [*shape, *connection.execute(_SETTINGS).fetchall()]


def _copied(connection: psycopg.Connection[Any], table: str) -> bytes:
    out = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))
    with connection.cursor().copy(out) as copy:
        return b"".join(bytes(part) for part in copy)


def _sequences(connection: psycopg.Connection[Any]) -> dict[str, int | None]:
    """How far each has come; None where nobody has drawn from it."""
    found = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public'"
    return dict(connection.execute(found).fetchall())
