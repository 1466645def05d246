"""What people are to do by hand at the applications the asker answers for."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from connectors.accounts import work_items
from connectors.accounts.contract import Action
from connectors.accounts.work_items import WorkRow
from directory import entitlements
from directory.base.audit import Actor
from directory.base.errors import Conflict, NotFound
from directory.changes import proof
from directory.permissions import Rights

PAGE = 50


@dataclass(frozen=True)
class WorkPage:
    """One page of open items; ``after`` is where the next begins."""

    rows: list[WorkRow]
    waiting: int
    after: int | None
    applications: list[tuple[int, str]]
    """Those the asker answers for: id and name."""


@dataclass(frozen=True)
class WorkFilter:
    """Which items: of one application, of one action, only those whose day has passed."""

    application: int | None = None
    action: Action | None = None
    late: bool = False


def _managed(session: Session, granted: Rights) -> dict[int, str]:
    """The asker's applications: id → name."""
    return {a.id: a.name for a in entitlements.applications(session) if granted.may_manage(a.id)}


def listed(
    session: Session, granted: Rights, wanted: WorkFilter, *, now: datetime, after: int
) -> WorkPage:
    """The open items, the most urgent first."""
    mine = _managed(session, granted)
    rows = work_items.listed(
        session,
        [id_ for id_ in mine if wanted.application in (None, id_)],
        now=now,
        action=wanted.action,
        late=wanted.late,
        after=after,
        limit=PAGE + 1,
    )
    more = after + PAGE if len(rows) > PAGE else None
    return WorkPage(rows[:PAGE], work_items.waiting(session, mine), more, [*mine.items()])


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


def all_done(
    session: Session,
    granted: Rights,
    chosen: Iterable[tuple[int, str]],
    *,
    actor: Actor,
    now: datetime,
) -> tuple[int, int]:
    """These items (id and digest) are done: how many were written down, and how many were not,
    because what is wanted had changed or somebody else was quicker.
    """
    ours, wanted = _managed(session, granted), sorted(chosen)
    # Changes come last: a worker that has one of the items waits for the change they are of.
    work_items.hold(session, [item_id for item_id, _ in wanted])
    written = passed_over = 0
    touched: set[str] = set()
    for item_id, digest in wanted:
        try:
            touched |= work_items.done(
                session, item_id, digest, applications=ours, actor=actor, now=now
            )
            written += 1
        except (Conflict, NotFound):
            passed_over += 1
    proof.settle(session, touched, now=now)
    return written, passed_over


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
