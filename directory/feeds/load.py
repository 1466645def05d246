"""Load a folder of CSV files through the door.

    positions.csv    code, name, group, rank, bloc, leadership, signing_authority, sensitivity
    units.csv        code, parent, name, short_name, kind, bloc, tier, legal_person, valid_from
                     and one column per public code scheme (gso, qd20)
    posts.csv        unit, position, headcount
    people.csv       source_key, full_name, birth_date, gender, citizen_number, email, phone
    assignments.csv  source_key, person, unit, position, kind, valid_from, valid_to, planned_end,
                     decision_number, decision_issued_on, decision_issuer

Codes of units in these files are of scheme ``sample`` unless written ``scheme:code``. A person
is applied whole, with all her assignments, or not at all.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory.assignments import Assignment, Kind, Position, Post
from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.clock import Clock, local_day
from directory.base.db import Database
from directory.base.errors import InvalidInput
from directory.changes import spec as specs
from directory.changes.door import Door
from directory.changes.model import ChangeKind, Plan, Spec
from directory.feeds import rows as r
from directory.feeds.rows import Report
from directory.people import User
from directory.units import Bloc, OrgUnit, Tier, UnitCode

PEOPLE_PER_BATCH = 500
UNITS_PER_BATCH = 5000
_SCHEMES = ("gso", "qd20")

Progress = Callable[[str, int, int], None]
"""(file, rows done, rows in all)."""


@dataclass(frozen=True)
class Feed:
    """One run: where from, on whose behalf, through which door."""

    db: Database
    door: Door
    actor: Actor
    clock: Clock
    progress: Progress
    report: Report

    def commit(self, spec: Spec, file: str) -> int:
        """Plan and commit one batch; rows with conflicts are reported and left out."""
        rows: Sequence[dict[str, Any]] = spec.rows
        with self.db.write() as session:
            now = self.clock()
            while rows:
                spec = Spec(spec.kind, spec.effective_on, rows=tuple(rows))
                plan = self.door.plan(session, spec, self.actor, now=now)
                if not plan.conflicts:
                    self.door.commit(
                        session, spec, self.actor, now=now, fingerprint=plan.fingerprint
                    )
                    break
                rows = self._without_conflicts(plan, rows, file)
        return len(rows)

    def _without_conflicts(
        self, plan: Plan, rows: Sequence[dict[str, Any]], file: str
    ) -> list[dict[str, Any]]:
        bad = set()
        for notice in plan.conflicts:
            bad.add(notice.row)
            self.report.refuse(
                file, notice.row, InvalidInput(notice.code, notice.text(), field="*")
            )
        return [row for row in rows if row["row"] not in bad]


def load(feed: Feed, folder: Path) -> Report:
    """Load whatever of the five files the folder holds, in their order.

    Raises InvalidInput when a file as a whole is unusable; single bad rows are in the report.
    """
    if not folder.is_dir():
        raise InvalidInput("folder", "Không có thư mục {name}.", field="folder", name=folder.name)
    for name, step in (
        ("positions.csv", _positions),
        ("units.csv", _units),
        ("posts.csv", _posts),
        ("people.csv", _people),
    ):
        if (folder / name).exists():
            step(feed, folder / name)
    with feed.db.write() as session:
        audit.record(
            session,
            Tag.FEED_LOAD,
            at=feed.clock(),
            actor=feed.actor,
            subject=("feed", folder.name),
            data={"added": feed.report.added, "refused": len(feed.report.errors)},
        )
    return feed.report


def _positions(feed: Feed, file: Path) -> None:
    def check(row: dict[str, str]) -> dict[str, Any]:
        return {
            "code": r.text(row, "code", longest=40).upper(),
            "name": r.text(row, "name"),
            "group": row["group"] or None,
            "rank": r.number(row, "rank"),
            "bloc": r.choice(row, "bloc", Bloc),
            "leadership": r.flag(row, "leadership"),
            "signing_authority": r.flag(row, "signing_authority"),
            "sensitivity": r.text(row, "sensitivity", longest=20),
        }

    columns = {"code", "name", "group", "rank", "bloc", "leadership", "signing_authority", "sensitivity"}
    found = _unique(feed, file.name, r.checked(r.read(file, columns, feed.report), file.name, feed.report, check), "code")
    with feed.db.read() as session:
        known = {p.code: p for p in session.scalars(select(Position))}
    fresh = _fresh(feed, file.name, found, known, "code", ("name", "rank", "bloc"))
    _commit_all(feed, ChangeKind.POSITION_CREATE, fresh, file.name, UNITS_PER_BATCH)


def _units(feed: Feed, file: Path) -> None:
    def check(row: dict[str, str]) -> dict[str, Any]:
        code = r.text(row, "code", longest=60).upper()
        since = r.day(row, "valid_from")
        if since is None:
            raise r.wrong("valid_from", "Thiếu ngày.")
        return {
            "ref": code,
            "parent_ref": row["parent"].upper() or None,
            "name": r.text(row, "name"),
            "short_name": row["short_name"] or row["name"],
            "kind": r.text(row, "kind", longest=60),
            "bloc": r.choice(row, "bloc", Bloc),
            "tier": r.choice(row, "tier", Tier),
            "legal_person": r.flag(row, "legal_person"),
            "valid_from": since,
            "codes": [
                {"scheme": "sample", "value": code},
                *({"scheme": s, "value": row[s].upper()} for s in _SCHEMES if row.get(s)),
            ],
        }

    columns = {"code", "parent", "name", "short_name", "kind", "bloc", "tier", "legal_person", "valid_from"}
    found = _unique(feed, file.name, r.checked(r.read(file, columns, feed.report), file.name, feed.report, check), "ref")
    with feed.db.read() as session:
        known = _units_by_code(session)
        rows = {u.id: u for u in session.scalars(select(OrgUnit))}
    existing = {code: rows[i] for code, i in known.items()}
    fresh = _fresh(feed, file.name, found, existing, "ref", ("name", "kind", "bloc"))
    placed = []
    coming = {row["ref"] for row in fresh}
    for row in fresh:
        parent = row["parent_ref"]
        if parent in known:
            row |= {"parent": known[parent], "parent_ref": None}
        elif parent is not None and parent not in coming:
            feed.report.refuse(file.name, row["row"], r.wrong("parent", "Không có đơn vị cấp trên {code}.", code=parent))
            continue
        placed.append(row)
    _commit_all(feed, ChangeKind.UNIT_CREATE, _rooted(feed, file.name, placed), file.name, UNITS_PER_BATCH)


def _rooted(feed: Feed, file: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows whose chain of parents ends at a root; a row below a refused one, or in a ring, is refused."""
    by_ref = {row["ref"]: row for row in rows}
    good: set[str] = {row["ref"] for row in rows if not row["parent_ref"]}
    while True:
        more = {ref for ref, row in by_ref.items() if ref not in good and row["parent_ref"] in good}
        if not more:
            break
        good |= more
    for row in rows:
        if row["ref"] not in good:
            feed.report.refuse(file, row["row"], r.wrong("parent", "Không có đơn vị cấp trên {code}.", code=row["parent_ref"]))
    return [row for row in rows if row["ref"] in good]


def _posts(feed: Feed, file: Path) -> None:
    with feed.db.read() as session:
        units_known, positions_known = _units_by_code(session), _positions_by_code(session)
        headcounts = {(p.unit_id, p.position_id): p.headcount for p in session.scalars(select(Post))}

    def check(row: dict[str, str]) -> dict[str, Any]:
        return {
            "unit": _resolve(row, "unit", units_known),
            "position": _resolve(row, "position", positions_known),
            "headcount": r.number(row, "headcount", most=10_000),
            "label": f"{row['unit']} {row['position']}",
        }

    found = list(r.checked(r.read(file, {"unit", "position", "headcount"}, feed.report), file.name, feed.report, check))
    fresh = [row for row in found if headcounts.get((row["unit"], row["position"])) != row["headcount"]]
    feed.report.count(file.name, unchanged=len(found) - len(fresh))
    _commit_all(feed, ChangeKind.POST_CREATE, fresh, file.name, UNITS_PER_BATCH)


def _people(feed: Feed, file: Path) -> None:
    posts, broken = _assignments(feed, file.with_name("assignments.csv"))

    def check(row: dict[str, str]) -> dict[str, Any]:
        key = r.text(row, "source_key", longest=80)
        return {"key": key, "person": specs.person_row(row, feed.door.keyring)}

    columns = {"source_key", "full_name", "birth_date", "gender", "citizen_number", "email", "phone"}
    found = _unique(feed, file.name, r.checked(r.read(file, columns, feed.report), file.name, feed.report, check), "key")
    with feed.db.read() as session:
        known = {
            u.source_key: u for u in session.scalars(select(User).where(User.source_key.is_not(None)))
        }
        applied = set(session.scalars(select(Assignment.source_key).where(Assignment.source_key.is_not(None))))
    fresh = []
    for row in found:
        key, person = row["key"], row["person"]
        earlier = known.get(key)
        if earlier is not None:
            changed = [c for c in ("full_name", "birth_date", "citizen_hash") if getattr(earlier, c) != person[c]]
            if changed:
                feed.report.refuse(file.name, row["row"], r.wrong(changed[0], "Khác với dữ liệu đã nạp; cần một quyết định thay đổi."))
            else:
                feed.report.count(file.name, unchanged=1)
        elif key in broken:
            feed.report.refuse(file.name, row["row"], r.wrong("source_key", "Có dòng phân công bị từ chối nên chưa tạo người này."))
        else:
            fresh.append({"row": row["row"], "person": person, "assignments": posts.get(key, [])})
    _orphans(feed, posts, {row["key"] for row in found}, known, applied)
    _commit_all(feed, ChangeKind.JOIN, fresh, file.name, PEOPLE_PER_BATCH)


def _assignments(feed: Feed, file: Path) -> tuple[dict[str, list[dict[str, Any]]], set[str]]:
    """Assignments by person, and the people of whom a row was refused."""
    if not file.exists():
        return {}, set()
    with feed.db.read() as session:
        units_known, positions_known = _units_by_code(session), _positions_by_code(session)
    broken: set[str] = set()

    def check(row: dict[str, str]) -> dict[str, Any]:
        try:
            return _assignment(row, units_known, positions_known)
        except InvalidInput:
            broken.add(row["person"])
            raise

    columns = {"source_key", "person", "unit", "position", "kind", "valid_from", "valid_to", "planned_end"}
    by_person: dict[str, list[dict[str, Any]]] = {}
    seen: set[str] = set()
    for row in r.checked(r.read(file, columns, feed.report), file.name, feed.report, check):
        if row["source_key"] in seen:
            broken.add(row["person"])
            feed.report.refuse(file.name, row["row"], r.wrong("source_key", "Mã nguồn {key} lặp lại trong tệp.", key=row["source_key"]))
            continue
        seen.add(row["source_key"])
        by_person.setdefault(row["person"], []).append(row)
    return by_person, broken


def _assignment(row: dict[str, str], units: dict[str, int], positions: dict[str, int]) -> dict[str, Any]:
    since, until = r.day(row, "valid_from"), r.day(row, "valid_to")
    if since is None:
        raise r.wrong("valid_from", "Thiếu ngày.")
    if until is not None and until <= since:
        raise r.wrong("valid_to", "Ngày kết thúc phải sau ngày bắt đầu.")
    return {
        "source_key": r.text(row, "source_key", longest=80),
        "person": r.text(row, "person", longest=80),
        "unit": _resolve(row, "unit", units),
        "position": _resolve(row, "position", positions),
        "kind": r.choice(row, "kind", Kind),
        "valid_from": since,
        "valid_to": until,
        "planned_end": r.day(row, "planned_end"),
        "decision_number": row.get("decision_number") or None,
        "decision_issued_on": r.day(row, "decision_issued_on"),
        "decision_issuer": row.get("decision_issuer") or None,
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
                feed.report.refuse(file, row["row"], r.wrong("person", "Người này đã có; phân công mới cần một quyết định thay đổi."))
            elif person not in in_file:
                feed.report.refuse(file, row["row"], r.wrong("person", "Không có người {key} trong people.csv.", key=person))


def _commit_all(feed: Feed, kind: ChangeKind, rows: list[dict[str, Any]], file: str, size: int) -> None:
    today: date = local_day(feed.clock())
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        added = feed.commit(Spec(kind, today, rows=tuple(batch)), file)
        feed.report.count(file, added=added)
        feed.progress(file, start + len(batch), len(rows))


def _unique(feed: Feed, file: str, rows: Iterable[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    seen: set[str] = set()
    kept = []
    for row in rows:
        if row[key] in seen:
            feed.report.refuse(file, row["row"], r.wrong(key, "Mã {key} lặp lại trong tệp.", key=row[key]))
            continue
        seen.add(row[key])
        kept.append(row)
    return kept


def _fresh(  # noqa: PLR0913 (a table's name for each part)
    feed: Feed,
    file: str,
    rows: list[dict[str, Any]],
    known: dict[str, Any],
    key: str,
    compared: tuple[str, ...],
) -> list[dict[str, Any]]:
    """Rows not applied yet; a row that differs from what was applied is refused."""
    fresh = []
    for row in rows:
        earlier = known.get(row[key])
        if earlier is None:
            fresh.append(row)
        elif changed := [c for c in compared if getattr(earlier, c) != row[c]]:
            feed.report.refuse(file, row["row"], r.wrong(changed[0], "Khác với dữ liệu đã nạp; cần một quyết định thay đổi."))
        else:
            feed.report.count(file, unchanged=1)
    return fresh


def _resolve(row: dict[str, str], name: str, known: dict[str, int]) -> int:
    found = known.get(r.text(row, name).upper())
    if found is None:
        raise r.wrong(name, "Không có mã {code}.", code=row[name])
    return found


def _units_by_code(session: Session) -> dict[str, int]:
    rows = session.execute(select(UnitCode.scheme, UnitCode.value, UnitCode.unit_id))
    return {
        key: unit_id
        for scheme, value, unit_id in rows
        for key in ((value, f"SAMPLE:{value}") if scheme == "sample" else (f"{scheme.upper()}:{value}",))
    }


def _positions_by_code(session: Session) -> dict[str, int]:
    return dict(session.execute(select(Position.code, Position.id)).tuples().all())
