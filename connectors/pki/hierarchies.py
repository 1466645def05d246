"""Hierarchies of others whose certificates people may sign in with: imported, never looked for.

    bring_in    a hierarchy's authorities, from a file of certificates
    remove      none of its certificates is believed from now on
    every       those that are believed

An authority is believed because somebody has imported it here. A certificate brings none along, so
that no chain is ever built from what a stranger sends (RFC 5280 §6 with nothing left to choose).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from sqlalchemy import ForeignKey, LargeBinary, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from connectors.pki import path
from directory.base.db import AUTOINCREMENT, Base, Key
from directory.base.errors import InvalidInput, NotFound
from directory.base.text import clean

NAME_LONGEST = 60


class Hierarchy(Base):
    """Authorities of one house, and what its certificates are worth here."""

    __tablename__ = "hierarchy"
    __table_args__ = (AUTOINCREMENT,)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    level: Mapped[int]
    """1: whoever signs in holds the key. 2: it is kept in a token that asks for a PIN, as the rules
    demand by which this house issues."""
    lenient: Mapped[bool]
    """Whether a certificate that names other uses of people's is good for signing in, too."""
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class HierarchyAuthority(Base):
    """One authority of a hierarchy."""

    __tablename__ = "hierarchy_authority"
    __table_args__ = (UniqueConstraint("hierarchy_id", "fingerprint"), AUTOINCREMENT)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    hierarchy_id: Mapped[int] = mapped_column(ForeignKey("hierarchy.id"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("hierarchy_authority.id"))
    """None of a root."""
    subject: Mapped[str] = mapped_column(index=True)
    """As RFC 4514 text."""
    fingerprint: Mapped[str]
    """SHA-256 of the certificate, hexadecimal."""
    der: Mapped[bytes] = mapped_column(LargeBinary)
    not_after: Mapped[datetime]
    created_at: Mapped[datetime]

    @property
    def certificate(self) -> x509.Certificate:
        """Its own."""
        return x509.load_der_x509_certificate(self.der)


@dataclass(frozen=True)
class Shown:
    """A hierarchy with its authorities, the oldest first."""

    hierarchy: Hierarchy
    authorities: Sequence[HierarchyAuthority]


# ---- bringing in -----------------------------------------------------------------------------


def certificates_in(content: bytes) -> list[x509.Certificate]:
    """Those of a file: PEM, DER or PKCS #7. Raises InvalidInput."""
    try:
        found = _loaded(content)
    except (ValueError, UnsupportedAlgorithm):
        found = []
    if not found:
        raise InvalidInput(
            "hierarchy_unreadable", "Không đọc được chứng thư nào trong tệp.", field="file"
        )
    return found


def _loaded(content: bytes) -> list[x509.Certificate]:
    if b"-----BEGIN PKCS7-----" in content:
        return pkcs7.load_pem_pkcs7_certificates(content)
    if b"-----BEGIN" in content:
        return x509.load_pem_x509_certificates(content)
    try:
        return [x509.load_der_x509_certificate(content)]
    except ValueError:
        return pkcs7.load_der_pkcs7_certificates(content)


def bring_in(
    session: Session,
    name: str,
    found: Iterable[x509.Certificate],
    *,
    level: int,
    lenient: bool,
    now: datetime,
) -> Shown:
    """Believe these authorities from now on, beside those that the hierarchy has. Raises InvalidInput
    for what is no authority, and for one whose own issuer is not among them.
    """
    name = clean(name)
    if not 0 < len(name) <= NAME_LONGEST:
        raise InvalidInput(
            "hierarchy_name", "Tên dài từ 1 đến {most} ký tự.", field="name", most=NAME_LONGEST
        )
    row = session.scalars(select(Hierarchy).where(Hierarchy.name == name)).one_or_none()
    if row is None:
        row = Hierarchy(name=name, level=level, lenient=lenient, created_at=now)
        session.add(row)
    row.level, row.lenient, row.ended_at = level, lenient, None
    session.flush()
    held = _authorities(session, row.id)
    known = {one.fingerprint for one in held}
    waiting = [one for one in found if one.fingerprint(SHA256()).hex() not in known]
    for one in waiting:
        _require_authority(one)
    while waiting:
        ready = [one for one in waiting if path.signed_by(one, one) or _parent(one, held)]
        if not ready:
            raise InvalidInput(
                "hierarchy_incomplete",
                "Thiếu chứng thư của cơ quan đã cấp cho {name}.",
                field="file",
                name=_named(waiting[0]),
            )
        held += [_stored(session, row.id, one, _parent(one, held), now) for one in ready]
        waiting = [one for one in waiting if one not in ready]
    return Shown(row, held)


def _parent(one: x509.Certificate, held: Iterable[HierarchyAuthority]) -> HierarchyAuthority | None:
    """Who has issued it, of those that are there; nobody of a root."""
    if path.signed_by(one, one):
        return None
    return next((each for each in held if path.signed_by(one, each.certificate)), None)


def _stored(
    session: Session,
    hierarchy_id: int,
    one: x509.Certificate,
    parent: HierarchyAuthority | None,
    now: datetime,
) -> HierarchyAuthority:
    made = HierarchyAuthority(
        hierarchy_id=hierarchy_id,
        parent_id=parent.id if parent is not None else None,
        subject=one.subject.rfc4514_string(),
        fingerprint=one.fingerprint(SHA256()).hex(),
        der=one.public_bytes(Encoding.DER),
        not_after=one.not_valid_after_utc,
        created_at=now,
    )
    session.add(made)
    session.flush()
    return made


def _require_authority(one: x509.Certificate) -> None:
    """Raises InvalidInput for what must not issue anything, and for what we would misunderstand."""
    try:
        fit, unclear = path.may_issue(one) and path.strong_enough(one), path.unclear(one)
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension):
        fit, unclear = False, []
    if not fit:
        raise InvalidInput(
            "hierarchy_no_authority",
            "{name} không phải chứng thư của một cơ quan cấp chứng thư, hoặc dùng khóa quá yếu.",
            field="file",
            name=_named(one),
        )
    if unclear:
        raise InvalidInput(
            "hierarchy_constrained",
            "{name} đặt ra giới hạn mà hệ thống chưa kiểm tra được ({what}).",
            field="file",
            name=_named(one),
            what=", ".join(unclear),
        )


def _named(one: x509.Certificate) -> str:
    return one.subject.rfc4514_string()


def remove(session: Session, name: str, *, now: datetime) -> Hierarchy:
    """Believe none of its certificates any more. Raises NotFound."""
    found = named(session, name)
    found.ended_at = now
    return found


# ---- asking ----------------------------------------------------------------------------------


def every(session: Session) -> Iterator[Shown]:
    """Those that are believed, by name."""
    rows = session.scalars(
        select(Hierarchy).where(Hierarchy.ended_at.is_(None)).order_by(Hierarchy.name)
    ).all()
    for row in rows:
        yield Shown(row, _authorities(session, row.id))


def named(session: Session, name: str) -> Hierarchy:
    """The one of this name that is believed. Raises NotFound."""
    found = session.scalars(
        select(Hierarchy).where(Hierarchy.name == name, Hierarchy.ended_at.is_(None))
    ).one_or_none()
    if found is None:
        raise NotFound("hierarchy_unknown", "Không có hệ chứng thực {name}.", name=name)
    return found


def _authorities(session: Session, hierarchy_id: int) -> list[HierarchyAuthority]:
    of = HierarchyAuthority.hierarchy_id == hierarchy_id
    return list(
        session.scalars(select(HierarchyAuthority).where(of).order_by(HierarchyAuthority.id))
    )
