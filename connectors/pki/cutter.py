"""The columns TRUST and CASE of the event × artefact table, for certificates of our own authority.

    DISTRUST           from the effective moment nobody believes it (OCSP: certificateHold)
    RESTORE            what a suspension distrusted is believed again; on cancelling a change
                       that has not taken effect yet, everything it had dated ahead is withdrawn
    REPLACE            revoke (affiliationChanged) and open a request for a new one
    REVOKE             revoke (cessationOfOperation)
    …_IF_NAMED         only where the DN names a unit the person no longer serves
    RENEW_IF_NAMED     open a request for a new one where the DN calls her otherwise than she is
                       called now; the present one serves until then

Everything is a dated row, so a change that takes effect later needs no job to be right on the
day: OCSP and CRL read the dates. The jobs push the list and prove the result from outside.
A certificate that is still being made is held like one that was issued; one that is asked for
while a change waits for its day gets that change's marks at once (``waiting``).
Certificates of an external authority become cases with that authority; a transfer to another
legal person may then ask for a change of information instead of REPLACE (Nghị định 68/2024
Điều 15), which is one more branch of ``_ordered``.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from connectors.pki import certificates as holdings
from connectors.pki import revocations, waiting
from connectors.pki.naming import names
from connectors.pki.orders import (
    COLUMN,
    CertificateEffect,
    Order,
    about,
    effect_of,
    note,
    requested,
    write,
)
from connectors.pki.tables import (
    Certificate,
    CertificateMark,
    CertificateRequest,
    CertificateState,
    RequestReason,
    RequestState,
    RevocationReason,
)
from directory.base.clock import local_day
from directory.base.outbox import Priority
from directory.changes.effects import Due, Foreseen
from directory.changes.model import Change, Person, Plan
from directory.changes.table import Action, Column

BULK_FROM = 50
"""A change of more people than this does not push its certificates ahead of everyone's."""


class CertificateCutter:
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
        orders = written = _planned(session, plan)
        if plan.spec.undo_of is not None:
            _withdraw(session, plan.spec.undo_of, change.id, now=plan.now)
            written = [o for o in orders if o.kind is CertificateEffect.REQUEST]
        causes = {p.id: p.event.value for p in plan.people}
        write(session, written, causes, change.id, at=plan.effective_at, now=plan.now)
        note(session, orders, plan.rights.actor, change.id, at=plan.effective_at, now=plan.now)
        priority = Priority.BULK if len(plan.people) > BULK_FROM else Priority.URGENT
        return [effect_of(o, plan.now, plan.effective_at, priority) for o in orders]

    def due(self, session: Session, change: Change, users: Sequence[int]) -> Sequence[Due]:
        """A scheduled change takes effect: what it does not have in its effects yet."""
        at = change.took_effect_at or change.effective_at
        return waiting.late(session, change, users, at=at)


def _planned(session: Session, plan: Plan) -> list[Order]:
    if plan.spec.undo_of is not None:
        return [*_withdrawn(session, plan.spec.undo_of, plan.now), *_renamed(session, plan)]
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
    asked = holdings.requested(session, [p.id for p in concerned])
    orders: list[Order] = []
    for person in concerned:
        own = certificates.get(person.id, [])
        orders += _ordered(person, own, suspended, on=at, asked=asked)
    return [*orders, *_renamed(session, plan)]


def _renamed(session: Session, plan: Plan) -> Iterator[Order]:
    """Requests for those who are called otherwise from now on than a certificate of theirs says."""
    called = {
        line.user_id: name
        for line in plan.lines
        if line.action == "update" and (name := (line.after or {}).get("full_name"))
    }
    people = [
        p.id
        for p in plan.people
        if p.orders(Column.CASE) is Action.RENEW_IF_NAMED and p.id in called
    ]
    certificates = holdings.alive(session, people, plan.effective_at)
    asked = holdings.requested(session, people)
    for user_id in people:
        own = certificates.get(user_id, [])
        otherwise = [c for c in own if not names(c.subject, called[user_id])]
        yield from requested(user_id, otherwise, asked, RequestReason.RENAMED)


def _ordered(
    person: Person,
    own: list[Certificate],
    suspended: set[int],
    *,
    on: datetime,
    asked: set[tuple[int, str]],
) -> Iterator[Order]:
    """What the table's two cells mean for one person's certificates."""
    trust, case = person.orders(Column.TRUST), person.orders(Column.CASE)
    named = [c for c in own if c.unit_id in _left(person, on)]
    distrust = {Action.DISTRUST: own, Action.DISTRUST_IF_NAMED: named}.get(trust, [])
    restore = [c for c in own if c.id in suspended] if trust is Action.RESTORE else []
    revoke = {Action.REPLACE: own, Action.REPLACE_IF_NAMED: named, Action.REVOKE: own}.get(case, [])
    replace = case in (Action.REPLACE, Action.REPLACE_IF_NAMED)
    reason = (
        RevocationReason.AFFILIATION_CHANGED if replace else RevocationReason.CESSATION_OF_OPERATION
    )
    for certificate in distrust:
        yield about(CertificateEffect.DISTRUST, certificate)
    for certificate in restore:
        yield about(CertificateEffect.RESTORE, certificate)
    for certificate in revoke:
        yield about(CertificateEffect.REVOKE, certificate, reason)
    if replace:
        yield from requested(person.id, revoke, asked)


def _left(person: Person, on: datetime) -> set[int]:
    """Units the person served until this change and no longer does."""
    ended = {h.unit.id for h in person.before if h.id in person.ended}
    kept = {h.unit.id for h in person.after if h.in_force(local_day(on))}
    return ended - kept


def _withdrawn(session: Session, change_id: str, now: datetime) -> Iterator[Order]:
    """What undoing a change takes back: only what had been dated ahead of now."""
    certificates = session.scalars(
        select(Certificate)
        .where(
            Certificate.state != CertificateState.ABANDONED.value,
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
            ),
        )
        .order_by(Certificate.id)
    )
    for certificate in certificates:
        yield about(CertificateEffect.WITHDRAW, certificate)


def _withdraw(session: Session, of_change: str, change_id: str, *, now: datetime) -> None:
    revocations.withdraw(session, of_change, now=now, change_id=change_id)
    session.execute(
        update(CertificateRequest)
        .where(
            CertificateRequest.change_id == of_change,
            CertificateRequest.state == RequestState.OPEN.value,
            or_(
                CertificateRequest.opened_at > now,
                CertificateRequest.reason == RequestReason.RENAMED.value,
            ),
        )
        .values(state=RequestState.WITHDRAWN.value)
    )
