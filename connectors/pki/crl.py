"""Certificate revocation lists: RFC 5280 §5.

The list is published after every revocation and regularly; ``current`` also makes a new one
when the newest no longer says what the marks say, so that a list fetched over HTTP is never
behind the directory, whether or not a worker runs.

The root's list is about issuing authorities. It is good for a year, since its key may be offline
so long, and renewed every day while it is not.

A list is dated a few minutes back, for readers whose clock is slow; no entry of it later than
the list.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import and_, case, delete, select, update
from sqlalchemy.orm import Session

from connectors.pki import revocations
from connectors.pki.authority import BACKDATED, certificate_of, issuing, signer
from connectors.pki.tables import (
    Authority,
    AuthorityKind,
    Certificate,
    CertificateMark,
    CertificateState,
    Crl,
    RevocationReason,
    in_force,
    lifted,
)
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.db import Database
from directory.base.errors import NotFound

KEPT = timedelta(days=7)
"""How long a list stays in the database after its nextUpdate."""
OUTLIVES = timedelta(days=1)
"""At least so long an entry stays beyond its certificate's end."""
ROOT_EVERY = timedelta(days=1)
ROOT_GOOD = timedelta(days=365)
PERIODS = 24
"""A list is good for this many publication periods: consumers outlive a day without us."""


def publish(
    session: Session, keyring: Keyring, settings: Settings, authority_id: int, *, now: datetime
) -> Crl:
    """Make and store the next list. Raises NotFound for an unknown authority, Conflict while its
    key is offline.
    """
    # RFC 5280 §5.2.3: numbers only rise. Following the clock, they also rise over a restore
    # from a backup that has forgotten the last ones. The update holds the authority's row, so
    # that two publishers cannot make two lists of one number.
    at_least = int(now.timestamp())
    number = session.scalar(
        update(Authority)
        .where(Authority.id == authority_id)
        .values(
            crl_number=case(
                (Authority.crl_number >= at_least, Authority.crl_number + 1), else_=at_least
            )
        )
        .returning(Authority.crl_number)
    )
    if number is None:
        raise NotFound("ca_missing", "Hệ thống chưa có bộ chứng thực (CA).")
    authority = session.get_one(Authority, authority_id)
    before = newest(session, authority_id)
    _mark_listed(session, authority_id, now)
    good = (
        ROOT_GOOD if authority.kind == AuthorityKind.ROOT else every(authority, settings) * PERIODS
    )
    next_update = min(now + good, authority.not_after)
    this_update = (now - BACKDATED).replace(microsecond=0)
    issuer = certificate_of(authority)
    key = signer(keyring, authority)
    # An entry stays until one list after its certificate's end has carried it (§3.3), and for
    # whoever reads the end of the certificate by a clock that is slow.
    ended_after = now - OUTLIVES
    if before is not None:
        ended_after = min(ended_after, before.this_update)
    entries = list(_entries(session, authority_id, now, ended_after, this_update))
    signed = (
        # The list of entries goes in at once: adding one by one copies all of them each time.
        x509.CertificateRevocationListBuilder(revoked_certificates=entries)
        .issuer_name(issuer.subject)
        .last_update(this_update)
        .next_update(next_update)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
        .sign(key, SHA256())
    )
    row = Crl(
        authority_id=authority_id,
        number=number,
        this_update=now,
        next_update=next_update,
        der=signed.public_bytes(Encoding.DER),
    )
    session.add(row)
    session.execute(
        delete(Crl).where(Crl.authority_id == authority_id, Crl.next_update < now - KEPT)
    )
    session.flush()
    return row


def every(authority: Authority, settings: Settings) -> timedelta:
    """How old the newest list of an authority is to get."""
    if authority.kind == AuthorityKind.ROOT:
        return ROOT_EVERY
    return timedelta(seconds=settings.crl_every)


def _mark_listed(session: Session, authority_id: int, now: datetime) -> None:
    """Note on each mark whether the list being made says it."""
    ours = CertificateMark.certificate_id.in_(
        select(Certificate.id).where(
            Certificate.authority_id == authority_id,
            # One that is being made is on no list: its marks count as unlisted once it is issued.
            Certificate.state == CertificateState.ISSUED.value,
        )
    )
    for listed in (True, False):
        session.execute(
            update(CertificateMark)
            .where(
                CertificateMark.listed.is_(not listed),
                in_force(now) if listed else lifted(now),
                ours,
            )
            .values(listed=listed)
            .execution_options(synchronize_session=False)
        )


def _entries(
    session: Session,
    authority_id: int,
    now: datetime,
    valid_after: datetime,
    this_update: datetime,
) -> Iterator[x509.RevokedCertificate]:
    rows = session.execute(
        select(Certificate.serial, CertificateMark.kind, CertificateMark.reason, CertificateMark.at)
        .join(CertificateMark, CertificateMark.certificate_id == Certificate.id)
        .where(
            Certificate.authority_id == authority_id,
            Certificate.state == CertificateState.ISSUED.value,
            Certificate.not_after > valid_after,
            in_force(now),
        )
        .order_by(Certificate.id)
    )
    by_serial: dict[str, list[revocations.Mark]] = {}
    for row in rows:
        by_serial.setdefault(row.serial, []).append(row)
    for serial, held in by_serial.items():
        found = revocations.summary(held)
        if found is not None:
            yield _entry(serial, found, this_update)


def _entry(
    serial: str, held: revocations.MarkSummary, this_update: datetime
) -> x509.RevokedCertificate:
    builder = (
        x509.RevokedCertificateBuilder()
        .serial_number(int(serial, 16))
        .revocation_date(min(held.since, this_update))
    )
    if held.reason is not RevocationReason.UNSPECIFIED:  # §5.3.1: absent rather than unspecified
        reason = x509.CRLReason(x509.ReasonFlags(held.reason.value))
        builder = builder.add_extension(reason, critical=False)
    return builder.build()


def newest(session: Session, authority_id: int) -> Crl | None:
    """The list last published by an authority."""
    return session.scalars(
        select(Crl).where(Crl.authority_id == authority_id).order_by(Crl.number.desc()).limit(1)
    ).one_or_none()


def stale(session: Session, published: Crl | None, *, now: datetime) -> bool:
    """Whether a list has ended, or no longer says what the marks say."""
    if published is None or published.next_update <= now:
        return True
    # Two questions, each with an index of its own: they are asked at every fetch.
    unlisted = and_(CertificateMark.listed.is_(False), in_force(now))
    outlived = and_(CertificateMark.listed.is_(True), lifted(now))
    return any(
        session.scalar(
            select(CertificateMark.id)
            .join(Certificate, Certificate.id == CertificateMark.certificate_id)
            .where(
                Certificate.authority_id == published.authority_id,
                Certificate.state == CertificateState.ISSUED.value,
                Certificate.not_after > now - OUTLIVES,
                behind,
            )
            .limit(1)
        )
        is not None
        for behind in (unlisted, outlived)
    )


def current(
    db: Database, keyring: Keyring, settings: Settings, *, now: datetime, root: bool = False
) -> Crl:
    """The list to hand out now, of the authority that signs today or of its root; a new one
    where the newest is stale and the key is at hand. Raises NotFound.
    """
    with db.read() as session:
        authority = _of(session, root=root)
        published = newest(session, authority.id)
        if published is not None and not stale(session, published, now=now):
            return published
    with db.write() as session:
        # Whoever comes second through this door finds the list the first has made.
        authority = session.get_one(Authority, authority.id, with_for_update=True)
        published = newest(session, authority.id)
        if published is not None and not stale(session, published, now=now):
            return published
        if authority.key_sealed is not None:
            return publish(session, keyring, settings, authority.id, now=now)
    if published is None:
        raise NotFound("crl_missing", "Bộ chứng thực này chưa công bố danh sách thu hồi.")
    return published  # what its readers make of its end is theirs to decide


def _of(session: Session, *, root: bool) -> Authority:
    ours = issuing(session)
    return session.get_one(Authority, ours.parent_id) if root else ours
