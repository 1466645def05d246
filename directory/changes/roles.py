"""RoleArtefact: what a change does to the administrator's roles a person holds."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory.changes.model import Change, Person, Plan
from directory.effects import Action, Column, Due, Foreseen, State
from directory.permissions import AdminRole, holders

_NAMES = {
    "administrator": "Quản trị hệ thống",
    "hr_officer": "Cán bộ nhân sự",
    "application_owner": "Chủ ứng dụng",
    "auditor": "Kiểm toán viên",
}


class RoleArtefact:
    """Roles that come with a post end with it; whoever leaves loses all of them."""

    columns = frozenset({Column.ROLES})

    def preview(self, session: Session, plan: Plan) -> Sequence[Foreseen]:
        """One ``role.end`` per role that the plan ends."""
        return [
            Foreseen(Column.ROLES, "role.end", p.id, str(role.id), _NAMES[role.role])
            for p in plan.people
            for role in _ending(session, p)
        ]

    def cut(self, session: Session, plan: Plan, change: Change) -> Sequence[Due]:
        """Close the rows on the effective day; they are evaluated by date whenever used."""
        dues = []
        for person in plan.people:
            for role in _ending(session, person):
                role.valid_to = max(plan.spec.effective_on, role.valid_from)
                dues.append(
                    Due(
                        Column.ROLES,
                        "role.end",
                        person.id,
                        str(role.id),
                        _NAMES[role.role],
                        final=State.ACKNOWLEDGED,
                        state=State.ACKNOWLEDGED,
                    )
                )
        session.flush()
        return dues

    def due(self, session: Session, change: Change, users: Sequence[int]) -> Sequence[Due]:
        """Nothing: the dates of the rows already count."""
        return ()


def _ending(session: Session, person: Person) -> Sequence[AdminRole]:
    action = person.orders(Column.ROLES)
    if person.new or action in (Action.NONE, Action.SLEEP, Action.ADD):
        return ()
    if action == Action.END:
        return list(
            session.scalars(
                select(AdminRole)
                .where(AdminRole.user_id == person.id, AdminRole.valid_to.is_(None))
                .order_by(AdminRole.id)
            )
        )
    return holders(session, person.ended)
