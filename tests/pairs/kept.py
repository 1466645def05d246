"""An installation's database as it stood, to be gone back to: what many cells have in common is then
played once.

It costs a copy of the file on SQLite, a database made from another on PostgreSQL, and nothing when
nobody goes back.
"""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from directory.base.db import Database
from tests import databases
from tests.conftest import SERVER


class Kept:
    """One moment of one database. Nobody may be at work in it while it is kept or put back."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._name = str(db.engine.url.database)
        self._copy = f"{self._name}_{secrets.token_hex(4)}"
        self._make(self._copy, self._name)

    def put_back(self) -> None:
        """The database is as it was."""
        self._drop(self._name)
        self._make(self._name, self._copy)

    def forget(self) -> None:
        """It is not gone back to any more."""
        self._drop(self._copy)

    def _make(self, new: str, like: str) -> None:
        self._db.dispose()
        if self._db.is_sqlite:
            assert not Path(f"{like}-wal").exists(), "somebody is at work in it"
            shutil.copyfile(like, new)
            return
        databases.administer(
            SERVER, f'CREATE DATABASE "{new}" TEMPLATE "{like}" STRATEGY FILE_COPY'
        )

    def _drop(self, name: str) -> None:
        self._db.dispose()
        if self._db.is_sqlite:
            Path(name).unlink()
            return
        databases.administer(SERVER, f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def kept(db: Database) -> Iterator[Kept]:
    """The moment at which the block begins, for as long as it runs."""
    moment = Kept(db)
    try:
        yield moment
    finally:
        moment.forget()
