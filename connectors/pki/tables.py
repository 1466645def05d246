"""The tables of the authority.

A certificate's row never changes after it was issued: what holds it back is written beside it
as marks, each with the moment from which it counts. Whether a certificate is good is therefore
always a question with a time in it, like everything else that has a date.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    LargeBinary,
    UniqueConstraint,
    and_,
    or_,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from directory.base.db import AUTOINCREMENT, Base, Key
from directory.base.rows import ends_after


class AuthorityKind(StrEnum):
    """The two tiers of the local CA."""

    ROOT = "root"
    """Signs issuing authorities only; its key may be kept offline."""
    ISSUING = "issuing"
    """Signs certificates, lists and OCSP answers."""
    RESPONDER = "responder"
    """Signs the root's OCSP answers, so that these go on while its key is offline (RFC 6960
    §2.6); its ``parent_id`` is the root."""


class CertificateState(StrEnum):
    """How far the making of a certificate has come. Whether it is *good* is ``CertificateStanding``."""

    INTENDED = "intended"
    """Its serial is taken and its contents are decided; nothing has been handed out."""
    ISSUED = "issued"
    ABANDONED = "abandoned"
    """It was intended, but by the time it was signed its contents were no longer true."""


class CertificateStanding(StrEnum):
    """What a certificate is worth at one moment."""

    GOOD = "good"
    EARLY = "not yet valid"
    EXPIRED = "expired"
    HELD = "distrusted"
    """Distrusted, not revoked: relying parties see certificateHold (RFC 5280 §5.3.1)."""
    REVOKED = "revoked"


class MarkKind(StrEnum):
    """The two ways of holding a certificate back."""

    DISTRUST = "distrust"
    """Reversible: a suspension lifts it again."""
    REVOKE = "revoke"
    """For good once its moment has come."""


class RevocationReason(StrEnum):
    """Why a certificate was revoked: CRLReason of RFC 5280 §5.3.1, by its ASN.1 names."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "keyCompromise"
    CA_COMPROMISE = "cACompromise"
    AFFILIATION_CHANGED = "affiliationChanged"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessationOfOperation"
    CERTIFICATE_HOLD = "certificateHold"
    PRIVILEGE_WITHDRAWN = "privilegeWithdrawn"
    AA_COMPROMISE = "aACompromise"


REVOCABLE_FOR = frozenset(RevocationReason) - {
    RevocationReason.CERTIFICATE_HOLD,  # that is a distrust, which can be lifted
    RevocationReason.CA_COMPROMISE,  # concerns the authority's own certificate
    RevocationReason.AA_COMPROMISE,  # concerns attribute authorities
}
"""Reasons a person's certificate may be revoked for."""


class RequestState(StrEnum):
    """Where a request for a certificate stands."""

    OPEN = "open"
    FULFILLED = "fulfilled"
    WITHDRAWN = "withdrawn"


class RequestReason(StrEnum):
    """Why a certificate is wanted."""

    FIRST = "first"
    MOVED = "moved"
    """The former one was revoked because the person's unit changed."""
    RENEWAL = "renewal"
    """The present one will end soon."""
    RENAMED = "renamed"
    """The present one calls her as she was called before."""
    REPLACEMENT = "replacement"
    """The former one can no longer be used."""


class Authority(Base):
    """A certification authority of ours."""

    __tablename__ = "authority"
    __table_args__ = (AUTOINCREMENT,)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("authority.id"))
    subject: Mapped[str]
    """Its name as RFC 4514 text: the issuer of what it signed."""
    der: Mapped[bytes] = mapped_column(LargeBinary)
    key_sealed: Mapped[str | None]
    """PKCS #8 under the keyring, purpose ``pki``; None while the key is offline."""
    signer: Mapped[str] = mapped_column(default="local", server_default="local")
    """Who signs for it: a name in ``connectors.pki.signers``."""
    crl_number: Mapped[int] = mapped_column(Key, default=0)
    not_after: Mapped[datetime]
    created_at: Mapped[datetime]


class Certificate(Base):
    """A certificate an authority of ours intended to sign, and signed."""

    __tablename__ = "certificate"
    __table_args__ = (
        UniqueConstraint("authority_id", "serial"),
        Index("ix_certificate_user", "user_id", "id"),
        Index("ix_certificate_spki", "spki_hash"),
        AUTOINCREMENT,
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    authority_id: Mapped[int] = mapped_column(ForeignKey("authority.id"))
    serial: Mapped[str]
    """128 random bits as 32 lower-case hexadecimal digits."""
    profile: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    """None for a certificate of a service."""
    assignment_id: Mapped[int | None] = mapped_column(ForeignKey("assignment.id"))
    username: Mapped[str | None]
    subject: Mapped[str]
    """The DN as RFC 4514 text."""
    title: Mapped[str]
    """The DN in short, for people: name and unit."""
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"))
    """The unit the DN names."""
    spki_hash: Mapped[str]
    """SHA-256 of the SubjectPublicKeyInfo, hexadecimal."""
    state: Mapped[str]
    intended_at: Mapped[datetime]
    issued_at: Mapped[datetime | None]
    not_before: Mapped[datetime]
    not_after: Mapped[datetime]
    der: Mapped[bytes | None] = mapped_column(LargeBinary)


class CertificateMark(Base):
    """From ``at`` on (and until ``lifted_at``) a certificate is distrusted or revoked."""

    __tablename__ = "certificate_mark"
    __table_args__ = (
        Index("ix_certificate_mark_certificate", "certificate_id", "at"),
        Index("ix_certificate_mark_listed", "listed", "at"),
        Index("ix_certificate_mark_lifted", "lifted_at"),
        Index("ix_certificate_mark_change", "change_id"),
        AUTOINCREMENT,
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    certificate_id: Mapped[int] = mapped_column(ForeignKey("certificate.id"))
    kind: Mapped[str]
    reason: Mapped[str]
    cause: Mapped[str]
    """The event that ordered it (``suspend``, ``transfer.other`` …), or ``operator``."""
    at: Mapped[datetime]
    lifted_at: Mapped[datetime | None]
    """Not later than ``at``: it was withdrawn before it ever counted."""
    listed: Mapped[bool] = mapped_column(default=False)
    """Whether the newest CRL says it; where that differs from the truth, the list is stale."""
    change_id: Mapped[str | None]
    lifted_by: Mapped[str | None]
    """The change that lifted it."""
    created_at: Mapped[datetime]

    def counts(self, now: datetime) -> bool:
        """Whether it is in force; the same condition as ``in_force``, for a row at hand."""
        begun = self.at <= self.created_at or self.at <= now
        return begun and (self.lifted_at is None or self.lifted_at > now)


def in_force(now: datetime) -> ColumnElement[bool]:
    """Marks that count at a moment.

    A mark that was not dated ahead when it was written counts at once, by whatever clock: a
    node whose clock is behind must not believe a certificate for a second longer.
    """
    return and_(
        or_(CertificateMark.at <= CertificateMark.created_at, CertificateMark.at <= now),
        ends_after(CertificateMark.lifted_at, now),
    )


def lifted(now: datetime) -> ColumnElement[bool]:
    """Marks that no longer count at a moment, or never will."""
    return CertificateMark.lifted_at <= now


class CertificateRequest(Base):
    """Somebody is to have a certificate; fulfilled with the CSR of her own key."""

    __tablename__ = "certificate_request"
    __table_args__ = (
        Index(
            "uq_certificate_request_open",
            "user_id",
            "profile",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
        AUTOINCREMENT,
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    profile: Mapped[str]
    reason: Mapped[str]
    state: Mapped[str]
    opened_at: Mapped[datetime]
    """From when it may be fulfilled; later than today where a scheduled change opened it."""
    change_id: Mapped[str | None]
    fulfilled_by: Mapped[int | None] = mapped_column(ForeignKey("certificate.id"))


class Crl(Base):
    """A published certificate revocation list."""

    __tablename__ = "crl"
    __table_args__ = (UniqueConstraint("authority_id", "number"), AUTOINCREMENT)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    authority_id: Mapped[int] = mapped_column(ForeignKey("authority.id"))
    number: Mapped[int] = mapped_column(Key)
    this_update: Mapped[datetime]
    """When it was made; the list itself says a little earlier, for clocks that are slow."""
    next_update: Mapped[datetime]
    der: Mapped[bytes] = mapped_column(LargeBinary)
