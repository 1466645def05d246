"""What units are called on a day, and finding them by that name."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Row, and_, func, or_, outerjoin, select
from sqlalchemy.orm import Session, aliased

from directory.base.rows import in_force, is_fact
from directory.base.text import search_key
from directory.units.tree import subtree
from directory.units.unit_rows import OrgUnit, UnitName, UnitView

_THEN = aliased(UnitName)
"""The name in force on the day asked for."""

SORT_KEY: ColumnElement[str] = func.coalesce(_THEN.sort_key, OrgUnit.sort_key)
COLUMNS: tuple[Any, ...] = (
    OrgUnit.id,
    func.coalesce(_THEN.name, OrgUnit.name).label("name"),
    func.coalesce(_THEN.short_name, OrgUnit.short_name).label("short_name"),
    func.coalesce(_THEN.kind, OrgUnit.kind).label("kind"),
    OrgUnit.bloc,
    OrgUnit.tier,
    OrgUnit.legal_person,
    OrgUnit.path,
)
"""What ``called`` makes a view of, selected from ``units_on``."""


def units_on(on: date) -> FromClause:
    """Units with their names of a day. Outside of what is recorded a unit is called as today."""
    there = and_(_THEN.unit_id == OrgUnit.id, in_force(_THEN, on))
    return outerjoin(OrgUnit, _THEN, there)


def called(row: Row[Any]) -> UnitView:
    """A unit as it was called on the day; its path is today's."""
    return UnitView(*row[: len(COLUMNS)])


def named(words: str) -> list[ColumnElement[bool]]:
    """The conditions "the name of that day, or today's, holds each of the words", with or without
    diacritics, for units from ``units_on``.
    """
    return [
        or_(
            OrgUnit.search_key.contains(word, autoescape=True),
            _THEN.search_key.contains(word, autoescape=True),
        )
        for word in search_key(words).split()
    ]


def search(
    session: Session,
    words: str,
    *,
    on: date,
    within: Iterable[str] | None = None,
    limit: int = 20,
) -> list[UnitView]:
    """Units of a day whose name holds all the words, in any order, with or without diacritics.

    ``within`` are paths of the subtrees that may be seen; None means all.
    """
    query = select(*COLUMNS).select_from(units_on(on)).where(in_force(OrgUnit, on), *named(words))
    if within is not None:
        query = query.where(or_(*(subtree(path) for path in within), OrgUnit.id < 0))
    query = query.order_by(func.length(OrgUnit.path), SORT_KEY, OrgUnit.id).limit(limit)
    return [called(row) for row in session.execute(query)]


def names_of(session: Session, unit_id: int) -> list[UnitName]:
    """All names the unit ever bore or is going to bear, newest first."""
    mine = select(UnitName).where(UnitName.unit_id == unit_id, is_fact(UnitName))
    return list(session.scalars(mine.order_by(UnitName.valid_from.desc())))
