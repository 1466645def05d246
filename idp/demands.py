"""What is asked of somebody's sign-in, and which rule asks it. The policy is data; here alone it is
decided. Pure (decision 0043).

    the client        the minimum that it is registered with
    a scope           scope_acr
    her position      position_acr, of the post she acts in
    her roles, and the network she comes from    second_factor, inside_networks
    what she does     operation_acr

All of it counts: whoever reaches the strongest has reached each. No rule makes more of a sign-in than
it was, and none takes away what another asks.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from directory.base import hosts
from directory.base.config import Settings
from idp.assurance import TWO_FACTORS, Because, reaches, two_factors


class Operation(StrEnum):
    """What is done in the console or at the changes API, as settings name it."""

    CHANGE = "change"
    """A change of people, units or posts is committed, proposed, withdrawn or undone."""
    APPROVAL = "approval"
    """Somebody else's change is approved or declined."""
    SECRET = "secret"  # noqa: S105 (a word)
    """A secret is shown: of a client that is registered or gets a new one, of an activation slip."""
    CLIENT = "client"
    """An application, its rules or a client are set up otherwise."""
    ACCOUNT = "account"
    """Somebody's way to sign in is opened or reset, or who she is elsewhere is decided."""
    WORK = "work"
    """Work by hand is said to be done, or tried again by us; a restored backup is confirmed."""


@dataclass(frozen=True)
class Asked:
    """One level, and the rule that asks for it."""

    level: str
    because: Because
    name: str = ""
    """Of what the rule is about: an application, a scope, a position, an operation."""

    @property
    def stored(self) -> list[str]:
        """As JSON."""
        return [self.level, self.because.value, self.name]

    @classmethod
    def read(cls, kept: object) -> "Asked | None":
        """What ``stored`` gave; None of anything else."""
        match kept:
            case [str(level), str(because), str(name)] if because in tuple(Because):
                return cls(level, Because(because), name)
        return None


@dataclass(frozen=True)
class Rules:
    """The policy."""

    second_factor: str = "nobody"
    inside: Sequence[str] = ()
    scopes: Mapping[str, str] = field(default_factory=dict)
    positions: Mapping[str, str] = field(default_factory=dict)
    operations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """That of an installation."""
        return cls(
            settings.second_factor,
            settings.inside_networks,
            settings.scope_acr,
            settings.position_acr,
            settings.operation_acr,
        )


@dataclass(frozen=True)
class Situation:
    """Who is about to do what, where. What is left out asks for nothing."""

    present: bool = False
    """Whether she is there herself: then her roles and her network count."""
    administers: bool = False
    ip: str | None = None
    """Where she comes from."""
    position: str = ""
    """Code of the position she acts in."""
    position_name: str = ""
    client: str = ""
    """The name of the application, as people know it."""
    minimum: str | None = None
    """Its own."""
    scopes: Collection[str] = ()
    operation: Operation | None = None


def of(rules: Rules, at: Situation) -> tuple[Asked, ...]:
    """Everything that is asked there, by each rule that asks."""
    found = []
    if at.present and (why := _of_her(rules, at)) is not None:
        found.append(Asked(TWO_FACTORS, why))
    if at.operation is not None and (level := rules.operations.get(at.operation)) is not None:
        found.append(Asked(level, Because.OPERATION, at.operation.value))
    if at.minimum is not None:
        found.append(Asked(at.minimum, Because.APPLICATION, at.client))
    named = (scope for scope in at.scopes if scope in rules.scopes)
    found += [Asked(rules.scopes[scope], Because.SCOPE, scope) for scope in named]
    if (level := rules.positions.get(at.position)) is not None:
        found.append(Asked(level, Because.POSITION, at.position_name or at.position))
    return tuple(found)


def _of_her(rules: Rules, at: Situation) -> Because | None:
    inside = hosts.within(hosts.address(at.ip or ""), rules.inside)
    return two_factors(rules.second_factor, administers=at.administers, inside=inside)


def levels(demanded: Sequence[Asked]) -> tuple[str, ...]:
    """All of these must be reached; each once."""
    return tuple(dict.fromkeys(one.level for one in demanded))


def short(demanded: Sequence[Asked], have: str) -> tuple[Asked, ...]:
    """Those that this sign-in does not reach."""
    return tuple(one for one in demanded if not reaches(have, one.level))


def strongest(demanded: Sequence[Asked]) -> Asked | None:
    """The one that whoever meets it is asked for no more by the others: what she is told, and for
    what she is sent to sign in. Of equals the first; None of none.
    """
    return max(
        demanded,
        key=lambda one: sum(reaches(one.level, other.level) for other in demanded),
        default=None,
    )
