"""What a change is: Spec (asked for), Plan (worked out), Change (committed), Line (one row)."""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import BaseModel
from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from directory.assignments import Held
from directory.base.clock import day_start
from directory.base.db import AUTOINCREMENT, Base, Key
from directory.changes import titles
from directory.changes.effects import Foreseen
from directory.changes.notices import Notice
from directory.changes.table import TABLE, Action, Column, Event
from directory.entitlements import Rulebook
from directory.permissions import Rights

Model = TypeVar("Model", bound=BaseModel)


class ChangeState(StrEnum):
    """Where a change stands."""

    SCHEDULED = "scheduled"
    COMMITTED = "committed"
    SETTLED = "settled"
    UNDONE = "undone"
    SUPERSEDED = "superseded"
    """Put aside, before its day, by a change that stands; waits again if that one is undone."""


@dataclass(frozen=True)
class Decision:
    """The document that orders a change."""

    number: str
    issued_on: date
    issuer: str


@dataclass(frozen=True)
class Spec:
    """A request for a change, checked and with its references resolved to ids."""

    kind: str
    effective_on: date
    decision: Decision | None = None
    users: tuple[int, ...] = ()
    asked: BaseModel | None = None
    """What the kind's ``asks`` were answered with, references resolved to ids."""
    undo_of: str | None = None
    rows: tuple[dict[str, Any], ...] = ()
    """Kinds made of rows (``join``, ``unit.create``): the checked rows themselves."""
    day_said: bool = True
    """Whether the request named its day; else that is today, whenever today is."""

    def on(self, day: date) -> "Spec":
        """The same, asked for on another day: posts that begin with it begin then."""
        today, then = self.effective_on.isoformat(), day.isoformat()
        rows = tuple(
            row
            | {
                "assignments": [
                    post | {"valid_from": then} if post["valid_from"] == today else post
                    for post in row["assignments"]
                ]
            }
            if "assignments" in row
            else row
            for row in self.rows
        )
        return replace(self, effective_on=day, rows=rows)

    def ask(self, model: type[Model]) -> Model:
        """What was asked, as the kind's own model."""
        if not isinstance(self.asked, model):
            raise TypeError(f"{self.kind} asks for {model.__qualname__}")
        return self.asked

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; equal specs give equal dicts."""
        body: dict[str, Any] = {
            "kind": str(self.kind),
            "effective_on": self.effective_on.isoformat(),
            "users": list(self.users),
            # Idempotency-Keys of the version before rest on these, whatever the kind.
            "to_unit": None,
            "position": None,
            "keep": [],
            "reason": None,
            **(self.asked.model_dump(mode="json", exclude_unset=True) if self.asked else {}),
            "undo_of": self.undo_of,
            "decision": None,
            "rows": _digest([_promised(row) for row in self.rows]) if self.rows else None,
        }
        if self.decision:
            body["decision"] = {
                "number": self.decision.number,
                "issued_on": self.decision.issued_on.isoformat(),
                "issuer": self.decision.issuer,
            }
        return body


def _promised(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what is made anew at each reading (a sealed value has a fresh nonce)."""
    return {
        k: _promised(v) if isinstance(v, dict) else v
        for k, v in row.items()
        if k != "citizen_sealed"
    }


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Line:
    """One directory row opened, closed or changed."""

    table: str
    action: str
    """``open``, ``close``, ``reopen``, ``void`` (assignments); ``supersede``, ``revive`` (changes
    that wait); ``create``, ``update`` (others)."""
    row_id: int | None
    user_id: int | None
    unit_id: int | None
    label: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON and for the fingerprint."""
        return {
            "table": self.table,
            "action": self.action,
            "row": self.row_id,
            "user": self.user_id,
            "unit": self.unit_id,
            "label": self.label,
            "before": self.before,
            "after": self.after,
        }


@dataclass(frozen=True)
class Person:
    """One person of a plan: who she is, what she held and what she will hold."""

    id: int
    sub: str
    username: str
    full_name: str
    status_before: str
    status_after: str
    event: Event
    before: tuple[Held, ...]
    """Her timeline as it stands."""
    after: tuple[Held, ...]
    """Her timeline as the plan leaves it. Assignments the plan opens have negative ids in a
    preview; in ``Cutter.cut`` they carry their real ones."""
    ended: tuple[int, ...]
    """Assignments the plan ends."""
    new: bool = False
    """She is created by this plan (``id`` is negative in a preview)."""
    row: int | None = None
    """The row of a feed she came in."""
    paused: tuple[int, ...] = ()
    """Assignments she keeps and stops acting in: what acts in them now ends."""

    def orders(self, column: Column) -> Action:
        """What the event × artefact table orders for her in that column."""
        return TABLE[self.event][column]


@dataclass(frozen=True)
class Plan:
    """What a change would do, worked out against the directory at one moment."""

    spec: Spec
    now: datetime
    rights: Rights
    rulebook: Rulebook
    people: tuple[Person, ...] = ()
    lines: tuple[Line, ...] = ()
    warnings: tuple[Notice, ...] = ()
    conflicts: tuple[Notice, ...] = ()
    units: tuple[int, ...] = ()
    """Units the plan rests on; locked by the commit after the people."""
    foreseen: tuple[Foreseen, ...] = ()
    working: int = 0
    """How many people work where a plan that names none changes what follows for them."""

    @property
    def effective_at(self) -> datetime:
        """The moment it takes effect; a day that has begun means the commit itself."""
        return max(day_start(self.spec.effective_on), self.now)

    @property
    def scheduled(self) -> bool:
        """Whether it takes effect on a later day than today."""
        return day_start(self.spec.effective_on) > self.now

    @property
    def proposable(self) -> bool:
        """Whether nothing but the want of a second person keeps it from being committed."""
        return bool(self.conflicts) and all(n.lifted for n in self.conflicts)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over what a commit promises; counts of sessions and grants are not in it, nor
        whether it takes a second person: that hangs on what others do meanwhile.
        """
        body = {
            "spec": self.spec.as_dict(),
            "scheduled": self.scheduled,
            "lines": [line.as_dict() for line in self.lines],
            "people": [
                [p.id, p.status_before, p.status_after, p.event.value, *map(_held_key, p.before)]
                for p in self.people
            ],
            "rules": self.rulebook.revision,
            "rights": self.rights.fingerprint(),
            "effects": [f.as_dict() for f in self.foreseen if not f.counted],
            "conflicts": [n.as_dict() for n in self.conflicts if not n.lifted],
        }
        return _digest(body)


def _held_key(held: Held) -> list[Any]:
    return [
        held.id,
        held.kind,
        held.valid_from.isoformat(),
        held.valid_to.isoformat() if held.valid_to else None,
        held.unit.id,
        held.unit.path,
        held.position_id,
    ]


class Change(Base):
    """A committed plan."""

    __tablename__ = "change"
    __table_args__ = (Index("ix_change_committed", "committed_at", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    state: Mapped[str]
    stored_title: Mapped[str] = mapped_column("title", default="")
    """A sentence, of changes that the version before wrote."""
    about: Mapped[str | None]
    """The name of the one person it is about, as she was called then."""
    events: Mapped[dict[str, Any] | None]
    """Event of the table → the people to whom it happens; None where the version before wrote it."""
    actor_kind: Mapped[str]
    actor_id: Mapped[int | None] = mapped_column(Key)
    actor_label: Mapped[str]
    effective_on: Mapped[date]
    effective_at: Mapped[datetime]
    committed_at: Mapped[datetime]
    took_effect_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    needs_attention: Mapped[bool] = mapped_column(default=False)
    decision_number: Mapped[str | None]
    decision_issued_on: Mapped[date | None]
    decision_issuer: Mapped[str | None]
    spec: Mapped[dict[str, Any]]
    fingerprint: Mapped[str]
    undo_of: Mapped[str | None] = mapped_column(ForeignKey("change.id"))
    people_count: Mapped[int]
    approver_kind: Mapped[str | None]
    """The second person, where it took one."""
    approver_id: Mapped[int | None] = mapped_column(Key)
    approver_label: Mapped[str | None]

    @property
    def named(self) -> str:
        """The name of the one person it is about, or nothing."""
        return self.about if self.about is not None else self.stored_title.partition(": ")[2]

    @property
    def title(self) -> str:
        """What lists call it; composed, so that a kind's words can change."""
        size = self.spec.get("size", self.people_count)
        if self.undoes is not None:
            return titles.undoing(self.undoes, self.named, size)
        return titles.composed(self.kind, self.named, size)

    @property
    def undoes(self) -> str | None:
        """The kind of what it takes back, if it does; None also where the version before wrote it."""
        return self.spec.get("undoes")

    @property
    def told(self) -> dict[str, str]:
        """What was chosen for it and no line tells: field → code, or ISO day."""
        return dict(self.spec.get("told", {}))

    def event_of(self, user_id: int) -> Event | None:
        """What happens to a person by it, as its plan has found."""
        if self.events is None:
            return _EVENTS_BEFORE.get(self.kind)
        return next((Event(e) for e, ids in self.events.items() if user_id in ids), None)


_EVENTS_BEFORE = {
    "join": Event.JOIN,
    "transfer": Event.TRANSFER_OTHER,
    "suspend": Event.SUSPEND,
    "resume": Event.RESUME,
    "leave": Event.LEAVE,
    "undo": Event.UNDO,
}
"""Of changes that the version before wrote; what still waits of them is cut by these all the same."""


class ChangeLine(Base):
    """A line as it was written: the transaction log of the directory."""

    __tablename__ = "change_line"
    __table_args__ = (
        Index("ix_change_line_row", "table", "row_id"),
        Index("ix_change_line_user", "user_id"),
        Index("ix_change_line_unit", "unit_id", "change_id"),
        AUTOINCREMENT,
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    change_id: Mapped[str] = mapped_column(ForeignKey("change.id"), index=True)
    table: Mapped[str]
    action: Mapped[str]
    row_id: Mapped[int | None] = mapped_column(Key)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"))
    label: Mapped[str]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]


class ChangeUnit(Base):
    """A unit somebody was in when a change about her was committed, where its lines name none.

    With the lines it says who may see the change, whatever becomes of her afterwards.
    """

    __tablename__ = "change_unit"
    __table_args__ = (
        UniqueConstraint("change_id", "user_id", "unit_id"),
        Index("ix_change_unit_unit", "unit_id", "change_id"),
        AUTOINCREMENT,
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    change_id: Mapped[str] = mapped_column(ForeignKey("change.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("org_unit.id"))
