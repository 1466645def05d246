"""What somebody has beside her password, and whether she may enrol the first such thing.

What she has enrolled counts, and every upstream that has vouched for her and may again: one that is on, could
be worth two factors, and where the link is good. Whoever has neither begins with what she has proven.
Whoever has one proves it first, or has an officer reset it: a stolen password is no way down.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, func, or_, select
from sqlalchemy.orm import Session

from connectors.eid.settings import most
from connectors.eid.upstreams import Upstream
from directory import eid_links
from directory.base import hot
from directory.base.db import Json, core
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


def _columns(together: Any, pair: Any, plain: Any) -> tuple[Any, ...]:
    """What ``read`` reads, of the row's ``User``."""
    linked = (
        select(together(pair(EidLink.upstream, plain(Upstream.settings)), type_=Json))
        .select_from(EidLink)
        .join(Upstream, Upstream.name == EidLink.upstream)
        .where(eid_links.good(), Upstream.enabled.is_(True))
    )
    kept = select(together(pair(EnrolledFactor.kind, LIVE), type_=Json)).where(
        EnrolledFactor.user_id == User.id, or_(LIVE, EnrolledFactor.ended_as == "lost")
    )
    return (
        linked.correlate(User).scalar_subquery().label("linked"),
        kept.correlate(User).scalar_subquery().label("kept"),
    )


COLUMNS = {
    "postgresql": _columns(func.jsonb_agg, func.jsonb_build_array, lambda it: it),
    "sqlite": _columns(func.json_group_array, func.json_array, func.json),
}
"""Of whoever is selected from ``User``, by the database's name; ``read`` takes the row."""
_OF = hot.read(
    {
        name: select(*columns).where(User.id == bindparam("user", type_=BigInteger()))
        for name, columns in COLUMNS.items()
    }
)


def read(row: Any) -> SecondFactors:
    """What the person of a row with ``COLUMNS`` has."""
    kept = row.kept or ()
    return SecondFactors(
        frozenset(kind for kind, live in kept if live),
        frozenset(EID + name for name, said in row.linked or () if most(said) >= _TWO_FACTORS),
        any(not live for _, live in kept),
    )


def of(where: Connection | Session, user_id: int) -> SecondFactors:
    """What this person has. One SELECT."""
    row = _OF.one(core(where), user=user_id)
    return SecondFactors() if row is None else read(row)
