"""How a plan becomes rows: lines, audit entries, epochs and dated cuts. Only the door calls it."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from directory.base import audit, outbox
from directory.base.audit import Actor, Tag
from directory.base.clock import day_start, local_day
from directory.base.db import insert_rows
from directory.base.rows import batches
from directory.changes import effects, kind
from directory.changes.drafting import primary_on
from directory.changes.effects import Effect, State
from directory.changes.model import (
    Change,
    ChangeLine,
    ChangeState,
    ChangeUnit,
    Line,
    Person,
    Plan,
)
from directory.changes.promises import superseded
from directory.changes.table import Action, Column
from directory.people import User, UserCut

_AUDIT = {
    ("users", "create"): Tag.USER_CREATE,
    ("assignment", "open"): Tag.ASSIGNMENT_OPEN,
    ("assignment", "close"): Tag.ASSIGNMENT_CLOSE,
    ("assignment", "void"): Tag.ASSIGNMENT_CLOSE,
    ("assignment", "reopen"): Tag.ASSIGNMENT_REOPEN,
    ("org_unit", "create"): Tag.UNIT_CREATE,
    ("position", "create"): Tag.POSITION_CREATE,
    ("post", "create"): Tag.POSITION_CREATE,
    **{
        (table, action): Tag.UNIT_UPDATE
        for table in ("unit_name", "unit_edge", "unit_code")
        for action in ("begin", "take_back")
    },
    ("change", "supersede"): Tag.CHANGE_SUPERSEDE,
    ("change", "revive"): Tag.CHANGE_REVIVE,
}
_STATUS = {"suspended": Tag.USER_SUSPEND, "active": Tag.USER_RESUME, "left": Tag.USER_LEAVE}


def write_plan(session: Session, plan: Plan, change: Change, actor: Actor) -> Plan:
    """Write every line; the plan again, with real ids where it had negative ones."""
    plan = kind.get(plan.spec.kind).write(session, plan, change)
    change.events = _events(plan.people)
    insert_rows(
        session,
        ChangeLine,
        [
            {
                "change_id": change.id,
                "table": line.table,
                "action": line.action,
                "row_id": line.row_id,
                "user_id": line.user_id,
                "unit_id": line.unit_id,
                "label": line.label,
                "before": line.before,
                "after": line.after,
            }
            for line in plan.lines
        ],
    )
    insert_rows(session, ChangeUnit, list(_units(plan, change)))
    audit.record_rows(session, [_audited(line, plan, change, actor) for line in plan.lines])
    put_aside(session, plan)
    return plan


def _events(people: Iterable[Person]) -> dict[str, list[int]]:
    """The people of a plan by the event that happens to them, as a change keeps it."""
    found: dict[str, list[int]] = {}
    for person in people:
        found.setdefault(person.event.value, []).append(person.id)
    return found


def _units(plan: Plan, change: Change) -> Iterator[dict[str, Any]]:
    """Where each person is as this is committed, beside the units that the lines about her name:
    every unit she works in today, and that of the day the change waits for; or, of somebody who
    holds nothing, where she was last. A day in the past decides nothing.
    """
    named = {(line.user_id, line.unit_id) for line in plan.lines}
    days = {local_day(plan.now), max(plan.spec.effective_on, local_day(plan.now))}
    for person in plan.people:
        if person.new:
            continue
        facts = [h for h in person.before if not h.void]
        here = [h for h in facts if any(h.in_force(day) for day in days)]
        for unit_id in sorted({h.unit.id for h in here or facts[-1:]}):
            if (person.id, unit_id) not in named:
                yield {"change_id": change.id, "user_id": person.id, "unit_id": unit_id}


def put_aside(session: Session, plan: Plan) -> None:
    """Changes that this plan supersedes wait no more; those it revives wait again.

    A change about several people stands until it is put aside for all of them.
    """
    for line in plan.lines:
        if line.table != "change":
            continue
        other = session.get_one(Change, (line.after or {})["change"])
        theirs = select(Effect).where(Effect.change_id == other.id, Effect.user_id == line.user_id)
        if line.action == "supersede":
            waiting = session.scalars(theirs)
            effects.advance(session, waiting, State.SUPERSEDED, at=plan.now)
            if not _still_waited_for(session, other):
                other.state = ChangeState.SUPERSEDED.value
            continue
        other.state = ChangeState.SCHEDULED.value
        if other.effective_at > plan.now:
            session.execute(
                update(Effect)
                .where(
                    Effect.change_id == other.id,
                    Effect.user_id == line.user_id,
                    Effect.state == State.SUPERSEDED.value,
                )
                .values(state=State.PENDING.value)
            )
        else:  # its day has passed meanwhile: what follows from it is worked out at once
            row = outbox.row_for(
                outbox.JobKind.SUBJECT_BOUNDARY, str(line.user_id), now=plan.now, run_at=plan.now
            )
            outbox.enqueue_rows(session, [row])
    session.flush()


def _still_waited_for(session: Session, change: Change) -> bool:
    """Whether anybody of a waiting change has not had it put aside."""
    found = session.scalars(
        select(ChangeLine.user_id).where(ChangeLine.change_id == change.id).distinct()
    )
    about = {user_id for user_id in found if user_id is not None}
    aside = {user_id for user_id, of in superseded(session, sorted(about)) if of == change.id}
    return bool(about - aside)


def _audited(line: Line, plan: Plan, change: Change, actor: Actor) -> dict[str, Any]:
    tag = _AUDIT.get((line.table, line.action))
    after = line.after or {}
    if line.table == "users" and line.action == "update" and not _STANDING & after.keys():
        return _personal(line, plan, change, actor)
    if tag is None:
        # A cancelled leave decides the day alone: she goes on.
        tag = _STATUS[after.get("status") or ("left" if after.get("leaves_on") else "active")]
    subject = ("user", line.user_id) if line.user_id else (line.table, line.row_id)
    if tag is Tag.UNIT_UPDATE:
        subject = ("org_unit", line.unit_id)
    personal = {"name": line.label} if line.table == "users" else None
    return audit.entry(
        tag,
        at=plan.now,
        actor=actor,
        subject=subject,
        change_id=change.id,
        data={"before": line.before, "after": line.after}
        if line.table != "users"
        else {
            "before": (line.before or {}).get("status"),
            "after": (line.after or {}).get("status", "active"),
            **(
                {"leaves_on": (line.after or {})["leaves_on"]}
                if "leaves_on" in (line.after or {})
                else {}
            ),
        },
        personal=personal,
    )


_STANDING = frozenset({"status", "leaves_on"})


def _personal(line: Line, plan: Plan, change: Change, actor: Actor) -> dict[str, Any]:
    """Her name, birth or address: which of them is told, what they were is hers."""
    return audit.entry(
        Tag.USER_UPDATE,
        at=plan.now,
        actor=actor,
        subject=("user", line.user_id),
        change_id=change.id,
        data={"changed": sorted(line.after or {})},
        personal={"name": line.label, "before": line.before, "after": line.after},
    )


def cut_access(session: Session, plan: Plan, change: Change) -> None:
    """Where the table says "end all": raise the epoch now, or write a dated cut.

    An ended assignment needs neither: what acts under it is dead by its own dates.
    """
    # A post she keeps has no end of its own that could cut what acts in it.
    paused = [
        {"user_id": p.id, "assignment_id": held, "at": plan.effective_at, "change_id": change.id}
        for p in plan.people
        if p.orders(Column.ACCESS) == Action.END_ACTING
        for held in p.paused
    ]
    insert_rows(session, UserCut, paused)
    ending = [p.id for p in plan.people if p.orders(Column.ACCESS) == Action.END_ALL]
    if ending and plan.scheduled:
        at = plan.effective_at
        insert_rows(
            session,
            UserCut,
            [
                {"user_id": u, "assignment_id": None, "at": at, "change_id": change.id}
                for u in ending
            ],
        )
    elif ending:
        session.execute(
            update(User).where(User.id.in_(ending)).values(access_epoch=User.access_epoch + 1)
        )
    anew = [p.id for p in plan.people if p.orders(Column.ACCESS) == Action.ANEW]
    if anew:  # whatever its day: what she is given for that day must outlast it
        session.execute(
            update(User).where(User.id.in_(anew)).values(access_epoch=User.access_epoch + 1)
        )
    _cut_before_what_follows(session, plan)
    _cut_where_she_is_then(session, plan)
    if plan.spec.undo_of:
        session.execute(
            delete(UserCut).where(UserCut.change_id == plan.spec.undo_of, UserCut.at > plan.now)
        )


def _cut_before_what_follows(session: Session, plan: Plan) -> None:
    """A move slipped in before one that waits may bring that one from another legal person: on
    its day everything ends, whatever its own preview said of the post she left then.
    """
    rows = [
        {
            "user_id": line.user_id,
            "assignment_id": None,
            "at": day_start(date.fromisoformat(line.after["valid_to"])),
            "change_id": line.after["closed_by"],
        }
        for line in plan.lines
        if line.action == "open" and line.after and line.after.get("closed_by")
    ]
    insert_rows(session, UserCut, rows)


def _cut_where_she_is_then(session: Session, plan: Plan) -> None:
    """A secondment that waits ends, on its day, what acts in her post at home. Where a change slipped
    in before gives her another home by then, it is there that it ends.
    """
    people = {p.id: p for p in plan.people if not p.new}
    rows = []
    for some in batches(people):
        for cut in session.scalars(
            select(UserCut).where(
                UserCut.user_id.in_(some),
                UserCut.assignment_id.is_not(None),
                UserCut.at > plan.now,
            )
        ):
            person, on = people[cut.user_id], local_day(cut.at)
            was, then = primary_on(person.before, on), primary_on(person.after, on)
            moved = was is not None and then is not None and was.id == cut.assignment_id != then.id
            if then is not None and moved:
                rows.append(
                    {
                        "user_id": person.id,
                        "assignment_id": then.id,
                        "at": cut.at,
                        "change_id": cut.change_id,
                    }
                )
    insert_rows(session, UserCut, rows)


def set_boundaries(session: Session, plan: Plan) -> None:
    """A job for each person and later day on which something of this plan begins or ends."""
    rows = {}
    for person in plan.people:
        known = {(h.id, h.valid_from, h.valid_to) for h in person.before}
        days = {plan.spec.effective_on} if plan.scheduled else set()
        for held in person.after:
            if (held.id, held.valid_from, held.valid_to) not in known:
                days |= {held.valid_from, *([held.valid_to] if held.valid_to else [])}
        for day in days:
            if (at := day_start(day)) > plan.now:
                rows[person.id, day] = outbox.row_for(
                    outbox.JobKind.SUBJECT_BOUNDARY, str(person.id), now=plan.now, run_at=at
                )
    outbox.enqueue_rows(session, list(rows.values()))
