"""CertificateWayCutter: what a change does to certificates of others that its people sign in with.

The same that it does to our own, in the column TRUST: whoever is suspended, leaves or goes to another
legal person is not believed by them from that day on, whatever their issuer says of them; a suspension
that ends gives them back. They stay enrolled: a certificate that is issued anew for the same key says
the new things about her, and is as good as the old one was.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from connectors.pki import foreign_distrust
from connectors.pki.foreign_distrust import Foreign
from connectors.pki.naming import common_name
from connectors.pki.orders import CertificateEffect
from directory.changes.effects import Due, Foreseen, State
from directory.changes.model import Change, Plan
from directory.changes.table import TABLE, Action, Column, Event
from idp.factors import by_certificate, enrolled_keys

_KIND = {
    Action.DISTRUST: CertificateEffect.DISTRUST.value,
    Action.RESTORE: CertificateEffect.RESTORE.value,
}


@dataclass(frozen=True)
class _Held:
    """A certificate of another authority that somebody signs in with."""

    user_id: int
    which: Foreign
    label: str


class CertificateWayCutter:
    """Implements ``directory.changes.cutter.Cutter`` for the column TRUST, beside our own
    certificates' cutter.
    """

    columns = frozenset({Column.TRUST})

    def preview(self, session: Session, plan: Plan) -> Sequence[Foreseen]:
        """What will be distrusted, and what believed again."""
        orders = _planned(plan)
        return [
            Foreseen(Column.TRUST, _KIND[orders[one.user_id]], one.user_id, _key(one), one.label)
            for one in _held(session, orders)
        ]

    def cut(self, session: Session, plan: Plan, change: Change) -> Sequence[Due]:
        """Write it down, dated at the effective moment: no job is needed for it to be right then."""
        if plan.spec.undo_of is not None:
            foreign_distrust.withdraw(session, plan.spec.undo_of, now=plan.now, change_id=change.id)
        orders = _planned(plan)
        held = _held(session, orders)
        causes = {p.id: p.event.value for p in plan.people}
        for one in held:
            if orders[one.user_id] is Action.DISTRUST:
                foreign_distrust.add(
                    session,
                    [one.which],
                    cause=causes[one.user_id],
                    at=plan.effective_at,
                    now=plan.now,
                    change_id=change.id,
                )
            else:
                foreign_distrust.lift(
                    session,
                    [one.which],
                    cause=Event.SUSPEND.value,
                    at=plan.effective_at,
                    change_id=change.id,
                )
        return [] if plan.scheduled else _dues(held, orders)

    def due(self, session: Session, change: Change, users: Sequence[int]) -> Sequence[Due]:
        """The day has come: what was enrolled since the commit is not believed either."""
        events = [(user, event) for user in users if (event := change.event_of(user)) is not None]
        orders = _orders(events)
        held = _held(session, orders)
        now = change.took_effect_at or change.effective_at
        for one in held:
            if orders[one.user_id] is Action.DISTRUST and not foreign_distrust.distrusted(
                session, one.which, now=now
            ):
                cause = dict(events)[one.user_id].value
                foreign_distrust.add(
                    session, [one.which], cause=cause, at=now, now=now, change_id=change.id
                )
        return _dues(held, orders)


def _planned(plan: Plan) -> dict[int, Action]:
    """What is undone takes back its own (``foreign_distrust.withdraw``), and no other change's."""
    if plan.spec.undo_of is not None:
        return {}
    return _orders((p.id, p.event) for p in plan.people if not p.new)


def _orders(events: Iterable[tuple[int, Event]]) -> dict[int, Action]:
    """What is to be done to the certificates of each person, where anything is."""
    ordered = ((user, TABLE[event][Column.TRUST]) for user, event in events)
    return {user: action for user, action in ordered if action in _KIND}


def _held(session: Session, users: Iterable[int]) -> list[_Held]:
    return [
        _Held(
            user_id,
            Foreign(int(public["issued_by"]), str(public["serial"])),
            common_name(str(public["subject"])),
        )
        for user_id, public in enrolled_keys.publics_of_many(session, users, by_certificate.CODE)
        if public.get("issued_by") is not None
    ]


def _key(one: _Held) -> str:
    return f"{one.which.authority_id}:{one.which.serial}"


def _dues(held: Iterable[_Held], orders: dict[int, Action]) -> list[Due]:
    """The commit itself completes them."""
    return [
        Due(
            Column.TRUST,
            _KIND[orders[one.user_id]],
            one.user_id,
            _key(one),
            one.label,
            final=State.ACKNOWLEDGED,
            state=State.ACKNOWLEDGED,
        )
        for one in held
    ]
