"""The units of the agency, in time.

    unit_rows   the tables and what is asked of them
"""

from directory.units.unit_rows import (
    Bloc,
    OrgUnit,
    Tier,
    UnitCode,
    UnitEdge,
    UnitLineage,
    UnitView,
    ancestors,
    by_ref,
    children,
    codes,
    columns,
    full_name,
    get,
    legal_person_of,
    named,
    search,
    subtree,
    tree_as_of,
    view,
    views,
)

__all__ = [
    "Bloc",
    "OrgUnit",
    "Tier",
    "UnitCode",
    "UnitEdge",
    "UnitLineage",
    "UnitView",
    "ancestors",
    "by_ref",
    "children",
    "codes",
    "columns",
    "full_name",
    "get",
    "legal_person_of",
    "named",
    "search",
    "subtree",
    "tree_as_of",
    "view",
    "views",
]
