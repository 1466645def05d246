"""Databases of the PostgreSQL server at hand, and which of its processes work for one of them."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

from bench import meter


class Elsewhere(Exception):
    """The server's processes are not on this machine: their processor time can not be read."""


class Database:
    """A new, empty database. Raises Elsewhere."""

    def __init__(self, server: str) -> None:
        self.name = f"bench_{secrets.token_hex(4)}"
        self.url: URL = make_url(server).set(database=self.name)
        self._watching = psycopg.connect(_told(make_url(server)), autocommit=True)
        backend = self._watching.info.backend_pid
        self._server = meter.parent(backend)
        if self._server is None:
            self._watching.close()
            raise Elsewhere("TEST_DATABASE_URL: the server must run on this machine.")
        self._watching.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self.name)))

    def processes(self) -> set[int]:
        """The server's own processes and the backends of this database; not those of others."""
        rows = self._watching.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname IS NOT NULL AND datname <> %s",
            (self.name,),
        )
        others = {pid for (pid,) in rows}
        return meter.tree(self._server or 0) - others

    def drop(self) -> None:
        """Remove it, whoever is connected."""
        self._watching.execute(
            sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(self.name))
        )
        self._watching.close()


def _told(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def fresh(server: str) -> Iterator[Database | None]:
    """A new database on this server for as long as the block lasts; None for SQLite (no server)."""
    if not server:
        yield None
        return
    made = Database(server)
    try:
        yield made
    finally:
        made.drop()
