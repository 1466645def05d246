"""What a change does outside the directory's own rows, and how far each of it has come."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.base import outbox, storable
from directory.base.db import AUTOINCREMENT, Base, Key, insert_rows
from directory.changes.table import Column


class State(StrEnum):
    """How far an effect has come."""

    PENDING = "pending"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    VERIFIED = "verified"
    LAPSED = "lapsed"
    PARKED = "parked"
    GONE = "gone"
    """The target lost what was to be cut, and not by us: final, and shown apart from verified.
    What was to be made is never gone; it is made again."""
    SUPERSEDED = "superseded"
    """A later change of the same subject took over what this effect was about."""


_ORDER = [State.PENDING, State.SENT, State.ACKNOWLEDGED, State.VERIFIED]


class Effect(Base):
    """One thing a change does outside the directory's own rows, and how far it has come."""

    __tablename__ = "effect"
    __table_args__ = (
        Index("ix_effect_change", "change_id", "id"),
        Index("ix_effect_job", "job_id"),
        Index("ix_effect_target", "kind", "target"),
        AUTOINCREMENT,
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    change_id: Mapped[str] = mapped_column(ForeignKey("change.id"))
    column: Mapped[str]
    kind: Mapped[str]
    """``account.create``, ``grant.end``, ``certificate.revoke`` …"""
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    target: Mapped[str]
    """Key of the thing: application id, grant id, certificate serial …"""
    label: Mapped[str]
    """What a person reads: the application's name, the certificate's number."""
    final: Mapped[str]
    """The state that completes it: verified, acknowledged or lapsed."""
    state: Mapped[str] = mapped_column(default=State.PENDING.value)
    detail: Mapped[dict[str, Any]]
    """What was observed, as evidence: status codes, the probe's answer, the CRL number."""
    job_id: Mapped[int | None] = mapped_column(Key)
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]
    lapses_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    """Why it is parked, in words a person can read."""

    @property
    def done(self) -> bool:
        """Whether it has reached the state its kind declares as final."""
        return is_final(self.state, self.final)

    @property
    def reached_at(self) -> datetime | None:
        """When it came to its final state, as far as that has a time."""
        if self.state == State.GONE:
            at = self.detail.get("probed_at")
            return datetime.fromisoformat(at) if at else None
        return self.verified_at or self.acknowledged_at or self.lapses_at

    @property
    def latency(self) -> timedelta | None:
        """From the moment it was due until its final state."""
        reached = self.reached_at
        return reached - self.due_at if self.done and reached else None


def is_final(state: str, final: str) -> bool:
    """Whether ``state`` completes an effect that declares ``final``."""
    return state in (final, State.VERIFIED, State.LAPSED, State.GONE, State.SUPERSEDED)


@dataclass(frozen=True)
class Foreseen:
    """An effect as a preview announces it."""

    column: Column
    kind: str
    user_id: int
    target: str
    label: str
    count: int = 1
    counted: bool = False
    """True for sessions and grants: a count at this moment, cut by predicate, not promised."""
    detail: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For JSON and for the fingerprint."""
        return {
            "artefact": self.column.value,
            "kind": self.kind,
            "user": self.user_id,
            "target": self.target,
            "label": self.label,
            "count": self.count,
            "counted": self.counted,
            "detail": self.detail,
        }


@dataclass(frozen=True)
class Due:
    """An effect as a commit orders it: the row to write and the job that carries it out."""

    column: Column
    kind: str
    user_id: int
    target: str
    label: str
    final: State
    state: State = State.PENDING
    detail: dict[str, Any] = field(default_factory=dict)
    job: dict[str, Any] | None = None
    """From ``outbox.row_for``; None where the commit itself completes the effect."""
    lapses_at: datetime | None = None


def order(session: Session, change_id: str, dues: Iterable[Due], *, now: datetime) -> None:
    """Write effects and enqueue their jobs in the caller's transaction."""
    dues = list(dues)
    job_rows = [d.job for d in dues if d.job is not None]
    job_ids = iter(outbox.enqueue_rows(session, job_rows))
    rows = []
    for d in dues:
        due_at = d.job["run_at"] if d.job else now
        rows.append(
            {
                "change_id": change_id,
                "column": d.column.value,
                "kind": d.kind,
                "user_id": d.user_id,
                "target": d.target,
                "label": d.label,
                "final": d.final.value,
                "state": d.state.value,
                "detail": d.detail,
                "job_id": next(job_ids) if d.job is not None else None,
                "created_at": now,
                "due_at": max(due_at, now) if d.job else now,
                "acknowledged_at": now if d.state == State.ACKNOWLEDGED else None,
                "verified_at": now if d.state == State.VERIFIED else None,
                "sent_at": None,
                "lapses_at": d.lapses_at,
                "reason": None,
            }
        )
    insert_rows(session, Effect, rows)


def of_change(session: Session, change_id: str) -> list[Effect]:
    """All effects of a change in the order they were written."""
    return list(
        session.scalars(select(Effect).where(Effect.change_id == change_id).order_by(Effect.id))
    )


def of_job(session: Session, job_id: int) -> list[Effect]:
    """The effects one job carries (several changes may wait for the same job)."""
    return list(session.scalars(select(Effect).where(Effect.job_id == job_id).order_by(Effect.id)))


def advance(
    session: Session,
    effects: Iterable[Effect],
    state: State,
    *,
    at: datetime,
    detail: dict[str, Any] | None = None,
    reason: str | None = None,
) -> set[str]:
    """Move effects on; never backwards from a later state except out of ``parked``.

    Returns the ids of the changes touched, for ``changes.settle``.
    """
    touched = set()
    for effect in effects:
        if effect.done or (
            state in _ORDER
            and effect.state in _ORDER
            and _ORDER.index(state) < _ORDER.index(State(effect.state))
        ):
            continue
        effect.state = state.value
        effect.reason = storable.text(reason) if reason else reason
        if detail:
            effect.detail = effect.detail | storable.json(detail)
        stamp = {
            State.SENT: "sent_at",
            State.ACKNOWLEDGED: "acknowledged_at",
            State.VERIFIED: "verified_at",
        }.get(state)
        if stamp:
            setattr(effect, stamp, at)
        touched.add(effect.change_id)
    session.flush()
    return touched


def carry_over(session: Session, old_job: int, new_job: int) -> None:
    """Effects that waited for one job wait for another (after a merge or a retry)."""
    session.execute(update(Effect).where(Effect.job_id == old_job).values(job_id=new_job))
