"""The sample province: its committed lists, and the people generated for it."""

import csv
import os
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

PROVINCE = Path(__file__).resolve().parents[3] / "examples" / "thanh-hoa"
COMMITTED = ("communes.csv", "province.csv", "units.csv", "positions.csv", "posts.csv")
Row = dict[str, str]
Files = dict[str, list[Row]]


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def run(script: str, out: Path, *options: str, hash_seed: str = "0") -> None:
    subprocess.run(
        [sys.executable, str(PROVINCE / script), "--out", str(out), *options],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )


def generated(out: Path) -> Files:
    return {name: read(out / f"{name}.csv") for name in ("people", "assignments")}


def open_posts(files: Files) -> Counter[tuple[str, str]]:
    """How many hold each post, whatever the kind of assignment."""
    return Counter(
        (row["unit"], row["position"]) for row in files["assignments"] if not row["valid_to"]
    )


@pytest.fixture(scope="module")
def units() -> dict[str, Row]:
    return {row["code"]: row for row in read(PROVINCE / "units.csv")}


@pytest.fixture(scope="module")
def positions() -> dict[str, Row]:
    return {row["code"]: row for row in read(PROVINCE / "positions.csv")}


@pytest.fixture(scope="module")
def headcounts() -> dict[tuple[str, str], int]:
    rows = read(PROVINCE / "posts.csv")
    return {(row["unit"], row["position"]): int(row["headcount"]) for row in rows}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Files:
    out = tmp_path_factory.mktemp("thanh-hoa")
    run("generate.py", out)
    return generated(out)


@pytest.fixture(scope="module", params=[50, 300, 2000])
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Files:
    out = tmp_path_factory.mktemp("small")
    run("generate.py", out, "--people", str(request.param))
    files = generated(out)
    assert len(files["people"]) == request.param
    return files


def test_committed_units_and_posts_are_what_the_script_makes(tmp_path: Path) -> None:
    run("build_units.py", tmp_path)
    for name in ("units.csv", "posts.csv"):
        assert (tmp_path / name).read_bytes() == (PROVINCE / name).read_bytes()


def test_unit_codes_are_unique_and_parents_exist(units: dict[str, Row]) -> None:
    assert len(units) == len(read(PROVINCE / "units.csv")) == 2379
    assert {row["parent"] for row in units.values()} - {""} <= units.keys()


def test_units_form_one_tree(units: dict[str, Row]) -> None:
    """A parent's code is a proper prefix of its child's, so no path can return to its start."""
    assert [code for code, row in units.items() if not row["parent"]] == ["TH"]
    for code, row in units.items():
        assert code == "TH" or code.startswith(f"{row['parent']}.")


def test_all_166_communes_have_their_four_bodies(units: dict[str, Row]) -> None:
    communes = read(PROVINCE / "communes.csv")
    assert Counter(row["kind"] for row in communes) == {"phường": 19, "xã": 147}
    for commune in communes:
        for bloc in ("TU", "HDND", "UBND", "MTTQ"):
            body = units[f"TH.{bloc}.{commune['gso']}"]
            assert body["tier"] == "commune"
            assert body["name"].endswith(f"{commune['kind']} {commune['name']}")


def test_each_gso_code_is_on_exactly_one_peoples_committee(units: dict[str, Row]) -> None:
    coded = {row["gso"]: row for row in units.values() if row["gso"]}
    assert sorted(row["gso"] for row in units.values() if row["gso"]) == sorted(coded)
    expected = {row["gso"] for row in read(PROVINCE / "communes.csv")} | {"38"}
    assert coded.keys() == expected
    assert {row["kind"] for row in coded.values()} == {"peoples_committee"}


def test_names_that_differ_by_marks_alone_are_both_there(units: dict[str, Row]) -> None:
    assert units["TH.UBND.15853"]["name"] == "Ủy ban nhân dân phường Đông Tiến"
    assert units["TH.UBND.15724"]["name"] == "Ủy ban nhân dân xã Đồng Tiến"


def test_no_official_code_is_invented(units: dict[str, Row]) -> None:
    assert {code: row["qd20"] for code, row in units.items() if row["qd20"]} == {"TH.UBND": "H56"}
    text = "".join((PROVINCE / name).read_text(encoding="utf-8") for name in COMMITTED)
    assert not re.search(r"\bH56\.|\bK56\b|\bA\d\d\b", text)


def test_closed_columns_hold_their_words_only(
    units: dict[str, Row], positions: dict[str, Row]
) -> None:
    blocs = {"party", "government", "council", "front", "judiciary", "other"}
    assert {row["bloc"] for row in (*units.values(), *positions.values())} <= blocs
    assert {row["tier"] for row in units.values()} == {"province", "commune", "internal"}
    assert {row["legal_person"] for row in units.values()} == {"true", "false"}
    assert all(re.fullmatch(r"[a-z_]+", row["kind"]) for row in units.values())
    assert all(re.fullmatch(r"[A-Z0-9.]+", code) for code in units)
    assert {row["sensitivity"] for row in positions.values()} == {"normal", "elevated", "high"}


def test_posts_are_leadership_positions_in_known_units(
    units: dict[str, Row], positions: dict[str, Row], headcounts: dict[tuple[str, str], int]
) -> None:
    for (unit, position), headcount in headcounts.items():
        assert unit in units
        assert positions[position]["leadership"] == "true"
        assert headcount > 0


def test_committed_text_is_nfc() -> None:
    for name in COMMITTED:
        assert unicodedata.is_normalized("NFC", (PROVINCE / name).read_text(encoding="utf-8"))


def test_same_number_and_seed_give_the_same_bytes(tmp_path: Path) -> None:
    for out, hash_seed in (("once", "1"), ("twice", "2")):
        run("generate.py", tmp_path / out, "--people", "2000", hash_seed=hash_seed)
    for name in ("people.csv", "assignments.csv"):
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "twice" / name).read_bytes()


def test_another_seed_gives_other_people(tmp_path: Path) -> None:
    run("generate.py", tmp_path / "a", "--people", "50")
    run("generate.py", tmp_path / "b", "--people", "50", "--seed", "39")
    assert generated(tmp_path / "a")["people"] != generated(tmp_path / "b")["people"]


@pytest.mark.parametrize("column", ["source_key", "citizen_number", "email", "phone"])
def test_nobody_shares_a_number_or_an_address(full: Files, column: str) -> None:
    assert len({row[column] for row in full["people"]}) == len(full["people"]) == 20_000


def test_citizen_numbers_match_the_person_in_all_but_the_province(full: Files) -> None:
    for row in full["people"]:
        century = 2 * (int(row["birth_date"][:4]) // 100 - 19)
        digit = century + (row["gender"] == "female")
        assert re.fullmatch(f"003{digit}{row['birth_date'][2:4]}[0-9]{{6}}", row["citizen_number"])


def test_phones_and_addresses_reach_no_one(full: Files) -> None:
    for row in full["people"]:
        assert re.fullmatch(r"\+8410\d{7}", row["phone"])
        assert re.fullmatch(r"[a-z][a-z0-9]{1,30}@thanhhoa\.example", row["email"])


def test_some_birth_dates_are_a_bare_year(full: Files) -> None:
    dates = [row["birth_date"] for row in full["people"]]
    whole = [date.fromisoformat(text) for text in dates if not re.fullmatch(r"\d{4}", text)]
    assert 50 < len(dates) - len(whole) < 1000
    assert date(1966, 1, 1) <= min(whole)
    assert max(whole) < date(2004, 1, 1)


def test_homonyms_are_many(full: Files) -> None:
    names = Counter(row["full_name"] for row in full["people"])
    assert names.most_common(1)[0][1] > 20
    assert sum(count for count in names.values() if count > 1) > 5_000


def test_upland_communes_have_names_of_their_peoples(full: Files) -> None:
    in_muong_lat = {row["person"] for row in full["assignments"] if ".14845" in row["unit"]}
    families = Counter(
        row["full_name"].split()[0] for row in full["people"] if row["source_key"] in in_muong_lat
    )
    assert {"Giàng", "Thao", "Lò", "Vi"} <= families.keys()
    assert families["Nguyễn"] < len(in_muong_lat) / 5
    assert any(re.fullmatch(r"Giàng A \w+", row["full_name"]) for row in full["people"])


def test_generated_text_is_nfc(full: Files) -> None:
    for rows in full.values():
        for row in rows:
            assert unicodedata.is_normalized("NFC", "".join(row.values()))


def test_everyone_has_exactly_one_open_primary_post(full: Files, small: Files) -> None:
    for files in (full, small):
        primary = Counter(
            row["person"]
            for row in files["assignments"]
            if row["kind"] == "primary" and not row["valid_to"]
        )
        assert primary == Counter(row["source_key"] for row in files["people"])


def test_headcounts_are_never_exceeded(
    full: Files, small: Files, headcounts: dict[tuple[str, str], int], positions: dict[str, Row]
) -> None:
    for files in (full, small):
        for post, holders in open_posts(files).items():
            if positions[post[1]]["leadership"] == "true":
                assert holders <= headcounts[post]


def test_leaders_of_the_first_commune_are_all_there(
    full: Files, small: Files, headcounts: dict[tuple[str, str], int]
) -> None:
    for files in (full, small):
        filled = open_posts(files)
        for post, headcount in headcounts.items():
            if ".14797" in post[0]:
                assert filled[post] == headcount


def test_the_secretary_chairs_the_council_and_the_chairman_is_deputy_secretary(full: Files) -> None:
    holder = {(row["unit"], row["position"]): row["person"] for row in full["assignments"]}
    for gso in (row["gso"] for row in read(PROVINCE / "communes.csv")):
        assert holder[f"TH.TU.{gso}", "BT-DU-XA"] == holder[f"TH.HDND.{gso}", "CT-HDND-XA"]
        assert holder[f"TH.UBND.{gso}", "CT-UBND-XA"] == holder[f"TH.TU.{gso}", "PBT-DU-XA"]


def test_five_to_eight_in_a_hundred_hold_more_than_one_post(full: Files) -> None:
    held = Counter(row["person"] for row in full["assignments"])
    assert 1_000 <= sum(count > 1 for count in held.values()) <= 1_600
    assert {row["kind"] for row in full["assignments"]} == {
        "primary",
        "concurrent",
        "secondment",
        "acting",
    }


def test_only_secondments_have_a_planned_end_and_within_three_years(full: Files) -> None:
    for row in full["assignments"]:
        assert bool(row["planned_end"]) == (row["kind"] == "secondment")
        if row["planned_end"]:
            began, ends = map(date.fromisoformat, (row["valid_from"], row["planned_end"]))
            assert began < ends <= began.replace(year=began.year + 3)


def test_assignments_begin_in_existing_units_after_their_decision(
    full: Files, units: dict[str, Row], positions: dict[str, Row]
) -> None:
    for row in full["assignments"]:
        assert row["position"] in positions
        assert row["decision_issued_on"] <= row["valid_from"]
        assert units[row["unit"]]["valid_from"] <= row["valid_from"]
        assert not row["valid_to"] or row["valid_from"] < row["valid_to"]


def test_a_decision_number_means_one_date_of_one_body(full: Files) -> None:
    dates: dict[tuple[str, str, str], set[str]] = {}
    for row in full["assignments"]:
        key = (row["decision_issuer"], row["decision_number"], row["decision_issued_on"][:4])
        dates.setdefault(key, set()).add(row["decision_issued_on"])
    assert all(len(days) == 1 for days in dates.values())
    numbers = {row["decision_number"] for row in full["assignments"]}
    for shape in (r"\d+-QĐ/TU", r"\d+-QĐ/ĐU", r"\d+/QĐ-UBND", r"\d+/NQ-HĐND"):
        assert any(re.fullmatch(shape, number) for number in numbers)
