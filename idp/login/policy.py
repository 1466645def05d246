"""What a sign-in must still do, decided from stored state. Pure: no database, no request."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from idp.assurance import TWO_FACTORS, Because, Demand, combined, reaches
from idp.demands import Asked, levels
from idp.factors.factor import Factor, Proven, reached
from idp.login.person import Who


class Step(StrEnum):
    """What the person is asked for, or how the sign-in stands."""

    PROVE = "prove"
    """Something is to be proven: ``asked`` says by what."""
    CHANGE_PASSWORD = "change_password"  # noqa: S105
    ENROL = "enrol"
    """Two factors are asked of her, and she has not enrolled her second yet."""
    CAPACITY = "capacity"
    DONE = "done"
    """Nothing is missing: the session may start."""
    FINISHED = "finished"
    """The session has started; the flow has nothing more to give."""
    INACTIVE = "inactive"
    """Refused: suspended, or no longer with the agency."""
    UNCONFIRMED = "unconfirmed"
    """Refused: a backup was put back, and until its staff list is confirmed only administrators
    of the installation are let in."""
    NO_CAPACITY = "no_capacity"
    """Refused: neither an assignment in force nor an administrative role."""


@dataclass(frozen=True)
class FlowState:
    """A stored flow."""

    id: str
    return_to: str
    client_id: int | None
    request: dict[str, Any]
    browser: str | None
    expires_at: datetime
    user_id: int | None = None
    proven: tuple[Proven, ...] = ()
    """Oldest first; all of one person, under the same epochs."""
    must_change: bool = False
    assignment_id: int | None = None
    capacity_chosen: bool = False
    done_at: datetime | None = None
    who: Who | None = None
    """Its person as she stood when it was looked up."""
    name: str = ""
    """Its name in addresses, where that is not its id: nothing of it is written yet, or was not
    when it began."""

    @property
    def at(self) -> str:
        """Where its pages are: ``/login/<at>``."""
        return self.name or self.id

    @property
    def demand(self) -> Demand:
        """What is wanted of it. The release before kept only ``prompt``."""
        return Demand.read(self.request.get("demand") or {"prompt": self.request.get("prompt")})

    @property
    def user_epoch(self) -> int:
        """Of the person when she was asked; 0 while nothing is proven."""
        return self.proven[0].epochs.user if self.proven else 0


@dataclass(frozen=True)
class Policy:
    """What is true of sign-in and person at this moment; without a person yet, only the ways."""

    finished: bool = False
    """Whether its session has started."""
    ways: tuple[Factor, ...] = ()
    """By what she could prove herself now, in the order in which they are offered."""
    active: bool = False
    capacities: tuple[int, ...] = ()
    """Ids of her assignments in force today, the primary one first."""
    administers: bool = False
    kept_out: bool = False
    """Whether only administrators of all of it are let in, and she is none."""
    because: Because | None = None
    """Why the installation asks two factors of her here, if it does."""
    here: tuple[Asked, ...] = ()
    """What the post asks that she would act in; nothing while she has several to choose from."""
    untried: frozenset[str] = frozenset()
    """Codes of ways by which somebody might vouch for her who never has: nobody counts on these."""
    ours: bool = False
    """Whether a page of ours asks, which would only ask again; an application is told."""
    may_begin: bool = False
    """Whether she may enrol a first second factor on the strength of what she has proven."""
    must_change: bool = False
    """Whether what she proved herself with is for one time."""
    chosen: int | None = None
    """The capacity chosen in this sign-in."""
    acting: int | None = None
    """The capacity this browser already acts in as the same person."""


def next_step(proven: Sequence[Proven], demand: Demand, policy: Policy) -> Step:
    """The step a sign-in stands at."""
    if policy.finished:
        return Step.FINISHED
    if not proven:
        return Step.PROVE
    if not policy.active:
        return Step.INACTIVE
    if policy.kept_out:
        return Step.UNCONFIRMED
    if not policy.capacities and not policy.administers:
        return Step.NO_CAPACITY
    if _is_asked(proven, demand, policy):
        return Step.PROVE
    if policy.must_change:
        return Step.CHANGE_PASSWORD
    if _enrols(proven, demand, policy):
        return Step.ENROL
    if must_choose(policy):
        return Step.CAPACITY
    return Step.DONE


def _enrols(proven: Sequence[Proven], demand: Demand, policy: Policy) -> bool:
    """Whether two factors are asked of her, by the installation or a page of ours, and she may enrol the
    second.
    """
    asked = Demand(least=(TWO_FACTORS,) if policy.ours and TWO_FACTORS in demand.least else ())
    in_reach = [each for each in levels(policy.here) if reaches(TWO_FACTORS, each)]
    asked = asked.raised(policy.because).also(in_reach)
    return policy.may_begin and asked.short_of(reached(proven).acr)


def _is_asked(proven: Sequence[Proven], demand: Demand, policy: Policy) -> bool:
    """Whether she is to prove more. Where she has never been vouched for she is led only by what an
    application must have: else whoever has no account there would stand before it for ever.
    """
    if _enrols(proven, demand, policy) or demand.met_by(reached(proven).acr):
        hers = tuple(way for way in policy.ways if way.code not in policy.untried)
        policy = replace(policy, ways=hers)
    return bool(ways_left(proven, demand, policy))


def ways_left(proven: Sequence[Proven], demand: Demand, policy: Policy) -> tuple[Factor, ...]:
    """By which of her ways she may prove more; any one of them. None once the demand is met, and
    where nothing she has would meet it: whoever demands it then says so.
    """
    if not proven:
        return tuple(way for way in policy.ways if way.first)
    have, used = reached(proven), {one.factor for one in proven}
    left = [way for way in policy.ways if way.code not in used]
    ends = combined(have, [way.gives for way in left])
    demand = demand.raised(policy.because).also(levels(policy.here))
    if not demand.worth_asking(have.acr, [end.acr for end in ends]):
        return ()
    return tuple(way for way in left if have | way.gives != have)


def must_choose(policy: Policy) -> bool:
    """Whether she has several capacities, and has not said in which she comes."""
    if policy.chosen in policy.capacities:
        return False
    return len(policy.capacities) > 1 and policy.acting not in policy.capacities


def capacity(policy: Policy) -> int | None:
    """The assignment a finished sign-in acts in: chosen, gone on with, the only one, or none."""
    for one in (policy.chosen, policy.acting):
        if one in policy.capacities:
            return one
    return policy.capacities[0] if policy.capacities else None
