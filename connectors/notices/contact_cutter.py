"""What a change has told of its own: another address or number, and another citizen number."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from connectors.notices import told
from connectors.notices.told import Reach
from connectors.notices.words import Notice
from directory.base.audit import Actor
from directory.changes.effects import Due, Foreseen
from directory.changes.model import Change, Plan
from directory.changes.table import Column, Event


class ContactCutter:
    """Implements ``directory.changes.cutter.Cutter`` for no column: it cuts nothing, it tells."""

    columns: frozenset[Column] = frozenset()

    def preview(self, session: Session, plan: Plan) -> Sequence[Foreseen]:
        """Nothing of anybody's ends by it."""
        return ()

    def cut(self, session: Session, plan: Plan, change: Change) -> Sequence[Due]:
        """Tell in the commit, at what was and what is: whoever has another's address changed would
        otherwise be the only one who is told.
        """
        actor = Actor(change.actor_kind, change.actor_id, change.actor_label)
        newcomers = {person.id for person in plan.people if person.new}
        reached = {
            line.user_id: former
            for line in plan.lines
            if line.table == "users"
            and line.user_id is not None
            and line.user_id not in newcomers
            and (former := _former(line.before, line.after)) is not None
        }
        numbered = {person.id: None for person in plan.people if person.event == Event.NUMBER}
        told.tell_all(session, reached, Notice.CONTACT_CHANGED, now=plan.now, actor=actor)
        told.tell_all(session, numbered, Notice.NUMBER_CHANGED, now=plan.now, actor=actor)
        return ()

    def due(self, session: Session, change: Change, users: Sequence[int]) -> Sequence[Due]:
        """Nothing more on its day."""
        return ()


def _former(before: object, after: object) -> Reach | None:
    """How she was reached, where that becomes something else."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return None
    changed = [name for name in ("email", "phone") if after.get(name) != before.get(name)]
    return Reach(before.get("email"), before.get("phone")) if changed else None
