"""Answers to forms: kept so that a form sent twice acts once, and a page shown once may reload.

A row is claimed before the form is acted upon and completed with its answer. What the answer
holds (headers, body) is sealed under a key that only the browser's cookie has, for a minute or as
long as the page says; where it led is kept for a day. Rows go with the session they belong to.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.base.db import Base, core
from directory.base.rows import batches, insert_into

SHOWN_FOR = timedelta(minutes=1)
KEPT_FOR = timedelta(days=1)


class FormAnswer(Base):
    """What a form led to, or that it is being acted upon."""

    __tablename__ = "form_answer"

    digest: Mapped[str] = mapped_column(primary_key=True)
    """Keyed hash, under the browser's own key, of where the form went and all it held."""
    session_id: Mapped[str | None] = mapped_column(index=True)
    """None for what outlives or begins a session."""
    begun_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    status: Mapped[int | None]
    """None while it is being acted upon."""
    location: Mapped[str | None]
    sealed: Mapped[str | None]
    sealed_until: Mapped[datetime | None]


@dataclass(frozen=True)
class Kept:
    """An answer as a request finds it."""

    digest: str
    session_id: str | None
    begun_at: datetime
    status: int | None
    location: str | None
    sealed: str | None
    """None once the minute is over."""


def find(where: Connection | Session, digest: str, *, now: datetime) -> Kept | None:
    """The answer under this digest."""
    row = (
        core(where)
        .execute(select(FormAnswer).where(FormAnswer.digest == digest, FormAnswer.expires_at > now))
        .one_or_none()
    )
    if row is None:
        return None
    fresh = row.sealed_until is not None and row.sealed_until > now
    return Kept(
        row.digest,
        row.session_id,
        row.begun_at,
        row.status,
        row.location,
        row.sealed if fresh else None,
    )


def claim(session: Session, digest: str, *, session_id: str, now: datetime) -> bool:
    """Whether this request is the one that acts upon the form: of several at once, one is."""
    columns = {
        "session_id": session_id,
        "begun_at": now,
        "expires_at": now + KEPT_FOR,
        "status": None,
        "location": None,
        "sealed": None,
        "sealed_until": None,
    }
    taken = session.execute(
        insert_into(session, FormAnswer)
        .values(digest=digest, **columns)
        .on_conflict_do_update(
            index_elements=["digest"], set_=columns, where=FormAnswer.expires_at <= now
        )
        .returning(FormAnswer.digest)
        .execution_options(synchronize_session=False)
    ).first()
    return taken is not None


def keep(  # noqa: PLR0913 (one keyword per column)
    session: Session,
    digest: str,
    *,
    session_id: str | None,
    status: int,
    location: str | None,
    sealed: str,
    now: datetime,
    shown_for: timedelta = SHOWN_FOR,
) -> None:
    """Complete a claimed row, or write a whole one. A refusal is forgotten after the minute."""
    columns = {
        "session_id": session_id,
        "expires_at": now + (KEPT_FOR if status < 400 else shown_for),
        "status": status,
        "location": location,
        "sealed": sealed,
        "sealed_until": now + shown_for,
    }
    session.execute(
        insert_into(session, FormAnswer)
        .values(digest=digest, begun_at=now, **columns)
        .on_conflict_do_update(index_elements=["digest"], set_=columns)
    )


def drop(session: Session, digest: str) -> None:
    """Nothing was done: the form may be sent again."""
    session.execute(delete(FormAnswer).where(FormAnswer.digest == digest))


def drop_of(session: Session, session_ids: Iterable[str]) -> None:
    """These sessions are over: nothing of theirs is shown again."""
    wanted = sorted(session_ids)
    for some in batches(wanted):
        session.execute(
            update(FormAnswer)
            .where(FormAnswer.session_id.in_(some))
            .values(sealed=None, sealed_until=None)
            .execution_options(synchronize_session=False)
        )


def purge(session: Session, *, now: datetime) -> None:
    """Forget what is too old; what was sealed as soon as its minute is over."""
    session.execute(delete(FormAnswer).where(FormAnswer.expires_at <= now))
    session.execute(
        update(FormAnswer)
        .where(FormAnswer.sealed_until <= now)
        .values(sealed=None, sealed_until=None)
        .execution_options(synchronize_session=False)
    )
