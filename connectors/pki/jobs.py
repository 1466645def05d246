"""Carrying revocations outside, and looking at a certificate as a stranger would.

Only what was seen outside completes an effect. Our own tables say what ought to be seen, never
what is.
"""

from collections.abc import Callable
from datetime import datetime

from cryptography.x509 import ocsp
from sqlalchemy.orm import Session

from connectors.errors import Transient
from connectors.pki import revocations, signers
from connectors.pki.authority import certificate_of
from connectors.pki.orders import CertificateEffect
from connectors.pki.outside import Seen
from connectors.pki.tables import Authority, Certificate, CertificateStanding, CertificateState
from connectors.tools import Tools
from directory.base import outbox
from directory.base.failpoints import failpoint
from directory.base.outbox import Claim
from directory.changes import effects
from directory.changes.effects import Effect, State

Record = Callable[[Session], set[str]]

IN_MAKING = "Chứng thư này đang được cấp."
NOT_YET = "Máy chủ chưa cho thấy trạng thái mới của chứng thư."


def publish_crl(tools: Tools, claim: Claim) -> Record:
    """Have an authority's signer carry its revocations outside (ours publishes the next list);
    what waited for it goes on to the probe.
    """
    with tools.db.read() as session:
        authority = session.get_one(Authority, int(claim.key))
    failpoint("crl.before_publish")
    carried = signers.of(authority).revoke(tools, authority)

    def record(session: Session) -> set[str]:
        now = tools.clock()
        evidence = carried(session)
        if evidence is None:
            return set()
        waiting = effects.of_job(session, claim.id)
        due = [e for e in waiting if e.due_at <= now]
        touched = effects.advance(session, due, State.SENT, at=now, detail=dict(evidence))
        for effect in due:
            job = revocations.probe_job(effect.detail["certificate"], now=now)
            effect.job_id = outbox.enqueue_rows(session, [job])[0]
        for effect in waiting:
            if effect not in due:
                job = revocations.crl_job(authority.id, now=now, run_at=effect.due_at)
                effect.job_id = outbox.enqueue_rows(session, [job])[0]
        session.flush()
        failpoint("crl.after_publish")
        return touched

    return record


def probe_certificate(tools: Tools, claim: Claim) -> Record:
    """Ask CRL and OCSP as any stranger would whether they say what was ordered.

    A certificate whose making came to nothing is to be unknown to the responder. Raises Transient
    while they do not say so, and while it is being made; Rejected for an answer that is not the
    authority's.
    """
    with tools.db.read() as session:
        certificate = session.get_one(Certificate, int(claim.key))
        authority = session.get_one(Authority, certificate.authority_id)
        held = revocations.held(session, [certificate.id], now=tools.clock()).get(certificate.id)
        waiting = effects.of_job(session, claim.id)
    wanted = [e for e in waiting if e.due_at <= tools.clock() and _ordered(e, certificate, held)]
    if not wanted:
        return lambda session: _record(session, claim, certificate, held, None, tools.clock())
    if certificate.state == CertificateState.INTENDED:
        raise Transient(IN_MAKING)
    failpoint("certificate.before_probe")
    seen = signers.of(authority).status(tools, certificate, certificate_of(authority))
    if not all(_visible(e, certificate, held, seen) for e in wanted):
        raise Transient(NOT_YET)
    return lambda session: _record(session, claim, certificate, held, seen, tools.clock())


def _ordered(
    effect: Effect, certificate: Certificate, held: revocations.MarkSummary | None
) -> bool:
    """Whether what the effect announced still is what is wanted; a later change may differ."""
    if effect.kind == CertificateEffect.RESTORE:
        return held is None and certificate.state != CertificateState.ABANDONED
    if effect.kind == CertificateEffect.REVOKE:
        return held is not None and held.standing is CertificateStanding.REVOKED
    return held is not None


def _visible(
    effect: Effect, certificate: Certificate, held: revocations.MarkSummary | None, seen: Seen
) -> bool:
    if certificate.state == CertificateState.ABANDONED:  # nobody has it, and nobody vouches for it
        return seen.status is ocsp.OCSPCertStatus.UNKNOWN
    revoked = seen.status is ocsp.OCSPCertStatus.REVOKED
    if effect.kind == CertificateEffect.RESTORE:
        return seen.status is ocsp.OCSPCertStatus.GOOD and not seen.listed
    if effect.kind == CertificateEffect.REVOKE:
        reason = held.reason.value if held else None
        return revoked and seen.listed and (seen.reason or "unspecified") == reason
    return revoked


def _record(
    session: Session,
    claim: Claim,
    certificate: Certificate,
    held: revocations.MarkSummary | None,
    seen: Seen | None,
    now: datetime,
) -> set[str]:
    touched: set[str] = set()
    for effect in effects.of_job(session, claim.id):
        if effect.due_at > now:  # it came to share this job with something more urgent
            job = revocations.probe_job(certificate.id, now=now, run_at=effect.due_at)
            effect.job_id = outbox.enqueue_rows(session, [job])[0]
        elif not _ordered(effect, certificate, held):
            touched |= effects.advance(session, [effect], State.SUPERSEDED, at=now)
        elif seen is None or not _visible(
            effect, certificate, held, seen
        ):  # it joined while we looked
            job = revocations.probe_job(certificate.id, now=now)
            effect.job_id = outbox.enqueue_rows(session, [job])[0]
        else:
            detail = seen.evidence()
            touched |= effects.advance(session, [effect], State.VERIFIED, at=now, detail=detail)
    session.flush()
    return touched
