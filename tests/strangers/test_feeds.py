"""Tables as personnel offices really send them (tests/strangers/cases/feed; all data invented).

``plain`` is the sound one that the others vary. What is right was written down by whoever
collected them: real names and what is known for certain load, everything else is refused with the
row, the field and the reason; nothing is guessed.
"""

import csv
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from directory.base.audit import Actor
from directory.changes.model import Change
from directory.feeds.load import load
from directory.feeds.run import Feed
from directory.feeds.source_rows import Report
from directory.people import User

CASES = Path(__file__).parent / "cases" / "feed"
PLAIN = {"Lê Thị Lan", "Nguyễn Văn Hiển"}


@pytest.fixture
def feed(services: Any) -> Any:
    """Load one of the folders; the report."""

    def run(folder: str | Path) -> Report:
        return load(
            Feed(
                services.db,
                services.door,
                Actor.operator("kiểm thử"),
                services.clock,
                lambda *_: None,
                Report(),
            ),
            CASES / folder,
        )

    return run


@pytest.fixture
def stored(services: Any) -> Any:
    """One column of everybody, by source key."""

    def column(name: str) -> dict[str, Any]:
        with services.db.read() as session:
            return dict(session.execute(select(User.source_key, getattr(User, name))).all())

    return column


@pytest.fixture
def changed(services: Any) -> Any:
    """The kinds of change that later loads have brought, as they were committed."""

    def kinds() -> list[str]:
        first = ("unit.create", "position.create", "post.create", "join")
        with services.db.read() as session:
            query = select(Change.kind).where(Change.kind.not_in(first))
            return list(session.scalars(query.order_by(Change.committed_at, Change.id)))

    return kinds


def refusals(report: Report) -> dict[tuple[str, int], str]:
    return {(e.file, e.row): e.message for e in report.errors}


@pytest.mark.parametrize(
    "folder",
    [
        "plain",
        "bom_crlf",
        "cr_only",
        "semicolons",
        "utf16_tab",
        "header_case",
        "blank_columns",
        "people_blank_col",
        "blank_rows_at_end",
        "excel_booleans",
    ],
)
def test_what_a_spreadsheet_makes_of_a_sound_table_loads(
    feed: Any, stored: Any, folder: str
) -> None:
    report = feed(folder)
    assert not report.errors
    assert set(stored("full_name").values()) == PLAIN
    again = feed(folder)
    assert not again.errors
    assert not any(again.added.values())


@pytest.mark.parametrize("folder", ["tcvn3_vni"])
def test_names_in_another_encoding_are_refused_with_what_they_would_be(
    feed: Any, stored: Any, folder: str
) -> None:
    found = refusals(feed(folder))
    assert stored("full_name") == {}
    for row, encoding, meant in (
        (2, "TCVN3", "Nguyễn Văn Hiển"),
        (3, "TCVN3", "Trần Thị Hương"),
        (4, "VNI", "Nguyễn Văn Hiển"),
        (5, "VNI", "Trần Thị Hương"),
        (6, "UTF-8", "Nguyễn Văn Hiển"),
        (9, "VIQR", "Nguyễn Văn Hiển"),
    ):
        assert encoding in found["people.csv", row]
        assert meant in found["people.csv", row]
    for row in (7, 8):  # lost letters are never guessed
        assert "mất" in found["people.csv", row]
        assert "Nguyễn" not in found["people.csv", row]


def test_unit_names_in_another_encoding_are_refused_and_nothing_hangs_on_them(
    feed: Any, stored: Any
) -> None:
    found = refusals(feed("unit_mojibake"))
    assert "Sở Nội vụ" in found["units.csv", 3]
    assert "mất" in found["units.csv", 4]
    assert stored("full_name") == {}


def test_real_names_load_as_written_and_no_others(feed: Any, stored: Any) -> None:
    report = feed("names")
    assert {row for _, row in refusals(report)} == {12}
    assert stored("full_name") == {
        "NS-001": "Nguyễn Thị Thủy",
        "NS-002": "Y Blư Niê",
        "NS-003": "K'Brel",
        "NS-004": "K’Sor H’Năm",
        "NS-005": "H'Hen Niê",
        "NS-006": "Điểu Krăc",
        "NS-007": "A",
        "NS-008": "NGUYỄN VĂN HÙNG",
        "NS-009": "nguyễn văn hùng",
        "NS-010": "Lê Thị Hoa",
        "NS-012": "Trần (Bé) An",
    }


def test_dates_are_read_in_vietnamese_order_or_refused(feed: Any, stored: Any) -> None:
    report = feed("dates_vn")
    assert stored("birth_date") == {
        "NS-001": "1980-02-03",
        "NS-002": "1980-02-03",
        "NS-008": "1980-02-03",
    }
    assert {row for file, row in refusals(report) if file == "people.csv"} == {
        4, 5, 6, 7, 8, 10, 11, 12, 13,
    }  # fmt: skip


def test_an_address_is_stored_only_if_every_application_can_be_given_it(
    feed: Any, stored: Any
) -> None:
    report = feed("email_forms")
    assert stored("email") == {
        "NS-001": "an.tv@thanhhoa.gov.vn",
        "NS-007": "ftv@thanhhoa.gov.vn",
    }
    assert {row for file, row in refusals(report) if file == "people.csv"} == {3, 4, 5, 6, 7}


def test_a_mobile_number_gets_its_zero_back(feed: Any, stored: Any) -> None:
    report = feed("phone_lost_zero")
    assert stored("phone") == {"NS-001": "0912345678"}
    assert ("people.csv", 3) in refusals(report)


def test_lost_zeros_are_given_back_where_the_length_is_known(
    feed: Any, services: Any, stored: Any
) -> None:
    report = feed("lost_zeros")
    assert stored("phone") == {"NS-001": "0912345678", "NS-003": "0912345679"}
    known = services.keyring.keyed_hash
    assert stored("citizen_hash") == {
        "NS-001": known("citizen", "003180000001"),
        "NS-003": known("citizen", "003180000009"),
    }
    assert "bảng tính" in refusals(report)["people.csv", 3]


def test_a_key_that_lost_its_zeros_is_not_taken_for_another(feed: Any, stored: Any) -> None:
    report = feed("key_lost_zeros")
    assert stored("full_name") == {}
    assert "001" in refusals(report)["people.csv", 2]


def test_a_commune_is_found_by_its_code_without_zeros(feed: Any, stored: Any) -> None:
    assert not feed("unit_code_lost_zero").errors
    assert set(stored("full_name").values()) == PLAIN


def test_a_number_that_could_be_two_numbers_is_refused(feed: Any) -> None:
    found = refusals(feed("posts_int"))
    assert "hàng nghìn" in found["posts.csv", 3]
    assert ("posts.csv", 4) not in found  # 120.0 is 120


def test_one_address_of_two_people_is_told_and_given_to_neither(feed: Any, stored: Any) -> None:
    report = feed("same_email")
    assert not report.errors
    assert set(stored("email").values()) == {"vanphong@thanhhoa.gov.vn"}
    said = [w.message for w in report.warnings]
    assert len(said) == 2
    for message in said:
        assert "Lê Văn An" in message
        assert "Lê Văn Bá" in message


@pytest.mark.parametrize(
    ("folder", "kinds", "column", "right"),
    [
        (
            "second_contact_changed",
            ["contact"],
            "email",
            {"Lê Thị Lan": "lan.le@example.gov.vn", "Nguyễn Văn Hiển": None},
        ),
        (
            "second_birth_completed",
            ["rename"],
            "birth_date",
            {"Lê Thị Lan": "1980-02-03", "Nguyễn Văn Hiển": "1985-04-05"},
        ),
        (
            "second_citizen_added",
            ["number"],
            "citizen_masked",
            {"Lê Thị Lan": "003*****0001", "Nguyễn Văn Hiển": "003*****0002"},
        ),
    ],
)
def test_what_a_later_load_brings_about_somebody_known_is_a_change_of_its_kind(
    feed: Any, stored: Any, changed: Any, folder: str, kinds: list[str], column: str, right: Any
) -> None:
    feed("plain")
    report = feed(folder)
    assert not report.errors
    assert report.changed["people.csv"] == 1
    assert report.unchanged["people.csv"] == 1
    assert changed() == kinds
    assert {name: stored(column)[key] for key, name in stored("full_name").items()} == right
    again = feed(folder)
    assert again.unchanged["people.csv"] == 2
    assert changed() == kinds


def test_another_name_in_a_later_load_wants_a_decision(feed: Any, tmp_path: Path) -> None:
    feed("plain")
    text = (CASES / "second_contact_changed" / "people.csv").read_text("utf-8")
    (tmp_path / "people.csv").write_text(text.replace("Lê Thị Lan", "Lê Thị Lan Anh"), "utf-8")
    report = feed(tmp_path)
    assert [(e.row, e.field) for e in report.errors] == [(2, "full_name")]
    assert "quyết định" in report.errors[0].message


def test_another_citizen_number_in_a_later_load_wants_a_decision(
    feed: Any, stored: Any, tmp_path: Path
) -> None:
    feed("plain")
    before = stored("citizen_masked")
    text = (CASES / "plain" / "people.csv").read_text("utf-8")
    (tmp_path / "people.csv").write_text(text.replace("003180000001", "003180000009"), "utf-8")
    report = feed(tmp_path)
    assert [(e.row, e.field) for e in report.errors] == [(2, "citizen_number")]
    assert "003180000009" not in str(report.errors)
    assert stored("citizen_masked") == before


def test_a_blank_in_a_later_load_says_nothing(feed: Any, tmp_path: Path) -> None:
    feed("plain")
    text = (CASES / "plain" / "people.csv").read_text("utf-8")
    rows = list(csv.reader(text.splitlines()))
    for row in rows[1:]:
        row[2:] = [""] * 5
    with (tmp_path / "people.csv").open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(rows)
    report = feed(tmp_path)
    assert not report.errors
    assert report.unchanged["people.csv"] == 2


def test_a_post_cannot_begin_before_its_unit(feed: Any, stored: Any) -> None:
    report = feed("assign_before_unit")
    assert stored("full_name") == {}
    assert all("01/01/2026" in e.message for e in report.errors)
    assert len(report.errors) == 2


def test_a_post_that_begins_later_loads(feed: Any, stored: Any) -> None:
    assert not feed("assign_future").errors
    assert set(stored("full_name").values()) == PLAIN


def test_a_name_over_two_lines_is_one_and_a_bad_number_is_refused(feed: Any, stored: Any) -> None:
    report = feed("quoted_newline")
    assert stored("full_name") == {"NS-001": "Lê Thị Lan"}
    assert [e.field for e in report.errors if e.file == "people.csv"] == ["citizen_number"]


def test_people_without_posts_and_homonyms_load_or_are_refused_with_a_reason(
    feed: Any, stored: Any
) -> None:
    report = feed("homonyms_year")
    assert set(stored("full_name")) == {"NS-001", "NS-003", "NS-004", "NS-005"}
    assert {row for file, row in refusals(report) if file == "people.csv"} == {3, 7}


def test_people_alone_load(feed: Any, stored: Any) -> None:
    assert not feed("assignment_none").errors
    assert set(stored("full_name")) == {"NS-001"}
