"""The days on which a unit is called otherwise, stands elsewhere or bears another code.

``turn`` brings today's columns up to date and does what follows from the tree: who now works for
another legal person is signed out, as after a transfer, and accounts that name a unit, or rest on a
rule about a subtree, are looked at again. It is run with the decision where that is for today, by a job
on the day, and by whoever uses the directory first on a day before that job has come by (``Today``).
Running it again finds nothing to do.
"""

import threading
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from directory import assignments, entitlements, people, units
from directory.assignments import Assignment
from directory.base import outbox
from directory.base.clock import Clock, day_start, local_day
from directory.base.db import Database
from directory.base.outbox import JobKind, Priority
from directory.base.rows import batches, in_force
from directory.changes import proof
from directory.changes.model import Change, ChangeLine, ChangeState
from directory.people import User, UserStatus
from directory.units import OrgUnit, UnitName, boundary, ids_of

TABLES = ("unit_name", "unit_edge", "unit_code")
"""Of the lines of changes that concern units in time."""


def job(day: date, *, now: datetime) -> dict[str, object]:
    """The outbox row of "make the tree that day's": one, however much begins on it."""
    return outbox.row_for(
        JobKind.TREE_BOUNDARY, "tree", now=now, run_at=day_start(day), priority=Priority.URGENT
    )


def turn(session: Session, *, now: datetime) -> set[str]:
    """Make the tree that of today; the ids of the changes whose day has come."""
    units.lock_tree(session)
    on = local_day(now)
    turned = boundary.what_turns(session, on)
    if turned.all:
        _turn(session, turned, on, now)
    begun = _begun(session, now)
    proof.settle(session, begun, now=now)
    return begun


def _turn(session: Session, turned: boundary.Turned, on: date, now: datetime) -> None:
    concerned = _below(session, turned.moved) | set(turned.renamed)
    owners = _owners(session)
    for unit_id in turned.renamed:  # what accounts say of everybody who works for it
        concerned |= {each for each, owner in owners.items() if owner == unit_id}
    # People first, as every commit locks them: those who may come to work for another body.
    below = _below(session, turned.moved)
    for some in batches(_working(session, below, on)):
        people.lock(session, some)
    for some in batches(sorted({*turned.all, *below})):
        session.execute(
            select(OrgUnit.id).where(OrgUnit.id.in_(some)).order_by(OrgUnit.id).with_for_update()
        )
    boundary.catch_up(session, turned, on)
    after = _owners(session) if turned.moved else owners
    other_body = {unit_id for unit_id, owner in after.items() if owners.get(unit_id) != owner}
    for some in batches(_working(session, other_body, on)):
        session.execute(
            update(User).where(User.id.in_(some)).values(access_epoch=User.access_epoch + 1)
        )
        outbox.enqueue_rows(
            session,
            [
                outbox.row_for(JobKind.ACCESS_OVER, str(user_id), now=now, priority=Priority.BULK)
                for user_id in some
            ],
        )
    for some in batches(_working(session, concerned, on)):
        _look_at_accounts(session, some, on, now)


def _below(session: Session, unit_ids: Iterable[int]) -> set[int]:
    """These units and what lies below them today."""
    wanted = set(unit_ids)
    if not wanted:
        return set()
    paths = session.execute(select(OrgUnit.id, OrgUnit.path))
    return {unit_id for unit_id, path in paths if not wanted.isdisjoint(ids_of(path))}


def _owners(session: Session) -> dict[int, int]:
    """The nearest legal person at or above each unit, by today's path; the root where none is."""
    rows = session.execute(select(OrgUnit.id, OrgUnit.path, OrgUnit.legal_person)).all()
    legal = {row.id for row in rows if row.legal_person}
    found = {}
    for row in rows:
        up = ids_of(row.path)
        found[row.id] = next((each for each in reversed(up) if each in legal), up[0])
    return found


def _working(session: Session, unit_ids: Iterable[int], on: date) -> list[int]:
    """The people who hold a post in one of these units on a day."""
    found: set[int] = set()
    for some in batches(sorted(unit_ids)):
        found |= set(
            session.scalars(
                select(Assignment.user_id).where(
                    Assignment.unit_id.in_(some), in_force(Assignment, on)
                )
            )
        )
    return sorted(found)


def _look_at_accounts(session: Session, user_ids: list[int], on: date, now: datetime) -> None:
    rules = entitlements.rulebook(session).rules
    timelines = assignments.timeline(session, user_ids)
    linked: dict[int, set[int]] = {}
    for user_id, application_id in entitlements.accounts_of(session, user_ids):
        linked.setdefault(user_id, set()).add(application_id)
    connected = entitlements.connected(session).keys()
    rows = []
    for user in session.scalars(select(User).where(User.id.in_(user_ids)).order_by(User.id)):
        status = UserStatus.ACTIVE.value if user.may_act(on) else user.status
        wanted = entitlements.desired_accounts(rules, timelines[user.id], status=status, on=on)
        rows += [
            entitlements.account_job(user.id, application_id, now=now, priority=Priority.BULK)
            for application_id in sorted((set(wanted) | linked.get(user.id, set())) & connected)
        ]
    outbox.enqueue_rows(session, rows)


def _begun(session: Session, now: datetime) -> set[str]:
    """Changes of units that waited for their day and wait no more."""
    about_units = select(ChangeLine.change_id).where(ChangeLine.table.in_(TABLES))
    waiting = session.scalars(
        select(Change)
        .where(
            Change.state == ChangeState.SCHEDULED.value,
            Change.effective_at <= now,
            Change.id.in_(about_units),
        )
        .order_by(Change.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    for change in waiting:
        change.state, change.took_effect_at = ChangeState.COMMITTED.value, now
    session.flush()
    return {change.id for change in waiting}


class Today:
    """Sees to it, before a database is used, that the tree in it is today's.

    Asked once a day by each process: one statement, and a transaction only where the day's job has not
    come by yet. That the tree is today's then stays true all day, since what is decided for today
    is written with its decision.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._from = self._until = datetime.min.replace(tzinfo=clock().tzinfo)
        self._at_it = threading.local()

    def __call__(self, db: Database) -> None:
        """Look, and bring up to date."""
        now = self._clock()
        if self._from <= now < self._until or getattr(self._at_it, "now", False):
            return
        self._at_it.now = True
        try:
            on = local_day(now)
            if self._is_behind(db, on):
                with db.write() as session:
                    turn(session, now=now)
        finally:
            self._at_it.now = False
        self._from, self._until = day_start(on), day_start(on + timedelta(days=1))

    @staticmethod
    def _is_behind(db: Database, on: date) -> bool:
        try:
            with db.hot() as connection:
                return boundary.is_behind(connection, on)
        except DBAPIError:
            if db.has_table(UnitName.__tablename__):
                raise
            return False  # not installed, or not migrated yet: there is nothing to be served


def watch(db: Database, clock: Clock) -> None:
    """Have the tree looked at before each use of this database."""
    look: Callable[[Database], None] = Today(clock)
    db.before_use(look)
