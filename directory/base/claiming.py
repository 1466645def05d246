"""Which job a worker takes next, and how she takes it alone.

    when anything is due at all: one statement, which is all that an idle worker sends
    the most urgent due job of a free lane, or one whose lease has run out; under which workers
    have died again and again (``SUSPECT``), only who does nothing else

``directory.base.outbox`` has the jobs themselves and what becomes of a claimed one.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, bindparam, case, select, text, update
from sqlalchemy.exc import IntegrityError

from directory.base.db import Database, UTCDateTime
from directory.base.outbox import LEASE, Claim, Job, JobKind

SUSPECT = 3
"""A job under which so many workers have died is tried only by a worker that does nothing else:
who dies then has been killed by it or from outside, and no other job is blamed.
"""
CAUTION = timedelta(seconds=60)
"""How long such a job rests before it is tried again."""

_QUEUES = """
    WITH RECURSIVE in_lanes (id, lane, priority, run_at) AS (
        SELECT id, lane, priority, run_at FROM job
        WHERE id = (SELECT id FROM job WHERE state = 'ready' AND lane IS NOT NULL
                    ORDER BY state, lane, priority, run_at, id LIMIT 1)
        UNION ALL
        SELECT next.id, next.lane, next.priority, next.run_at FROM in_lanes
        JOIN job AS next ON next.id = coalesce((
            SELECT id FROM job WHERE state = 'ready' AND lane = in_lanes.lane
               AND priority > in_lanes.priority
            ORDER BY state, lane, priority, run_at, id LIMIT 1
        ), (
            SELECT id FROM job WHERE state = 'ready' AND lane > in_lanes.lane
            ORDER BY state, lane, priority, run_at, id LIMIT 1))
    ), free (id, lane, priority, run_at) AS (
        SELECT id, lane, priority, run_at FROM job
        WHERE id = (SELECT id FROM job WHERE state = 'ready' AND lane IS NULL
                    ORDER BY state, lane, priority, run_at, id LIMIT 1)
        UNION ALL
        SELECT next.id, next.lane, next.priority, next.run_at FROM free
        JOIN job AS next ON next.id = (
            SELECT id FROM job WHERE state = 'ready' AND lane IS NULL
               AND priority > free.priority
            ORDER BY state, lane, priority, run_at, id LIMIT 1)
    ), heads (id, lane, priority, run_at) AS (
        SELECT queue.id, queue.lane, queue.priority, queue.run_at
        FROM (SELECT * FROM in_lanes UNION ALL SELECT * FROM free) AS queue
        WHERE NOT EXISTS (SELECT 1 FROM job AS other
                          WHERE other.state = 'running' AND other.lane = queue.lane)
    )
"""
"""The first job of every queue, a (lane, priority), of the lanes that are free. It hops from one to
the next along ``ix_job_queue`` and so costs as many steps as there are queues, however long they
are."""
_HEADS = text(
    f"""{_QUEUES}
    SELECT job.id, job.kind, job.key FROM heads JOIN job ON job.id = heads.id
    WHERE heads.run_at <= :now
    ORDER BY heads.priority, heads.run_at, heads.id
    """  # noqa: S608 (of two constants)
).bindparams(bindparam("now", type_=UTCDateTime()))
"""The most urgent due jobs of free lanes."""

Allowed = Callable[[JobKind, str], bool]
"""Whether a worker may take a job of this kind and key just now."""


def _lapsed(now: datetime) -> Any:
    """Leases that have run out; of suspects some time ago."""
    run_out = case((Job.deaths < SUSPECT, now), else_=now - CAUTION)
    return and_(Job.state == "running", Job.lease_until < run_out)


_NEXT = text(
    f"""{_QUEUES}
    SELECT (SELECT min(run_at) FROM heads) AS ready,
           (SELECT min(lease_until) FROM job WHERE state = 'running' AND deaths < :suspect)
               AS lapses,
           (SELECT min(lease_until) FROM job WHERE state = 'running' AND deaths >= :suspect)
               AS suspect
    """  # noqa: S608 (of two constants)
).columns(ready=UTCDateTime(), lapses=UTCDateTime(), suspect=UTCDateTime())


@dataclass(frozen=True)
class Coming:
    """When the next work is due: a job whose moment comes, or whose lease runs out."""

    at: datetime | None
    """None: there is none."""
    suspect_at: datetime | None
    """The same of jobs that must be tried alone."""


def coming(db: Database) -> Coming:
    """Look at all that waits and all that runs, in one statement."""
    with db.hot() as connection:
        found = connection.execute(_NEXT, {"suspect": SUSPECT}).one()
    suspect = None if found.suspect is None else found.suspect + CAUTION
    moments = [each for each in (found.ready, found.lapses, suspect) if each is not None]
    return Coming(min(moments, default=None), suspect)


def claim(
    db: Database,
    *,
    now: datetime,
    allowed: Allowed = lambda _kind, _key: True,
    alone: bool = True,
    ours: Collection[int] = (),
) -> Claim | None:
    """Take the most urgent due job of a free lane, or one whose lease has run out; of those the
    first that is allowed. Suspects come first, to who does nothing else (``alone``), and go to
    nobody else. Of ``ours``, which the asker has at work, none is taken however late its renewal.

    When nothing is due it only reads. Several workers may look at the same job; the state they
    saw is a condition of the update, so one of them gets it and the others look again.
    """
    lapsed = _lapsed(now) if alone else and_(_lapsed(now), Job.deaths < SUSPECT)
    if ours:
        lapsed = and_(lapsed, Job.id.not_in(ours))
    expired = select(Job.id, Job.kind, Job.key).where(lapsed).order_by(Job.deaths.desc())

    def first(rows: Iterable[Any]) -> int | None:
        return next((row.id for row in rows if allowed(JobKind(row.kind), row.key)), None)

    for _ in range(5):
        with db.hot() as connection:
            late = first(connection.execute(expired).all())
            job_id = late
            if late is None:
                job_id = first(connection.execute(_HEADS, {"now": now}).all())
        if job_id is None:
            return None
        unchanged = Job.state == "ready" if late is None else lapsed
        try:
            with db.write() as session:
                row = session.execute(
                    update(Job)
                    .where(Job.id == job_id, unchanged)
                    .values(
                        state="running",
                        attempts=Job.attempts + 1,
                        deaths=Job.deaths + (0 if late is None else 1),
                        lease_until=now + LEASE,
                    )
                    .returning(
                        Job.id,
                        Job.kind,
                        Job.key,
                        Job.payload,
                        Job.attempts,
                        Job.created_at,
                        Job.deaths,
                    )
                ).one_or_none()
        except IntegrityError:
            continue  # another worker took another job of this lane since
        if row is not None:
            kind = JobKind(row.kind)
            return Claim(
                row.id, kind, row.key, row.payload, row.attempts, row.created_at, row.deaths
            )
    return None
