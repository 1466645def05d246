"""The factors there are, in the order in which they are offered. A new one is one line here."""

from idp.assurance import combined
from idp.factors.by_password import Password
from idp.factors.by_recovery_code import ByRecoveryCode
from idp.factors.by_totp import Totp
from idp.factors.factor import Factor

FACTORS: tuple[Factor, ...] = (
    Password(),
    Totp(),
    ByRecoveryCode(),
)


def factor(code: str) -> Factor | None:
    """The factor of this code."""
    return next((one for one in FACTORS if one.code == code), None)


def reachable() -> tuple[str, ...]:
    """Every ``acr`` that a sign-in can end with, the weakest first."""
    gives = [one.gives for one in FACTORS]
    begun = [one.gives for one in FACTORS if one.first]
    ends = {end.level: end.acr for one in begun for end in combined(one, gives)}
    return tuple(ends[level] for level in sorted(ends))
