"""What every connector promises, and the values that cross the line.

A connector is told a *state*, never a difference: ``apply`` looks at the account, does the
least that is needed, and says what it did. Doing it twice does it once. An account is known at
its target by ``external_id``, the person's OIDC ``sub``: a create looks that up first and
treats "already exists" as a link, so that a crash between the call and our note of it doubles
nothing.

Every method raises ``Transient``, ``Rejected`` or ``Misconfigured`` and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol


class Attribute(StrEnum):
    """What we say of a person in an application; the names are those of SCIM (RFC 7643 §4)."""

    DISPLAY_NAME = "displayName"
    FAMILY_NAME = "familyName"
    MIDDLE_NAME = "middleName"
    GIVEN_NAME = "givenName"
    EMAIL = "email"
    PHONE = "phone"
    TITLE = "title"
    """The position's name."""
    DEPARTMENT = "department"
    """The unit's name."""
    ORGANIZATION = "organization"
    """The name of the legal person the unit belongs to."""


Attributes = Mapping[Attribute, str]
"""Only what there is: an attribute without a value is absent."""


class Capability(StrEnum):
    """What a connector can do."""

    CREATE = "create"
    UPDATE = "update"
    MOVE = "move"
    """Accounts live in a place that follows the unit."""
    DISABLE = "disable"
    ENABLE = "enable"
    FETCH = "fetch"
    """All accounts can be listed, page by page."""


@dataclass(frozen=True)
class WantedAccount:
    """The state an account ought to be in."""

    external_id: str
    username: str
    active: bool
    attributes: Attributes | None = None
    """None: leave what it says as it is (an account that is only disabled)."""
    role: str | None = None
    unsent: tuple[Attribute, ...] = field(default=(), compare=False)
    """What the directory knows and no target is told, because none would take it."""


@dataclass(frozen=True)
class RemoteAccount:
    """An account as its target shows it."""

    key: str
    """The target's own identifier: survives renaming and moving."""
    external_id: str | None
    username: str
    active: bool
    attributes: Attributes
    role: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """How it was seen: an HTTP status, a distinguished name."""


@dataclass(frozen=True)
class Operation:
    """Bring one account into a state; ``key`` is where we believe it is, None if unknown."""

    wanted: WantedAccount
    key: str | None = None


class Action(StrEnum):
    """What ``apply`` did."""

    CREATED = "created"
    UPDATED = "updated"
    MOVED = "moved"
    DISABLED = "disabled"
    ENABLED = "enabled"
    UNCHANGED = "unchanged"
    ABSENT = "absent"
    """Nothing there and nothing wanted; only where we would have seen it."""


@dataclass(frozen=True)
class Pending:
    """Who is to do it, and by when: a target that answers later."""

    within: timedelta
    owner: str = ""
    """In words, for people: an office, a telephone number. Empty: the application's owner."""


@dataclass(frozen=True)
class Outcome:
    """What ``apply`` did and to which account; ``remote_id`` is None only when ABSENT, and while
    it is ``pending``: then nothing has been done yet.
    """

    remote_id: str | None
    action: Action
    evidence: Mapping[str, Any] = field(default_factory=dict)
    pending: Pending | None = None


@dataclass(frozen=True)
class AccountPage:
    """Some accounts of a target; ``cursor`` asks for the next ones, None after the last."""

    accounts: tuple[RemoteAccount, ...]
    cursor: str | None


class Connector(Protocol):
    """One target that keeps accounts. Safe to use from several threads."""

    def capabilities(self) -> frozenset[Capability]:
        """What this target can do."""
        ...

    def test(self) -> str:
        """Try address, credential and permissions without changing anything; what answered."""
        ...

    def fetch(self, cursor: str | None = None) -> AccountPage:
        """One page of all accounts, from the start or after a cursor."""
        ...

    def get(self, key: str) -> RemoteAccount | None:
        """The account with this identifier."""
        ...

    def find(self, external_id: str, username: str) -> RemoteAccount | None:
        """The account that carries ``external_id``; without one, the one named ``username``.

        Who finds by name alone must not take the account over: it may be somebody else's.
        """
        ...

    def apply(self, operation: Operation) -> Outcome:
        """Bring the account into the wanted state by the least change; never doubles it.

        An account that is not wanted active and does not exist is not created.
        """
        ...

    def probe(self, key: str) -> RemoteAccount | None:
        """Look afresh at the target, as proof: nothing cached."""
        ...

    def try_entry(self, seen: RemoteAccount) -> Mapping[str, Any]:
        """What a thief would try against an account that must be dead; the evidence that it
        failed. Raises Transient or Rejected while it could still succeed.
        """
        ...

    def differences(self, wanted: WantedAccount, seen: RemoteAccount) -> tuple[str, ...]:
        """Names of what the account does not show as wanted; empty when it is right.

        Only what this target can store counts.
        """
        ...

    def close(self) -> None:
        """Close connections at rest, and those in use as soon as they come to rest. What is asked
        meanwhile is still answered: a job may be at it while another has new settings.
        """
        ...
