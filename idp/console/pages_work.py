"""What people are to do by hand at the applications the asker answers for."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from connectors.accounts import work_items
from connectors.accounts.work_items import WorkRow
from directory import entitlements
from directory.base.audit import Actor
from directory.changes import proof
from directory.permissions import Rights

PAGE = 50


@dataclass(frozen=True)
class WorkPage:
    """One page of open items; ``after`` is where the next begins."""

    rows: list[WorkRow]
    waiting: int
    after: int | None


def _managed(session: Session, granted: Rights) -> list[int]:
    return [a.id for a in entitlements.applications(session) if granted.may_manage(a.id)]


def listed(session: Session, granted: Rights, *, now: datetime, after: int) -> WorkPage:
    """The open items, the most urgent first."""
    mine = _managed(session, granted)
    rows = work_items.listed(session, mine, now=now, after=after, limit=PAGE + 1)
    more = after + PAGE if len(rows) > PAGE else None
    return WorkPage(rows[:PAGE], work_items.waiting(session, mine), more)


def waiting(session: Session, granted: Rights) -> int:
    """How many items wait for the asker and those who answer for the same applications."""
    return work_items.waiting(session, _managed(session, granted))


def done(
    session: Session,
    granted: Rights,
    item_id: int,
    digest: str,
    *,
    remote_id: str,
    actor: Actor,
    now: datetime,
) -> None:
    """It is done. Raises NotFound, Conflict, InvalidInput."""
    touched = work_items.done(
        session,
        item_id,
        digest,
        remote_id=remote_id,
        applications=_managed(session, granted),
        actor=actor,
        now=now,
    )
    proof.settle(session, touched, now=now)


def failed(
    session: Session,
    granted: Rights,
    item_id: int,
    digest: str,
    *,
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    """It cannot be done. Raises NotFound, Conflict, InvalidInput."""
    touched = work_items.failed(
        session,
        item_id,
        digest,
        reason=reason,
        applications=_managed(session, granted),
        actor=actor,
        now=now,
    )
    proof.settle(session, touched, now=now)
