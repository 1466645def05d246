"""people.csv with assignments.csv: each person whole, with all her assignments, or not at all."""

from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import select

from directory.assignments import Assignment, HeldAs
from directory.base import values as v
from directory.base.clock import local_day
from directory.base.errors import InvalidInput
from directory.changes import kind
from directory.changes.newcomer import person_row
from directory.feeds import source_rows as r
from directory.feeds.run import (
    PEOPLE_PER_BATCH,
    Feed,
    commit_all,
    position_of,
    positions_by_code,
    rows_of,
    unit_of,
)
from directory.people import User
from directory.units import CodeBook

_COLUMN = {"citizen_hash": "citizen_number"}
_COMPARED = ("full_name", "birth_date", "gender", "citizen_hash", "email", "phone")


def load_people(feed: Feed, file: Path) -> None:
    posts, broken = _assignments(feed, file.with_name("assignments.csv"))
    today = local_day(feed.clock())
    stray = {key.lstrip("0"): key for key in posts if key.isdecimal() and key.startswith("0")}

    def check(row: dict[str, str]) -> dict[str, Any]:
        key = r.text(row, "source_key", longest=v.KEY)
        person = person_row(row, feed.door.keyring, today=today)
        if key in stray:
            raise r.wrong(
                "source_key",
                "Mã nguồn có mất số 0 ở đầu không? Tệp phân công có {key}.",
                key=stray[key],
            )
        return {"key": key, "person": person}

    columns = {
        "source_key",
        "full_name",
        "birth_date",
        "gender",
        "citizen_number",
        "email",
        "phone",
    }
    found = rows_of(feed, file, columns, check, "key")
    with feed.db.read() as session:
        known = {
            u.source_key: u
            for u in session.scalars(select(User).where(User.source_key.is_not(None)))
        }
        applied = set(
            session.scalars(select(Assignment.source_key).where(Assignment.source_key.is_not(None)))
        )
    fresh, changes = [], dict[str, list[dict[str, Any]]]()
    for row in found:
        key, person = row["key"], row["person"]
        earlier = known.get(key)
        if earlier is not None:
            for code, said in _brought(feed, file.name, row, earlier):
                changes.setdefault(code, []).append(
                    {"row": row["row"], "user": earlier.id, "said": said}
                )
        elif key in broken:
            feed.report.refuse(
                file.name,
                row["row"],
                r.wrong("source_key", "Có dòng phân công bị từ chối nên chưa tạo người này."),
            )
        else:
            fresh.append({"row": row["row"], "person": person, "assignments": posts.get(key, [])})
    _orphans(feed, posts, {row["key"] for row in found}, known, applied)
    commit_all(feed, "join", fresh, file.name, PEOPLE_PER_BATCH)
    for code, rows in sorted(changes.items()):
        commit_all(feed, code, rows, file.name, PEOPLE_PER_BATCH, new=False)


def _brought(
    feed: Feed, file: str, row: dict[str, Any], earlier: User
) -> list[tuple[str, dict[str, Any]]]:
    """What the row says otherwise of somebody known, by the kind of change that takes it; refused
    where one thing of it none takes. What the file leaves blank it says nothing about.
    """
    person = row["person"]
    brought = {
        column: person[column]
        for column in _COMPARED
        if person[column] is not None and getattr(earlier, column) != person[column]
    }
    if "citizen_hash" in brought:
        brought |= {name: person[name] for name in ("citizen_sealed", "citizen_masked")}
    if not brought:
        feed.report.count(file, unchanged=1)
    taken = [
        (one.code, said)
        for one in kind.every()
        if one.fed is not None and (said := dict(one.fed(earlier, brought)))
    ]
    known = {column for _, said in taken for column in said}
    for column in (c for c in _COMPARED if c in brought and c not in known):
        feed.report.refuse(
            file,
            row["row"],
            r.wrong(
                _COLUMN.get(column, column), "Khác với dữ liệu đã nạp; cần một quyết định thay đổi."
            ),
        )
        return []
    return taken


def _assignments(feed: Feed, file: Path) -> tuple[dict[str, list[dict[str, Any]]], set[str]]:
    """Assignments by person, and the people of whom a row was refused."""
    if not file.exists():
        return {}, set()
    with feed.db.read() as session:
        units_known, positions_known = CodeBook(session), positions_by_code(session)
    broken: set[str] = set()
    today = local_day(feed.clock())

    def check(row: dict[str, str]) -> dict[str, Any]:
        try:
            return _assignment(row, units_known, positions_known, today)
        except InvalidInput:
            broken.add(row["person"])
            raise

    columns = {
        "source_key",
        "person",
        "unit",
        "position",
        "kind",
        "valid_from",
        "valid_to",
        "planned_end",
    }
    by_person: dict[str, list[dict[str, Any]]] = {}
    seen: set[str] = set()
    for row in r.checked(r.read(file, columns, feed.report), file.name, feed.report, check):
        if row["source_key"] in seen:
            broken.add(row["person"])
            feed.report.refuse(
                file.name,
                row["row"],
                r.wrong("source_key", "Mã nguồn {key} lặp lại trong tệp.", key=row["source_key"]),
            )
            continue
        seen.add(row["source_key"])
        by_person.setdefault(row["person"], []).append(row)
    return by_person, broken


def _assignment(
    row: dict[str, str], units: CodeBook, positions: dict[str, int], today: date
) -> dict[str, Any]:
    since, until = r.day(row, "valid_from", today), r.end_day(row, "valid_to", today)
    if since is None:
        raise r.wrong("valid_from", "Thiếu ngày.")
    if until is not None and until <= since:
        raise r.wrong("valid_to", "Ngày kết thúc phải sau ngày bắt đầu.")
    return {
        "source_key": r.text(row, "source_key", longest=v.KEY),
        "person": r.text(row, "person", longest=80),
        "unit": unit_of(row, "unit", units, date.fromisoformat(since)),
        "position": position_of(row, "position", positions),
        "kind": r.choice(row, "kind", HeldAs),
        "valid_from": since,
        "valid_to": until,
        "planned_end": r.end_day(row, "planned_end", today),
        "decision_number": r.optional(row, "decision_number"),
        "decision_issued_on": r.day(row, "decision_issued_on", today),
        "decision_issuer": r.optional(row, "decision_issuer"),
    }


def _orphans(
    feed: Feed,
    posts: dict[str, list[dict[str, Any]]],
    in_file: set[str],
    known: dict[str | None, User],
    applied: set[str | None],
) -> None:
    """Count what is applied already; refuse posts of nobody, and new posts of people we know."""
    file = "assignments.csv"
    for person, rows in posts.items():
        for row in rows:
            if row["source_key"] in applied:
                feed.report.count(file, unchanged=1)
            elif person in known:
                feed.report.refuse(
                    file,
                    row["row"],
                    r.wrong(
                        "person", "Người này đã có; phân công mới cần một quyết định thay đổi."
                    ),
                )
            elif person not in in_file:
                feed.report.refuse(
                    file,
                    row["row"],
                    r.wrong("person", "Không có người {key} trong people.csv.", key=person),
                )
