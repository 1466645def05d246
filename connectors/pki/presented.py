"""A certificate that somebody shows at the TLS edge: whether it says anything here, at this moment.

The edge has seen that whoever shows it holds its key; everything else is judged here, so that no
proxy's setting can weaken it: who has issued it, by signatures, up to an authority of ours or of a
hierarchy that was imported; dates; what it is for; our own marks; the lists of others, which must be
there and good; what we distrust ourselves. Whose it is, the caller's rows say: never its names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.pki import foreign_distrust, foreign_lists, path, trust
from connectors.pki.authority import certificate_of
from connectors.pki.foreign_distrust import serial_of
from connectors.pki.foreign_lists import HierarchyList
from connectors.pki.hierarchies import Hierarchy, HierarchyAuthority
from connectors.pki.profiles import SIGN_IN
from connectors.pki.tables import Authority, AuthorityKind
from connectors.pki.trust import Distrust, UntrustedCertificate
from directory.base.config import Settings


class Refusal(StrEnum):
    """Why a certificate says nothing; told to the audit."""

    UNREADABLE = "unreadable"
    WEAK = "weak key"
    USE = "not for people"
    """It is for servers, for authorities, or says something that we do not understand."""
    UNKNOWN = "unknown issuer"
    EARLY = "not yet valid"
    EXPIRED = "expired"
    ISSUER = "issuer not in force"
    """An authority above it has ended, is not yet good, or was revoked itself."""
    REVOKED = "revoked"
    DISTRUSTED = "distrusted"
    STALE = "no current list"
    """Nobody can say whether it was revoked."""


@dataclass(frozen=True)
class Presented:
    """A certificate that is believed."""

    key: str
    """SHA-256 of its key, hexadecimal: what a person is known by."""
    serial: str
    subject: str
    issuer: str
    not_after: datetime
    level: int
    """1: she holds the key. 2: it is in a token that asks for a PIN."""
    foreign: int | None = None
    """The row of the authority that has issued it, where that is not ours."""
    owner: int | None = None
    """Whom our own authority has issued it to."""


@dataclass(frozen=True)
class _Theirs:
    """Whose certificate it is, where it is not ours."""

    hierarchy: Hierarchy
    above: Sequence[HierarchyAuthority]
    """Its issuer, and those above that, the root last."""
    lists: Sequence[HierarchyList | None]
    """Of each of these."""
    distrusted: bool
    """Whether we do not believe this very certificate."""


_OURS = {
    Distrust.UNKNOWN: Refusal.UNKNOWN,
    Distrust.EARLY: Refusal.EARLY,
    Distrust.EXPIRED: Refusal.EXPIRED,
    Distrust.DISTRUSTED: Refusal.DISTRUSTED,
    Distrust.REVOKED: Refusal.REVOKED,
}


def judge(
    session: Session, settings: Settings, one: x509.Certificate, *, now: datetime
) -> Presented | Refusal:
    """What it says at this moment; else why it says nothing."""
    try:
        return _judged(session, settings, one, now)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension):
        return Refusal.UNREADABLE


def _judged(
    session: Session, settings: Settings, one: x509.Certificate, now: datetime
) -> Presented | Refusal:
    if not path.strong_enough(one):
        return Refusal.WEAK
    ours = _of_ours(session, one)
    if ours is not None:
        return _by_us(session, settings, one, ours, now)
    theirs = _of_theirs(session, one, now)
    if theirs is None:
        return Refusal.UNKNOWN
    why = _dated(one, now) or _purpose(one, lenient=theirs.hierarchy.lenient)
    why = why or _held_back(settings, one, theirs, now)
    return why or _shown(one, theirs.hierarchy.level, foreign=theirs.above[0].id)


def _of_ours(session: Session, one: x509.Certificate) -> Authority | None:
    rows = session.scalars(
        select(Authority).where(
            Authority.kind == AuthorityKind.ISSUING.value,
            Authority.subject == one.issuer.rfc4514_string(),
        )
    )
    return next((row for row in rows if path.signed_by(one, certificate_of(row))), None)


def _by_us(
    session: Session,
    settings: Settings,
    one: x509.Certificate,
    ours: Authority,
    now: datetime,
) -> Presented | Refusal:
    """Our own rows say more than any list."""
    found = trust.trusted(
        session,
        issuer=ours.subject,
        serial=serial_of(one.serial_number),
        spki=path.key_of(one),
        now=now,
    )
    if isinstance(found, UntrustedCertificate):
        return _OURS[found.refusal]
    if found.profile != SIGN_IN.name or found.user_id is None:
        return Refusal.USE
    if _dated(certificate_of(ours), now):
        return Refusal.ISSUER
    why = _dated(one, now) or _purpose(one, lenient=False)
    return why or _shown(one, settings.certificate_level, owner=found.user_id)


def _dated(one: x509.Certificate, now: datetime) -> Refusal | None:
    if not path.begun(one, now):
        return Refusal.EARLY
    return Refusal.EXPIRED if path.over(one, now) else None


def _purpose(one: x509.Certificate, *, lenient: bool) -> Refusal | None:
    fit = path.for_people(one, lenient=lenient) and not path.unclear(one)
    return None if fit else Refusal.USE


def _of_theirs(session: Session, one: x509.Certificate, now: datetime) -> _Theirs | None:
    """One SELECT: the hierarchies that have an authority of that name, with their lists."""
    named = HierarchyAuthority.subject == one.issuer.rfc4514_string()
    rows = session.execute(
        select(
            Hierarchy,
            HierarchyAuthority,
            HierarchyList,
            foreign_distrust.holds(
                HierarchyAuthority.id, serial_of(one.serial_number), now=now
            ).label("distrusted"),
        )
        .join(HierarchyAuthority, HierarchyAuthority.hierarchy_id == Hierarchy.id)
        .outerjoin(HierarchyList, HierarchyList.authority_id == HierarchyAuthority.id)
        .where(
            Hierarchy.ended_at.is_(None),
            Hierarchy.id.in_(select(HierarchyAuthority.hierarchy_id).where(named)),
        )
        # One key may have several certificates: the one that lasts longest tells.
        .order_by(HierarchyAuthority.not_after.desc(), HierarchyAuthority.id)
    ).all()
    authorities = {row.HierarchyAuthority.id: row.HierarchyAuthority for row in rows}
    for row in rows:
        if path.signed_by(one, row.HierarchyAuthority.certificate):
            above = [row.HierarchyAuthority]
            while above[-1].parent_id is not None:
                above.append(authorities[above[-1].parent_id])
            lists = {each.HierarchyAuthority.id: each.HierarchyList for each in rows}
            return _Theirs(row.Hierarchy, above, [lists[each.id] for each in above], row.distrusted)
    return None


def _held_back(
    settings: Settings, one: x509.Certificate, theirs: _Theirs, now: datetime
) -> Refusal | None:
    if theirs.distrusted:
        return Refusal.DISTRUSTED
    own, *further = theirs.lists
    if own is not None and foreign_lists.names(own, one.serial_number):
        return Refusal.REVOKED
    certificates = [each.certificate for each in theirs.above]
    if any(_dated(each, now) for each in certificates) or path.too_deep(certificates):
        return Refusal.ISSUER
    for below, published in zip(certificates, further, strict=False):
        if published is not None and foreign_lists.names(published, below.serial_number):
            return Refusal.ISSUER
    # Its own issuer's list must be there; those above it, where one was ever brought in.
    grace = timedelta(seconds=settings.certificate_list_grace)
    there = [each for each in theirs.lists if each is not None]
    stale = any(not foreign_lists.good(each, grace=grace, now=now) for each in there)
    return Refusal.STALE if own is None or stale else None


def _shown(
    one: x509.Certificate, level: int, *, foreign: int | None = None, owner: int | None = None
) -> Presented:
    return Presented(
        path.key_of(one),
        serial_of(one.serial_number),
        one.subject.rfc4514_string(),
        one.issuer.rfc4514_string(),
        one.not_valid_after_utc,
        level,
        foreign,
        owner,
    )
