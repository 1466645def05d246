"""Statements on a connection of PostgreSQL's driver: prepared there once, then only executed.

The driver's own cursor prepares as well, but works out anew at each call what the statement is
called, how its parameters are written and how its columns are read: of a wide row that costs as much
as all the rest (docs/performance.md). Values go as text, and the server takes them for what the
statement says they are: one statement is prepared once, whatever size its numbers have.

The names are forgotten with the connection. Behind a pooler that gives each transaction another one
nothing may be prepared: then the driver has been told so (``prepare_threshold`` is None, the setting
``database_prepared``), and statements go with their text.
"""

from collections.abc import MutableMapping, Sequence
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
        prepared = kept[compiled] = Prepared(driver, compiled, f"hot_{len(kept)}".encode())
    found: list[Any] = prepared.execute(values)
    return found


class Prepared:
    """One statement on one connection."""

    def __init__(self, driver: Bounded, compiled: "Compiled", name: bytes) -> None:
        self._driver = driver
        self._sql = compiled.sql.encode()
        self._name = name if driver.prepare_threshold is not None else None
        self._known = False
        self._types = [_BOOLEAN if each else _SEEN_FROM_THE_STATEMENT for each in compiled.booleans]
        self._formats = [PyFormat.TEXT] * len(self._types)
        self._transformer = Transformer(driver)
        self._read_before = False

    def execute(self, values: Sequence[Any]) -> list[Any]:
        """Its rows. Raises psycopg.Error."""
        parameters = self._transformer.dump_sequence(values, self._formats)
        pgconn = self._driver.pgconn
        if self._name is None:
            pgconn.send_query_params(self._sql, parameters, self._types)
        else:
            if not self._known:
                pgconn.send_prepare(self._name, self._sql, self._types)
                self._answer()
                self._known = True
            pgconn.send_query_prepared(self._name, parameters)
        result = self._answer()
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
