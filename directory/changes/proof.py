"""Proof: every effect of a change with its state, times and latency; ``settled`` when all are final."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.errors import NotFound
from directory.changes import effects
from directory.changes.effects import Effect, State
from directory.changes.model import Change, ChangeLine, ChangeState
from directory.changes.table import Event


@dataclass(frozen=True)
class Proof:
    """A change with everything that was written and everything that followed."""

    change: Change
    lines: list[ChangeLine]
    effects: list[Effect]

    @property
    def settled(self) -> bool:
        """Whether every effect has reached the state its kind declares as final."""
        return self.change.settled_at is not None

    @property
    def starters(self) -> list[tuple[int, str]]:
        """Those who are to get a slip next: who is new here, or back. (id, name)"""
        return [
            (line.user_id, line.label)
            for line in self.lines
            if line.table == "users" and line.user_id is not None
            if line.action == "create" or self.change.event_of(line.user_id) == Event.REJOIN
        ]


def proof(session: Session, change_id: str) -> Proof:
    """The proof of a change as it stands. Raises NotFound."""
    change = session.get(Change, change_id)
    if change is None:
        raise NotFound("change_unknown", "Không tìm thấy thay đổi này.")
    lines = session.scalars(
        select(ChangeLine).where(ChangeLine.change_id == change_id).order_by(ChangeLine.id)
    )
    return Proof(change, list(lines), effects.of_change(session, change_id))


def settle(session: Session, change_ids: Iterable[str], *, now: datetime) -> None:
    """Bring the overall state of changes up to date after some of their effects moved.

    The change's row is locked before its effects are read: two workers that finish the last
    two effects at once must not each see the other's as still open.
    """
    for change in session.scalars(
        select(Change)
        .where(Change.id.in_(sorted(set(change_ids))))
        .order_by(Change.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ):
        found = session.execute(
            select(Effect.state, Effect.final).where(Effect.change_id == change.id).distinct()
        ).all()
        change.needs_attention = any(state == State.PARKED.value for state, _ in found)
        if change.state != ChangeState.COMMITTED.value:
            continue
        if all(effects.is_final(state, final) for state, final in found):
            change.state = ChangeState.SETTLED.value
            change.settled_at = now
            audit.record(
                session,
                Tag.CHANGE_SETTLED,
                at=now,
                actor=Actor.system(),
                subject=("change", change.id),
                change_id=change.id,
            )
    session.flush()


def recent(
    session: Session, *, before: tuple[datetime, str] | None = None, limit: int = 50
) -> list[Change]:
    """Changes newest first, one keyset page."""
    query = select(Change).order_by(Change.committed_at.desc(), Change.id.desc()).limit(limit)
    if before is not None:
        at, change_id = before
        query = query.where(
            (Change.committed_at < at) | ((Change.committed_at == at) & (Change.id < change_id))
        )
    return list(session.scalars(query))
