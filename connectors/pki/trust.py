"""Whether a certificate is good for us, decided in the directory at the moment of use.

A certificate presented at sign-in is bound to its person by (issuer, serial), or by the hash of
its key where only that is known; never by what its DN says. Distrust counts from its moment on,
also while the revocation it belongs to is still on its way to everybody else.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.pki import revocations
from connectors.pki.tables import Authority, Certificate, CertificateStanding, CertificateState


class Distrust(StrEnum):
    """Why a certificate is not believed."""

    UNKNOWN = "unknown"
    """No authority of ours issued it."""
    EARLY = "not yet valid"
    EXPIRED = "expired"
    DISTRUSTED = "distrusted"
    REVOKED = "revoked"


@dataclass(frozen=True)
class UntrustedCertificate:
    """A certificate that is not believed. ``certificate`` is None where it is unknown."""

    refusal: Distrust
    certificate: Certificate | None = None


_REFUSALS = {
    CertificateStanding.EARLY: Distrust.EARLY,
    CertificateStanding.EXPIRED: Distrust.EXPIRED,
    CertificateStanding.HELD: Distrust.DISTRUSTED,
    CertificateStanding.REVOKED: Distrust.REVOKED,
}


def trusted(
    session: Session,
    *,
    issuer: str,
    serial: str | None = None,
    spki: str | None = None,
    now: datetime,
) -> Certificate | UntrustedCertificate:
    """The certificate, if it is believed at this moment; else why not.

    ``issuer`` is the issuer's DN as RFC 4514 text, ``serial`` hexadecimal, ``spki`` the SHA-256
    of the SubjectPublicKeyInfo. Where both are given both must fit. Of several certificates of
    one key the newest decides. Whether its person may act is the session's question.
    """
    if serial is None and spki is None:
        return UntrustedCertificate(Distrust.UNKNOWN)
    wanted = [Authority.subject == issuer, Certificate.state == CertificateState.ISSUED.value]
    if serial is not None:
        wanted.append(Certificate.serial == serial.lower().rjust(32, "0"))
    if spki is not None:
        wanted.append(Certificate.spki_hash == spki.lower())
    found = session.scalars(
        select(Certificate)
        .join(Authority, Authority.id == Certificate.authority_id)
        .where(*wanted)
        .order_by(Certificate.id.desc())
        .limit(1)
    ).one_or_none()
    if found is None:
        return UntrustedCertificate(Distrust.UNKNOWN)
    held = revocations.held(session, [found.id], now=now).get(found.id)
    now_is = standing(found, held, now=now)
    return (
        found
        if now_is is CertificateStanding.GOOD
        else UntrustedCertificate(_REFUSALS[now_is], found)
    )


def standing(
    certificate: Certificate, held: revocations.MarkSummary | None, *, now: datetime
) -> CertificateStanding:
    """What an issued certificate is worth at a moment; what holds it back is told first."""
    if held is not None:
        return held.standing
    if now < certificate.not_before:
        return CertificateStanding.EARLY
    return CertificateStanding.EXPIRED if certificate.not_after <= now else CertificateStanding.GOOD
