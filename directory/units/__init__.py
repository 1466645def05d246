"""The units of the agency, in time.

    boundary    today's columns brought up to date on the day something begins; the tree's lock
    as_of       where a unit stood on a day, and what it was called then
    moves       what stands against a place in the tree, or a code, on some day
    names       what units are called on a day; finding them by it
    codes       who bears a code on a day: ``scheme:code``, ``scheme:code@day``
    tree        today's tree by the path, any day's by the dated edges
    facts       which facts stand, and until when each holds
    unit_rows   the tables; one unit as others read it

An arrow only ever points down this list.
"""

from directory.units.as_of import Place, place, places
from directory.units.boundary import lock_tree
from directory.units.codes import CodeBook, by_ref, codes_of
from directory.units.names import names_of, search
from directory.units.tree import legal_person_of, subtree, tree_as_of
from directory.units.unit_rows import (
    JOINED,
    Bloc,
    OrgUnit,
    Tier,
    UnitCode,
    UnitEdge,
    UnitLineage,
    UnitName,
    UnitView,
    columns,
    get,
    ids_of,
    joined,
    view,
    views,
)

__all__ = [
    "JOINED",
    "Bloc",
    "CodeBook",
    "OrgUnit",
    "Place",
    "Tier",
    "UnitCode",
    "UnitEdge",
    "UnitLineage",
    "UnitName",
    "UnitView",
    "by_ref",
    "codes_of",
    "columns",
    "get",
    "ids_of",
    "joined",
    "legal_person_of",
    "lock_tree",
    "names_of",
    "place",
    "places",
    "search",
    "subtree",
    "tree_as_of",
    "view",
    "views",
]
