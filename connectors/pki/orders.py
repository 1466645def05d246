"""What is ordered about certificates: one value makes the preview's line and the commit's effect.

Order            one thing to be done to a certificate, or a request to be opened
about            the order for one certificate
requested        the requests for new ones that come with a revocation or another name
write | note     marks and requests of orders in bulk, their audit entries
effect_of        the effect of an order, with the job that pushes or proves it
renumbered       a certificate that was in the making has been given another number
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from connectors.pki import revocations
from connectors.pki.tables import (
    Certificate,
    CertificateRequest,
    MarkKind,
    RequestReason,
    RequestState,
    RevocationReason,
)
from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.rows import batches
from directory.changes.effects import Due, Effect, State
from directory.changes.table import Column, Event


class CertificateEffect(StrEnum):
    """What can happen to a certificate."""

    DISTRUST = "certificate.distrust"
    RESTORE = "certificate.restore"
    REVOKE = "certificate.revoke"
    REQUEST = "certificate.request"
    WITHDRAW = "certificate.withdraw"
    """What an undone change would have done at a later day is taken back."""


COLUMN = {
    CertificateEffect.DISTRUST: Column.TRUST,
    CertificateEffect.RESTORE: Column.TRUST,
    CertificateEffect.REVOKE: Column.CASE,
    CertificateEffect.REQUEST: Column.CASE,
    CertificateEffect.WITHDRAW: Column.CASE,
}


@dataclass(frozen=True)
class Order:
    """One thing to be done: the same value makes the preview's line and the commit's effect."""

    kind: CertificateEffect
    user_id: int
    target: str
    """The certificate's serial, or the profile of a request."""
    label: str
    certificate: Certificate | None = None
    reason: RevocationReason | None = None
    wanted_for: RequestReason = RequestReason.MOVED
    """Why a request is opened."""

    @property
    def detail(self) -> dict[str, Any]:
        """What both the preview and the effect say beyond the label."""
        detail: dict[str, Any] = {}
        if self.reason is not None:
            detail["reason"] = self.reason.value
        return detail


def about(
    kind: CertificateEffect, certificate: Certificate, reason: RevocationReason | None = None
) -> Order:
    """What is to be done to one certificate of a person."""
    assert certificate.user_id is not None  # noqa: S101 (only people's certificates are loaded)
    label = _label(certificate.serial, certificate.title)
    return Order(kind, certificate.user_id, certificate.serial, label, certificate, reason)


def _label(serial: str, title: str) -> str:
    return f"{serial[:8]}… {title}"


def requested(
    user_id: int,
    instead: list[Certificate],
    asked: set[tuple[int, str]],
    why: RequestReason = RequestReason.MOVED,
) -> Iterator[Order]:
    """A request for each kind of these certificates, unless one is open already."""
    for profile in sorted({c.profile for c in instead}):
        if (user_id, profile) not in asked:
            title = instead[-1].title
            yield Order(CertificateEffect.REQUEST, user_id, profile, title, wanted_for=why)


def write(
    session: Session,
    orders: Iterable[Order],
    causes: dict[int, str],
    change_id: str,
    *,
    at: datetime,
    now: datetime,
) -> None:
    """Marks and requests of these orders, in bulk."""
    rows: list[dict[str, Any]] = []
    restored: list[int] = []
    requests: list[dict[str, Any]] = []
    for order in orders:
        if order.certificate is None:
            requests.append(_request_row(order, change_id, at))
        elif order.kind is CertificateEffect.RESTORE:
            restored.append(order.certificate.id)
        else:
            revoked = order.kind is CertificateEffect.REVOKE
            rows.append(
                revocations.mark_row(
                    order.certificate.id,
                    MarkKind.REVOKE if revoked else MarkKind.DISTRUST,
                    reason=order.reason or RevocationReason.CERTIFICATE_HOLD,
                    cause=causes[order.user_id],
                    at=at,
                    now=now,
                    change_id=change_id,
                )
            )
    revocations.add(session, rows)
    for some in batches(restored):
        revocations.restore(session, some, cause=Event.SUSPEND.value, at=at, change_id=change_id)
    if requests:
        session.execute(insert(CertificateRequest), requests)


def _request_row(order: Order, change_id: str, at: datetime) -> dict[str, Any]:
    return {
        "user_id": order.user_id,
        "profile": order.target,
        "reason": order.wanted_for.value,
        "state": RequestState.OPEN.value,
        "opened_at": at,
        "change_id": change_id,
    }


def note(
    session: Session,
    orders: Iterable[Order],
    actor: Actor,
    change_id: str,
    *,
    at: datetime,
    now: datetime,
) -> None:
    """An audit entry for each certificate concerned."""
    audit.record_rows(
        session,
        [
            audit.entry(
                Tag.CERTIFICATE_REVOKE
                if o.kind is CertificateEffect.REVOKE
                else Tag.CERTIFICATE_DISTRUST,
                at=now,
                actor=actor,
                subject=("certificate", o.target),
                change_id=change_id,
                data={"effect": o.kind.value, "user": o.user_id, "at": at.isoformat()} | o.detail,
            )
            for o in orders
            if o.certificate is not None
        ],
    )


def effect_of(order: Order, now: datetime, at: datetime, priority: int) -> Due:
    """The effect of an order. A request is complete once it is open; the rest is proven.

    A revocation's job publishes the list first and then hands its effect to the probe.
    """
    column, certificate = COLUMN[order.kind], order.certificate
    final, job = State.VERIFIED, None
    if certificate is None or order.kind is CertificateEffect.WITHDRAW:
        final = State.ACKNOWLEDGED
    elif order.kind is CertificateEffect.REVOKE:
        job = revocations.crl_job(certificate.authority_id, now=now, run_at=at, priority=priority)
    else:
        job = revocations.probe_job(certificate.id, now=now, run_at=at, priority=priority)
    return Due(
        column,
        order.kind.value,
        order.user_id,
        order.target,
        order.label,
        final=final,
        state=State.ACKNOWLEDGED if job is None else State.PENDING,
        detail=order.detail | ({"certificate": certificate.id} if certificate else {}),
        job=job,
    )


def renumbered(session: Session, certificate: Certificate, serial: str) -> None:
    """Its signer has numbered a certificate itself: effects that were ordered while it was in the
    making are about that number.
    """
    if serial == certificate.serial:
        return
    session.execute(
        update(Effect)
        .where(
            Effect.kind.in_([kind.value for kind in CertificateEffect]),
            Effect.target == certificate.serial,
            Effect.user_id == certificate.user_id,
        )
        .values(target=serial, label=_label(serial, certificate.title))
    )
