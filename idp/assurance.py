"""Assurance: how strong a sign-in was, and whether that is enough. Pure.

    urn:vn:aal:1 … 4   the levels of Nghị định 69/2024/NĐ-CP; each includes those below
    phr phrh           resists phishing; so with a key that hardware protects (OpenID Connect
                       Extended Authentication Profile ACR Values 1.0)

Who wants what of a sign-in:

    voluntary   acr_values, default_acr_values, a claims request for acr    tried once, if it can
                                                                            be reached at all
    essential   an essential claims request for acr (OIDC Core §5.5.1.1)    no answer without one
    least       the client's minimum and those of its scopes                no answer without all

A demand that was not met is ``unmet_authentication_requirements``, never a lower level told as
if it were the one asked for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from idp.login.policy import REACHABLE


class Level(StrEnum):
    """Values of ``acr``."""

    AAL1 = "urn:vn:aal:1"
    AAL2 = "urn:vn:aal:2"
    AAL3 = "urn:vn:aal:3"
    AAL4 = "urn:vn:aal:4"
    PHR = "phr"
    PHRH = "phrh"


_INCLUDES: dict[str, tuple[Level, ...]] = {
    Level.AAL2: (Level.AAL1,),
    Level.AAL3: (Level.AAL1, Level.AAL2),
    Level.AAL4: (Level.AAL1, Level.AAL2, Level.AAL3),
    # Whatever resists phishing is one factor at least; how many, only its level says.
    Level.PHR: (Level.AAL1,),
    Level.PHRH: (Level.AAL1, Level.PHR),
}


def reaches(have: str, wanted: str) -> bool:
    """Whether a sign-in of one level is as good as one of another; unknown ones equal
    themselves only.
    """
    return have == wanted or wanted in _INCLUDES.get(have, ())


def supported() -> list[str]:
    """What a sign-in can end with today or includes, the weakest first: for discovery."""
    return [level.value for level in Level if any(reaches(have, level) for have in REACHABLE)]


@dataclass(frozen=True)
class Demand:
    """What one authorization request wants of the sign-in."""

    voluntary: tuple[str, ...] = ()
    """Any one of them, the first rather."""
    essential: tuple[str, ...] = ()
    """Any one of them."""
    least: tuple[str, ...] = ()
    """All of them."""

    def met_by(self, have: str) -> bool:
        """Whether what must be is."""
        return not self.short_of(have) and (
            not self.essential or any(reaches(have, wanted) for wanted in self.essential)
        )

    def short_of(self, have: str) -> bool:
        """Whether a minimum of ours is missed."""
        return not all(reaches(have, wanted) for wanted in self.least)

    def wishes_more_than(self, have: str) -> bool:
        """Whether something is wanted that this sign-in does not reach, needed or not."""
        voluntary = not self.voluntary or any(reaches(have, wanted) for wanted in self.voluntary)
        return not (voluntary and self.met_by(have))

    def worth_asking(self, have: str) -> bool:
        """Whether signing in once more could give what this sign-in lacks."""
        if not self.wishes_more_than(have):
            return False
        if not self.met_by(have):
            return self.can_be_met
        return any(reaches(other, wanted) for other in REACHABLE for wanted in self.voluntary)

    @property
    def can_be_met(self) -> bool:
        """Whether any sign-in of today meets what must be."""
        return any(self.met_by(have) for have in REACHABLE)

    @property
    def within_reach(self) -> bool:
        """Whether any sign-in of today meets our own minimum."""
        return any(not self.short_of(have) for have in REACHABLE)

    def stated(self, have: str) -> str:
        """The ``acr`` to tell: §5.5.1.1 wants one of the essential values, and what was reached
        includes it; otherwise what it was.
        """
        fitting = (
            wanted
            for wanted in self.essential
            if reaches(have, wanted) and not self.short_of(wanted)
        )
        return next(fitting, have)


def least(
    minimum: str | None, scopes: Iterable[str], scope_acr: Mapping[str, str]
) -> tuple[str, ...]:
    """What a client's minimum and those of the scopes demand, all of it."""
    of_scopes = (scope_acr[scope] for scope in scopes if scope in scope_acr)
    return tuple(dict.fromkeys([*([minimum] if minimum else []), *of_scopes]))


@dataclass(frozen=True)
class StepUp:
    """What a resource wants beyond the sign-in behind a token (RFC 9470 §3)."""

    acr_values: tuple[str, ...] = ()
    max_age: int | None = None


def step_up(
    acr: str,
    auth_time: datetime,
    *,
    scopes: Iterable[str],
    scope_acr: Mapping[str, str],
    scope_max_age: Mapping[str, int],
    now: datetime,
) -> StepUp | None:
    """What these scopes lack of the sign-in that was; None when it is strong and new enough."""
    scopes = list(scopes)
    wanted = least(None, scopes, scope_acr)
    ages = [scope_max_age[scope] for scope in scopes if scope in scope_max_age]
    weak = not all(reaches(acr, each) for each in wanted)
    stale = bool(ages) and now - auth_time > timedelta(seconds=min(ages))
    if not (weak or stale):
        return None
    # §3: any one of the values is enough, so that only those that cover all may be named.
    enough = tuple(each for each in wanted if all(reaches(each, other) for other in wanted))
    return StepUp((enough or wanted) if weak else (), min(ages) if stale else None)
