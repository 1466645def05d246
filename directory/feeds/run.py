"""One run of a feed: through which door, in which batches, and what was already applied."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from directory.assignments import Position
from directory.base.audit import Actor
from directory.base.clock import Clock, local_day
from directory.base.db import Database
from directory.base.errors import Conflict
from directory.base.rows import batches
from directory.changes.door import Door
from directory.changes.model import Plan, Spec
from directory.feeds import source_rows as r
from directory.feeds.source_rows import Report
from directory.units import CodeBook

GSO_DIGITS = 5
"""Of a commune's code of the General Statistics Office (QĐ 124/2004/QĐ-TTg and its successors)."""
OWN_SCHEME = "sample"
"""Of the codes in these files that name no scheme."""
PEOPLE_PER_BATCH = 500
UNITS_PER_BATCH = 5000
TRIES = 5
"""Times that a batch is planned anew because of others' commits."""
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
        """Plan and commit one batch; rows with conflicts are reported and left out. Where somebody
        else's commit got in between, the batch is planned anew: what is taken by then is a conflict
        of its row, and the others are none the worse.
        """
        for left in reversed(range(TRIES)):
            told = Report()
            try:
                with self.db.write() as session:
                    added = self._commit(session, spec, file, told)
            except (Conflict, IntegrityError):
                if not left:
                    raise
            else:
                self.report.errors += told.errors
                self.report.warnings += told.warnings
                return added
        raise AssertionError("unreachable")

    def _commit(self, session: Session, spec: Spec, file: str, told: Report) -> int:
        rows: Sequence[dict[str, Any]] = spec.rows
        now = self.clock()
        while rows:
            users = tuple(sorted(row["user"] for row in rows if "user" in row))
            spec = Spec(spec.kind, spec.effective_on, users=users, rows=tuple(rows))
            plan = self.door.plan(session, spec, self.actor, now=now)
            if not plan.conflicts:
                for notice in plan.warnings:
                    told.warn(file, notice.row, notice.code, notice.message, notice.args)
                self.door.commit(session, spec, self.actor, now=now, fingerprint=plan.fingerprint)
                break
            rows = _without_conflicts(plan, rows, file, told)
        return len(rows)


def _without_conflicts(
    plan: Plan, rows: Sequence[dict[str, Any]], file: str, told: Report
) -> list[dict[str, Any]]:
    bad = set()
    for notice in plan.conflicts:
        bad.add(notice.row)
        told.conflict(file, notice.row, notice.message, notice.args)
    # A conflict of no row (too many people for one committer) is one of the whole batch.
    return [] if None in bad else [row for row in rows if row["row"] not in bad]


def commit_all(
    feed: Feed,
    kind: str,
    rows: list[dict[str, Any]],
    file: str,
    size: int,
    *,
    new: bool = True,
) -> None:
    """In batches of so many rows. ``new``: whether they add something, or change what is there."""
    today: date = local_day(feed.clock())
    done = 0
    for batch in batches(rows, size):
        added = feed.commit(Spec(kind, today, rows=tuple(batch)), file)
        feed.report.count(file, **({"added": added} if new else {"changed": added}))
        done += len(batch)
        feed.progress(file, done, len(rows))


def rows_of(
    feed: Feed,
    file: Path,
    columns: set[str],
    check: Callable[[dict[str, str]], dict[str, Any]],
    key: str,
) -> list[dict[str, Any]]:
    """The rows of a file that are right, each key once; the others are refused in the report."""
    rows = r.checked(r.read(file, columns, feed.report), file.name, feed.report, check)
    return _unique(feed, file.name, rows, key)


def _unique(
    feed: Feed, file: str, rows: Iterable[dict[str, Any]], key: str
) -> list[dict[str, Any]]:
    seen: set[str] = set()
    kept = []
    for row in rows:
        if row[key] in seen:
            feed.report.refuse(
                file, row["row"], r.wrong(key, "Mã {key} lặp lại trong tệp.", key=row[key])
            )
            continue
        seen.add(row[key])
        kept.append(row)
    return kept


def fresh_rows(
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
            feed.report.refuse(
                file,
                row["row"],
                r.wrong(changed[0], "Khác với dữ liệu đã nạp; cần một quyết định thay đổi."),
            )
        else:
            feed.report.count(file, unchanged=1)
    return fresh


def unit_of(row: dict[str, str], name: str, known: CodeBook, on: date) -> int:
    """The unit that a row names by a code, as borne on that day or on the day written behind it."""
    code = r.text(row, name)
    found = known.find(code, on, scheme=OWN_SCHEME)
    scheme, _, value = code.partition(":")
    bare, at, day = value.partition("@")
    if found is None and scheme.lower() == "gso" and bare.isdecimal():
        found = known.find(f"gso:{bare.zfill(GSO_DIGITS)}{at}{day}", on, scheme=OWN_SCHEME)
    if found is None:
        raise r.wrong(name, "Không có mã {code}.", code=row[name])
    return found


def position_of(row: dict[str, str], name: str, known: dict[str, int]) -> int:
    """The entry of the catalogue that a row names by its code."""
    found = known.get(r.text(row, name).upper())
    if found is None:
        raise r.wrong(name, "Không có mã {code}.", code=row[name])
    return found


def positions_by_code(session: Session) -> dict[str, int]:
    return dict(session.execute(select(Position.code, Position.id)).all())
