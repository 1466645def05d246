"""SlipCutter: what a change does to the slips its people could still use, and to the password and
whatever else is enrolled of whoever begins anew.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from directory.base.audit import Actor
from directory.base.rows import batches
from directory.changes.effects import Due, Foreseen, State
from directory.changes.model import Change, Person, Plan
from directory.changes.table import TABLE, Action, Column, Event
from idp.factors import enrolled, envelopes, passwords, slip_approval, slips
from idp.factors.slip_approval import LABEL
from idp.factors.slip_rows import Activation, open_at

VOID = "slip.void"
FORGOTTEN = "password.void"
FORGOTTEN_LABEL = "Mật khẩu"
ENROLLED = "factor.void"
ENROLLED_LABEL = "Cách xác thực thứ hai"
_ANEW = {FORGOTTEN: FORGOTTEN_LABEL, ENROLLED: ENROLLED_LABEL}


class SlipCutter:
    """Implements ``directory.changes.cutter.Cutter`` for the column SLIPS."""

    columns = frozenset({Column.SLIPS})

    def preview(self, session: Session, plan: Plan) -> Sequence[Foreseen]:
        """How many open slips would be void, counted at this moment."""
        counts: dict[int, int] = {}
        for part in batches(sorted(set(_ending(plan.people)))):
            counted = session.execute(
                select(Activation.user_id, func.count())
                .where(Activation.user_id.in_(part), open_at(plan.now))
                .group_by(Activation.user_id)
            )
            counts |= dict(counted.all())
        return [
            *slip_approval.foreseen(session, plan),
            *self._ends(session, plan, counts),
        ]

    @staticmethod
    def _ends(session: Session, plan: Plan, counts: dict[int, int]) -> list[Foreseen]:
        return [
            Foreseen(
                Column.SLIPS,
                VOID,
                user_id,
                str(user_id),
                LABEL,
                count=counts[user_id],
                counted=True,
            )
            for user_id in sorted(counts)
        ] + [
            Foreseen(Column.SLIPS, kind, user_id, str(user_id), _ANEW[kind], count=1, counted=True)
            for kind, having, whose in (
                (FORGOTTEN, passwords.having, _anew(plan.people)),
                (ENROLLED, enrolled.having, _unenrolled(plan.people)),
            )
            for user_id in having(session, whose)
        ]

    def cut(self, session: Session, plan: Plan, change: Change) -> Sequence[Due]:
        """End them in the commit. A plan for a later day ends them by its dates; see ``due``."""
        anew = _anew(plan.people)
        ending = anew if plan.scheduled else _ending(plan.people)
        forgotten = passwords.forget(session, anew)
        void = enrolled.end(
            session,
            _unenrolled(plan.people),
            why=f"change:{change.id}",
            now=plan.now,
            actor=_actor(change),
            change_id=change.id,
            losses=True,
        )
        return [
            *slip_approval.due(plan),
            *_ended(session, ending, change, plan.now),
            *(_void(FORGOTTEN, user_id) for user_id in forgotten),
            *(_void(ENROLLED, user_id) for user_id in void),
        ]

    def due(self, session: Session, change: Change, users: Sequence[int]) -> Sequence[Due]:
        """The day has come: what was issued before it is void already, and is marked so. What a
        newcomer was given for her first day is not.
        """
        now = change.took_effect_at or change.effective_at
        ending = [u for u in users if (e := change.event_of(u)) and _ends_slips(e)]
        return _ended(session, ending, change, now, before=change.effective_at)


def _ending(concerned: Iterable[Person]) -> list[int]:
    ends = (Action.END_ALL, Action.ANEW)
    return [p.id for p in concerned if not p.new and p.orders(Column.SLIPS) in ends]


def _anew(concerned: Iterable[Person]) -> list[int]:
    """Those who begin anew: at the commit, so that a slip for their first day outlasts it."""
    return [p.id for p in concerned if not p.new and p.orders(Column.SLIPS) == Action.ANEW]


def _unenrolled(concerned: Iterable[Person]) -> list[int]:
    """Those who lose what they have enrolled, too: whoever had been linked by another number may have
    enrolled it. The password stays, for it is ours.
    """
    people = list(concerned)
    return [*_anew(people), *(p.id for p in people if p.event == Event.NUMBER)]


def _void(kind: str, user_id: int) -> Due:
    return Due(
        Column.SLIPS,
        kind,
        user_id,
        str(user_id),
        _ANEW[kind],
        final=State.ACKNOWLEDGED,
        state=State.ACKNOWLEDGED,
    )


def _ends_slips(event: Event) -> bool:
    return TABLE[event][Column.SLIPS] == Action.END_ALL


def _actor(change: Change) -> Actor:
    return Actor(change.actor_kind, change.actor_id, change.actor_label)


def _ended(
    session: Session,
    users: Iterable[int],
    change: Change,
    now: datetime,
    *,
    before: datetime | None = None,
) -> list[Due]:
    actor, why = _actor(change), f"change:{change.id}"
    users = list(users)
    envelopes.end(session, users, why=why, now=now, actor=actor, before=before)
    gone = slips.void(
        session,
        users,
        why=why,
        now=now,
        actor=actor,
        before=before,
        change_id=change.id,
    )
    return [
        Due(
            Column.SLIPS,
            VOID,
            user_id,
            str(slip_id),
            LABEL,
            final=State.ACKNOWLEDGED,
            state=State.ACKNOWLEDGED,
        )
        for slip_id, user_id in gone
    ]
