"""The factors there are, in the order in which they are offered. A new one is one line here."""

from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from idp.assurance import combined
from idp.factors.by_eid import Eid
from idp.factors.by_password import Password
from idp.factors.by_recovery_code import ByRecoveryCode
from idp.factors.by_totp import Totp
from idp.factors.factor import Factor
from idp.services import Services


class Family(Protocol):
    """Factors of one sort, of which there are as many as are configured."""

    def members(
        self, has: Services, where: Connection | Session, now: datetime
    ) -> tuple[Factor, ...]:
        """Those there are now."""

    def gone(self, code: str) -> Factor | None:
        """One that is not there any more, if it is of this sort: for whoever comes back from it."""


FACTORS: tuple[Factor, ...] = (
    Password(),
    Totp(),
    ByRecoveryCode(),
)
FAMILIES: tuple[Family, ...] = (Eid(),)


def every(has: Services, where: Connection | Session, now: datetime) -> tuple[Factor, ...]:
    """All factors of this moment, in the order in which they are offered."""
    families = (family.members(has, where, now) for family in FAMILIES)
    return (*FACTORS, *(one for members in families for one in members))


def gone(code: str) -> Factor | None:
    """A factor of this code that is not there any more."""
    return next((one for family in FAMILIES if (one := family.gone(code)) is not None), None)


def reachable() -> tuple[str, ...]:
    """Every ``acr`` that a sign-in can end with, the weakest first."""
    gives = [one.gives for one in FACTORS]
    begun = [one.gives for one in FACTORS if one.first]
    ends = {end.level: end.acr for one in begun for end in combined(one, gives)}
    return tuple(ends[level] for level in sorted(ends))
