"""Making one certificate, in three steps, so that a crash never leaves one we do not know of.

    intend   one transaction: serial, contents and key are written down
    sign     no transaction
    settle   another transaction: the signed bytes; only now may they leave this process
    note     its entry in the audit trail

What a certificate says is decided here from the directory, never by the applicant.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from connectors.pki import orders
from connectors.pki.authority import BACKDATED, certificate_of, end_of, signer
from connectors.pki.keys import PublicKey, spki
from connectors.pki.naming import published, serial
from connectors.pki.profiles import CertificateProfile
from connectors.pki.tables import (
    Authority,
    Certificate,
    CertificateMark,
    CertificateState,
    RevocationReason,
)
from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.errors import Conflict, InvalidInput
from directory.entitlements import Installation


@dataclass(frozen=True)
class Contents:
    """Everything a certificate will say, decided by us."""

    profile: CertificateProfile
    subject: x509.Name
    title: str
    """The subject in short, for people."""
    alternatives: tuple[x509.GeneralName, ...]
    lifetime: timedelta
    user_id: int | None = None
    username: str | None = None
    assignment_id: int | None = None
    unit_id: int | None = None
    ends_at: datetime | None = None
    """When what it says is known to be true no longer."""


def intend(
    session: Session, authority: Authority, contents: Contents, key: PublicKey, *, now: datetime
) -> Certificate:
    """Write down the certificate that is about to be signed. Raises InvalidInput for a key that
    belongs to somebody else or has been compromised.
    """
    _require_free(session, key, contents.user_id)
    end = now + min(contents.lifetime, contents.profile.lifetime)
    row = Certificate(
        authority_id=authority.id,
        serial=serial(),
        profile=contents.profile.name,
        user_id=contents.user_id,
        username=contents.username,
        assignment_id=contents.assignment_id,
        unit_id=contents.unit_id,
        subject=contents.subject.rfc4514_string(),
        title=contents.title,
        spki_hash=spki(key),
        state=CertificateState.INTENDED.value,
        intended_at=now,
        not_before=(now - BACKDATED).replace(microsecond=0),
        not_after=end_of(min(end, contents.ends_at or end), authority),
    )
    session.add(row)
    session.flush()
    return row


def _require_free(session: Session, key: PublicKey, user_id: int | None) -> None:
    digest = spki(key)
    owners = session.scalars(
        select(Certificate.user_id).where(
            Certificate.spki_hash == digest, Certificate.state != CertificateState.ABANDONED.value
        )
    ).all()
    compromised = session.scalar(
        select(CertificateMark.id)
        .join(Certificate, Certificate.id == CertificateMark.certificate_id)
        .where(
            Certificate.spki_hash == digest,
            CertificateMark.reason == RevocationReason.KEY_COMPROMISE.value,
        )
        .limit(1)
    )
    if compromised is not None or any(owner != user_id for owner in owners):
        raise InvalidInput(
            "csr_key_used", "Khóa này không dùng được; hãy tạo khóa mới.", field="csr"
        )


def sign(
    keyring: Keyring,
    settings: Settings,
    authority: Authority,
    intended: Certificate,
    contents: Contents,
    key: PublicKey,
) -> x509.Certificate:
    """Sign what was intended. Touches no database."""
    issuer = certificate_of(authority)
    private = signer(keyring, authority)
    builder = (
        x509.CertificateBuilder()
        .subject_name(contents.subject)
        .issuer_name(issuer.subject)
        .public_key(key)
        .serial_number(int(intended.serial, 16))
        .not_valid_before(intended.not_before)
        .not_valid_after(intended.not_after)
    )
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        *contents.profile.usages(),
        (x509.SubjectAlternativeName(contents.alternatives), False),
        (x509.SubjectKeyIdentifier.from_public_key(key), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(private.public_key()), False),
        *published(settings.pki, crl="crl.der", issuer="ca.crt"),
    ]
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    signed = builder.sign(private, SHA256())
    signed.verify_directly_issued_by(issuer)
    return signed


def require_intended(session: Session, intended: Certificate, signed: x509.Certificate) -> None:
    """Raises InvalidInput unless this is the certificate that was asked of its authority: its
    key, its name, no longer than wanted, and signed by it.
    """
    issuer = certificate_of(session.get_one(Authority, intended.authority_id))
    key = signed.public_key()
    try:
        signed.verify_directly_issued_by(issuer)
        genuine = isinstance(key, PublicKey) and spki(key) == intended.spki_hash
    except (ValueError, TypeError, InvalidSignature):
        genuine = False
    if (
        not genuine
        or signed.subject.rfc4514_string() != intended.subject
        or signed.not_valid_after_utc > intended.not_after
    ):
        raise InvalidInput(
            "certificate_not_asked_for", "Đây không phải chứng thư đã yêu cầu.", field="certificate"
        )


def settle(
    session: Session,
    certificate_id: int,
    signed: x509.Certificate | None,
    *,
    now: datetime,
    of: CertificateState = CertificateState.INTENDED,
) -> None:
    """The intended certificate was issued, or (None) must never leave. Happens once; one that was
    given up (``of`` ABANDONED) may turn out to have been signed all the same.

    Raises Conflict when it has been settled before.
    """
    values: dict[str, object] = {"state": CertificateState.ABANDONED.value}
    if signed is not None:
        number = f"{signed.serial_number:032x}"
        orders.renumbered(session, session.get_one(Certificate, certificate_id), number)
        values = {
            "state": CertificateState.ISSUED.value,
            "der": signed.public_bytes(Encoding.DER),
            "issued_at": now,
            # Another's authority numbers and dates what it signs.
            "serial": number,
            "not_before": signed.not_valid_before_utc,
            "not_after": signed.not_valid_after_utc,
        }
    changed = session.execute(
        update(Certificate)
        .where(
            Certificate.id == certificate_id,
            Certificate.state == of.value,
        )
        .values(**values)
        .returning(Certificate.id)
    )
    if changed.first() is None:
        raise Conflict("certificate_settled", "Chứng thư này đã được xử lý.")


def note(
    session: Session, issued: Certificate, actor: Actor, now: datetime, asked_for: str
) -> None:
    """An audit entry; ``asked_for`` is the number by which entries from before it was signed call it."""
    intended = {} if issued.serial == asked_for else {"intended": asked_for}
    audit.record(
        session,
        Tag.CERTIFICATE_ISSUE,
        at=now,
        actor=actor,
        subject=("certificate", issued.serial),
        data={"user": issued.user_id, "profile": issued.profile, "spki": issued.spki_hash}
        | intended,
    )


def installation_name(session: Session) -> str:
    """The organisation a certificate names where no unit gives one."""
    return session.scalars(select(Installation.name)).one()
