"""Jobs, enqueued in the caller's transaction and done by workers at least once.

A job names its subject, never a difference: its handler computes what is wanted now, so that
retries, duplicates and reordering are harmless. Workers are rung for once it has been committed
(``directory.base.bell``). While a job is ready, (kind, key, due day) is
unique: duplicates collapse, and urgent work never merges into a job that waits for a future
midnight. One job runs per lane. A claim (``claiming``) takes a lease; the attempt number fences
it, so that a worker that lost its lease cannot finish the job any more. ``now`` is the database's
time wherever several nodes may look at the same job (``idp.run.worker``).

    ready ──claim──▶ running ──finish──▶ done
      ▲                 │ ├──park────▶ parked ──retry_parked──▶ ready
      └──────retry──────┘ └─ lease expired: claimed again with a higher attempt number
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Connection,
    Index,
    Select,
    and_,
    case,
    func,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.base import storable
from directory.base.clock import local_day
from directory.base.db import AUTOINCREMENT, Base, Key, ring_after_commit
from directory.base.rows import batches, for_each_dialect, insert_into


class JobKind(StrEnum):
    """Every kind of job there is; a test asserts that each has a handler."""

    ACCOUNT_APPLY = "account.apply"
    """key ``user:application``: make that person's account in that application right."""
    LOGOUT_DELIVER = "logout.deliver"
    """key ``grant``: tell the grant's client that its session has ended."""
    ACCESS_PROBE = "access.probe"
    """key ``grant`` or ``session``: ask over HTTP, as a client would, whether it is still good."""
    ACCESS_OVER = "access.over"
    """key ``user``: she was signed out by no change of hers; mark what is over, tell its clients."""
    CERTIFICATE_PROBE = "certificate.probe"
    """key ``certificate``: ask CRL and OCSP over HTTP for its status."""
    CRL_PUBLISH = "crl.publish"
    """key ``authority``: sign and publish a new CRL."""
    SUBJECT_BOUNDARY = "subject.boundary"
    """key ``user``: a dated change of this person takes effect; push what follows."""
    TREE_BOUNDARY = "tree.boundary"
    """key ``tree``: a name, a parent or a code of a unit begins on this day; push what follows."""
    NOTICE_SEND = "notice.send"
    """key ``notice``: tell a person what happened to her account."""


class Priority:
    """Smaller runs first."""

    URGENT = 0
    NORMAL = 5
    BULK = 9


LEASE = timedelta(seconds=8)
"""A living worker renews it every two seconds by the database's clock, however long a job takes;
what a dead one held is taken over when it has run out.
"""


class Job(Base):
    """One row of the outbox."""

    __tablename__ = "job"
    __table_args__ = (
        Index(
            "uq_job_ready",
            "kind",
            "key",
            "due_day",
            unique=True,
            sqlite_where=text("state = 'ready'"),
            postgresql_where=text("state = 'ready'"),
        ),
        Index(
            "uq_job_lane_running",
            "lane",
            unique=True,
            sqlite_where=text("state = 'running'"),
            postgresql_where=text("state = 'running'"),
        ),
        Index("ix_job_queue", "state", "lane", "priority", "run_at", "id"),
        Index("ix_job_subject", "kind", "key"),
        AUTOINCREMENT,
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    kind: Mapped[str]
    key: Mapped[str]
    lane: Mapped[str | None]
    priority: Mapped[int]
    payload: Mapped[dict[str, Any]]
    batch: Mapped[str | None] = mapped_column(index=True)
    run_at: Mapped[datetime]
    due_day: Mapped[str]
    attempts: Mapped[int] = mapped_column(default=0)
    deaths: Mapped[int] = mapped_column(default=0, server_default="0")
    """Of its attempts, those that nobody ended: the worker died, or lost the database."""
    state: Mapped[str] = mapped_column(default="ready")
    lease_until: Mapped[datetime | None]
    reason: Mapped[str | None]
    """Why it is parked or was last put off, in words a person can read."""
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


@dataclass(frozen=True)
class Claim:
    """A job taken by a worker; ``attempt`` fences everything done with it."""

    id: int
    kind: JobKind
    key: str
    payload: dict[str, Any]
    attempt: int
    created_at: datetime
    deaths: int = 0

    @property
    def tries(self) -> int:
        """Attempts that came to an end of their own, this one counted as one."""
        return self.attempt - self.deaths


class LeaseLost(Exception):
    """Another worker has taken the job since; whatever this one did must not be recorded."""


def row_for(  # noqa: PLR0913 (one keyword per column)
    kind: JobKind,
    key: str,
    *,
    now: datetime,
    lane: str | None = None,
    priority: int = Priority.NORMAL,
    payload: dict[str, Any] | None = None,
    batch: str | None = None,
    run_at: datetime | None = None,
) -> dict[str, Any]:
    """The column values of one job, for ``enqueue_rows``."""
    due = run_at or now
    return {
        "kind": kind.value,
        "key": key,
        "lane": lane,
        "priority": priority,
        "payload": payload or {},
        "batch": batch,
        "run_at": due,
        "due_day": local_day(due).isoformat(),
        "state": "ready",
        "attempts": 0,
        "created_at": now,
    }


def enqueue(session: Session, kind: JobKind, key: str, *, now: datetime, **options: Any) -> int:
    """Enqueue one job in the caller's transaction; the id of it or of the one it merged into."""
    return enqueue_rows(session, [row_for(kind, key, now=now, **options)])[0]


def enqueue_rows(session: Session, rows: list[dict[str, Any]]) -> list[int]:
    """Enqueue many (from ``row_for``); the job ids in the same order. Merging keeps the more
    urgent priority and the earlier time.
    """
    if not rows:
        return []
    session.flush()
    connection = session.connection()
    connection.execute(_MERGING[connection.dialect.name], rows)
    ring_after_commit(session)
    ids: dict[tuple[str, str, str], int] = {}
    for kind in sorted({row["kind"] for row in rows}):
        keys = sorted({row["key"] for row in rows if row["kind"] == kind})
        for some in batches(keys):
            for found in connection.execute(
                select(Job.id, Job.key, Job.due_day).where(
                    Job.kind == kind,
                    Job.key.in_(some),
                    Job.state == "ready",
                )
            ):
                ids[kind, found.key, found.due_day] = found.id
    return [ids[row["kind"], row["key"], row["due_day"]] for row in rows]


def _merging(insert: Any) -> Any:
    """INSERT of a job that merges into one that is ready for the same subject and day."""
    statement = insert(Job)
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=["kind", "key", "due_day"],
        index_where=text("state = 'ready'"),
        set_={
            "priority": case((new.priority < Job.priority, new.priority), else_=Job.priority),
            "run_at": case((new.run_at < Job.run_at, new.run_at), else_=Job.run_at),
            "payload": new.payload,
        },
    )


_MERGING = for_each_dialect(_merging)


def enqueue_selected(
    session: Session,
    kind: JobKind,
    subjects: Select[str, str],
    *,
    now: datetime,
    priority: int = Priority.NORMAL,
) -> int:
    """Enqueue one job for each (key, lane) that ``subjects`` selects, in one statement.

    How many were enqueued or brought forward. Merging is that of ``enqueue_rows``.
    """
    chosen = subjects.subquery()
    key, lane = chosen.c
    common = row_for(kind, "", now=now, priority=priority)
    fixed = {k: v for k, v in common.items() if k not in ("key", "lane") and v is not None}
    values = [literal(v, Job.__table__.c[k].type).label(k) for k, v in fixed.items()]
    # SQLite reads ON CONFLICT after a SELECT without WHERE as part of a join.
    rows = select(key, lane, *values).where(key.is_not(None))
    statement = insert_into(session, Job).from_select(
        ["key", "lane", *fixed], rows, include_defaults=False
    )
    new = statement.excluded
    merged = statement.on_conflict_do_update(
        index_elements=["kind", "key", "due_day"],
        index_where=text("state = 'ready'"),
        set_={"run_at": case((new.run_at < Job.run_at, new.run_at), else_=Job.run_at)},
    )
    ring_after_commit(session)
    return len(session.execute(merged.returning(Job.id)).all())


def _held(taken: Claim) -> Any:
    return and_(Job.id == taken.id, Job.state == "running", Job.attempts == taken.attempt)


def renew(session: Session | Connection, taken: Claim, *, now: datetime) -> None:
    """Extend the lease. Raises LeaseLost."""
    _change(session, taken, lease_until=now + LEASE)


def end_leases(session: Session, *, now: datetime) -> int:
    """Whoever held a job is gone: each may be claimed again at once; how many there were.

    Only for a caller who knows that no other worker lives.
    """
    ended = session.execute(
        update(Job).where(Job.state == "running").values(lease_until=now).returning(Job.id)
    )
    return len(ended.all())


def finish(session: Session, taken: Claim, *, now: datetime) -> None:
    """The job is done. Raises LeaseLost, so that the caller's transaction rolls back."""
    _change(session, taken, state="done", finished_at=now, lease_until=None, reason=None)


def park(session: Session, taken: Claim, *, now: datetime, reason: str) -> None:
    """The job waits for a person. Raises LeaseLost. The reason is kept as far as it can be."""
    _change(session, taken, state="parked", finished_at=now, lease_until=None, reason=reason)


def retry(session: Session, taken: Claim, *, now: datetime, after: timedelta, reason: str) -> int:
    """Put the job back for later; the id that carries on (another, if one is already waiting).

    Raises LeaseLost.
    """
    due = now + after
    waiting = session.scalar(
        select(Job.id).where(
            Job.kind == taken.kind.value,
            Job.key == taken.key,
            Job.state == "ready",
            Job.due_day == local_day(due).isoformat(),
        )
    )
    if waiting is not None:
        _change(session, taken, state="done", finished_at=now, lease_until=None, reason=reason)
        return waiting
    _change(
        session,
        taken,
        state="ready",
        run_at=due,
        due_day=local_day(due).isoformat(),
        lease_until=None,
        reason=reason,
    )
    return taken.id


def _change(session: Session | Connection, taken: Claim, **values: Any) -> None:
    if values.get("reason"):
        values["reason"] = storable.text(values["reason"])
    changed = session.execute(update(Job).where(_held(taken)).values(**values).returning(Job.id))
    if changed.first() is None:
        raise LeaseLost


def backoff(attempt: int, jitter: float) -> timedelta:
    """1, 2, 4 … at most 300 seconds, times ``jitter`` (0.5 to 1.5 by the caller's dice)."""
    return timedelta(seconds=min(300, 2 ** min(attempt - 1, 9)) * jitter)


def retry_parked(session: Session, job_id: int, *, now: datetime) -> int | None:
    """Make a parked job ready again; the id that carries on, None if it is not parked."""
    job = session.get(Job, job_id, with_for_update=True)
    if job is None or job.state != "parked":
        return None
    job.state = "done"
    session.flush()
    return enqueue(
        session,
        JobKind(job.kind),
        job.key,
        now=now,
        lane=job.lane,
        priority=Priority.URGENT,
        payload=job.payload,
    )


def counts(session: Session) -> dict[str, int]:
    """How many jobs there are by state."""
    rows = session.execute(select(Job.state, func.count()).group_by(Job.state))
    return {state: count for state, count in rows}  # noqa: C416 (dict() of rows is not typed)


def recent(
    session: Session, *, state: str | None = None, before: int | None = None, limit: int = 50
) -> list[Job]:
    """Jobs newest first, one keyset page (``before`` is the last id of the page before)."""
    query = select(Job).order_by(Job.id.desc()).limit(limit)
    if state:
        query = query.where(Job.state == state)
    if before:
        query = query.where(Job.id < before)
    return list(session.scalars(query))
