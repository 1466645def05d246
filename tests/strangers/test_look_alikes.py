"""Two texts that a person cannot tell apart on a page are not both taken for good.

Characters that show nothing (Unicode's Default_Ignorable_Code_Point, controls, signs that turn the reading
direction) and letters of another alphabet within a Latin word make one name, decision or key look like
another: a namesake passes for somebody else, a decision for one that was never issued.
"""

import csv
import secrets
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from directory.base.audit import Actor
from directory.feeds.load import load
from directory.feeds.run import Feed
from directory.feeds.source_rows import Report
from tests import hr_world
from tests.hr_world import Hr

NOTHING_SHOWS = {
    "combining grapheme joiner": "\u034f",
    "Hangul filler": "\u3164",
    "half-width Hangul filler": "\uffa0",
    "Hangul choseong filler": "\u115f",
    "Khmer inherent vowel": "\u17b4",
    "Mongolian separator": "\u180e",
    "variation selector": "\ufe0f",
    "selector of the last plane": "\U000e0100",
    "tag": "\U000e0061",
    "right-to-left override": "\u202e",
    "soft hyphen": "\u00ad",
    "bell": "\x07",
}
OF_ANOTHER_ALPHABET = {
    "Cyrillic a": "Lê Thị L\u0430n",
    "Greek omicron": "Nguy\u1ec5n Văn T\u03bfàn",
    "Armenian o": "\u0555ng Văn A\u0585n",
    "mathematical": "\U0001d4db\U0001d4ea\U0001d4f7",
    "full width": "Lê Thị \uff2c\uff41\uff4e",
}
REAL = [
    "Đặng Thị Ngọc Ánh",
    "H'Hen Niê",
    "K’Brêu",
    "Y Moan Ênuôl",
    "Phùng Sáng A",
    "Νίκος Παπαδόπουλος",
    "Иван Петров",
    "王小明",
    "Nguyễn Văn Tèo (Иван)",
]


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def asked(hr: Hr, **body: Any) -> Any:
    return hr.api(hr.token(unit=None)).post("/api/v1/changes/preview", body)


def joined(hr: Hr, **person: str) -> Any:
    return asked(
        hr,
        kind="join",
        to_unit=hr.units["room2"],
        position="KT",
        person={"full_name": "Cao Thị Sen"} | person,
    )


def refused(answer: Any) -> str | None:
    """The field that is not taken."""
    return answer.json["field"] if answer.status_code == 422 else None


def test_a_name_holds_no_sign_that_shows_nothing(hr: Hr) -> None:
    for what, sign in NOTHING_SHOWS.items():
        assert refused(joined(hr, full_name=f"Lê Thị La{sign}n")) == "full_name", what


def test_no_latin_word_of_a_name_holds_letters_of_another_alphabet(hr: Hr) -> None:
    for what, name in OF_ANOTHER_ALPHABET.items():
        assert refused(joined(hr, full_name=name)) == "full_name", what


def test_real_names_of_any_people_are_taken(hr: Hr) -> None:
    for name in REAL:
        assert joined(hr, full_name=name).status_code == 200, name


@pytest.mark.parametrize("field", ["number", "issuer"])
def test_a_decision_holds_none(hr: Hr, field: str) -> None:
    decision = {"number": "12/QĐ-UBND", "issued_on": "2026-03-01", "issuer": "UBND tỉnh"}
    body = {"kind": "suspend", "user": hr.names["lan"]}
    assert asked(hr, **body, decision=decision).status_code == 200
    for what, sign in NOTHING_SHOWS.items():
        answer = asked(hr, **body, decision=decision | {field: f"1{sign}2"})
        assert refused(answer) == f"decision.{field}", what


def test_a_key_of_the_personnel_system_holds_none_and_has_an_end(hr: Hr) -> None:
    for what, sign in (NOTHING_SHOWS | {"81 characters": "x" * 81}).items():
        assert refused(joined(hr, source_key=f"NS-{sign}1")) == "source_key", what


@pytest.mark.both_databases
def test_a_key_as_long_as_may_be_is_stored(hr: Hr) -> None:
    key = "".join(chr(0x4E00 + secrets.randbelow(20_000)) for _ in range(80))
    answer = hr.api(hr.token(unit=None)).commit(
        kind="join",
        to_unit=hr.units["room2"],
        position="KT",
        person={"full_name": "Cao Thị Sen", "source_key": key},
    )
    assert answer.status_code == 201, answer.text


def test_addresses_are_stored_as_mail_writes_them(hr: Hr) -> None:
    """RFC 6531 §3.2: a domain in other letters than ASCII is for those alone who speak SMTPUTF8."""
    addresses = {"Sen": "sen@thanhh\u043ea.gov.vn", "Gió": "gio@bücher.example"}
    for name, email in addresses.items():
        body = {"full_name": f"Cao Thị {name}", "email": email}
        api = hr.api(hr.token(unit=None))
        answer = api.commit(kind="join", to_unit=hr.units["room2"], position="KT", person=body)
        assert answer.status_code == 201, answer.text
    with hr.services.db.read() as session:
        stored = set(session.execute(text("SELECT email FROM users")).scalars())
    assert "gio@xn--bcher-kva.example" in stored
    assert not [email for email in stored if email and not email.isascii()]
    page = hr.browser("officer").get("/console/people", query_string={"q": "gio@bücher.example"})
    assert "Cao Thị Gió" in page.text


# ---- the same in a load ----------------------------------------------------------------------


HEADS = {
    "people": "source_key full_name birth_date gender citizen_number email phone",
    "assignments": "source_key person unit position kind valid_from valid_to planned_end"
    " decision_number decision_issued_on decision_issuer",
}


@pytest.mark.parametrize(
    "odd",
    [
        {"decision_number": "12\u202e/QĐ"},
        {"decision_issuer": "UBND\u034f tỉnh"},
        {"decision_number": "x" * 201},
        {"source_key": "a\u20661"},
    ],
)
def test_a_load_refuses_the_row_that_holds_one(hr: Hr, tmp_path: Path, odd: dict[str, str]) -> None:
    post = {"source_key": "a1", "person": "k1", "unit": "GSO:14758", "position": "CV"}
    post |= {"kind": "primary", "valid_from": "2026-03-01"} | odd
    person = {"source_key": "k1", "full_name": "Cao Thị Sen"}
    for name, row in (("people", person), ("assignments", post)):
        with (tmp_path / f"{name}.csv").open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, HEADS[name].split(), restval="")
            writer.writeheader()
            writer.writerow(row)
    has, actor = hr.services, Actor.operator("kiểm thử")
    report = load(Feed(has.db, has.door, actor, has.clock, lambda *_: None, Report()), tmp_path)
    assert report.added.get("people.csv", 0) == 0
    assert next(iter(odd)) in {error.field for error in report.errors}
