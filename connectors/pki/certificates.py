"""What many people hold, read in bulk for a change that concerns them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.pki import revocations
from connectors.pki.tables import (
    Certificate,
    CertificateMark,
    CertificateRequest,
    CertificateStanding,
    CertificateState,
    RequestState,
)
from directory.base.rows import batches
from directory.changes.table import Event


def alive(session: Session, users: Sequence[int], at: datetime) -> dict[int, list[Certificate]]:
    """Each person's certificates that reach a moment unrevoked, those being made among them.

    One that ends at that very moment is among them too: it was cut short because of what
    happens then (``requests``), and is to be seen revoked like any other.
    """
    found = [
        certificate
        for some in batches(users)
        for certificate in session.scalars(
            select(Certificate)
            .where(
                Certificate.user_id.in_(some),
                Certificate.state != CertificateState.ABANDONED.value,
                Certificate.not_after >= at,
            )
            .order_by(Certificate.id)
        )
    ]
    held = revocations.held(session, [c.id for c in found], now=at)
    alive: dict[int, list[Certificate]] = {}
    for certificate in found:
        mark = held.get(certificate.id)
        if mark is None or mark.standing is not CertificateStanding.REVOKED:
            alive.setdefault(certificate.user_id or 0, []).append(certificate)
    return alive


def suspended(session: Session, certificates: Sequence[int], at: datetime) -> set[int]:
    """Those a suspension distrusts at a moment."""
    return {
        id_
        for some in batches(certificates)
        for id_ in session.scalars(
            select(CertificateMark.certificate_id).where(
                CertificateMark.certificate_id.in_(some),
                CertificateMark.cause == Event.SUSPEND.value,
                CertificateMark.at <= at,
                CertificateMark.lifted_at.is_(None),
            )
        )
    }


def requested(session: Session, users: Sequence[int]) -> set[tuple[int, str]]:
    """(person, profile) of requests that are open already."""
    return {
        (user_id, profile)
        for some in batches(users)
        for user_id, profile in session.execute(
            select(CertificateRequest.user_id, CertificateRequest.profile).where(
                CertificateRequest.user_id.in_(some),
                CertificateRequest.state == RequestState.OPEN.value,
            )
        )
    }
