"""Initial access tokens (RFC 7591 §3): who may register clients, how many, until when."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.crypto import Keyring, random_secret
from directory.base.db import AUTOINCREMENT, Base, Key
from directory.base.errors import InvalidInput, NotFound

PREFIX = "ddi_"
"""Lets people and secret scanners recognise a leaked one."""
MOST_USES = 100_000
LONGEST = timedelta(days=3660)


class Invite(Base):
    """An initial access token, kept as a keyed hash."""

    __tablename__ = "client_invite"
    __table_args__ = (AUTOINCREMENT,)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    note: Mapped[str]
    uses_left: Mapped[int]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


def issue(
    session: Session,
    *,
    uses: int,
    lifetime: timedelta,
    note: str = "",
    keyring: Keyring,
    actor: Actor,
    now: datetime,
) -> str:
    """A new initial access token, shown once. Raises InvalidInput."""
    if not 1 <= uses <= MOST_USES:
        raise InvalidInput(
            "invite_uses", "Số lần dùng từ 1 đến {most}.", field="uses", most=MOST_USES
        )
    if not timedelta(0) < lifetime <= LONGEST:
        raise InvalidInput("invite_days", "Thời hạn không hợp lệ.", field="days")
    text = PREFIX + random_secret()
    made = Invite(
        token_hash=_hash(keyring, text),
        note=note.strip()[:200],
        uses_left=uses,
        created_at=now,
        expires_at=now + lifetime,
    )
    session.add(made)
    session.flush()
    data = {"action": "issue", "uses": uses, "until": made.expires_at.isoformat()}
    _record(session, made.id, actor, now, data)
    return text


def good(connection: Connection, text: str, *, keyring: Keyring, now: datetime) -> bool:
    """Whether it could be used at this moment. Using it is another matter."""
    found = connection.execute(
        select(Invite.id).where(
            Invite.token_hash == _hash(keyring, text),
            Invite.uses_left > 0,
            Invite.expires_at > now,
        )
    )
    return found.first() is not None


def consume(session: Session, text: str, *, keyring: Keyring, now: datetime) -> str | None:
    """Use it once: its note, None where it is unknown, used up or too old. One UPDATE, so that
    of two at once only as many succeed as it has uses.
    """
    note: str | None = session.execute(
        update(Invite)
        .where(
            Invite.token_hash == _hash(keyring, text),
            Invite.uses_left > 0,
            Invite.expires_at > now,
        )
        .values(uses_left=Invite.uses_left - 1)
        .returning(Invite.note)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    return note


def standing(session: Session, *, now: datetime) -> list[Invite]:
    """Those that can still be used, the newest first."""
    return list(
        session.scalars(
            select(Invite)
            .where(Invite.uses_left > 0, Invite.expires_at > now)
            .order_by(Invite.id.desc())
        )
    )


def withdraw(session: Session, invite_id: int, *, actor: Actor, now: datetime) -> None:
    """It is good no longer; what was registered with it stays. Raises NotFound."""
    found = session.execute(
        update(Invite).where(Invite.id == invite_id).values(uses_left=0).returning(Invite.id)
    )
    if found.first() is None:
        raise NotFound("invite_unknown", "Không có mã mời này.")
    _record(session, invite_id, actor, now, {"action": "withdraw"})


def purge(session: Session, *, now: datetime) -> None:
    """Forget those that are too old."""
    session.execute(delete(Invite).where(Invite.expires_at < now))


def _hash(keyring: Keyring, text: str) -> str:
    return keyring.keyed_hash("client-invite", text)


def _record(
    session: Session, invite_id: int, actor: Actor, now: datetime, data: dict[str, object]
) -> None:
    audit.record(
        session,
        Tag.CLIENT_CHANGE,
        at=now,
        actor=actor,
        subject=("client_invite", invite_id),
        data=data,
    )
