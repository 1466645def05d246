"""Names of a unit that follow one another: a decision says what it changes, and the rest follows.

A name is stored whole: full name, short name, kind. Who shortens the short name from a day on has
decided nothing about the full name: where that is changed on an earlier day afterwards, or such a change
is taken back, the later name has it too, up to the first that decides it itself.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory.base.rows import in_force
from directory.base.text import search_key, sort_key
from directory.changes.model import Change, ChangeLine
from directory.units import UnitName, facts

_ASKED = {"name": "name", "short_name": "short_name", "kind": "unit_kind"}
"""The columns of a name, and what a request calls them."""


def decided(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[str]:
    """The columns that a line gives another value."""
    was, will = before or {}, after or {}
    return [column for column in _ASKED if column in will and will[column] != was.get(column)]


def until(session: Session, fact: UnitName, columns: list[str]) -> date | None:
    """The day of the first later name that decides one of these columns too; None where none does."""
    later = facts.line(session, UnitName, fact.unit_id)
    return next(
        (
            each.valid_from
            for each in later
            if each.valid_from > fact.valid_from and {*columns} & {*_decided(session, each)}
        ),
        None,
    )


def begun(session: Session, fact: UnitName, columns: list[str]) -> None:
    """Later names have what this one has just decided."""
    for later in _later(session, fact):
        columns = [c for c in columns if c not in _decided(session, later)]
        _take(later, fact, columns)
    session.flush()


def taken_back(session: Session, fact: UnitName) -> None:
    """Later names have again what holds without this one."""
    line = facts.line(session, UnitName, fact.unit_id)
    instead = next((s.fact for s in facts.spans(line) if in_force(s, fact.valid_from)), None)
    for later, columns in following(session, fact):
        if instead is not None:
            _take(later, instead, columns)
    session.flush()


def following(session: Session, fact: UnitName) -> Iterator[tuple[UnitName, list[str]]]:
    """The later names that have something of this one, and what: one that was asked for in the very
    words hangs on nothing.
    """
    columns = _decided(session, fact)
    for later in _later(session, fact):
        own, asked = _decided(session, later), _asked(session, later)
        columns = [c for c in columns if c not in own and asked.get(c) != getattr(fact, c)]
        if columns:
            yield later, columns


def _later(session: Session, fact: UnitName) -> list[UnitName]:
    here = fact.valid_from, fact.id
    line = facts.line(session, UnitName, fact.unit_id)
    return [each for each in line if (each.valid_from, each.id) > here]


def _decided(session: Session, fact: UnitName) -> list[str]:
    """All of it, where no change of ours began it."""
    line = session.scalars(
        select(ChangeLine).where(
            ChangeLine.table == UnitName.__tablename__,
            ChangeLine.row_id == fact.id,
            ChangeLine.action == "begin",
        )
    ).first()
    return list(_ASKED) if line is None else decided(line.before, line.after)


def _asked(session: Session, fact: UnitName) -> dict[str, Any]:
    change = session.get(Change, fact.opened_by) if fact.opened_by else None
    return {c: change.spec.get(name) for c, name in _ASKED.items()} if change else {}


def _take(later: UnitName, source: UnitName, columns: list[str]) -> None:
    for column in columns:
        setattr(later, column, getattr(source, column))
    if columns:
        later.search_key = search_key(later.name, later.short_name)
        same = later.name == source.name
        later.sort_key = source.sort_key if same else sort_key(later.name)
