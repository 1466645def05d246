"""How the door cuts what it may not import: sessions, accounts, certificates, links.

Whoever keeps something a person holds implements ``Cutter`` for its columns of the table; the
composition root hands them to the door.
"""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy.orm import Session

from directory.changes.effects import Due, Foreseen
from directory.changes.model import Change, Plan
from directory.changes.table import Column


class Cutter(Protocol):
    """One column of the table (or several that belong together), implemented above the door."""

    columns: frozenset[Column]

    def preview(self, session: Session, plan: Plan) -> Sequence[Foreseen]:
        """What the plan would do to these columns, for every person in it. Reads only."""
        ...

    def cut(self, session: Session, plan: Plan, change: Change) -> Sequence[Due]:
        """Do it, inside the commit: SQL only, no network. Called after the directory rows are
        written. For a plan that takes effect later, write dated marks and jobs with ``run_at``.
        """
        ...

    def due(self, session: Session, change: Change, users: Sequence[int]) -> Sequence[Due]:
        """A scheduled change takes effect now: what must be pushed that the commit could not
        know (sessions alive today). Empty for most.
        """
        ...
