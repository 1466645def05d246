"""What somebody has beside her password, and whether she may enrol the first such thing.

What she has enrolled counts, and every upstream that has vouched for her and may again: one that is on, could
be worth two factors, and where the link is good. Whoever has neither begins with what she has proven.
Whoever has one proves it first, or has an officer reset it: a stolen password is no way down.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, case, literal, null, or_, select, union_all
from sqlalchemy.orm import Session

from connectors.eid.settings import most
from connectors.eid.upstreams import Upstream
from directory import eid_links
from directory.base.db import core
from directory.eid_links import EidLink
from directory.people import User
from idp.factors.enrolled import LIVE, EnrolledFactor

EID = "eid-"
"""Before the name of an upstream, in the code of the factor that it is."""
_TWO_FACTORS = 2
"""The level."""


@dataclass(frozen=True)
class SecondFactors:
    """Of one person."""

    enrolled: frozenset[str] = frozenset()
    """Codes of the factors of which she has enrolled something."""
    linked: frozenset[str] = frozenset()
    """Codes of the upstreams that may vouch for her as strongly as two factors do."""
    lost: bool = False
    """Whether she has reported a loss that is not made good."""

    @property
    def codes(self) -> frozenset[str]:
        """Of all of them."""
        return self.enrolled | self.linked

    def may_begin(self, proven: Collection[str] = ()) -> bool:
        """Whether she may enrol the first on the strength of what she has proven (codes): nothing of
        hers is left to prove, and nothing that she has lost stands in the way.
        """
        return not (self.enrolled or self.lost or self.linked.difference(proven))

    def untried(self, codes: Iterable[str]) -> frozenset[str]:
        """Those of these factors that are upstreams which have never vouched for her."""
        return frozenset(code for code in codes if code.startswith(EID)) - self.linked


_USER: Any = bindparam("user")
_LINKED, _LIVE, _LOST = "linked", "live", "lost"
_OF = union_all(
    # First, since its columns say how all of them are read.
    select(
        literal(_LINKED).label("what"),
        EidLink.upstream.label("code"),
        Upstream.settings.label("settings"),
    )
    .select_from(EidLink)
    .join(User, eid_links.good())
    .join(Upstream, Upstream.name == EidLink.upstream)
    .where(EidLink.user_id == _USER, Upstream.enabled.is_(True)),
    select(case((LIVE, _LIVE), else_=_LOST), EnrolledFactor.kind, null()).where(
        EnrolledFactor.user_id == _USER, or_(LIVE, EnrolledFactor.ended_as == "lost")
    ),
)


def of(where: Connection | Session, user_id: int) -> SecondFactors:
    """What this person has. One SELECT."""
    rows = core(where).execute(_OF, {"user": user_id}).all()
    return SecondFactors(
        frozenset(row.code for row in rows if row.what == _LIVE),
        frozenset(
            EID + row.code
            for row in rows
            if row.what == _LINKED and most(row.settings) >= _TWO_FACTORS
        ),
        any(row.what == _LOST for row in rows),
    )
