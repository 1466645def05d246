"""What the pages about units ask: the tree on a day, one unit, a search."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from directory import search, tree, units
from directory.base.clock import local_day
from directory.base.crypto import Keyring
from directory.permissions import Do, Rights
from directory.search import Page, SearchFilter
from directory.tree import Node, NodePage, PostView
from directory.units import OrgUnit, UnitCode


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

    unit: OrgUnit
    ancestors: list[OrgUnit]
    codes: list[UnitCode]
    posts: list[PostView]
    people: Page
    below: NodePage


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
) -> UnitPage:
    """A unit's page. Raises NotFound, InvalidInput."""
    on = local_day(now)
    unit = tree.unit(session, granted, unit_id)
    return UnitPage(
        unit,
        [u for u in units.ancestors(session, unit) if granted.may(Do.SEE, u.path)][:-1],
        units.codes(session, unit_id),
        tree.posts(session, unit_id, on=on),
        search.people(
            session,
            granted,
            SearchFilter(unit_id=unit_id),
            on=on,
            keyring=keyring,
            after=looked.after,
            limit=30,
        ),
        tree.page_below(session, granted, unit_id, on=on, words=looked.words, after=looked.below),
    )


def named(session: Session, granted: Rights, words: str) -> list[tuple[OrgUnit, str]]:
    """Units that match, each with the legal person it belongs to."""
    return _with_owners(session, tree.units_named(session, granted, words))


def destinations(session: Session, granted: Rights, words: str) -> list[tuple[OrgUnit, str]]:
    """Units that match and people may be moved to by the asker."""
    return _with_owners(session, tree.units_named(session, granted, words, action=Do.CHANGE))


def chosen(session: Session, granted: Rights, unit_id: int) -> list[tuple[OrgUnit, str]]:
    """The unit a form already names, if the asker may move people there."""
    unit = session.get(OrgUnit, unit_id)
    allowed = unit is not None and granted.may(Do.CHANGE, unit.path)
    return _with_owners(session, [unit] if unit is not None and allowed else [])


def _with_owners(session: Session, found: list[OrgUnit]) -> list[tuple[OrgUnit, str]]:
    owners = tree.owners(session, [units.view(u) for u in found])
    return [(u, owners[u.id].name if owners[u.id].id != u.id else "") for u in found]
