"""How a plan becomes rows: lines, audit entries, epochs and dated cuts. Only the door calls it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from directory.assignments import Assignment
from directory.base import audit, outbox
from directory.base.audit import Actor, Tag
from directory.base.clock import day_start, local_day
from directory.base.crypto import random_id
from directory.base.db import insert_rows
from directory.base.text import name_parts, name_sort_key, search_key
from directory.changes import effects, joining, structure
from directory.changes.effects import Effect, State
from directory.changes.model import (
    Change,
    ChangeKind,
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
    ("change", "supersede"): Tag.CHANGE_SUPERSEDE,
    ("change", "revive"): Tag.CHANGE_REVIVE,
}
_STATUS = {"suspended": Tag.USER_SUSPEND, "active": Tag.USER_RESUME, "left": Tag.USER_LEAVE}


def write_plan(session: Session, plan: Plan, change: Change, actor: Actor) -> Plan:
    """Write every line; the plan again, with real ids where it had negative ones."""
    if plan.spec.kind == ChangeKind.JOIN:
        plan = _write_join(session, plan, change)
    elif plan.spec.kind == ChangeKind.UNIT_CREATE:
        plan = _with_ids(plan, structure.write_units(session, plan.spec.rows))
    elif plan.spec.kind == ChangeKind.POSITION_CREATE:
        plan = _with_ids(plan, structure.write_positions(session, plan.spec.rows))
    elif plan.spec.kind == ChangeKind.POST_CREATE:
        plan = _with_ids(plan, structure.write_posts(session, plan.spec.rows))
    else:
        plan = _write_lines(session, plan, change)
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


def _with_ids(plan: Plan, ids: list[int]) -> Plan:
    lines = tuple(replace(line, row_id=i) for line, i in zip(plan.lines, ids, strict=True))
    return replace(plan, lines=lines)


def _write_lines(session: Session, plan: Plan, change: Change) -> Plan:
    """Changes to people who exist, line by line in the plan's order."""
    lines, opened = [], {}
    for line in plan.lines:
        after = line.after or {}
        if line.table == "users":
            if columns := _status_columns(after, plan):
                session.execute(update(User).where(User.id == line.row_id).values(**columns))
        elif line.table == "change":
            pass  # after the rows: see put_aside
        elif line.action == "open":
            assignment = Assignment(
                user_id=line.user_id,
                unit_id=after["unit"],
                position_id=after["position"],
                kind=after["kind"],
                valid_from=date.fromisoformat(after["valid_from"]),
                valid_to=date.fromisoformat(after["valid_to"]) if after["valid_to"] else None,
                planned_end=None,
                decision_number=change.decision_number,
                decision_issued_on=change.decision_issued_on,
                decision_issuer=change.decision_issuer,
                source_key=None,
                opened_by=change.id,
                closed_by=after.get("closed_by"),
            )
            session.add(assignment)
            session.flush()
            opened[line.user_id] = assignment.id
            line = replace(line, row_id=assignment.id)
        else:
            end = after["valid_to"]
            session.execute(
                update(Assignment)
                .where(Assignment.id == line.row_id)
                .values(
                    valid_to=date.fromisoformat(end) if end else None,
                    closed_by=after.get("closed_by") if line.action == "reopen" else change.id,
                )
            )
        lines.append(line)
    people = tuple(
        replace(p, after=tuple(replace(h, id=opened[p.id]) if h.id < 0 else h for h in p.after))
        for p in plan.people
    )
    return replace(plan, lines=tuple(lines), people=people)


def _status_columns(after: dict[str, Any], plan: Plan) -> dict[str, Any]:
    """The columns a line decides, and no other."""
    values: dict[str, Any] = {}
    if "leaves_on" in after:
        values["leaves_on"] = date.fromisoformat(after["leaves_on"]) if after["leaves_on"] else None
    # Of a leave dated ahead the status follows on the day; the day itself already counts.
    if "status" in after and not (values.get("leaves_on") and plan.scheduled):
        values["status"] = after["status"]
    return values


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


def _write_join(session: Session, plan: Plan, change: Change) -> Plan:
    subs = [random_id() for _ in plan.people]
    insert_rows(
        session,
        User,
        [
            _user_columns(row["person"], person, sub, plan)
            for row, person, sub in zip(plan.spec.rows, plan.people, subs, strict=True)
        ],
    )
    ids = dict(session.execute(select(User.sub, User.id).where(User.sub.in_(subs))).all())
    user_ids = [ids[sub] for sub in subs]
    rows = [
        joining.assignment_columns(post, user_id, change.id)
        for row, user_id in zip(plan.spec.rows, user_ids, strict=True)
        for post in row["assignments"]
    ]
    insert_rows(session, Assignment, rows)
    # One session inserts in order, so ascending ids are the rows' own order on both databases.
    opened = list(
        session.scalars(
            select(Assignment.id).where(Assignment.opened_by == change.id).order_by(Assignment.id)
        )
    )
    people, cursor = [], 0
    for person, user_id, sub in zip(plan.people, user_ids, subs, strict=True):
        held = []
        for assignment in person.after:
            held.append(replace(assignment, id=opened[cursor], user_id=user_id))
            cursor += 1
        people.append(replace(person, id=user_id, sub=sub, after=tuple(held)))
    real = {p.id: user_id for p, user_id in zip(plan.people, user_ids, strict=True)}
    next_assignment = iter(opened)
    lines = tuple(
        replace(
            line,
            user_id=real[line.user_id or 0],
            row_id=real[line.user_id or 0] if line.table == "users" else next(next_assignment),
        )
        for line in plan.lines
    )
    return replace(plan, people=tuple(people), lines=lines)


def _user_columns(row: dict[str, Any], person: Person, sub: str, plan: Plan) -> dict[str, Any]:
    family, middle, given = name_parts(row["full_name"])
    return {
        "sub": sub,
        "username": person.username,
        "username_stem": joining.username_stem(person.username),
        "full_name": row["full_name"],
        "family_name": family,
        "middle_name": middle,
        "given_name": given,
        "birth_date": row.get("birth_date"),
        "gender": row.get("gender"),
        "citizen_hash": row.get("citizen_hash"),
        "citizen_sealed": row.get("citizen_sealed"),
        "citizen_masked": row.get("citizen_masked"),
        "email": row.get("email"),
        "phone": row.get("phone"),
        "search_key": search_key(row["full_name"], person.username),
        "sort_key": name_sort_key(row["full_name"]),
        "source_key": row.get("source_key"),
        "status": "active",
        "access_epoch": 1,
        "created_at": plan.now,
    }


def _audited(line: Line, plan: Plan, change: Change, actor: Actor) -> dict[str, Any]:
    tag = _AUDIT.get((line.table, line.action))
    if tag is None:
        after = line.after or {}
        # A cancelled leave decides the day alone: she goes on.
        tag = _STATUS[after.get("status") or ("left" if after.get("leaves_on") else "active")]
    subject = ("user", line.user_id) if line.user_id else (line.table, line.row_id)
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


def cut_access(session: Session, plan: Plan, change: Change) -> None:
    """Where the table says "end all": raise the epoch now, or write a dated cut.

    An ended assignment needs neither: what acts under it is dead by its own dates.
    """
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
    _cut_before_what_follows(session, plan)
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
