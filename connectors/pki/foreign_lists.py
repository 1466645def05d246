"""Revocation lists of other authorities (RFC 5280 §5), brought in as files.

One per authority, the newest. A list that has ended says nothing any more: whoever needs it refuses,
however long the setting ``certificate_list_grace`` lets it be used beyond its end.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID
from sqlalchemy import ForeignKey, LargeBinary, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from connectors.pki.hierarchies import Hierarchy, HierarchyAuthority
from directory.base.db import AUTOINCREMENT, Base, Key
from directory.base.errors import Conflict, InvalidInput
from directory.base.remembered import Remembered

SOON = timedelta(days=2)
"""So long before its end a list is asked for anew."""
_READ = Remembered(8)
"""Lists as they were read: they are large, and one says the same for ever."""


class HierarchyList(Base):
    """The newest list that was brought in of one authority."""

    __tablename__ = "hierarchy_list"
    __table_args__ = (AUTOINCREMENT,)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    authority_id: Mapped[int] = mapped_column(ForeignKey("hierarchy_authority.id"), unique=True)
    this_update: Mapped[datetime]
    next_update: Mapped[datetime]
    fingerprint: Mapped[str]
    """SHA-256 of the list, hexadecimal."""
    der: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    brought_in_at: Mapped[datetime]


@dataclass(frozen=True)
class Overdue:
    """An authority whose list has ended, will soon, or was never brought in."""

    hierarchy: str
    authority: str
    next_update: datetime | None


def bring_in(session: Session, content: bytes, *, now: datetime) -> HierarchyList:
    """Use this list from now on. Raises InvalidInput for what is none, or none of an authority that is
    believed here; Conflict for one that is older than the one that is used.
    """
    found = _parsed(content)
    authority = _issuer(session, found)
    if authority is None:
        raise InvalidInput(
            "list_of_nobody",
            "Danh sách thu hồi này không phải của cơ quan chứng thực nào đã được tin cậy ở đây.",
            field="file",
        )
    until = found.next_update_utc
    if until is None or _partial(found):
        raise InvalidInput(
            "list_partial",
            "Danh sách thu hồi này không có ngày hết hạn, hoặc chỉ là một phần của danh sách.",
            field="file",
        )
    of = HierarchyList.authority_id == authority.id
    before = session.scalars(select(HierarchyList).where(of).with_for_update()).one_or_none()
    if before is not None:
        if found.last_update_utc < before.this_update:
            raise Conflict(
                "list_older", "Đã có danh sách thu hồi mới hơn của cơ quan này, nên không thay."
            )
        session.delete(before)
        session.flush()
    made = HierarchyList(
        authority_id=authority.id,
        this_update=found.last_update_utc,
        next_update=until,
        fingerprint=found.fingerprint(SHA256()).hex(),
        der=found.public_bytes(Encoding.DER),
        brought_in_at=now,
    )
    session.add(made)
    session.flush()
    return made


def of(session: Session, authority_id: int) -> HierarchyList | None:
    """The list of an authority, if one was brought in."""
    wanted = HierarchyList.authority_id == authority_id
    return session.scalars(select(HierarchyList).where(wanted)).one_or_none()


def good(row: HierarchyList, *, grace: timedelta, now: datetime) -> bool:
    """Whether it still says something."""
    return now <= row.next_update + grace


def names(row: HierarchyList, serial: int) -> bool:
    """Whether it lists this certificate."""
    published: x509.CertificateRevocationList = _READ.recall(
        row.authority_id,
        row.fingerprint,
        lambda: (row.fingerprint, x509.load_der_x509_crl(row.der)),
    )
    entry = published.get_revoked_certificate_by_serial_number(serial)
    return entry is not None and not _given_back(entry)


def overdue(session: Session, *, now: datetime) -> Iterator[Overdue]:
    """Authorities that issue to people, as far as they have none below them, without a list that is
    good for a while.
    """
    above = select(HierarchyAuthority.parent_id).where(HierarchyAuthority.parent_id.is_not(None))
    rows: Any = session.execute(
        select(Hierarchy.name, HierarchyAuthority.subject, HierarchyList.next_update)
        .join(HierarchyAuthority, HierarchyAuthority.hierarchy_id == Hierarchy.id)
        .outerjoin(HierarchyList, HierarchyList.authority_id == HierarchyAuthority.id)
        .where(Hierarchy.ended_at.is_(None))
        .where(HierarchyList.id.is_not(None) | HierarchyAuthority.id.not_in(above))
        .order_by(Hierarchy.name, HierarchyAuthority.id)
    )
    for name, authority, until in rows:
        if until is None or until <= now + SOON:
            yield Overdue(name, authority, until)


def _parsed(content: bytes) -> x509.CertificateRevocationList:
    try:
        if content.lstrip().startswith(b"-----BEGIN"):
            return x509.load_pem_x509_crl(content)
        return x509.load_der_x509_crl(content)
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise InvalidInput(
            "list_unreadable", "Không đọc được danh sách thu hồi trong tệp.", field="file"
        ) from exc


def _issuer(session: Session, found: x509.CertificateRevocationList) -> HierarchyAuthority | None:
    rows = session.scalars(
        select(HierarchyAuthority)
        .join(Hierarchy, Hierarchy.id == HierarchyAuthority.hierarchy_id)
        .where(
            Hierarchy.ended_at.is_(None),
            HierarchyAuthority.subject == found.issuer.rfc4514_string(),
        )
        .order_by(HierarchyAuthority.not_after.desc(), HierarchyAuthority.id)
    )
    return next((one for one in rows if _genuine(found, one.certificate)), None)


def _genuine(found: x509.CertificateRevocationList, by: x509.Certificate) -> bool:
    key = by.public_key()
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return False
    return found.issuer == by.subject and found.is_signature_valid(key)


def _partial(found: x509.CertificateRevocationList) -> bool:
    """Whether it speaks of some certificates, some reasons or some days only (§5.2.4, §5.2.5)."""
    return any(_narrows(each.value) or _unknown(each) for each in found.extensions)


def _narrows(said: object) -> bool:
    if isinstance(said, x509.IssuingDistributionPoint):
        return bool(
            said.indirect_crl
            or said.only_some_reasons
            or said.only_contains_attribute_certs
            or said.only_contains_ca_certs
        )
    return isinstance(said, x509.DeltaCRLIndicator)


def _unknown(each: Any) -> bool:
    return bool(each.critical) and each.oid != ExtensionOID.ISSUING_DISTRIBUTION_POINT


def _given_back(entry: x509.RevokedCertificate) -> bool:
    """Whether it says that a hold has ended (§5.3.1)."""
    try:
        said = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return False
    return said is x509.ReasonFlags.remove_from_crl
