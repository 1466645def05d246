"""RoleCutter: what a change does to the administrator's roles a person holds.

A change that ends a role dates its end. Cancelled before its day, it gives the role the end it
would have without it; once the day has come the role is gone for good: an undo gives none back.
What each change did is in its effects (``until``, and what was there ``before``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from directory.assignments import Assignment
from directory.base.clock import local_day
from directory.base.rows import batches, ends_after
from directory.changes.effects import Due, Effect, Foreseen, State
from directory.changes.model import Change, ChangeState, Person, Plan
from directory.changes.table import TABLE, Action, Column
from directory.permissions import ROLE_NAMES, AdminRole, Role

END, RESTORE = "role.end", "role.restore"


@dataclass(frozen=True)
class _Order:
    """One role that gets another end."""

    kind: str
    user_id: int
    role: AdminRole
    until: date | None

    @property
    def detail(self) -> dict[str, str | None]:
        before = self.role.valid_to
        return {"until": _iso(self.until), "before": _iso(before)}


class RoleCutter:
    """Roles that come with a post end with it; whoever leaves loses all of them."""

    columns = frozenset({Column.ROLES})

    def preview(self, session: Session, plan: Plan) -> Sequence[Foreseen]:
        """One effect per role whose end the plan moves."""
        return [
            Foreseen(
                Column.ROLES,
                o.kind,
                o.user_id,
                str(o.role.id),
                ROLE_NAMES[Role(o.role.role)],
                detail=o.detail,
            )
            for o in _orders(session, plan)
        ]

    def cut(self, session: Session, plan: Plan, change: Change) -> Sequence[Due]:
        """Date the rows' ends; they are evaluated by date whenever used."""
        return _written(session, _orders(session, plan))

    def due(self, session: Session, change: Change, users: Sequence[int]) -> Sequence[Due]:
        """Roles given since the commit end too; the dates of the others already count."""
        on = change.effective_on
        ending: list[AdminRole] = []
        for part in batches(users):
            events = {user_id: change.event_of(user_id) for user_id in part}
            loses = [u for u, e in events.items() if e and TABLE[e][Column.ROLES] == Action.END]
            closed = select(Assignment.id).where(
                Assignment.user_id.in_(part), Assignment.closed_by == change.id
            )
            mine = or_(AdminRole.user_id.in_(loses), AdminRole.assignment_id.in_(closed))
            ending += session.scalars(
                select(AdminRole).where(mine, ends_after(AdminRole.valid_to, on))
            )
        return _written(
            session,
            [_Order(END, r.user_id, r, max(on, r.valid_from)) for r in ending if r.user_id],
        )


def _written(session: Session, orders: Sequence[_Order]) -> list[Due]:
    dues = [
        Due(
            Column.ROLES,
            o.kind,
            o.user_id,
            str(o.role.id),
            ROLE_NAMES[Role(o.role.role)],
            final=State.ACKNOWLEDGED,
            state=State.ACKNOWLEDGED,
            detail=o.detail,
        )
        for o in orders
    ]
    for order in orders:
        order.role.valid_to = order.until
    session.flush()
    return dues


def _orders(session: Session, plan: Plan) -> list[_Order]:
    found: list[_Order] = []
    for person in plan.people:
        action = person.orders(Column.ROLES)
        if person.new or action in (Action.NONE, Action.SLEEP, Action.ADD):
            continue
        now = plan.spec.undo_of is not None or action is Action.ANEW
        on = local_day(plan.now) if now else plan.spec.effective_on
        found += [
            _Order(END, person.id, role, max(on, role.valid_from))
            for role in _ending(session, person, action, on)
        ]
        if action == Action.RESTORE and plan.spec.undo_of is not None:
            found += _restored(session, person, plan.spec.undo_of)
    return found


def _ending(session: Session, person: Person, action: Action, on: date) -> Sequence[AdminRole]:
    if action in (Action.END, Action.ANEW):
        mine = AdminRole.user_id == person.id
    elif person.ended:
        mine = AdminRole.assignment_id.in_(person.ended)
    else:
        return ()
    return session.scalars(
        select(AdminRole).where(mine, ends_after(AdminRole.valid_to, on)).order_by(AdminRole.id)
    ).all()


def _restored(session: Session, person: Person, change_id: str) -> list[_Order]:
    """The roles whose end is the cancelled change's, with the end they have without it."""
    found = []
    own = session.scalars(
        select(Effect).where(
            Effect.change_id == change_id, Effect.user_id == person.id, Effect.kind == END
        )
    ).all()
    for effect in own:
        role = session.get(AdminRole, int(effect.target))
        until = effect.detail.get("until")
        if role is None or until is None or _iso(role.valid_to) != until:
            continue  # somebody has ended it earlier since
        end = _end_without(session, role, change_id)
        if _iso(end) != until and role.assignment_id not in person.ended:
            found.append(_Order(RESTORE, person.id, role, end))
    return found


def _end_without(session: Session, role: AdminRole, change_id: str) -> date | None:
    """The earliest end by any change but one that stands or had its day; else its own."""
    rows = session.execute(
        select(Effect.change_id, Effect.detail, Change.state, Change.took_effect_at)
        .join(Change, Change.id == Effect.change_id)
        .where(Effect.kind == END, Effect.target == str(role.id))
        .order_by(Effect.id)
    ).all()
    ends = [rows[0].detail.get("before")] if rows else []
    ends += [
        row.detail.get("until")
        for row in rows
        if row.change_id != change_id
        and (row.state != ChangeState.UNDONE.value or row.took_effect_at is not None)
    ]
    known = [date.fromisoformat(end) for end in ends if end is not None]
    return min(known, default=None)


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
