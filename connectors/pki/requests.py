"""Who may have a certificate, and the issue of one from the applicant's own CSR.

    open_request     by HR or by an event: this person is to have one
    request          by herself: she has no valid one, or it ends soon
    fulfil           an open request and a CSR → the certificate, with its chain
    answer           a signer that takes its time has answered
    give_up          what a process died over is never going to be a certificate

The directory decides what a certificate says: name, username, unit and legal person of the
primary assignment on the day. The citizen number is not among it: a certificate is shown to
every server its holder talks to. It ends no later than what it says is known to be true: with a
leave that is committed, with the end of the assignment whose unit it names.

Between "intended" and "issued" lies a signature, and any number of decisions about the person.
What is committed before is written to the intended certificate (``waiting``), what is committed
in between finds it (``holdings``), and what changed her standing or what the certificate says
has it thrown away.
"""

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import NameOID
from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from connectors.pki import authority, issuance, keys, revocations, signers, waiting
from connectors.pki.issuance import Contents
from connectors.pki.issued import certificates_of
from connectors.pki.naming import name
from connectors.pki.profiles import SIGN_IN, by_name
from connectors.pki.tables import (
    Authority,
    Certificate,
    CertificateRequest,
    CertificateStanding,
    CertificateState,
    RequestReason,
    RequestState,
)
from directory import assignments, people, units
from directory.base.audit import Actor
from directory.base.clock import day_start, local_day
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.db import Database
from directory.base.errors import Conflict
from directory.base.failpoints import failpoint
from directory.people import User

RENEWABLE = timedelta(days=30)
"""So long before its end a certificate may be renewed."""
IN_MAKING = timedelta(minutes=1)
"""After so long, one intended at a signer that answers at once no longer counts: it crashed."""


def open_requests(session: Session, user_id: int) -> list[CertificateRequest]:
    """Requests waiting for the person's CSR; one a scheduled change opened has a later date."""
    return list(
        session.scalars(
            select(CertificateRequest)
            .where(
                CertificateRequest.user_id == user_id,
                CertificateRequest.state == RequestState.OPEN.value,
            )
            .order_by(CertificateRequest.id)
        )
    )


def open_request(
    session: Session,
    *,
    user_id: int,
    reason: RequestReason,
    now: datetime,
    change_id: str | None = None,
    profile: str = SIGN_IN.name,
) -> CertificateRequest:
    """Open a request, or the one that is open already (from today on). Raises InvalidInput."""
    by_name(profile)
    people.lock(session, [user_id])
    for known in open_requests(session, user_id):
        if known.profile == profile:
            known.opened_at = min(known.opened_at, now)
            return known
    row = CertificateRequest(
        user_id=user_id,
        profile=profile,
        reason=reason.value,
        state=RequestState.OPEN.value,
        opened_at=now,
        change_id=change_id,
    )
    session.add(row)
    session.flush()
    return row


def request(session: Session, user_id: int, *, now: datetime) -> CertificateRequest:
    """A person asks for a certificate of her own. Raises Conflict while she has a good one that
    does not end soon, or one is being made, and when she may not act.
    """
    _require_active(people.lock(session, [user_id])[0], now)
    if _in_making(session, user_id, now):
        raise Conflict("certificate_in_making", "Chứng thư của bạn đang được cấp.")
    mine = [c for c in certificates_of(session, user_id, now=now) if c.profile == SIGN_IN.name]
    good = [c for c in mine if c.standing is CertificateStanding.GOOD]
    if any(c.not_after > now + RENEWABLE for c in good):
        raise Conflict("certificate_valid", "Bạn đang có chứng thư còn hiệu lực.")
    reason = RequestReason.RENEWAL if good else RequestReason.REPLACEMENT
    return open_request(
        session, user_id=user_id, reason=reason if mine else RequestReason.FIRST, now=now
    )


def _in_making(session: Session, user_id: int, now: datetime) -> bool:
    started = select(Certificate.intended_at, Authority.signer).where(
        Certificate.user_id == user_id,
        Certificate.state == CertificateState.INTENDED.value,
        Authority.id == Certificate.authority_id,
    )
    return any(
        at > now - (IN_MAKING if signer.prompt else signer.patience)
        for at, name in session.execute(started)
        if (signer := signers.SIGNERS.get(name)) is not None
    )


def _require_active(user: User, now: datetime) -> None:
    if not user.may_act(local_day(now)):
        raise Conflict("user_inactive", "Người dùng này hiện không được cấp chứng thư.")


def fulfil(
    db: Database,
    keyring: Keyring,
    settings: Settings,
    user_id: int,
    csr_pem: str,
    *,
    now: datetime,
    actor: Actor | None = None,
) -> str | None:
    """Issue the certificate an open request waits for; PEM, followed by its chain. None where
    the signer's answer comes later, to ``answer``.

    A person who may ask for herself needs no request before. The request is spent before
    anything is signed, so that of two answers to it one is refused. Raises InvalidInput for the
    CSR, Conflict without a request, when she may not act, and when her assignment or her standing
    changed while the certificate was being made (it is thrown away and the request is open
    again).
    """
    key = keys.from_csr(csr_pem)
    with db.write() as session:
        user = people.lock(session, [user_id])[0]
        _require_active(user, now)
        ready = [r for r in open_requests(session, user_id) if r.opened_at <= now]
        wanted = ready[0] if ready else request(session, user_id, now=now)
        ours = authority.issuing(session, settings.certificate_signer)
        contents, epoch = _contents(session, user, settings, now), user.access_epoch
        intended = issuance.intend(session, ours, contents, key, now=now)
        _spend(session, wanted, intended)
        waiting.date_ahead(session, intended, now=now)
    failpoint("certificate.intended")
    signed = signers.of(ours).issue(keyring, settings, ours, intended, contents, key)
    if signed is None:
        return None
    with db.write() as session:
        user = people.lock(session, [user_id])[0]
        still = (
            user.may_act(local_day(now))
            # Suspended and active again: the session that asked is dead all the same.
            and user.access_epoch == epoch
            and _contents(session, user, settings, now) == contents
        )
        by = actor or Actor("user", user.id, user.username)
        chain = _settle(session, intended, signed, by, still=still, now=now)
    return _handed_out(signed, chain)


def answer(
    db: Database,
    settings: Settings,
    certificate_id: int,
    signed: x509.Certificate | None,
    *,
    now: datetime,
    actor: Actor,
) -> str | None:
    """A signer that took its time has answered (None: it refuses); the PEM with its chain.

    What was decided meanwhile holds: marks lie on the certificate already. Raises Conflict when
    it was answered before, or no longer says what is true of its person, or was revoked while it
    was made, or had been given up (it exists there all the same, so that its signer is told to revoke it, and the request is
    open again); InvalidInput for another certificate than was asked for.
    """
    with db.write() as session:
        intended = session.get_one(Certificate, certificate_id)
        assert intended.user_id is not None  # noqa: S101 (services are signed at once)
        user = people.lock(session, [intended.user_id])[0]
        if signed is not None:
            issuance.require_intended(session, intended, signed)
        session.refresh(intended)
        contents, awaited = _contents(session, user, settings, now), CertificateState.INTENDED
        still = (
            intended.state == awaited
            and user.may_act(local_day(now))
            and contents.subject.rfc4514_string() == intended.subject
            and contents.assignment_id == intended.assignment_id
            and not revocations.revoked(session, intended, now=now)
        )
        chain = None
        if signed is None or still:
            chain = _settle(session, intended, signed, actor, still=still, now=now)
        else:
            given_up = intended.state == CertificateState.ABANDONED
            of = CertificateState.ABANDONED if given_up else awaited
            issuance.settle(session, intended.id, signed, now=now, of=of)
            session.refresh(intended)
            revocations.unwanted(session, intended, now=now, actor=actor)
            _reopen(session, intended)
        if signed is None:
            return None
    return _handed_out(signed, chain)


def _settle(
    session: Session,
    intended: Certificate,
    signed: x509.Certificate | None,
    actor: Actor,
    *,
    still: bool,
    now: datetime,
) -> list[x509.Certificate] | None:
    """The chain of what was issued; None when it is thrown away, its request open again."""
    issued, asked_for = signed if still else None, intended.serial
    issuance.settle(session, intended.id, issued, now=now)
    if issued is None:
        _reopen(session, intended)
        return None
    made = session.get_one(Certificate, intended.id, populate_existing=True)
    issuance.note(session, made, actor, now, asked_for)
    return authority.chain(session, session.get_one(Authority, intended.authority_id))


def _handed_out(signed: x509.Certificate, chain: list[x509.Certificate] | None) -> str:
    if chain is None:
        raise Conflict(
            "certificate_overtaken", "Vị trí công tác vừa thay đổi; hãy gửi lại yêu cầu chứng thư."
        )
    return authority.pem([signed, *chain])


def _spend(session: Session, wanted: CertificateRequest, intended: Certificate) -> None:
    spent = session.execute(
        update(CertificateRequest)
        .where(
            CertificateRequest.id == wanted.id,
            CertificateRequest.state == RequestState.OPEN.value,
        )
        .values(state=RequestState.FULFILLED.value, fulfilled_by=intended.id)
        .returning(CertificateRequest.id)
    )
    if spent.first() is None:
        raise Conflict("request_spent", "Yêu cầu cấp chứng thư này đã được xử lý.")


def _reopen(session: Session, intended: Certificate) -> None:
    user_id = intended.user_id
    if user_id is not None and any(
        r.profile == intended.profile for r in open_requests(session, user_id)
    ):
        return  # the change that overtook it has opened its own
    session.execute(
        update(CertificateRequest)
        .where(CertificateRequest.fulfilled_by == intended.id)
        .values(state=RequestState.OPEN.value, fulfilled_by=None)
    )


def give_up(session: Session, *, now: datetime) -> None:
    """Certificates that their signer has not answered in its time are abandoned, and the requests
    they had spent open again.
    """
    waited = [
        and_(Authority.signer == name, Certificate.intended_at <= now - signer.patience)
        for name, signer in signers.SIGNERS.items()
    ]
    crashed = session.scalars(
        select(Certificate)
        .join(Authority, Authority.id == Certificate.authority_id)
        .where(Certificate.state == CertificateState.INTENDED.value, or_(*waited))
        .order_by(Certificate.user_id, Certificate.id)
        .limit(500)
    ).all()
    if not crashed:
        return
    people.lock(session, sorted({c.user_id for c in crashed if c.user_id is not None}))
    for certificate in crashed:
        try:
            issuance.settle(session, certificate.id, None, now=now)
        except Conflict:  # another worker was first
            continue
        _reopen(session, certificate)


def _contents(session: Session, user: User, settings: Settings, now: datetime) -> Contents:
    """What a sign-in certificate of this person says today."""
    held = assignments.current(session, user.id, local_day(now))
    primary = held[0] if held else None
    unit = session.get_one(units.OrgUnit, primary.unit.id) if primary else None
    owner = units.legal_person_of(session, unit) if unit else None
    organization = owner.name if owner else issuance.installation_name(session)
    inside = unit.name if unit and owner and unit.id != owner.id else None
    ends = [day for day in (user.leaves_on, primary.valid_to if primary else None) if day]
    return Contents(
        profile=SIGN_IN,
        subject=name(
            (NameOID.COUNTRY_NAME, "VN"),
            (NameOID.ORGANIZATION_NAME, organization),
            (NameOID.ORGANIZATIONAL_UNIT_NAME, inside),
            (NameOID.USER_ID, user.username),
            (NameOID.COMMON_NAME, user.full_name),
        ),
        title=", ".join(part for part in (user.full_name, inside, organization) if part),
        # OIDC Core §2: a subject is known by issuer and sub together.
        alternatives=(x509.UniformResourceIdentifier(f"{settings.issuer}#{user.sub}"),),
        lifetime=timedelta(days=settings.certificate_days),
        user_id=user.id,
        username=user.username,
        assignment_id=primary.id if primary else None,
        unit_id=unit.id if unit else None,
        ends_at=day_start(min(ends)) if ends else None,
    )
