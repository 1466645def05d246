"""``join``: tiếp nhận, tuyển dụng; one person from a form, or the rows of a feed."""

from dataclasses import replace
from typing import Annotated, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory.assignments import Assignment, HeldAs
from directory.base.crypto import random_id
from directory.base.db import insert_rows
from directory.changes import joining, lines
from directory.changes.asks import Ask, Fields
from directory.changes.field_types import PositionRef, UnitRef
from directory.changes.kind import About, Answers, Kind, Subjects
from directory.changes.model import Change, Person, Plan, Spec
from directory.changes.newcomer import Newcomer
from directory.people import User


class Asks(Fields):
    """Who she is, and her first post."""

    person: Annotated[
        Newcomer,
        Ask(
            "Người được tiếp nhận",
            says="Who she is.",
            missing=("invalid", "Thiếu thông tin người được tiếp nhận."),
            wrong="Thiếu thông tin người được tiếp nhận.",
        ),
    ]
    to_unit: Annotated[
        UnitRef,
        Ask("Đơn vị tiếp nhận", says="The unit she joins.", option="--to"),
    ]
    position: Annotated[
        PositionRef,
        Ask("Chức vụ, chức danh", says="Her position, by its catalogue code."),
    ]


def rows(answers: Answers) -> tuple[dict[str, Any], ...]:
    """The one row of a request, as a feed's would be."""
    fields, decision = answers.fields, answers.decision
    post = {
        "unit": fields.to_unit,
        "position": fields.position,
        "kind": HeldAs.PRIMARY.value,
        "valid_from": answers.effective_on.isoformat(),
        "decision_number": decision.number if decision else None,
        "decision_issued_on": decision.issued_on.isoformat() if decision else None,
        "decision_issuer": decision.issuer if decision else None,
    }
    return ({"row": None, "person": fields.person.columns(), "assignments": [post]},)


def subjects(_session: Session, spec: Spec) -> Subjects:
    """The places she, and everybody of the same rows, takes; nobody else is touched."""
    posts = [post for row in spec.rows for post in row.get("assignments", ())]
    places = frozenset((post["unit"], post["position"]) for post in posts)
    return Subjects(units=frozenset(unit for unit, _ in places), places=places)


def write(session: Session, plan: Plan, change: Change) -> Plan:
    subs = [random_id() for _ in plan.people]
    insert_rows(
        session,
        User,
        [
            _columns(row["person"], person, sub, plan)
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
    written = tuple(
        replace(
            line,
            user_id=real[line.user_id or 0],
            row_id=real[line.user_id or 0] if line.table == "users" else next(next_assignment),
        )
        for line in plan.lines
    )
    return replace(plan, people=tuple(people), lines=written)


def _columns(row: dict[str, Any], person: Person, sub: str, plan: Plan) -> dict[str, Any]:
    return {
        **dict.fromkeys(lines.PERSONAL),
        **lines.person_columns(row, person.username),
        "sub": sub,
        "username": person.username,
        "username_stem": joining.username_stem(person.username),
        "citizen_hash": row.get("citizen_hash"),
        "citizen_sealed": row.get("citizen_sealed"),
        "citizen_masked": row.get("citizen_masked"),
        "source_key": row.get("source_key"),
        "status": "active",
        "access_epoch": 1,
        "created_at": plan.now,
    }


KIND = Kind(
    code="join",
    title="Tiếp nhận",
    summary="Somebody new joins the agency.",
    about=About.NEWCOMER,
    asks=Asks,
    rows=rows,
    subjects=subjects,
    plan=joining.plan_join,
    write=write,
    undoable=True,
    order=10,
)
