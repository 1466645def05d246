"""The certificates that were issued, as pages and the command line show them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.pki import revocations, trust
from connectors.pki.tables import Certificate, CertificateStanding, CertificateState


@dataclass(frozen=True)
class CertificateView:
    """A person's certificate as pages show it."""

    id: int
    serial: str
    profile: str
    title: str
    subject: str
    not_before: datetime
    not_after: datetime
    issued_at: datetime | None
    standing: CertificateStanding
    held: revocations.MarkSummary | None
    """Since when and why it is distrusted or revoked."""


def certificates_of(session: Session, user_id: int, *, now: datetime) -> list[CertificateView]:
    """All certificates ever issued to a person, newest first, as they stand now."""
    rows = session.scalars(
        select(Certificate)
        .where(Certificate.user_id == user_id, Certificate.state == CertificateState.ISSUED.value)
        .order_by(Certificate.id.desc())
    ).all()
    held = revocations.held(session, [c.id for c in rows], now=now)
    return [
        CertificateView(
            c.id,
            c.serial,
            c.profile,
            c.title,
            c.subject,
            c.not_before,
            c.not_after,
            c.issued_at,
            trust.standing(c, held.get(c.id), now=now),
            held.get(c.id),
        )
        for c in rows
    ]


def by_serial(session: Session, serial: str) -> Certificate | None:
    """The issued certificate with this serial (hexadecimal, colons allowed)."""
    wanted = serial.replace(":", "").strip().lower().rjust(32, "0")
    return session.scalars(
        select(Certificate)
        .where(Certificate.serial == wanted, Certificate.state == CertificateState.ISSUED.value)
        .order_by(Certificate.id.desc())
        .limit(1)
    ).one_or_none()
