"""``join``: tiếp nhận, tuyển dụng; one person from a form, or the rows of a feed."""

from dataclasses import replace
from typing import Annotated, Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from directory.assignments import Assignment, Held, HeldAs
from directory.base.crypto import random_id
from directory.base.db import insert_rows
from directory.base.rows import batches
from directory.changes import joining, known, lines
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
        Ask(
            "Chức vụ, chức danh",
            says="Her position, by its catalogue code.",
            empty="Chọn chức vụ",
        ),
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


def subjects(session: Session, spec: Spec) -> Subjects:
    """The places she, and everybody of the same rows, takes; and who comes back by them."""
    posts = [post for row in spec.rows for post in row.get("assignments", ())]
    places = frozenset((post["unit"], post["position"]) for post in posts)
    back = known.people_of(session, spec.rows)
    return Subjects(back, frozenset(unit for unit, _ in places), places)


def write(session: Session, plan: Plan, change: Change) -> Plan:
    """New rows for whoever is new; whoever comes back keeps her own."""
    created = [pair for pair in zip(plan.spec.rows, plan.people, strict=True) if pair[1].new]
    subs = [random_id() for _ in created]
    insert_rows(
        session,
        User,
        [
            _columns(row["person"], person, sub, plan)
            for (row, person), sub in zip(created, subs, strict=True)
        ],
    )
    ids: dict[str, int] = {}
    for some in batches(subs):
        ids |= dict(session.execute(select(User.sub, User.id).where(User.sub.in_(some))).all())
    real = {p.id: (ids[sub], sub) for (_, p), sub in zip(created, subs, strict=True)}
    real |= {p.id: (p.id, p.sub) for p in plan.people if not p.new}
    _take_back(session, plan)
    rows = [
        joining.assignment_columns(post, real[person.id][0], change.id)
        for row, person in zip(plan.spec.rows, plan.people, strict=True)
        for post in row["assignments"]
    ]
    insert_rows(session, Assignment, rows)
    # One session inserts in order, so ascending ids are the rows' own order on both databases.
    opened = iter(
        session.scalars(
            select(Assignment.id).where(Assignment.opened_by == change.id).order_by(Assignment.id)
        ).all()
    )
    people = []
    for person in plan.people:
        user_id, sub = real[person.id]
        held = tuple(
            replace(h, id=next(opened), user_id=user_id) if h.id < 0 else h for h in person.after
        )
        people.append(replace(person, id=user_id, sub=sub, after=held))
    new = iter([h.id for p, q in zip(people, plan.people, strict=True) for h in _opened(p, q)])
    written = tuple(
        replace(
            line,
            user_id=real[line.user_id or 0][0],
            row_id=real[line.user_id or 0][0] if line.table == "users" else next(new),
        )
        for line in plan.lines
    )
    return replace(plan, people=tuple(people), lines=written)


def _opened(written: Person, planned: Person) -> list[Held]:
    return [w for w, p in zip(written.after, planned.after, strict=True) if p.id < 0]


def _take_back(session: Session, plan: Plan) -> None:
    """Those who come back: what the lines say of them, and their key in the personnel system."""
    usernames = {p.id: p.username for p in plan.people}
    for line in plan.lines:
        if (line.table, line.action) == ("users", "update"):
            lines.write_person(session, line, plan, usernames[line.row_id or 0])
    for row, person in zip(plan.spec.rows, plan.people, strict=True):
        if not person.new and (key := row["person"].get("source_key")):
            session.execute(update(User).where(User.id == person.id).values(source_key=key))


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
    summary="Somebody joins the agency: new here, or back under her old identity.",
    about=About.NEWCOMER,
    asks=Asks,
    rows=rows,
    subjects=subjects,
    plan=joining.plan_join,
    write=write,
    undoable=True,
    order=10,
)
