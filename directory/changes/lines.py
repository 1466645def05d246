"""How the lines of a plan become rows, unless its kind writes in a way of its own."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from directory.assignments import Assignment
from directory.base.clock import local_day
from directory.base.rows import ends_after
from directory.base.text import name_parts, name_sort_key, search_key
from directory.changes.model import Change, Line, Plan
from directory.people import User, UserStatus

PERSONAL = ("full_name", "birth_date", "gender", "email", "phone")
"""Columns of a person that a line may decide, beside her standing. A citizen number is not among
them: lines are shown, it is not.
"""


def write(session: Session, plan: Plan, change: Change) -> Plan:
    """Changes to people who exist, line by line in the plan's order."""
    lines: list[Line] = []
    opened: dict[int | None, list[int]] = {}
    usernames = {p.id: p.username for p in plan.people}
    for line in plan.lines:
        after = line.after or {}
        if line.table == "users":
            write_person(session, line, plan, usernames[line.row_id or 0])
        elif line.table == "change":
            pass  # after the rows: see write.put_aside
        elif line.action == "open":
            assignment = _opened(line, after, change)
            session.add(assignment)
            session.flush()
            opened.setdefault(line.user_id, []).append(assignment.id)
            line = replace(line, row_id=assignment.id)
        else:
            end = after["valid_to"]
            session.execute(
                update(Assignment)
                .where(Assignment.id == line.row_id)
                .values(
                    valid_to=_day(end),
                    closed_by=after.get("closed_by") if line.action == "reopen" else change.id,
                )
            )
        lines.append(line)
    people = []
    for person in plan.people:
        ids = iter(opened.get(person.id, ()))
        held = tuple(replace(h, id=next(ids)) if h.id < 0 else h for h in person.after)
        people.append(replace(person, after=held))
    return replace(plan, lines=tuple(lines), people=tuple(people))


def write_person(session: Session, line: Line, plan: Plan, username: str) -> None:
    """What a line decides of somebody who exists."""
    after = line.after or {}
    columns = _standing(after, plan) | person_columns(after, username)
    if columns:
        session.execute(update(User).where(User.id == line.row_id).values(**columns))


def with_ids(plan: Plan, ids: list[int]) -> Plan:
    """The plan with the ids of the rows that its lines have made, in their order."""
    lines = tuple(replace(line, row_id=i) for line, i in zip(plan.lines, ids, strict=True))
    return replace(plan, lines=lines)


def _opened(line: Line, after: Mapping[str, Any], change: Change) -> Assignment:
    return Assignment(
        user_id=line.user_id,
        unit_id=after["unit"],
        position_id=after["position"],
        kind=after["kind"],
        valid_from=date.fromisoformat(after["valid_from"]),
        valid_to=_day(after["valid_to"]),
        planned_end=_day(after.get("planned_end")),
        decision_number=change.decision_number,
        decision_issued_on=change.decision_issued_on,
        decision_issuer=change.decision_issuer,
        source_key=None,
        opened_by=change.id,
        closed_by=after.get("closed_by"),
    )


def person_columns(said: Mapping[str, Any], username: str) -> dict[str, Any]:
    """The columns that follow from what is said of a person; those not said are not in it."""
    columns = {name: said[name] for name in PERSONAL if name in said}
    if "full_name" in columns:
        name = columns["full_name"]
        family, middle, given = name_parts(name)
        columns |= {
            "family_name": family,
            "middle_name": middle,
            "given_name": given,
            "search_key": search_key(name, username),
            "sort_key": name_sort_key(name),
        }
    return columns


def _standing(after: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """The columns of her standing that a line decides, and no other."""
    values: dict[str, Any] = {}
    if "leaves_on" in after:
        values["leaves_on"] = _day(after["leaves_on"])
    # Of a leave dated ahead the status follows on the day; the day itself already counts.
    day, status = values.get("leaves_on"), after.get("status")
    waits = status == UserStatus.LEFT and day is not None and ends_after(day, local_day(plan.now))
    if status is not None and not waits:
        values["status"] = status
    return values


def _day(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None
