"""Initial access tokens (RFC 7591 §3): who may register clients, how many, until when."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from directory.base.db import AUTOINCREMENT, Base, Key


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
