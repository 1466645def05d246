"""Changes that wait for their day, and the certificates their commits could not know.

``date_ahead`` is for a certificate being made: whatever a committed change will do to its person
is written to it at once, dated, as if the change had found it. ``late`` is for the day itself,
and for what slipped through: certificates made by a process of an older version.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.pki import certificates as holdings
from connectors.pki.orders import CertificateEffect, Order, about, effect_of, note, requested, write
from connectors.pki.tables import Certificate, RevocationReason
from directory import assignments
from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.base.outbox import Priority
from directory.changes import effects
from directory.changes.effects import Due, Effect
from directory.changes.model import Change, ChangeLine, ChangeState
from directory.changes.table import TABLE, Action, Column

COLUMNS = (Column.TRUST, Column.CASE)


def date_ahead(session: Session, certificate: Certificate, *, now: datetime) -> None:
    """What waits for the day of this certificate's person counts for it too.

    To be called with her row locked: a change committed afterwards finds the certificate itself.
    """
    if certificate.user_id is None:
        return
    of_hers = select(ChangeLine.change_id).where(ChangeLine.user_id == certificate.user_id)
    for change in session.scalars(
        select(Change)
        .where(Change.state == ChangeState.SCHEDULED.value, Change.id.in_(of_hers))
        .order_by(Change.effective_at, Change.id)
    ):
        held = {certificate.user_id: [certificate]}
        dues = _carry_out(session, change, held, at=change.effective_at, now=now)
        effects.order(session, change.id, dues, now=now)


def late(session: Session, change: Change, users: Sequence[int], *, at: datetime) -> list[Due]:
    """What a change whose day has come means for certificates it has no effect about."""
    known = set(
        session.scalars(
            select(Effect.target).where(
                Effect.change_id == change.id, Effect.kind == CertificateEffect.DISTRUST.value
            )
        )
    )
    held = {
        user_id: [c for c in certificates if c.serial not in known]
        for user_id, certificates in holdings.alive(session, users, at).items()
    }
    return _carry_out(session, change, held, at=at, now=at)


def _carry_out(
    session: Session,
    change: Change,
    held: dict[int, list[Certificate]],
    *,
    at: datetime,
    now: datetime,
) -> list[Due]:
    orders = list(_orders(session, change, held, at))
    causes = {user_id: event.value for user_id in held if (event := change.event_of(user_id))}
    write(session, orders, causes, change.id, at=at, now=now)
    note(session, orders, Actor.system(), change.id, at=at, now=now)
    return [effect_of(o, now, at, Priority.NORMAL) for o in orders]


def _orders(
    session: Session, change: Change, held: dict[int, list[Certificate]], at: datetime
) -> Iterator[Order]:
    """The event × artefact table for a change that is stored, with the event of each person."""
    users: Collection[int] = sorted(held)
    served = assignments.timeline(session, users)
    asked = holdings.requested(session, list(users))
    for user_id in users:
        event = change.event_of(user_id)
        trust, case = (TABLE[event][c] for c in COLUMNS) if event else (Action.NONE, Action.NONE)
        if trust not in (Action.DISTRUST, Action.DISTRUST_IF_NAMED):
            continue
        certificates, moves = held[user_id], case in (Action.REPLACE, Action.REPLACE_IF_NAMED)
        if moves:
            serves = {h.unit.id for h in served[user_id] if h.in_force(local_day(at))}
            certificates = [
                c for c in certificates if c.unit_id is not None and c.unit_id not in serves
            ]
        for certificate in certificates:
            yield about(CertificateEffect.DISTRUST, certificate)
        if case == Action.NONE:
            continue
        reason = (
            RevocationReason.AFFILIATION_CHANGED
            if moves
            else RevocationReason.CESSATION_OF_OPERATION
        )
        for certificate in certificates:
            yield about(CertificateEffect.REVOKE, certificate, reason)
        if moves:
            yield from requested(user_id, certificates, asked)
