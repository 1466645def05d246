"""plan_undo: restore the directory rows of an earlier change.

Never revives a session, a token or a certificate. Refused when a later change has touched the
same rows. Undoing what has not taken effect yet takes its dated marks away and ends nothing.
"""

from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from directory import assignments, people
from directory.assignments import Held
from directory.base.errors import Conflict, NotFound
from directory.changes import places
from directory.changes.drafting import Ground, require_over
from directory.changes.model import (
    Change,
    ChangeKind,
    ChangeLine,
    ChangeState,
    Line,
    Notice,
    Person,
    Plan,
    Spec,
)
from directory.effects import Event
from directory.permissions import Do

UNDOABLE = frozenset(
    {ChangeKind.TRANSFER, ChangeKind.SUSPEND, ChangeKind.RESUME, ChangeKind.LEAVE, ChangeKind.JOIN}
)
_REVERSE = {"close": "reopen", "open": "void", "update": "update", "create": "update"}


def spec_of(session: Session, change_id: str) -> Spec:
    """The Spec that undoes a change. Raises NotFound."""
    change = session.get(Change, change_id)
    if change is None:
        raise NotFound("change_unknown", "Không tìm thấy thay đổi này.")
    users = session.scalars(
        select(ChangeLine.user_id)
        .where(ChangeLine.change_id == change_id, ChangeLine.user_id.is_not(None))
        .distinct()
    )
    return Spec(
        ChangeKind.UNDO,
        change.effective_on,
        users=tuple(sorted(u for u in users if u is not None)),
        undo_of=change_id,
    )


def plan_undo(session: Session, spec: Spec, ground: Ground) -> Plan:
    """The lines of the earlier change, reversed. Raises Conflict, NotFound, NotAllowed."""
    change = session.get(Change, spec.undo_of, populate_existing=True)
    if change is None:
        raise NotFound("change_unknown", "Không tìm thấy thay đổi này.")
    if ChangeKind(change.kind) not in UNDOABLE or change.state == ChangeState.UNDONE.value:
        raise Conflict("not_undoable", "Thay đổi này không thể hoàn tác.")
    lines = list(
        session.scalars(
            select(ChangeLine).where(ChangeLine.change_id == change.id).order_by(ChangeLine.id)
        )
    )
    timelines = assignments.timeline(session, spec.users)
    held = [h for user_id in spec.users for h in timelines[user_id]]
    for one in held:
        if any(line.row_id == one.id and line.table == "assignment" for line in lines):
            ground.rights.require(Do.CHANGE, one.unit.path, missing="source")
    if not any(line.table == "assignment" for line in lines):
        for user_id in spec.users:
            require_over(ground.rights, tuple(timelines[user_id]), ground.today)
    event = Event.CANCEL if change.state == ChangeState.SCHEDULED.value else Event.UNDO
    # Rows are voided before others reopen: one open primary at a time, also in between.
    reversed_lines = sorted((_reverse(line) for line in lines), key=lambda li: li.action != "void")
    return Plan(
        spec=spec,
        now=ground.now,
        rights=ground.rights,
        rulebook=ground.rulebook,
        people=tuple(
            _person(session, user_id, tuple(timelines[user_id]), reversed_lines, event)
            for user_id in spec.users
        ),
        lines=tuple(reversed_lines),
        conflicts=(
            *_later_changes(session, change, lines),
            *places.gone(session, reversed_lines, held, ground.today),
        ),
    )


def _reverse(line: ChangeLine) -> Line:
    after: dict[str, Any] | None = line.before
    if line.action == "open" and line.after is not None:
        after = {"valid_to": line.after["valid_from"]}
    elif line.action == "create":
        after = {"status": "left", "leaves_on": None}
    return Line(
        line.table,
        _REVERSE[line.action],
        line.row_id,
        line.user_id,
        line.unit_id,
        line.label,
        line.after,
        after,
    )


def _later_changes(session: Session, change: Change, lines: list[ChangeLine]) -> list[Notice]:
    touched = {(line.table, line.row_id) for line in lines if line.row_id is not None}
    by_table: dict[str, list[int]] = {}
    for table, row_id in touched:
        by_table.setdefault(table, []).append(row_id)
    last = max((line.id for line in lines), default=0)
    found = (
        session.execute(
            select(ChangeLine.change_id, ChangeLine.label)
            .join(Change, Change.id == ChangeLine.change_id)
            .where(
                ChangeLine.id > last,
                ChangeLine.change_id != change.id,
                or_(
                    *(
                        and_(ChangeLine.table == t, ChangeLine.row_id.in_(ids))
                        for t, ids in by_table.items()
                    )
                ),
            )
            .limit(5)
        ).all()
        if by_table
        else []
    )
    return [
        Notice(
            "later_change",
            "Một thay đổi sau đó đã sửa cùng dữ liệu: {label}.",
            args={"label": label},
        )
        for _, label in found
    ]


def _person(
    session: Session, user_id: int, before: tuple[Held, ...], lines: list[Line], event: Event
) -> Person:
    user = people.get(session, user_id)
    moved = {line.row_id: line for line in lines if line.table == "assignment"}
    after, ended = [], []
    for held in before:
        line = moved.get(held.id)
        if line is None or line.after is None:
            after.append(held)
            continue
        end = line.after["valid_to"]
        after.append(replace(held, valid_to=date.fromisoformat(end) if end else None))
        if line.action == "void":
            ended.append(held.id)
    status = next(
        (
            li.after["status"]
            for li in lines
            if li.table == "users" and li.user_id == user_id and li.after
        ),
        user.status,
    )
    return Person(
        user.id,
        user.sub,
        user.username,
        user.full_name,
        user.status,
        status,
        event,
        before,
        tuple(after),
        tuple(ended),
    )
