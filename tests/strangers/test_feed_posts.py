"""Days and posts as personnel systems write them: open ends, impossible days, two posts at once.

``plain`` of tests/strangers/cases/feed is the sound folder; here only its assignments vary.
"""

import csv
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.strangers.test_feeds import CASES, feed, refusals

HEADER = [
    "source_key",
    "person",
    "unit",
    "position",
    "kind",
    "valid_from",
    "valid_to",
    "planned_end",
    "decision_number",
    "decision_issued_on",
    "decision_issuer",
]
__all__ = ["feed"]


@pytest.fixture
def loaded(feed: Any, services: Any, tmp_path: Path) -> Any:
    """Load ``plain`` with these assignments instead; (report, rows stored by source key)."""

    def run(*rows: dict[str, str]) -> tuple[Any, dict[str, tuple[str, str | None]]]:
        folder = tmp_path / "folder"
        shutil.copytree(CASES / "plain", folder)
        with (folder / "assignments.csv").open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, HEADER, restval="")
            writer.writeheader()
            for number, row in enumerate(rows):
                writer.writerow(
                    {
                        "source_key": f"PC-{number}",
                        "person": "NS-001",
                        "unit": "SNV",
                        "position": "CV",
                        "kind": "primary",
                        "valid_from": "2025-07-01",
                    }
                    | row
                )
        report = feed(folder)
        with services.db.read() as session:
            found = session.execute(
                text("SELECT source_key, valid_from, valid_to FROM assignment ORDER BY id")
            )
            return report, {k: (str(a), str(b) if b else None) for k, a, b in found}

    return run


OPEN = [
    "",
    "-",
    "9999-12-31",
    "31/12/9999",
    "2999-12-31",
    "31/12/2999",
    "9999-12-31 00:00:00",
    "nay",
    "Đến nay",
    "đến nay",
    "hiện nay",
    "Không thời hạn",
    "không xác định thời hạn",
    "open",
    "NULL",
]


@pytest.mark.both_databases
@pytest.mark.parametrize("spelling", OPEN)
def test_an_open_end_is_understood_however_it_is_written(loaded: Any, spelling: str) -> None:
    report, stored = loaded({"valid_to": spelling, "planned_end": spelling})
    assert refusals(report) == {}
    assert stored == {"PC-0": ("2025-07-01", None)}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("valid_from", "9999-12-31"),
        ("valid_from", "nay"),
        ("valid_from", "1066-10-14"),
        ("valid_from", "0001-01-01"),
        ("valid_from", "2025-W27-2"),
        ("valid_from", "20250701"),
        ("valid_from", "31/06/2025"),
        ("valid_to", "2525-01-01"),
        ("valid_to", "1900-01-01"),
        ("valid_to", "30/02/2027"),
        ("valid_to", "mai"),
        ("planned_end", "2525-01-01"),
        ("decision_issued_on", "9999-12-31"),
        ("decision_issued_on", "1066-10-14"),
    ],
)
def test_an_impossible_day_is_refused_by_row_and_field(
    loaded: Any, column: str, value: str
) -> None:
    report, stored = loaded({column: value})
    assert stored == {}
    assert (report.errors[0].file, report.errors[0].row, report.errors[0].field) == (
        "assignments.csv",
        2,
        column,
    )


def test_days_of_posts_are_read_in_vietnamese_order(loaded: Any) -> None:
    report, stored = loaded({"valid_from": "1/7/2025", "valid_to": "03/02/2027"})
    assert refusals(report) == {}
    assert stored == {"PC-0": ("2025-07-01", "2027-02-03")}


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"valid_from": "2025-09-01"}),
        ({"valid_to": "2026-09-01"}, {"valid_from": "2025-09-01"}),
        ({"valid_to": "2026-09-01"}, {"valid_from": "2025-09-01", "valid_to": "2025-10-01"}),
        ({"valid_from": "2026-09-01"}, {}),
    ],
)
def test_two_primary_posts_at_once_are_refused_in_a_feed_too(
    loaded: Any, first: dict[str, str], second: dict[str, str]
) -> None:
    report, stored = loaded(first, second | {"unit": "gso:99001"})
    assert stored == {}
    assert [(e.file, e.row) for e in report.errors] == [("people.csv", 2)]


def test_primary_posts_one_after_the_other_load(loaded: Any) -> None:
    report, stored = loaded(
        {"valid_to": "2025-09-01"}, {"valid_from": "2025-09-01", "unit": "gso:99001"}
    )
    assert refusals(report) == {}
    assert date.fromisoformat(stored["PC-1"][0]) == date(2025, 9, 1)


def test_a_post_that_was_applied_to_somebody_else_is_refused_by_row(
    loaded: Any, feed: Any, tmp_path: Path
) -> None:
    loaded({})
    folder = tmp_path / "folder"
    people = (folder / "people.csv").read_text("utf-8").replace("NS-001,", "NS-009,", 1)
    people = people.replace("003180000001", "003180000009").replace("Lê Thị Lan", "Lê Thị Lành")
    (folder / "people.csv").write_text(people, "utf-8")
    moved = (folder / "assignments.csv").read_text("utf-8").replace("NS-001", "NS-009")
    (folder / "assignments.csv").write_text(moved, "utf-8")
    report = feed(folder)
    assert [(e.file, e.row) for e in report.errors] == [("people.csv", 2)]
