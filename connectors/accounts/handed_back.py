"""Work by hand at an application that nobody asks to be worked at by hand any more.

An application's connector is changed in the database, by whoever installs a better one. What was handed
over to people before is then made by the connector, or, where there is none now, by nobody.
"""

from datetime import date, datetime

from sqlalchemy import ColumnElement, Text, and_, cast, exists, func, or_, select
from sqlalchemy.orm import Session

from connectors.accounts import registry, work_items
from connectors.accounts.work_items import WorkItem
from directory import entitlements
from directory.base import outbox
from directory.base.clock import local_day
from directory.base.outbox import Job, JobKind, Priority
from directory.changes import effects
from directory.changes.effects import State
from directory.entitlements import Application

UNCONNECTED = "Ứng dụng không còn kết nối nào để cấp tài khoản."


def look(session: Session, *, now: datetime, most: int = 500) -> set[str]:
    """Have the connector do what is open at applications that have another one by now; give up what is
    open where there is none. The changes touched.

    So many at a time, those first that were not asked for the longest: what keeps failing keeps
    nobody else's from its turn.
    """
    touched: set[str] = set()
    jobs = []
    for item, connector in session.execute(
        select(WorkItem, Application.connector)
        .join(Application, Application.id == WorkItem.application_id)
        .where(WorkItem.done_at.is_(None), _elsewhere(session), ~_asked(local_day(now)))
        .order_by(_last_asked(), WorkItem.id)
        .limit(most)
    ):
        whose = item.user_id, item.application_id
        if connector is None:
            waiting = work_items.over(session, *whose, why=UNCONNECTED, at=now)
            touched |= effects.advance(session, waiting, State.PARKED, at=now, reason=UNCONNECTED)
        else:
            jobs.append(entitlements.account_job(*whose, now=now, priority=Priority.BULK))
    outbox.enqueue_rows(session, jobs)
    return touched


def _elsewhere(session: Session) -> ColumnElement[bool]:
    """Whether an application's connector does not hand over, or there is none."""
    used = session.scalars(select(Application.connector).distinct())
    called = [k for k in used if k is not None and registry.final_of(k) is State.VERIFIED]
    return or_(Application.connector.is_(None), Application.connector.in_(called))


_KEY = cast(WorkItem.user_id, Text) + ":" + cast(WorkItem.application_id, Text)
"""Of its jobs (``entitlements.account_job``)."""
_ITS_JOB = and_(Job.kind == JobKind.ACCOUNT_APPLY.value, Job.key == _KEY)


def _asked(day: date) -> ColumnElement[bool]:
    """Whether the connector is asked already: a job of this day would only be the same one."""
    waiting = exists().where(_ITS_JOB, Job.state == "ready", Job.due_day == day.isoformat())
    return and_(Application.connector.is_not(None), waiting.correlate(WorkItem))


def _last_asked() -> ColumnElement[int]:
    """Jobs are numbered as they are asked for; 0: never, or so long ago that it is forgotten."""
    newest = select(func.max(Job.id)).where(_ITS_JOB).correlate(WorkItem).scalar_subquery()
    return func.coalesce(newest, 0)
