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
if it were the one asked for. ``reachable``, where it is asked for, is what sign-ins can end with
(``idp.factors.registry.reachable``).

What the installation asks of people by its own rule (``two_factors``) joins ``least`` wherever a
sign-in or a session is judged.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from directory.base import hosts
from directory.base.config import Settings


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


def supported(reachable: Iterable[str]) -> list[str]:
    """What a sign-in can end with today or includes, the weakest first: for discovery."""
    ends = tuple(reachable)
    return [level.value for level in Level if any(reaches(have, level) for have in ends)]


class Means(StrEnum):
    """What a factor rests on (NIST SP 800-63B, section 4)."""

    KNOWLEDGE = "knowledge"
    POSSESSION = "possession"
    INHERENCE = "inherence"


@dataclass(frozen=True)
class Strength:
    """What factors prove, one or several together."""

    level: int = 0
    """1 to 4 of Nghị định 69/2024/NĐ-CP; 0 of nothing proven."""
    means: frozenset[Means] = frozenset()
    """Those that count when factors are taken together: none where somebody else vouches, whose
    word is never raised."""
    phishing_resistant: bool = False

    def __or__(self, other: "Strength") -> "Strength":
        """Both together: two factors of one kind are no more than one (Nghị định 69/2024/NĐ-CP)."""
        means = self.means | other.means
        by_means = 0 if len(means) < 2 else 4 if len(means) == 3 else 2 + (Means.INHERENCE in means)
        return Strength(
            max(self.level, other.level, by_means),
            means,
            self.phishing_resistant or other.phishing_resistant,
        )

    @property
    def acr(self) -> str:
        """Its ``acr``; "0" is less than any level (OIDC Core §2)."""
        return f"urn:vn:aal:{self.level}" if self.level else "0"


def combined(begun: Strength, others: Iterable[Strength]) -> frozenset[Strength]:
    """Everything that ``begun`` can become by some of the others, itself included."""
    found, more = {begun}, tuple(others)
    waiting = [begun]
    while waiting:
        one = waiting.pop()
        new = {one | other for other in more} - found
        found |= new
        waiting += new
    return frozenset(found)


class Because(StrEnum):
    """Which rule asks for a level; the first three are those of ``two_factors``."""

    ADMINISTERS = "administers"
    OUTSIDE = "outside"
    """She comes from outside the agency's networks."""
    EVERYBODY = "everybody"
    APPLICATION = "application"
    SCOPE = "scope"
    POSITION = "position"
    OPERATION = "operation"


TWO_FACTORS = Level.AAL2
"""What that rule asks for."""


def two_factors(rule: str, *, administers: bool, inside: bool) -> Because | None:
    """Why the rule (the setting ``second_factor``) asks two factors of her; None where one is enough.

    everybody        of everybody
    outside          of administrators always, of others from outside the listed networks
    administrators   of administrators
    nobody           of nobody
    """
    if rule == "nobody":
        return None
    if administers:
        return Because.ADMINISTERS
    if rule == "outside" and not inside:
        return Because.OUTSIDE
    return Because.EVERYBODY if rule == "everybody" else None


def asked_here(settings: Settings, *, administers: bool, ip: str | None) -> Because | None:
    """Why two factors are asked of somebody who comes from that address; None where one is enough."""
    inside = hosts.within(hosts.address(ip or ""), settings.inside_networks)
    return two_factors(settings.second_factor, administers=administers, inside=inside)


def asked_everywhere(settings: Settings, *, administers: bool) -> bool:
    """Whether two factors are asked of somebody wherever she comes from."""
    anywhere = bool(settings.inside_networks)
    return two_factors(settings.second_factor, administers=administers, inside=anywhere) is not None


@dataclass(frozen=True)
class Demand:
    """What is wanted of a sign-in: by a client and its scopes, by a page, by an operation."""

    voluntary: tuple[str, ...] = ()
    """Any one of them, the first rather."""
    essential: tuple[str, ...] = ()
    """Any one of them."""
    least: tuple[str, ...] = ()
    """All of them."""
    prompt: frozenset[str] = frozenset()
    """OIDC Core §3.1.2.1."""
    max_age: timedelta | None = None

    @property
    def anew(self) -> bool:
        """Whether it wants a sign-in of its own, however new the last one is."""
        return bool({"login", "select_account"} & self.prompt)

    def raised(self, because: Because | None) -> "Demand":
        """With what the installation asks of her beside."""
        return self if because is None else self.also((TWO_FACTORS,))

    def also(self, levels: Iterable[str]) -> "Demand":
        """With these levels beside."""
        more = [each for each in levels if each not in self.least]
        return replace(self, least=(*self.least, *more)) if more else self

    def outlived(self, auth_time: datetime, now: datetime) -> bool:
        """Whether a sign-in of that time is too old. max_age=0 is prompt=login (OIDC Core
        §3.1.2.1), whatever the clock says.
        """
        return self.max_age is not None and (now - auth_time > self.max_age or not self.max_age)

    @property
    def stored(self) -> dict[str, Any]:
        """As a sign-in under way keeps it, what is not wanted left out."""
        age = None if self.max_age is None else int(self.max_age.total_seconds())
        levels = {
            name: list(values)
            for name in ("voluntary", "essential", "least")
            if (values := getattr(self, name))
        }
        words = {"prompt": " ".join(sorted(self.prompt))} if self.prompt else {}
        return words | ({} if age is None else {"max_age": age}) | levels

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> "Demand":
        """That of a sign-in under way; what other releases kept otherwise is not wanted."""
        age = kept.get("max_age")
        return cls(
            **{name: _words(kept.get(name)) for name in ("voluntary", "essential", "least")},
            prompt=frozenset(str(kept.get("prompt") or "").split()),
            max_age=timedelta(seconds=age) if isinstance(age, int) else None,
        )

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

    def worth_asking(self, have: str, reachable: Iterable[str]) -> bool:
        """Whether signing in once more could give what this sign-in lacks."""
        if not self.wishes_more_than(have):
            return False
        if not self.met_by(have):
            return self.can_be_met(reachable)
        return any(reaches(other, wanted) for other in reachable for wanted in self.voluntary)

    def can_be_met(self, reachable: Iterable[str]) -> bool:
        """Whether any of these sign-ins meets what must be."""
        return any(self.met_by(have) for have in reachable)

    def within_reach(self, reachable: Iterable[str]) -> bool:
        """Whether any of these sign-ins meets our own minimum."""
        return any(not self.short_of(have) for have in reachable)

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


def _words(kept: object) -> tuple[str, ...]:
    return tuple(str(each) for each in kept) if isinstance(kept, list) else ()


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


_NO_MORE = StepUp()
UNASKED = "unasked"
"""In ``amr``: somebody else vouched for her without saying when she was asked, if she was at all."""
SEALED = "break_glass"
"""In ``amr``: she came in by a sealed envelope (``idp.factors.by_envelope``)."""
_NEVER = datetime.min.replace(tzinfo=UTC)


def may_last(amr: Iterable[str]) -> bool:
    """Whether what is given to applications in such a session may outlive it."""
    return SEALED not in amr


def asked_at(auth_time: datetime, amr: Iterable[str]) -> datetime:
    """What the freshness of a sign-in counts from: its time, or the beginning of all time where nobody
    knows whether she was asked. How long it lives counts from ``auth_time`` all the same.
    """
    return _NEVER if UNASKED in amr else auth_time


def step_up(
    acr: str,
    auth_time: datetime,
    *,
    scopes: Iterable[str],
    scope_acr: Mapping[str, str],
    scope_max_age: Mapping[str, int],
    now: datetime,
    also: StepUp = _NO_MORE,
) -> StepUp | None:
    """What these scopes, and what is asked ``also``, all of it, lack of the sign-in that was; None when
    it is strong and new enough.
    """
    scopes = list(scopes)
    wanted = tuple(dict.fromkeys([*least(None, scopes, scope_acr), *also.acr_values]))
    ages = [scope_max_age[scope] for scope in scopes if scope in scope_max_age]
    ages += [] if also.max_age is None else [also.max_age]
    weak = not all(reaches(acr, each) for each in wanted)
    stale = bool(ages) and now - auth_time > timedelta(seconds=min(ages))
    if not (weak or stale):
        return None
    # §3: any one of the values is enough, so that only those that cover all may be named.
    enough = tuple(each for each in wanted if all(reaches(each, other) for other in wanted))
    return StepUp((enough or wanted) if weak else (), min(ages) if stale else None)
