"""What the pages about changes ask: lists and the proof of one."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory import assignments, search
from directory.assignments import Held, Position
from directory.base.clock import local_day
from directory.changes import present, undo
from directory.changes.effects import Effect
from directory.changes.model import Change
from directory.changes.proof import Proof
from directory.changes.table import TABLE, Action, Column, Event
from directory.people import User
from directory.permissions import Rights
from directory.search import PersonView
from idp.console import entries
from idp.web import labels

ENDS = frozenset({Action.END_ALL, Action.END_ACTING})


@dataclass(frozen=True)
class Group:
    """The effects of one artefact, and how many are final."""

    column: str
    effects: list[Effect]

    @property
    def done(self) -> int:
        """How many have reached their final state."""
        return sum(1 for e in self.effects if e.done)


@dataclass(frozen=True)
class ProofPage:
    """A change with its effects by artefact."""

    proof: Proof
    groups: list[Group]
    people: dict[int, str]
    digest: str
    """SHA-256 of the proof as the API gives it: what a printed copy can be compared by."""
    undoable: bool
    actors: dict[int, str]
    said: list[tuple[str, str]]
    """What was chosen and no line tells, in words."""
    undone: Change | None
    """What it takes back."""
    approver: str
    """Who approved it, in words; nothing where it took nobody."""
    starters: list[tuple[int, str]]
    """Those who are to get a slip next: who is new here, or back. (id, name)"""
    longest: float
    """Seconds the slowest finished effect took; the scale of the latency picture."""

    @property
    def done(self) -> int:
        """How many effects are final."""
        return sum(g.done for g in self.groups)

    @property
    def cuts(self) -> bool:
        """Whether what happened is of a kind that ends access, as the table has it."""
        happened = self.proof.change.events
        if happened is None:  # committed before events were kept
            return True
        return any(TABLE[Event(code)][Column.ACCESS] in ENDS for code in happened)

    @property
    def total(self) -> int:
        """How many effects there are."""
        return sum(len(g.effects) for g in self.groups)


def proof(session: Session, found: Proof) -> ProofPage:
    """The page of one change."""
    order: dict[str, list[Effect]] = {}
    for effect in found.effects:
        order.setdefault(effect.column, []).append(effect)
    ids = {e.user_id for e in found.effects if e.user_id} | {
        line.user_id for line in found.lines if line.user_id
    }
    wanted = sorted(ids)[:500]
    names: dict[int, str] = dict(
        session.execute(select(User.id, User.full_name).where(User.id.in_(wanted))).all()
    )
    took = [e.latency.total_seconds() for e in found.effects if e.latency is not None]
    return ProofPage(
        found,
        [Group(column, rows) for column, rows in order.items()],
        names,
        _digest(present.proof_as_dict(found)),
        undo.undoable(found.change),
        entries.names(session, [found.change]),
        labels.told(found.change.kind, found.change.told),
        session.get(Change, found.change.undo_of) if found.change.undo_of else None,
        _approver(session, found.change),
        found.starters,
        max([*took, 0.001]),
    )


def _approver(session: Session, change: Change) -> str:
    if change.approver_kind is None:
        return ""
    who = entries.Who(change.approver_kind, change.approver_id, change.approver_label or "")
    return entries.actor(who, entries.names(session, [who]))


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class FormPage:
    """What the form of a change offers."""

    person: PersonView | None
    """None for somebody who does not exist yet."""
    positions: list[Position]
    others: list[Held]
    """Further posts she holds, which a decision may keep."""


def form(session: Session, granted: Rights, user_id: int | None, *, now: datetime) -> FormPage:
    """The person a change is about, if she exists already. Raises NotFound."""
    if user_id is None:
        return FormPage(None, assignments.positions(session), [])
    found = search.person(session, granted, user_id, on=local_day(now))
    open_now = [h for h in found.timeline if h.in_force(local_day(now))]
    return FormPage(
        found,
        assignments.positions(session),
        [h for h in open_now if found.primary is None or h.id != found.primary.id],
    )
