"""The device authorization grant (RFC 8628)."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from directory.base.db import Base


class DeviceRequest(Base):
    """A device that waits for a person to say yes elsewhere."""

    __tablename__ = "device_request"

    id: Mapped[str] = mapped_column(primary_key=True)
    user_code_hash: Mapped[str] = mapped_column(unique=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("client.id"))
    scopes: Mapped[list[str]]
    resources: Mapped[list[str]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    interval: Mapped[int]
    """Seconds the device must wait between two questions; grows when it does not (§3.5)."""
    asked_at: Mapped[datetime | None]
    decided_at: Mapped[datetime | None]
    grant_id: Mapped[str | None] = mapped_column(ForeignKey("access_grant.id"))
    """What the person allowed; None after ``decided_at``: she said no."""
