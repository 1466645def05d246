"""What the pages about units ask: the tree on a day, one unit, a search."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from directory import search, tree, units
from directory.base.clock import local_day
from directory.base.crypto import Keyring
from directory.changes import (
    kind,
    kinds,  # noqa: F401 (registered by being imported)
)
from directory.changes.kind import About, Kind
from directory.permissions import Do, Rights
from directory.search import Page, SearchFilter
from directory.tree import Node, NodePage, PostView
from directory.units import OrgUnit, UnitCode, UnitName, UnitView, as_of


@dataclass(frozen=True)
class Branch:
    """A node of the tree with the ones below it, where it is opened."""

    node: Node
    below: "list[Branch]"
    is_open: bool


def opened_tree(
    session: Session, granted: Rights, opened: set[int], *, on: date
) -> tuple[list[Branch], set[int]]:
    """The tops of what the asker may see, unfolded along ``opened``, and what is open by now."""
    found = tree.unfolded(session, granted, opened, on=on)
    return _branches(found, None), {unit_id for unit_id in found if unit_id is not None}


def _branches(found: dict[int | None, list[Node]], parent_id: int | None) -> list[Branch]:
    return [
        Branch(node, _branches(found, node.unit.id), node.unit.id in found)
        for node in found.get(parent_id, ())
    ]


@dataclass(frozen=True)
class UnitPage:
    """One unit with its people."""

    unit: UnitView
    """As it was called on the day; its path is today's."""
    since: date
    until: date | None
    ancestors: list[UnitView]
    """Of the day, as they were called."""
    names: list[UnitName]
    codes: list[UnitCode]
    posts: list[PostView]
    people: Page | None
    """Today's; None on any other day."""
    below: NodePage
    kinds: list[Kind]
    """The changes of this unit that the asker is offered."""
    gives_slips: bool
    """Whether the asker prints activation slips for its people."""


@dataclass(frozen=True)
class Looked:
    """How far somebody has leafed through a unit's page."""

    after: str | None = None
    """In its people."""
    words: str = ""
    """What the units directly under it are narrowed to."""
    below: int | None = None
    """In those units: the last one seen."""


def whole(
    session: Session,
    granted: Rights,
    unit_id: int,
    looked: Looked,
    *,
    now: datetime,
    keyring: Keyring,
    on: date | None = None,
) -> UnitPage:
    """A unit's page on a day, else today. Raises NotFound, InvalidInput."""
    today = local_day(now)
    on = on or today
    unit = tree.unit(session, granted, unit_id)
    above = as_of.place(session, unit_id, on).above
    seen = units.views(session, [u.id for u in above])
    people = None
    if on == today:
        people = search.people(
            session,
            granted,
            SearchFilter(unit_id=unit_id),
            on=on,
            keyring=keyring,
            after=looked.after,
            limit=30,
        )
    return UnitPage(
        above[-1],
        unit.valid_from,
        unit.valid_to,
        [u for u in above[:-1] if granted.may(Do.SEE, seen[u.id].path)],
        units.names_of(session, unit_id),
        units.codes_of(session, unit_id),
        tree.posts(session, unit_id, on=on),
        people,
        tree.page_below(session, granted, unit_id, on=on, words=looked.words, after=looked.below),
        [one for one in kind.requested() if one.about == About.UNIT]
        if granted.may(Do.MANAGE_INSTALLATION, unit.path)
        else [],
        granted.may(Do.RESET_FACTORS, unit.path),
    )


def managed(session: Session, granted: Rights, unit_id: int) -> UnitView:
    """A unit that the asker may change. Raises NotFound, NotAllowed."""
    unit = tree.unit(session, granted, unit_id)
    granted.require(Do.MANAGE_INSTALLATION, unit.path, missing="source")
    return units.view(unit)


def named(session: Session, granted: Rights, words: str, *, on: date) -> list[tuple[UnitView, str]]:
    """Units of a day that match, each with the legal person it belonged to."""
    return _with_owners(session, tree.units_named(session, granted, words, on=on), on)


def destinations(
    session: Session, granted: Rights, words: str, *, on: date
) -> list[tuple[UnitView, str]]:
    """Units that match and people may be moved to by the asker."""
    found = tree.units_named(session, granted, words, on=on, action=Do.CHANGE)
    return _with_owners(session, found, on)


def chosen(
    session: Session, granted: Rights, unit_id: int, *, on: date
) -> list[tuple[UnitView, str]]:
    """The unit a form already names, if the asker may move people there."""
    unit = session.get(OrgUnit, unit_id)
    allowed = unit is not None and granted.may(Do.CHANGE, unit.path)
    return _with_owners(session, [units.view(unit)] if unit is not None and allowed else [], on)


def _with_owners(session: Session, found: list[UnitView], on: date) -> list[tuple[UnitView, str]]:
    places = as_of.places(session, [(u.id, on) for u in found])
    owners = {u.id: places[u.id, on].owner for u in found}
    return [(u, owners[u.id].name if owners[u.id].id != u.id else "") for u in found]
