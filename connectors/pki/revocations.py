"""Distrust and revocation: written as dated rows, read at the moment of use.

revoke · distrust    one certificate, by hand (the operator, the portal)
unwanted             one that its signer has made and nobody is given
mark_row             the same as column values, for the bulk writes of a commit
restore              lift what a suspension put; never a revocation
withdraw             undo of a change that has not taken effect: its future marks go
summary              what a certificate's marks amount to
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from connectors.pki.tables import (
    REVOCABLE_FOR,
    Certificate,
    CertificateMark,
    CertificateStanding,
    CertificateState,
    MarkKind,
    RevocationReason,
    in_force,
)
from directory.base import audit, outbox
from directory.base.audit import Actor, Tag
from directory.base.errors import Conflict, InvalidInput
from directory.base.outbox import JobKind, Priority
from directory.base.rows import batches

OPERATOR = "operator"
"""The cause of marks that no HR event ordered."""


class Mark(Protocol):
    """What ``summary`` reads: an ORM row or a row of a Core statement."""

    @property
    def kind(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def at(self) -> datetime: ...


@dataclass(frozen=True)
class MarkSummary:
    """Since when, how and why a certificate is held back."""

    standing: CertificateStanding
    """HELD or REVOKED."""
    reason: RevocationReason
    since: datetime


def summary(marks: Iterable[Mark]) -> MarkSummary | None:
    """What marks in force amount to; None when there are none.

    A revocation outranks a distrust, whose reason to the outside is certificateHold; of several
    the earliest counts, so that an answer once given never changes.
    """
    marks = list(marks)
    for kind, standing in (
        (MarkKind.REVOKE, CertificateStanding.REVOKED),
        (MarkKind.DISTRUST, CertificateStanding.HELD),
    ):
        of_kind = [m for m in marks if m.kind == kind]
        if of_kind:
            first = min(of_kind, key=lambda m: m.at)
            return MarkSummary(standing, RevocationReason(first.reason), first.at)
    return None


def held(
    session: Session, certificate_ids: Sequence[int], *, now: datetime
) -> dict[int, MarkSummary]:
    """Which of these certificates are held back at a moment, and how."""
    marks: dict[int, list[CertificateMark]] = {}
    for some in batches(certificate_ids):
        for mark in session.scalars(
            select(CertificateMark).where(
                CertificateMark.certificate_id.in_(some),
                in_force(now),
            )
        ):
            marks.setdefault(mark.certificate_id, []).append(mark)
    return {id_: found for id_, rows in marks.items() if (found := summary(rows))}


def mark_row(
    certificate_id: int,
    kind: MarkKind,
    *,
    reason: RevocationReason,
    cause: str,
    at: datetime,
    now: datetime,
    change_id: str | None = None,
) -> dict[str, Any]:
    """The column values of one mark, for ``add``."""
    return {
        "certificate_id": certificate_id,
        "kind": kind.value,
        "reason": reason.value,
        "cause": cause,
        "at": at,
        "listed": False,
        "change_id": change_id,
        "created_at": now,
    }


def add(session: Session, rows: list[dict[str, Any]]) -> None:
    """Write marks made by ``mark_row``."""
    if rows:
        session.execute(insert(CertificateMark), rows)


def revoke(
    session: Session,
    certificate: Certificate,
    *,
    reason: RevocationReason,
    at: datetime,
    now: datetime,
    actor: Actor,
    change_id: str | None = None,
) -> None:
    """Revoke from ``at`` on, and have a new CRL published. OCSP says it at once.

    Raises InvalidInput for a reason that is not a certificate's own, Conflict when it is
    revoked already or was never issued.
    """
    if reason not in REVOCABLE_FOR:
        raise InvalidInput(
            "revocation_reason",
            "Lý do thu hồi {reason} không dùng được.",
            field="reason",
            reason=reason.value,
        )
    _require_issued(certificate)
    if revoked(session, certificate, now=max(at, now)):
        raise Conflict("certificate_revoked", "Chứng thư này đã bị thu hồi.")
    _mark(session, certificate, MarkKind.REVOKE, reason=reason, at=at, now=now, change_id=change_id)
    _note(
        session,
        Tag.CERTIFICATE_REVOKE,
        certificate,
        now,
        actor,
        change_id,
        {"reason": reason.value, "at": at.isoformat()},
    )


def revoked(session: Session, certificate: Certificate, *, now: datetime) -> bool:
    """Whether a certificate, or one being made, is revoked at a moment."""
    known = held(session, [certificate.id], now=now).get(certificate.id)
    return known is not None and known.standing is CertificateStanding.REVOKED


def unwanted(session: Session, certificate: Certificate, *, now: datetime, actor: Actor) -> None:
    """One that was signed and is never handed out: who signed it believes in it until it is told,
    which could not be before there was a number to name.
    """
    if revoked(session, certificate, now=now):
        outbox.enqueue_rows(session, [crl_job(certificate.authority_id, now=now)])
    else:
        reason = RevocationReason.AFFILIATION_CHANGED
        revoke(session, certificate, reason=reason, at=now, now=now, actor=actor)


def distrust(
    session: Session,
    certificate: Certificate,
    *,
    at: datetime,
    now: datetime,
    actor: Actor,
    change_id: str | None = None,
) -> None:
    """Stop believing a certificate from ``at`` on, without revoking it. Raises Conflict."""
    _require_issued(certificate)
    _mark(
        session,
        certificate,
        MarkKind.DISTRUST,
        reason=RevocationReason.CERTIFICATE_HOLD,
        at=at,
        now=now,
        change_id=change_id,
    )
    _note(
        session,
        Tag.CERTIFICATE_DISTRUST,
        certificate,
        now,
        actor,
        change_id,
        {"at": at.isoformat()},
    )


def _require_issued(certificate: Certificate) -> None:
    if certificate.state != CertificateState.ISSUED:
        raise Conflict("certificate_not_issued", "Chứng thư này chưa từng được cấp.")


def _mark(
    session: Session,
    certificate: Certificate,
    kind: MarkKind,
    *,
    reason: RevocationReason,
    at: datetime,
    now: datetime,
    change_id: str | None,
) -> None:
    row = mark_row(
        certificate.id, kind, reason=reason, cause=OPERATOR, at=at, now=now, change_id=change_id
    )
    add(session, [row])
    outbox.enqueue_rows(session, [crl_job(certificate.authority_id, now=now, run_at=max(at, now))])


def _note(
    session: Session,
    tag: Tag,
    certificate: Certificate,
    now: datetime,
    actor: Actor,
    change_id: str | None,
    data: dict[str, Any],
) -> None:
    audit.record(
        session,
        tag,
        at=now,
        actor=actor,
        subject=("certificate", certificate.serial),
        change_id=change_id,
        data={"user": certificate.user_id} | data,
    )


def crl_job(
    authority_id: int,
    *,
    now: datetime,
    run_at: datetime | None = None,
    priority: int = Priority.URGENT,
) -> dict[str, Any]:
    """The job that publishes an authority's list; one at a time per authority."""
    return outbox.row_for(
        JobKind.CRL_PUBLISH,
        str(authority_id),
        now=now,
        run_at=run_at,
        lane=f"crl:{authority_id}",
        priority=priority,
    )


def probe_job(
    certificate_id: int,
    *,
    now: datetime,
    run_at: datetime | None = None,
    priority: int = Priority.URGENT,
) -> dict[str, Any]:
    """The job that looks at a certificate from outside."""
    return outbox.row_for(
        JobKind.CERTIFICATE_PROBE,
        str(certificate_id),
        now=now,
        run_at=run_at,
        priority=priority,
    )


def restore(
    session: Session, certificate_ids: Sequence[int], *, cause: str, at: datetime, change_id: str
) -> None:
    """Lift, from ``at`` on, the distrust that ``cause`` put. Revocations stay."""
    session.execute(
        update(CertificateMark)
        .where(
            CertificateMark.certificate_id.in_(certificate_ids),
            CertificateMark.kind == MarkKind.DISTRUST.value,
            CertificateMark.cause == cause,
            CertificateMark.at <= at,
            CertificateMark.lifted_at.is_(None),
        )
        .values(lifted_at=at, lifted_by=change_id)
    )


def withdraw(session: Session, of_change: str, *, now: datetime, change_id: str) -> None:
    """Take back what a change would have done to certificates at a moment still to come.

    A mark whose moment has passed stays: a revocation is never taken back.
    """
    dated = (CertificateMark.at > CertificateMark.created_at, CertificateMark.at > now)
    session.execute(
        update(CertificateMark)
        .where(CertificateMark.change_id == of_change, *dated, CertificateMark.lifted_at.is_(None))
        .values(lifted_at=now, lifted_by=change_id)
    )
    session.execute(
        update(CertificateMark)
        .where(CertificateMark.lifted_by == of_change, CertificateMark.lifted_at > now)
        .values(lifted_at=None, lifted_by=None)
    )
