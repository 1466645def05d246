"""An Idempotency-Key leads to one change: whoever sends it again is given that one.

The key is claimed in the commit's own transaction by one INSERT; who comes at the same moment waits
for it there. A refused plan leaves no key behind.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import UniqueConstraint, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory import permissions
from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.base.db import AUTOINCREMENT, Base, Key
from directory.base.errors import InvalidInput, NotAllowed
from directory.base.rows import insert_into
from directory.changes import history
from directory.changes.model import Change, Spec


class Idempotency(Base):
    """An Idempotency-Key that has led to a change; kept per caller for seven days."""

    __tablename__ = "idempotency"
    __table_args__ = (UniqueConstraint("caller", "key"), AUTOINCREMENT)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    caller: Mapped[str]
    key: Mapped[str]
    body_hash: Mapped[str]
    change_id: Mapped[str | None]
    expires_at: Mapped[datetime] = mapped_column(index=True)


@dataclass(frozen=True)
class Keyed:
    """A request under a key, which may come again: whose it is, and for what."""

    actor: Actor
    key: str
    spec: Spec
    verb: str = ""
    """What is to be done with it, where that is not to commit it."""

    @property
    def digest(self) -> str:
        """SHA-256 of what is asked for."""
        return _digest(self.spec, self.verb)

    def is_of(self, digest: str, day: date) -> bool:
        """Whether this is the request of that digest, which led to something on a day: who names
        none asks for the day on which it was made, also when midnight has passed since.
        """
        if self.digest == digest:
            return True
        return not self.spec.day_said and _digest(self.spec.on(day), self.verb) == digest


def _digest(spec: Spec, verb: str) -> str:
    body = json.dumps(spec.as_dict(), sort_keys=True, ensure_ascii=False) + verb
    return hashlib.sha256(body.encode()).hexdigest()


def claim(
    session: Session, keyed: Keyed, change_id: str, *, now: datetime, keep: timedelta
) -> Change | None:
    """Take the key for this change; the earlier change where it has led to one.

    Raises InvalidInput for a key that was used with another body, and NotAllowed to whoever may no
    longer see what it led to.
    """
    row = take(session, keyed, change_id, now=now, keep=keep)
    if row is None:
        return None
    granted = permissions.rights(session, keyed.actor, local_day(now))
    seen = select(Change).where(Change.id == row.change_id, history.visible(granted))
    earlier = session.scalars(seen).one_or_none()
    if earlier is None:
        raise NotAllowed("not_allowed", "Không có quyền thực hiện việc này.", missing="source")
    require_same(row, keyed, earlier.effective_on)
    return earlier


def take(
    session: Session, keyed: Keyed, result: str, *, now: datetime, keep: timedelta
) -> Idempotency | None:
    """None when the key is now taken for this result; else the row of who took it before."""
    mine = (Idempotency.caller == keyed.actor.key, Idempotency.key == keyed.key)
    session.execute(delete(Idempotency).where(*mine, Idempotency.expires_at <= now))
    claimed = session.execute(
        insert_into(session, Idempotency)
        .values(
            caller=keyed.actor.key,
            key=keyed.key,
            body_hash=keyed.digest,
            change_id=result,
            expires_at=now + keep,
        )
        .on_conflict_do_nothing(index_elements=["caller", "key"])
        .returning(Idempotency.id)
    ).first()
    if claimed is not None:
        return None
    return session.scalars(select(Idempotency).where(*mine)).one()


def lead(session: Session, actor: Actor, key: str, result: str) -> None:
    """The key leads to this result."""
    session.execute(
        update(Idempotency)
        .where(Idempotency.caller == actor.key, Idempotency.key == key)
        .values(change_id=result)
    )


def require_same(row: Idempotency, keyed: Keyed, day: date) -> None:
    """Raises InvalidInput for a key that was used with another body; ``day`` is that of what it
    led to.
    """
    if not keyed.is_of(row.body_hash, day):
        raise InvalidInput(
            "idempotency_key",
            "Idempotency-Key này đã dùng cho một yêu cầu khác.",
            field="Idempotency-Key",
        )
