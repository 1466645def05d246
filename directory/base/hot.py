"""Statements of the hot paths: compiled once, prepared once, sent straight through the driver.

    FIND = hot.read(select(…))       asked once more where the connection turns out to be lost
    TAKE = hot.write(update(…))      never: nobody knows whether it has happened

    FIND.one(connection, key=…)      the row, a named tuple; None where there is none
    FIND.all(connection, key=…)      the rows
    TAKE.run(connection, key=…)      nothing is given

A statement is a value, made when its module is read, of Core's; its parameters are named
(``bindparam``), and so is each column it gives. The first call compiles it for the database and works
out which types have anything to do, with a parameter or with a result. On a connection of
``Database.hot`` it is prepared once (PostgreSQL: ``directory.base.prepared``; SQLite's driver does so
by itself), and of a call nothing is left but the exchange. Inside a transaction it goes through the
driver's cursor, and nothing is ever repeated.

What goes wrong is told as SQLAlchemy tells it (``directory.base.away`` knows which of it is nobody's
mistake), and a lost connection is taken out of its pool. Whoever listens to the engine's
``before_cursor_execute`` hears of each statement. Nobody else touches the driver's cursors.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from sqlalchemy import Boolean, Connection, Dialect
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, StatementError

Process = Callable[[Any], Any]

ALONE = "dinhdanh_alone"
"""Execution option of an engine whose statements are transactions of their own."""


def read(statement: Any) -> "Statement":
    """A statement that changes nothing; by the database's name where each has its own."""
    return Statement(statement, writes=False)


def write(statement: Any) -> "Statement":
    """A statement that may change something."""
    return Statement(statement, writes=True)


class Statement:
    """One statement, for every database."""

    def __init__(self, statement: Any, *, writes: bool) -> None:
        self._statement = statement
        self._writes = writes
        self._compiled: dict[str, Compiled] = {}

    def made_for(self, database: str) -> bool:
        """Whether there is one for the database of this name: some can do at once what others
        cannot.
        """
        return not isinstance(self._statement, dict) or database in self._statement

    def one(self, connection: Connection, /, **values: Any) -> Any:
        """The row it gives, None where it gives none. Raises MultipleResultsFound."""
        rows = self.all(connection, **values)
        if len(rows) > 1:
            raise MultipleResultsFound("More than one row was found where one was expected.")
        return rows[0] if rows else None

    def run(self, connection: Connection, /, **values: Any) -> None:
        """Have it done."""
        self.all(connection, **values)

    def compiled(self, dialect: Dialect) -> "Compiled":
        """As this database takes it. Raises TypeError for what cannot be worked out beforehand."""
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = _compile(self._statement, dialect)
        return found

    def all(self, connection: Connection, /, **values: Any) -> list[Any]:
        """The rows it gives; none where it gives nothing."""
        compiled = self.compiled(connection.dialect)
        try:
            parameters = compiled.parameters(values)
        except Exception as error:
            raise StatementError(
                str(error), compiled.sql, None, error, hide_parameters=True
            ) from error
        alone = ALONE in connection.get_execution_options()
        try:
            found = _sent(connection, compiled, parameters, alone=alone)
        except DBAPIError as error:
            if self._writes or not alone or not _may_repeat(error):
                raise
            found = _sent(connection, compiled, parameters, alone=alone)
        return compiled.rows(found)


def _may_repeat(error: DBAPIError) -> bool:
    """Whether a read may be asked again, on a new connection: the one it had was gone, and found to
    be so at once. Whoever has waited long is not made to wait again.
    """
    return error.connection_invalidated and not getattr(error.orig, "waited", False)


def _sent(
    connection: Connection, compiled: "Compiled", parameters: list[Any], *, alone: bool
) -> list[Any]:
    """What the driver gives. Raises DBAPIError."""
    if not alone and not connection.in_transaction():
        connection.begin()
    elif alone and connection.invalidated and connection.in_transaction():
        connection.rollback()  # what SQLAlchemy takes for a transaction: there is none
    pooled = connection.connection
    for listener in connection.engine.dispatch.before_cursor_execute:
        listener(connection, None, compiled.sql, parameters, None, False)  # noqa: FBT003
    try:
        return compiled.send(pooled.driver_connection, pooled.info, compiled, parameters, alone)
    except connection.dialect.loaded_dbapi.Error as error:
        # As for a cursor of SQLAlchemy's own: the error of its kind, and where the connection is
        # lost, it and all that were made before it go out of their pool. There is no public way to
        # the last: an event of the pool may ask for it while a connection is handed out, and this
        # one has been. Should a release call it otherwise, tests/integration/test_hot_statements.py
        # says so.
        connection._handle_dbapi_exception(error, compiled.sql, parameters, None, None)  # noqa: SLF001
    except BaseException as error:
        if not isinstance(error, Exception):
            # Stopped in the middle: the answer still to come is nobody's.
            connection.invalidate(error)
        raise


@dataclass(frozen=True, eq=False)
class Compiled:
    """A statement as one database takes it."""

    sql: str
    takes: Sequence[tuple[str, Process | None]]
    """Its parameters in the driver's order, where one may stand twice, and what is done with each
    before it is sent."""
    booleans: Sequence[bool]
    """Which of them are booleans: not everywhere can PostgreSQL see that."""
    said: Mapping[str, Any]
    """The values that stand in the statement itself."""
    gives: Sequence[tuple[int, Process]]
    """What is done with columns that have come."""
    row: Any
    send: Callable[..., list[Any]]

    def parameters(self, values: Mapping[str, Any]) -> list[Any]:
        """As the driver takes them. Raises KeyError for a missing one, and what types raise."""
        known = {**self.said, **values}
        return [
            known[name] if process is None else process(known[name]) for name, process in self.takes
        ]

    def rows(self, found: Sequence[Sequence[Any]]) -> list[Any]:
        """As callers take them."""
        make = self.row._make
        if not self.gives:
            return [make(each) for each in found]
        made = []
        for each in found:
            values = list(each)
            for index, process in self.gives:
                values[index] = process(values[index])
            made.append(make(values))
        return made


def _compile(statement: Any, dialect: Dialect) -> Compiled:
    if isinstance(statement, Mapping):
        statement = statement[dialect.name]
    postgresql = dialect.name == "postgresql"
    another: Any = type(dialect)
    spoken = another(paramstyle="numeric_dollar") if postgresql else dialect
    made: Any = statement.compile(dialect=spoken)
    names: Sequence[str] = made.positiontup or ()
    binds = [made.binds[name] for name in names]
    if made.insert_prefetch or made.update_prefetch or any(bind.expanding for bind in binds):
        raise TypeError(
            "Defaults of a column and lists of values are not worked out here: say them."
        )
    types = [bind.type.dialect_impl(spoken) for bind in binds]
    columns = list(statement.exported_columns)
    called: list[Any] = [getattr(each, "name", None) for each in columns]
    if None in called:
        raise TypeError("Each column has a name: label it.")
    processes = [
        each.type.dialect_impl(dialect).result_processor(dialect, None) for each in columns
    ]
    return Compiled(
        sql=str(made),
        takes=[(n, t.bind_processor(spoken)) for n, t in zip(names, types, strict=True)],
        booleans=[isinstance(t, Boolean) for t in types],
        said={n: made.params[n] for n, b in zip(names, binds, strict=True) if not b.required},
        gives=[(n, process) for n, process in enumerate(processes) if process is not None],
        row=namedtuple("Row", called),
        send=_through_postgresql() if postgresql else _through_sqlite,
    )


def _through_sqlite(driver: Any, _kept: Any, compiled: Compiled, values: Any, _alone: bool) -> Any:
    # To the end: a cursor that is not read out keeps its transaction open.
    return driver.execute(compiled.sql, values).fetchall()


def _through_postgresql() -> Callable[..., list[Any]]:
    # Only here: whose database is a file need not read the driver of the server.
    found: Callable[..., list[Any]] = import_module("directory.base.prepared").send
    return found
