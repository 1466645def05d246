"""The factors there are, in the order in which they are offered. A new one is one line here."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import structlog
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from directory.base.away import is_away
from directory.base.remembered import Remembered
from idp.assurance import TWO_FACTORS, Demand, Strength, combined
from idp.factors import (
    by_certificate,
    by_envelope,
    by_passkey,
    by_recovery_code,
    second_factors,
)
from idp.factors.by_certificate import ByCertificate, Certificates
from idp.factors.by_eid import Eid
from idp.factors.by_envelope import Envelopes
from idp.factors.by_passkey import Passkey, Passkeys
from idp.factors.by_password import Password
from idp.factors.by_recovery_code import ByRecoveryCode
from idp.factors.by_totp import Totp
from idp.factors.factor import Asking, Factor, Source
from idp.services import Services

log = structlog.get_logger(__name__)


class Family(Protocol):
    """Factors of one sort, of which there are as many as are configured."""

    def members(
        self, has: Services, where: Connection | Session, now: datetime
    ) -> tuple[Factor, ...]:
        """Those there are now."""

    def known(self, remembered: Remembered) -> Sequence[Strength]:
        """The most that each proves, of those this process knows of."""

    def gone(self, code: str) -> Factor | None:
        """One that is not there any more, if it is of this sort: for whoever comes back from it."""


FACTORS: tuple[Factor, ...] = (
    Password(),
    Totp(),
    ByRecoveryCode(),
)
FAMILIES: tuple[Family, ...] = (Passkeys(), Certificates(), Eid(), Envelopes())
BESIDE = frozenset({by_passkey.CODE})
"""Whose form is one button, which stands on the pages of others too."""
_LAST = frozenset({by_recovery_code.CODE, by_envelope.CODE})
"""Paper is for the day when nothing else is at hand."""
QUIET = frozenset({by_envelope.CODE})
"""Offered without a button: hardly anybody may ever use it."""


def every(has: Services, where: Connection | Session, now: datetime) -> tuple[Factor, ...]:
    """All factors of this moment, in the order in which they are offered."""
    families = (family.members(has, where, now) for family in FAMILIES)
    found = [*FACTORS, *(one for members in families for one in members)]
    return tuple(sorted(found, key=lambda one: one.code in _LAST))


def titles() -> dict[str, str]:
    """What people call that which they can enrol, by its code; translated when it is shown."""
    named = {one.code: one.title for one in FACTORS}
    return named | {by_passkey.CODE: Passkey.title, by_certificate.CODE: ByCertificate.title}


def warm(has: Services) -> None:
    """Look at what is configured before anybody asks; at the first sign-in if the database is away."""
    try:
        with has.db.hot() as connection:
            every(has, connection, has.clock())
    except Exception as error:
        if not is_away(error):
            log.exception("factors.unread")


def gone(code: str) -> Factor | None:
    """A factor of this code that is not there any more."""
    return next((one for family in FAMILIES if (one := family.gone(code)) is not None), None)


def reachable_by(
    has: Services, where: Connection | Session, user_id: int, now: datetime
) -> tuple[str, ...]:
    """Every ``acr`` that a sign-in of this person can end with, by what she has, and by what she may
    still enrol. An upstream that has never vouched for her is not counted on.
    """
    beside = second_factors.of(where, user_id)
    nowhere = Source(None, None, "")
    asking = Asking(
        "", user_id, Demand(), "", nowhere, now, str, state="", enrolled=beside.enrolled
    )
    there = [one for one in every(has, where, now) if one.offers(where, asking)]
    untried = beside.untried(one.code for one in there)
    hers = [one for one in there if one.code not in untried]
    gives = [one.gives for one in hers]
    ends = {end.acr for one in hers if one.first for end in combined(one.gives, gives)}
    return tuple(sorted(ends | ({TWO_FACTORS.value} if beside.may_begin() else set())))


def reachable(remembered: Remembered | None = None) -> tuple[str, ...]:
    """Every ``acr`` that a sign-in can end with, the weakest first; with what is configured, as far as
    this process has seen it, where it is asked about one installation.
    """
    more = [] if remembered is None else [g for one in FAMILIES for g in one.known(remembered)]
    gives = [*(one.gives for one in FACTORS), *more]
    begun = [*(one.gives for one in FACTORS if one.first), *more]
    ends = {end.level: end.acr for one in begun for end in combined(one, gives)}
    return tuple(ends[level] for level in sorted(ends))
