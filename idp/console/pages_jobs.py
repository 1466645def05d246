"""Jobs as an administrator sees them, and the one thing she can do: let a parked one run again."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from connectors.notices import told
from connectors.notices.words import WORDS
from connectors.pki import naming
from connectors.pki.tables import Authority
from directory import entitlements
from directory.base import audit, outbox
from directory.base.audit import Actor, Tag
from directory.base.errors import Conflict
from directory.base.outbox import Job, JobKind
from directory.changes import effects, proof
from directory.changes.effects import State
from directory.people import User
from idp.web.i18n import gettext

STATES = ("ready", "running", "parked", "done")


@dataclass(frozen=True)
class JobRow:
    """A job in words."""

    job: Job
    subject: str


@dataclass(frozen=True)
class JobsPage:
    """Counts by state and one page of jobs."""

    counts: dict[str, int]
    rows: list[JobRow]
    before: int | None


def listed(session: Session, *, state: str | None, before: int | None) -> JobsPage:
    """Jobs newest first; those that wait for a person when no state is named and any do."""
    counts = outbox.counts(session)
    jobs = outbox.recent(session, state=state, before=before, limit=51)
    more = jobs[49].id if len(jobs) > 50 else None
    names = {a.id: a.name for a in entitlements.applications(session)}
    return JobsPage(counts, [JobRow(j, _subject(session, j, names)) for j in jobs[:50]], more)


def _subject(session: Session, job: Job, names: dict[int, str]) -> str:
    first, _, second = job.key.partition(":")
    if job.kind == JobKind.ACCOUNT_APPLY.value and second.isdecimal():
        return f"{_person(session, first)} · {names.get(int(second), second)}"
    if job.kind in (JobKind.SUBJECT_BOUNDARY.value, JobKind.ACCESS_OVER.value):
        return _person(session, first)
    if job.kind == JobKind.NOTICE_SEND.value and first.isdecimal():
        return _notice(session, int(first)) or job.key
    if job.kind == JobKind.CRL_PUBLISH.value and first.isdecimal():
        return _authority(session, int(first)) or job.key
    return gettext("Các đơn vị") if job.kind == JobKind.TREE_BOUNDARY.value else job.key


def _authority(session: Session, authority_id: int) -> str:
    authority = session.get(Authority, authority_id)
    return naming.common_name(authority.subject) if authority else ""


def _notice(session: Session, notice_id: int) -> str:
    found = told.subject_of(session, notice_id)
    if found is None:
        return ""
    what, user_id = found
    name = _person(session, str(user_id))
    return f"{name} · {gettext(WORDS[what].subject, name=name)}"


def _person(session: Session, user_id: str) -> str:
    user = session.get(User, int(user_id)) if user_id.isdecimal() else None
    return user.full_name if user else user_id


def retry(session: Session, job_id: int, *, actor: Actor, now: datetime) -> None:
    """A parked job runs again, and the effects that hang on it wait again. Raises Conflict."""
    heir = outbox.retry_parked(session, job_id, now=now)
    if heir is None:
        raise Conflict("not_parked", "Công việc này không ở trạng thái chờ xử lý.")
    touched = effects.advance(session, effects.of_job(session, job_id), State.PENDING, at=now)
    effects.carry_over(session, job_id, heir)
    proof.settle(session, touched, now=now)
    audit.record(
        session,
        Tag.JOB_RETRIED,
        at=now,
        actor=actor,
        subject=("job", job_id),
        data={"job": heir},
    )
