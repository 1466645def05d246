"""What a sign-in must still do, decided from stored state. Pure: no database, no request."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

PASSWORD_ACR = "urn:vn:aal:1"  # noqa: S105 (Nghị định 69/2024/NĐ-CP, level 1: one factor)
PASSWORD_AMR = ("pwd",)  # RFC 8176 section 2
REACHABLE = (PASSWORD_ACR,)
"""Every ``acr`` a sign-in can end with (``methods``), the weakest first."""


class Step(StrEnum):
    """What the person is asked for, or how the sign-in stands."""

    PASSWORD = "password"  # noqa: S105
    CHANGE_PASSWORD = "change_password"  # noqa: S105
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
    """The part of a stored flow that decides what comes next."""

    id: str
    return_to: str
    client_id: int | None
    request: dict[str, object]
    browser: str | None
    expires_at: datetime
    user_id: int | None
    password_at: datetime | None
    user_epoch: int | None
    must_change: bool
    assignment_id: int | None
    capacity_chosen: bool
    done_at: datetime | None
    unconfirmed_since: datetime | None = None
    """Since when only administrators are let in (``Installation``)."""
    name: str = ""
    """Its name in addresses, where that is not its id: nothing of it is written yet, or was not
    when it began."""

    @property
    def at(self) -> str:
        """Where its pages are: ``/login/<at>``."""
        return self.name or self.id


@dataclass(frozen=True)
class Policy:
    """What is true of the person at this moment; without a person yet, nothing."""

    active: bool = False
    capacities: tuple[int, ...] = ()
    """Ids of her assignments in force today, the primary one first."""
    administers: bool = False
    runs_installation: bool = False
    """Whether she is an administrator of all of it; only asked while nobody else is let in."""
    acting: int | None = None
    """The capacity this browser already acts in as the same person."""


def next_step(flow: FlowState, policy: Policy) -> Step:
    """The step a flow stands at."""
    if flow.done_at is not None:
        return Step.FINISHED
    if flow.user_id is None or flow.password_at is None:
        return Step.PASSWORD
    if not policy.active:
        return Step.INACTIVE
    if flow.unconfirmed_since is not None and not policy.runs_installation:
        return Step.UNCONFIRMED
    if not policy.capacities and not policy.administers:
        return Step.NO_CAPACITY
    if flow.must_change:
        return Step.CHANGE_PASSWORD
    if _must_choose(flow, policy):
        return Step.CAPACITY
    return Step.DONE


def _must_choose(flow: FlowState, policy: Policy) -> bool:
    if flow.capacity_chosen and flow.assignment_id in policy.capacities:
        return False
    return len(policy.capacities) > 1 and policy.acting not in policy.capacities


def capacity(flow: FlowState, policy: Policy) -> int | None:
    """The assignment a finished sign-in acts in: chosen, gone on with, the only one, or none."""
    if flow.capacity_chosen and flow.assignment_id in policy.capacities:
        return flow.assignment_id
    if policy.acting in policy.capacities:
        return policy.acting
    return policy.capacities[0] if policy.capacities else None


def methods(_flow: FlowState) -> tuple[str, Sequence[str]]:
    """(acr, amr) of what was proven."""
    return PASSWORD_ACR, PASSWORD_AMR
