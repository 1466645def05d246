"""A world of rows that many tests begin with, written once by each process.

The factories write it for the first test; the others are given the same rows back, where their
database stands as it stood for the first. What is tested sees no difference: same tables, same ids,
and the next id is the same.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, insert, select, text
from sqlalchemy.orm import Session

from directory.base.db import Base, core
from idp.services import Services

T = TypeVar("T")
Rows = dict[Table, list[Any]]
Counters = dict[str, int | None]

_COUNTERS = {
    "sqlite": text("SELECT name, seq FROM sqlite_sequence"),
    "postgresql": text(
        "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = current_schema()"
    ),
}


@dataclass(frozen=True)
class _World:
    """What was written, and how far the ids had come before and after."""

    told: Any
    rows: Rows
    before: Counters
    after: Counters


_worlds: dict[tuple[Any, ...], _World] = {}


def world(services: Services, write: Callable[[Session], T], *depends: Any) -> T:
    """What ``write`` tells of the rows it writes: plain values, a copy for each test.

    ``write`` only adds rows, and writes the same whenever moment, keyring, the kind of database and
    what it ``depends`` on are the same.
    """
    has = services
    which = (write.__module__, write.__qualname__, has.db.is_sqlite)
    key = (*which, has.keyring.current, has.clock(), *depends)
    with has.db.write() as session:
        connection = core(session)
        before = _counters(connection)
        known = _worlds.get(key)
        if known is not None and known.before == before:
            _insert(connection, known)
        else:
            known = _worlds[key] = _recorded(session, write, before)
    told: T = deepcopy(known.told)
    return told


def _counters(connection: Connection) -> Counters:
    return dict(connection.execute(_COUNTERS[connection.dialect.name]).all())  # type: ignore[arg-type]


def _all(connection: Connection) -> Rows:
    """Every row, those that others of its table refer to first: PostgreSQL has no order of its own."""
    return {
        table: connection.execute(select(table).order_by(*table.primary_key)).all()
        for table in Base.metadata.sorted_tables
    }


def _recorded(session: Session, write: Callable[[Session], Any], before: Counters) -> _World:
    old = _all(session.connection())
    told = write(session)
    connection = core(session)
    added: Rows = {}
    for table, rows in _all(connection).items():
        there = {repr(row) for row in old[table]}
        new = [row for row in rows if repr(row) not in there]
        assert len(new) == len(rows) - len(there), f"{table.name}: a row was changed"
        if new:
            added[table] = [row._asdict() for row in new]
    return _World(told, added, before, _counters(connection))


def _insert(connection: Connection, made: _World) -> None:
    for table, rows in made.rows.items():
        connection.execute(insert(table), rows)
    moved = {name: at for name, at in made.after.items() if at != made.before.get(name)}
    if connection.dialect.name == "postgresql" and moved:
        named = ", ".join(f"setval('{name}', {at})" for name, at in moved.items())
        connection.execute(text(f"SELECT {named}"))
