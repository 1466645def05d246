"""The columns TRUST and CASE of the event × artefact table, for certificates of our own authority.

    DISTRUST           from the effective moment nobody believes it (OCSP: certificateHold)
    RESTORE            what a suspension distrusted is believed again; on cancelling a change
                       that has not taken effect yet, everything it had dated ahead is withdrawn
    REPLACE            revoke (affiliationChanged) and open a request for a new one
    REVOKE             revoke (cessationOfOperation)
    …_IF_NAMED         only where the DN names a unit the person no longer serves

Everything is a dated row, so a change that takes effect later needs no job to be right on the
day: OCSP and CRL read the dates. The jobs push the list and prove the result from outside.
Certificates of an external authority become cases with that authority; a transfer to another
legal person may then ask for a change of information instead of REPLACE (Nghị định 68/2024
Điều 15), which is one more branch of ``_ordered``.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import insert, or_, select, update
from sqlalchemy.orm import Session

from connectors.pki import holdings, marks
from connectors.pki.tables import (
    Certificate,
    CertificateMark,
    CertificateRequest,
    MarkKind,
    Reason,
    RequestReason,
    RequestState,
)
from directory import assignments
from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.clock import local_day
from directory.base.outbox import Priority
from directory.changes.model import Change, ChangeKind, Person, Plan
from directory.effects import Action, Column, Due, Event, Foreseen, State

BULK_FROM = 50
"""A change of more people than this does not push its certificates ahead of everyone's."""


class EffectKind(StrEnum):
    """What can happen to a certificate."""

    DISTRUST = "certificate.distrust"
    RESTORE = "certificate.restore"
    REVOKE = "certificate.revoke"
    REQUEST = "certificate.request"
    WITHDRAW = "certificate.withdraw"
    """What an undone change would have done at a later day is taken back."""


COLUMN = {
    EffectKind.DISTRUST: Column.TRUST,
    EffectKind.RESTORE: Column.TRUST,
    EffectKind.REVOKE: Column.CASE,
    EffectKind.REQUEST: Column.CASE,
    EffectKind.WITHDRAW: Column.CASE,
}


@dataclass(frozen=True)
class _Order:
    """One thing to be done: the same value makes the preview's line and the commit's effect."""

    kind: EffectKind
    user_id: int
    target: str
    """The certificate's serial, or the profile of a request."""
    label: str
    certificate: Certificate | None = None
    reason: Reason | None = None

    @property
    def detail(self) -> dict[str, Any]:
        """What both the preview and the effect say beyond the label."""
        detail: dict[str, Any] = {}
        if self.reason is not None:
            detail["reason"] = self.reason.value
        return detail


class CertificateArtefact:
    """What the door's changes do to certificates."""

    columns = frozenset({Column.TRUST, Column.CASE})

    def preview(self, session: Session, plan: Plan) -> Sequence[Foreseen]:
        """What will be distrusted, restored, revoked and requested. Reads only."""
        return [
            Foreseen(COLUMN[o.kind], o.kind.value, o.user_id, o.target, o.label, detail=o.detail)
            for o in _planned(session, plan)
        ]

    def cut(self, session: Session, plan: Plan, change: Change) -> Sequence[Due]:
        """Write the marks and requests, dated at the effective moment."""
        if plan.spec.undo_of is not None:
            orders = _planned(session, plan)
            _withdraw(session, plan.spec.undo_of, change.id, now=plan.now)
        else:
            orders = _planned(session, plan)
            causes = {p.id: p.event.value for p in plan.people}
            _write(session, orders, causes, change.id, at=plan.effective_at, now=plan.now)
        _note(session, orders, plan.rights.actor, change.id, at=plan.effective_at, now=plan.now)
        priority = Priority.BULK if len(plan.people) > BULK_FROM else Priority.URGENT
        return [_due(o, plan.now, plan.effective_at, priority) for o in orders]

    def due(self, session: Session, change: Change, users: Sequence[int]) -> Sequence[Due]:
        """A scheduled change takes effect: certificates issued since it was committed."""
        at = change.took_effect_at or change.effective_at
        orders = list(_late(session, change, users, at))
        _write(session, orders, dict.fromkeys(users, change.kind), change.id, at=at, now=at)
        _note(session, orders, Actor.system(), change.id, at=at, now=at)
        return [_due(o, at, at, Priority.NORMAL) for o in orders]


def _planned(session: Session, plan: Plan) -> list[_Order]:
    if plan.spec.undo_of is not None:
        return list(_withdrawn(session, plan.spec.undo_of, plan.now))
    concerned = [
        p
        for p in plan.people
        if not p.new and {p.orders(Column.TRUST), p.orders(Column.CASE)} != {Action.NONE}
    ]
    at = plan.effective_at
    certificates = holdings.alive(session, [p.id for p in concerned], at)
    suspended = holdings.suspended(
        session, [c.id for own in certificates.values() for c in own], at
    )
    asked = holdings.asked(session, [p.id for p in concerned])
    orders: list[_Order] = []
    for person in concerned:
        own = certificates.get(person.id, [])
        orders += _ordered(person, own, suspended, on=at, asked=asked)
    return orders


def _ordered(
    person: Person,
    own: list[Certificate],
    suspended: set[int],
    *,
    on: datetime,
    asked: set[tuple[int, str]],
) -> Iterator[_Order]:
    """What the table's two cells mean for one person's certificates."""
    trust, case = person.orders(Column.TRUST), person.orders(Column.CASE)
    named = [c for c in own if c.unit_id in _left(person, on)]
    distrust = {Action.DISTRUST: own, Action.DISTRUST_IF_NAMED: named}.get(trust, [])
    restore = [c for c in own if c.id in suspended] if trust is Action.RESTORE else []
    revoke = {Action.REPLACE: own, Action.REPLACE_IF_NAMED: named, Action.REVOKE: own}.get(case, [])
    replace = case in (Action.REPLACE, Action.REPLACE_IF_NAMED)
    reason = Reason.AFFILIATION_CHANGED if replace else Reason.CESSATION_OF_OPERATION
    for certificate in distrust:
        yield _about(EffectKind.DISTRUST, certificate)
    for certificate in restore:
        yield _about(EffectKind.RESTORE, certificate)
    for certificate in revoke:
        yield _about(EffectKind.REVOKE, certificate, reason)
    if replace:
        yield from _requested(person.id, revoke, asked)


def _requested(
    user_id: int, revoked: list[Certificate], asked: set[tuple[int, str]]
) -> Iterator[_Order]:
    for profile in sorted({c.profile for c in revoked}):
        if (user_id, profile) not in asked:
            yield _Order(EffectKind.REQUEST, user_id, profile, revoked[-1].title)


def _left(person: Person, on: datetime) -> set[int]:
    """Units the person served until this change and no longer does."""
    ended = {h.unit.id for h in person.before if h.id in person.ended}
    kept = {h.unit.id for h in person.after if h.in_force(local_day(on))}
    return ended - kept


def _about(kind: EffectKind, certificate: Certificate, reason: Reason | None = None) -> _Order:
    assert certificate.user_id is not None  # noqa: S101 (only people's certificates are loaded)
    label = f"{certificate.serial[:8]}… {certificate.title}"
    return _Order(kind, certificate.user_id, certificate.serial, label, certificate, reason)


def _note(
    session: Session,
    orders: Iterable[_Order],
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
                Tag.CERTIFICATE_REVOKE if o.kind is EffectKind.REVOKE else Tag.CERTIFICATE_DISTRUST,
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


def _write(
    session: Session,
    orders: Iterable[_Order],
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
        elif order.kind is EffectKind.RESTORE:
            restored.append(order.certificate.id)
        else:
            revoked = order.kind is EffectKind.REVOKE
            rows.append(
                marks.mark_row(
                    order.certificate.id,
                    MarkKind.REVOKE if revoked else MarkKind.DISTRUST,
                    reason=order.reason or Reason.CERTIFICATE_HOLD,
                    cause=causes[order.user_id],
                    at=at,
                    now=now,
                    change_id=change_id,
                )
            )
    marks.add(session, rows)
    for some in holdings.chunks(restored):
        marks.restore(session, some, cause=Event.SUSPEND.value, at=at, change_id=change_id)
    if requests:
        session.execute(insert(CertificateRequest), requests)


def _request_row(order: _Order, change_id: str, at: datetime) -> dict[str, Any]:
    return {
        "user_id": order.user_id,
        "profile": order.target,
        "reason": RequestReason.MOVED.value,
        "state": RequestState.OPEN.value,
        "opened_at": at,
        "change_id": change_id,
    }


def _due(order: _Order, now: datetime, at: datetime, priority: int) -> Due:
    """The effect of an order. A request is complete once it is open; the rest is proven.

    A revocation's job publishes the list first and then hands its effect to the probe.
    """
    column, certificate = COLUMN[order.kind], order.certificate
    final, job = State.VERIFIED, None
    if certificate is None or order.kind is EffectKind.WITHDRAW:
        final = State.ACKNOWLEDGED
    elif order.kind is EffectKind.REVOKE:
        job = marks.crl_job(certificate.authority_id, now=now, run_at=at, priority=priority)
    else:
        job = marks.probe_job(certificate.id, now=now, run_at=at, priority=priority)
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


def _late(session: Session, change: Change, users: Sequence[int], at: datetime) -> Iterator[_Order]:
    """What a scheduled change means for certificates its commit could not know."""
    held = assignments.timeline(session, users)
    asked = holdings.asked(session, users)
    for user_id, certificates in holdings.alive(session, users, at).items():
        new = [c for c in certificates if c.issued_at and c.issued_at > change.committed_at]
        serves = {h.unit.id for h in held[user_id] if h.in_force(local_day(at))}
        if change.kind == ChangeKind.TRANSFER:
            new = [c for c in new if c.unit_id is not None and c.unit_id not in serves]
        leaving = change.kind == ChangeKind.LEAVE
        if not leaving and change.kind not in (ChangeKind.TRANSFER, ChangeKind.SUSPEND):
            continue
        for certificate in new:
            yield _about(EffectKind.DISTRUST, certificate)
        if change.kind == ChangeKind.SUSPEND:
            continue
        reason = Reason.CESSATION_OF_OPERATION if leaving else Reason.AFFILIATION_CHANGED
        for certificate in new:
            yield _about(EffectKind.REVOKE, certificate, reason)
        if not leaving:
            yield from _requested(user_id, new, asked)


def _withdrawn(session: Session, change_id: str, now: datetime) -> Iterator[_Order]:
    """What undoing a change takes back: only what had been dated ahead of now."""
    certificates = session.scalars(
        select(Certificate)
        .where(
            Certificate.id.in_(
                select(CertificateMark.certificate_id).where(
                    or_(
                        (CertificateMark.change_id == change_id)
                        & (CertificateMark.at > CertificateMark.created_at)
                        & (CertificateMark.at > now)
                        & CertificateMark.lifted_at.is_(None),
                        (CertificateMark.lifted_by == change_id)
                        & (CertificateMark.lifted_at > now),
                    )
                )
            )
        )
        .order_by(Certificate.id)
    )
    for certificate in certificates:
        yield _about(EffectKind.WITHDRAW, certificate)


def _withdraw(session: Session, of_change: str, change_id: str, *, now: datetime) -> None:
    marks.withdraw(session, of_change, now=now, change_id=change_id)
    session.execute(
        update(CertificateRequest)
        .where(
            CertificateRequest.change_id == of_change,
            CertificateRequest.state == RequestState.OPEN.value,
            CertificateRequest.opened_at > now,
        )
        .values(state=RequestState.WITHDRAWN.value)
    )
