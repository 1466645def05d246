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

from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import select

from directory.assignments import Position, Post
from directory.base import audit
from directory.base import values as v
from directory.base.audit import Tag
from directory.base.clock import local_day
from directory.base.errors import InvalidInput
from directory.feeds import source_rows as r
from directory.feeds.people import load_people
from directory.feeds.run import (
    GSO_DIGITS,
    OWN_SCHEME,
    UNITS_PER_BATCH,
    Feed,
    commit_all,
    fresh_rows,
    position_of,
    positions_by_code,
    rows_of,
    unit_of,
)
from directory.feeds.source_rows import Report
from directory.units import Bloc, CodeBook, OrgUnit, Tier

_SCHEMES = ("gso", "qd20")


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
        ("people.csv", load_people),
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
            "name": v.unit_name(row["name"]),
            "group": r.optional(row, "group"),
            "rank": r.number(row, "rank"),
            "bloc": r.choice(row, "bloc", Bloc),
            "leadership": r.flag(row, "leadership"),
            "signing_authority": r.flag(row, "signing_authority"),
            "sensitivity": r.text(row, "sensitivity", longest=20),
        }

    columns = {
        "code",
        "name",
        "group",
        "rank",
        "bloc",
        "leadership",
        "signing_authority",
        "sensitivity",
    }
    found = rows_of(feed, file, columns, check, "code")
    with feed.db.read() as session:
        known = {p.code: p for p in session.scalars(select(Position))}
    fresh = fresh_rows(feed, file.name, found, known, "code", ("name", "rank", "bloc"))
    commit_all(feed, "position.create", fresh, file.name, UNITS_PER_BATCH)


def _units(feed: Feed, file: Path) -> None:
    today = local_day(feed.clock())

    def check(row: dict[str, str]) -> dict[str, Any]:
        code = r.text(row, "code", longest=60).upper()
        since = r.day(row, "valid_from", today)
        if since is None:
            raise r.wrong("valid_from", "Thiếu ngày.")
        return {
            "ref": code,
            "parent_ref": row["parent"].upper() or None,
            "name": v.unit_name(row["name"]),
            "short_name": v.unit_name(row["short_name"] or row["name"], "short_name"),
            "kind": r.text(row, "kind", longest=60),
            "bloc": r.choice(row, "bloc", Bloc),
            "tier": r.choice(row, "tier", Tier),
            "legal_person": r.flag(row, "legal_person"),
            "valid_from": since,
            "codes": [
                {"scheme": "sample", "value": code},
                *({"scheme": s, "value": _public_code(s, row)} for s in _SCHEMES if row.get(s)),
            ],
        }

    columns = {
        "code",
        "parent",
        "name",
        "short_name",
        "kind",
        "bloc",
        "tier",
        "legal_person",
        "valid_from",
    }
    found = rows_of(feed, file, columns, check, "ref")
    with feed.db.read() as session:
        known = CodeBook(session)
        rows = {u.id: u for u in session.scalars(select(OrgUnit))}
    found_before = {
        row["ref"]: known.find(row["ref"], date.fromisoformat(row["valid_from"]), scheme=OWN_SCHEME)
        for row in found
    }
    existing = {code: rows[i] for code, i in found_before.items() if i is not None}
    fresh = fresh_rows(feed, file.name, found, existing, "ref", ("name", "kind", "bloc"))
    placed = []
    coming = {row["ref"] for row in fresh}
    for row in fresh:
        parent = row["parent_ref"]
        if parent is None or parent in coming:
            placed.append(row)
            continue
        over = known.find(parent, date.fromisoformat(row["valid_from"]), scheme=OWN_SCHEME)
        if over is not None:
            row |= {"parent": over, "parent_ref": None}
        else:
            feed.report.refuse(
                file.name,
                row["row"],
                r.wrong("parent", "Không có đơn vị cấp trên {code}.", code=parent),
            )
            continue
        placed.append(row)
    commit_all(feed, "unit.create", _rooted(feed, file.name, placed), file.name, UNITS_PER_BATCH)


def _public_code(scheme: str, row: dict[str, str]) -> str:
    """A public code as its issuer writes it, with the zeros that a spreadsheet has taken."""
    value = row[scheme].upper()
    if scheme == "gso" and value.isdecimal():
        return value.zfill(2 if row["parent"] == "" else GSO_DIGITS)
    return value


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
            feed.report.refuse(
                file,
                row["row"],
                r.wrong("parent", "Không có đơn vị cấp trên {code}.", code=row["parent_ref"]),
            )
    return [row for row in rows if row["ref"] in good]


def _posts(feed: Feed, file: Path) -> None:
    today = local_day(feed.clock())
    with feed.db.read() as session:
        units_known, positions_known = CodeBook(session), positions_by_code(session)
        headcounts = {
            (p.unit_id, p.position_id): p.headcount for p in session.scalars(select(Post))
        }

    def check(row: dict[str, str]) -> dict[str, Any]:
        return {
            "unit": unit_of(row, "unit", units_known, today),
            "position": position_of(row, "position", positions_known),
            "headcount": r.number(row, "headcount", most=10_000),
            "label": f"{row['unit']} {row['position']}",
        }

    found = list(
        r.checked(
            r.read(file, {"unit", "position", "headcount"}, feed.report),
            file.name,
            feed.report,
            check,
        )
    )
    fresh = [
        row for row in found if headcounts.get((row["unit"], row["position"])) != row["headcount"]
    ]
    feed.report.count(file.name, unchanged=len(found) - len(fresh))
    commit_all(feed, "post.create", fresh, file.name, UNITS_PER_BATCH)
