"""Statements on a connection of PostgreSQL's driver: prepared there once, then only executed.

The driver's own cursor prepares as well, but works out anew at each call what the statement is
called, how its parameters are written and how its columns are read: of a wide row that costs as much
as all the rest (docs/performance.md). Values go as text, and the server takes them for what the
statement says they are: one statement is prepared once, whatever size its numbers have.

A statement's name is made of its text: whatever connection of the server a pooler lends us, no name
stands for another statement there. Where the server has forgotten it, or a newer node's migration has
changed what it gives, it has done nothing, and the statement is prepared once more. Behind a pooler
that gives each transaction another connection nothing may be prepared: then the driver has been told
so (``prepare_threshold`` is None, the setting ``database_prepared``), and statements go with their
text.
"""

import hashlib
from collections.abc import MutableMapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from psycopg import RawCursor, errors, generators
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus

from directory.base.bounded import Bounded

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

    from directory.base.hot import Compiled

_BOOLEAN = 16
_SEEN_FROM_THE_STATEMENT = 0
"""Object ids of types; the second says that there is none."""
_KEPT = "hot"
_STALE = (errors.FeatureNotSupported, errors.InvalidSqlStatementName)
"""What is said of a plan that no longer gives what it gave, and of a name that is not known."""


def send(
    driver: Bounded,
    info: MutableMapping[Any, Any],
    compiled: "Compiled",
    values: Sequence[Any],
    alone: bool,
) -> list[Any]:
    """The rows of one exchange; ``info`` lives as long as the connection. Raises psycopg.Error."""
    if not alone:
        # When a transaction is rolled back, the driver has all it knows of forgotten by the server.
        cursor = RawCursor(driver).execute(compiled.sql.encode(), values)
        return cursor.fetchall() if cursor.description else []
    kept = info.setdefault(_KEPT, {})
    prepared = kept.get(compiled)
    if prepared is None:
        prepared = kept[compiled] = Prepared(driver, compiled)
    found: list[Any] = prepared.execute(values)
    return found


class Prepared:
    """One statement on one connection."""

    def __init__(self, driver: Bounded, compiled: "Compiled") -> None:
        self._driver = driver
        self._sql = compiled.sql.encode()
        self._types = [_BOOLEAN if each else _SEEN_FROM_THE_STATEMENT for each in compiled.booleans]
        self._formats = [PyFormat.TEXT] * len(self._types)
        self._transformer = Transformer(driver)
        self._turn = 0
        self._name = self._named() if driver.prepare_threshold is not None else None
        self._known = False
        self._read_before = False

    def _named(self) -> bytes:
        whole = self._sql + repr(self._types).encode()
        return f"hot_{hashlib.sha256(whole).hexdigest()[:32]}_{self._turn}".encode()

    def execute(self, values: Sequence[Any]) -> list[Any]:
        """Its rows. Raises psycopg.Error."""
        parameters = self._transformer.dump_sequence(values, self._formats)
        if self._name is None:
            return self._rows(self._asked(parameters))
        try:
            result = self._asked(parameters)
        except _STALE:
            # Refused before anything of it was done, and it is a transaction of its own.
            self._turn += 1  # the old one may be there still
            self._name = self._named()
            self._known = self._read_before = False
            result = self._asked(parameters)
        return self._rows(result)

    def _asked(self, parameters: Sequence[Any]) -> "PGresult":
        pgconn = self._driver.pgconn
        if self._name is None:
            self._read_before = False  # nothing holds a table to what it gave
            pgconn.send_query_params(self._sql, parameters, self._types)
            return self._answer()
        if not self._known:
            pgconn.send_prepare(self._name, self._sql, self._types)
            # Who prepared it before us prepared the same.
            with suppress(errors.DuplicatePreparedStatement):
                self._answer()
            self._known = True
        pgconn.send_query_prepared(self._name, parameters)
        return self._answer()

    def _rows(self, result: "PGresult") -> list[Any]:
        if result.status != ExecStatus.TUPLES_OK:
            return []
        self._transformer.set_pgresult(result, set_loaders=not self._read_before)
        self._read_before = True
        return self._transformer.load_rows(0, result.ntuples, tuple)

    def _answer(self) -> "PGresult":
        """What the server says to what was sent. Raises psycopg.Error."""
        result: PGresult = self._driver.wait(generators.execute(self._driver.pgconn))[-1]
        if result.status in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            return result
        raise errors.error_from_result(result)
