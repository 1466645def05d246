"""What is asked of rows everywhere, said once: facts in time, many at a time, INSERT … ON CONFLICT.

**Facts in time** hold from one day until before another, in SQL and in Python.

Rows with ``valid_from`` and ``valid_to`` (exclusive; None: open) are asked here and nowhere else. Each
question takes the class and gives a condition for a statement, or a row (or a value made of one) and
gives an answer.

A *void* row was opened by a change that was taken back before the row's first day: it ends where it
begins, or before. It never was a fact: neither today nor in the past, nor does it lie ahead.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Protocol, TypeVar, overload

from sqlalchemy import ColumnElement, Connection, and_, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

T = TypeVar("T")

MOST = 500
"""Values in one statement: SQLite takes few parameters, and no statement is to last long."""


class Dated(Protocol):
    """A row, or a value made of one."""

    @property
    def valid_from(self) -> Any: ...
    @property
    def valid_to(self) -> Any: ...


@overload
def in_force(of: type[Any], on: Any) -> ColumnElement[bool]: ...
@overload
def in_force(of: Dated, on: date) -> bool: ...
def in_force(of: Any, on: Any) -> Any:
    """Whether it holds on that day."""
    return _all(of.valid_from <= on, ends_after(of.valid_to, on))


@overload
def is_fact(of: type[Any]) -> ColumnElement[bool]: ...
@overload
def is_fact(of: Dated) -> bool: ...
def is_fact(of: Any) -> Any:
    """Whether there is, was or will be a day on which it holds: it is not void."""
    return ends_after(of.valid_to, of.valid_from)


@overload
def not_over(of: type[Any], on: Any) -> ColumnElement[bool]: ...
@overload
def not_over(of: Dated, on: date) -> bool: ...
def not_over(of: Any, on: Any) -> Any:
    """Whether it holds on that day or will on a later one."""
    return _all(is_fact(of), ends_after(of.valid_to, on))


def overlaps(of: Any, other: Dated) -> Any:
    """Whether it holds on one of the days on which another value, which is none of the void, does."""
    begins = True if other.valid_to is None else of.valid_from < other.valid_to
    return _all(is_fact(of), begins, ends_after(of.valid_to, other.valid_from))


@overload
def ends_after(end: date | None, day: date) -> bool: ...
@overload
def ends_after(end: Any, day: Any) -> Any: ...
def ends_after(end: Any, day: Any) -> Any:
    """Whether an exclusive end, a day or a moment, lies after another; none lies after all."""
    if end is None:
        return True
    return end > day if isinstance(end, date) else or_(end.is_(None), end > day)


def _all(*conditions: Any) -> Any:
    if all(isinstance(each, bool) for each in conditions):
        return all(conditions)
    return and_(*(each for each in conditions if each is not True))


def batches(values: Iterable[T], size: int = MOST) -> Iterator[list[T]]:
    """The values in their order, as many at a time as one statement takes."""
    wanted = list(values)
    return (wanted[start : start + size] for start in range(0, len(wanted), size))


_INSERTS: Mapping[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def insert_into(where: Connection | Session, table: Any) -> Any:
    """INSERT as this database spells it, which knows ON CONFLICT."""
    dialect = where.dialect if isinstance(where, Connection) else where.get_bind().dialect
    return _INSERTS[dialect.name](table)


def for_each_dialect(statement: Callable[[Any], Any]) -> dict[str, Any]:
    """A statement made of INSERT, once for each database, by ``dialect.name``: to be made when the
    module is read, and not at every call.
    """
    return {name: statement(insert) for name, insert in _INSERTS.items()}
