"""What the start page counts."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from directory import entitlements, units
from directory.base import outbox
from directory.base.clock import day_start, local_day
from directory.base.outbox import Job, Priority
from directory.base.rows import in_force
from directory.changes import history
from directory.changes.model import Change, ChangeState
from directory.entitlements import Application
from directory.people import User
from directory.permissions import Do, Rights, visible_people
from directory.units import OrgUnit
from idp.console import entries, pages_proposals, pages_work


@dataclass(frozen=True)
class Home:
    """Figures of the asker's own reach."""

    people: int
    units: int
    today: int
    """Changes committed since midnight."""
    scheduled: int
    attention: list[Change]
    waiting: list[Change]
    recent: list[Change]
    parked: int | None
    applications: list[Application]
    bulk: int
    """Jobs of loads and reorganisations that are still due: their changes are not settled yet."""
    actors: dict[int, str]
    proposals: pages_proposals.HomeList | None
    """What waits for a second person, and is the asker's to decide or her own."""
    by_hand: int
    """Open items at applications whose accounts are kept by hand."""


def home(session: Session, granted: Rights, *, now: datetime) -> Home:
    """The start page's figures; zero where the asker sees nothing."""
    on = local_day(now)
    sees = granted.paths(Do.SEE)
    below = select(func.count()).select_from(OrgUnit).where(in_force(OrgUnit, on))
    if sees is not None:
        below = below.where(or_(OrgUnit.id < 0, *(units.subtree(path) for path in sees)))
    changes = select(func.count()).select_from(Change).where(history.visible(granted))
    there = visible_people(granted, on)
    people = select(func.count()).select_from(User).where(there, User.status != "left")
    attention = history.listed(session, granted, state="attention", limit=5).rows
    waiting = history.listed(session, granted, state=ChangeState.SCHEDULED.value, limit=5).rows
    recent = history.listed(session, granted, limit=8).rows
    return Home(
        session.scalar(people) or 0,
        session.scalar(below) or 0,
        session.scalar(changes.where(Change.committed_at >= day_start(on))) or 0,
        session.scalar(changes.where(Change.state == ChangeState.SCHEDULED.value)) or 0,
        attention,
        waiting,
        recent,
        outbox.counts(session).get("parked", 0)
        if granted.may(Do.MANAGE_INSTALLATION, None)
        else None,
        [a for a in entitlements.applications(session) if granted.may_manage(a.id)],
        session.scalar(_in_bulk(now)) or 0 if sees != [] else 0,
        entries.names(session, [*attention, *waiting, *recent]),
        pages_proposals.waiting(session, granted, now=now),
        pages_work.waiting(session, granted),
    )


def _in_bulk(now: datetime) -> Select[int]:
    """Due jobs of loads and reorganisations: whatever is urgent goes before them."""
    return (
        select(func.count())
        .select_from(Job)
        .where(Job.state == "ready", Job.priority >= Priority.BULK, Job.run_at <= now)
    )
