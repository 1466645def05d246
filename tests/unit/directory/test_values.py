"""The one rule of each kind of value: what is tidied, what is refused, what is never guessed."""

from datetime import date

import pytest

from directory.base import values
from directory.base.errors import InvalidInput

TODAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("", None),
        ("0912 345 678", "0912345678"),
        ("0912.345.678", "0912345678"),
        ("(0237) 3852.246", "02373852246"),
        ("912345678", "0912345678"),
        ("'0912345679", "0912345679"),
        ("84912345678", "+84912345678"),
        ("+84912345678", "+84912345678"),
        ("٠٩١٢٣٤٥٦٧٨", InvalidInput),
        ("00000000", InvalidInput),
        ("9.12E+08", InvalidInput),
        ("1234567", InvalidInput),
        ("0912345678 / 0987654321", InvalidInput),
    ],
)
def test_telephone_numbers(given: str, stored: object) -> None:
    check(values.phone, given, stored)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("003180000001", "003180000001"),
        ("003 180 000 001", "003180000001"),
        ("3180000001", "003180000001"),
        ("38080000001", "038080000001"),
        ("180000001", InvalidInput),  # nine digits are an old identity card's
        ("99980000001", InvalidInput),  # no province
        ("03818000001", InvalidInput),  # a digit forgotten: its zeros are there
        ("3.18E+09", InvalidInput),
        ("3,18e9", InvalidInput),
        ("00318000000１", InvalidInput),
        ("0031800000012", InvalidInput),
    ],
)
def test_citizen_numbers(given: str, stored: object) -> None:
    check(values.citizen_number, given, stored)


def test_a_refused_citizen_number_is_not_in_the_error() -> None:
    with pytest.raises(InvalidInput) as refused:
        values.citizen_number("0031800000012")
    assert "00318" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("1980", "1980"),
        ("1980-02-03", "1980-02-03"),
        ("3/2/1980", "1980-02-03"),
        ("03-02-1980", "1980-02-03"),
        ("1980-02-03 00:00:00", "1980-02-03"),
        ("2026-03-02", "2026-03-02"),
        ("2026-03-03", InvalidInput),
        ("2027", InvalidInput),
        ("1895", InvalidInput),
        ("1896", "1896"),
        ("29/02/1981", InvalidInput),
        ("1980-02", InvalidInput),
        ("02/1980", InvalidInput),
        ("29252", InvalidInput),
        ("19800203", InvalidInput),
        ("1980-W05-1", InvalidInput),
        ("0000", InvalidInput),
    ],
)
def test_dates_of_birth(given: str, stored: object) -> None:
    check(lambda value: values.birth_date(value, TODAY), given, stored)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("01/07/2025", "2025-07-01"),
        ("2025-7-1", "2025-07-01"),
        ("1899-12-31", InvalidInput),
        ("2127-01-01", InvalidInput),
        ("9999-12-31", InvalidInput),
        ("10000-01-01", InvalidInput),
    ],
)
def test_days(given: str, stored: object) -> None:
    check(lambda value: values.day(value, TODAY, "valid_from"), given, stored)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("An.TV@Thanhhoa.GOV.vn ", "an.tv@thanhhoa.gov.vn"),
        ("'an@thanhhoa.gov.vn", "an@thanhhoa.gov.vn"),
        ("a@b.local", InvalidInput),
        ("b@may1", InvalidInput),
        ("a@10.0.0.1", InvalidInput),
        ("đức@thanhhoa.gov.vn", InvalidInput),
        ("an@thanhhoa.gov.vn.", InvalidInput),
        ("a@x.vn; b@x.vn", InvalidInput),
        ("a@x.vn b@x.vn", InvalidInput),
        ("không có", InvalidInput),
        ("An <an@thanhhoa.gov.vn>", InvalidInput),
    ],
)
def test_addresses(given: str, stored: object) -> None:
    check(values.email, given, stored)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("Trần (Bé) An", "Trần (Bé) An"),
        ("  Lê   Thị Hoa ", "Lê Thị Hoa"),
        ("Nguyê\u0303n Văn Hiển", "Nguyễn Văn Hiển"),
        ("Lê\u200b Lan", "Lê Lan"),
        ("Đặng Phước 😀", InvalidInput),
        ("An\u202e", InvalidInput),
        ("H\u00adng", InvalidInput),
        ("Lan\x07", InvalidInput),
        ("123", InvalidInput),
        ("'", InvalidInput),
        ("Lan2", InvalidInput),
        ("<b>Lan</b>", InvalidInput),
        ("", InvalidInput),
        ("A" * 101, InvalidInput),
    ],
)
def test_names_of_people(given: str, stored: object) -> None:
    check(values.person_name, given, stored)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("Phòng Kinh tế – Hạ tầng & Đô thị", "Phòng Kinh tế – Hạ tầng & Đô thị"),
        ("Tổ 1/2, khu phố “Bắc”", "Tổ 1/2, khu phố “Bắc”"),
        ("Së Néi vô", InvalidInput),
        ("Xã\u202e Lạ", InvalidInput),
        ("Phòng 😀", InvalidInput),
        ("12/5", InvalidInput),
    ],
)
def test_names_of_units(given: str, stored: object) -> None:
    check(values.unit_name, given, stored)


@pytest.mark.parametrize(
    ("given", "stored"),
    [("TRUE", True), ("Không", False), ("x", True), ("0", False), ("", InvalidInput), ("?", InvalidInput)],
)  # fmt: skip
def test_switches(given: str, stored: object) -> None:
    check(lambda value: values.flag(value, "leadership"), given, stored)


@pytest.mark.parametrize(
    ("given", "stored"),
    [("120.0", 120), ("120", 120), ("1.000", InvalidInput), ("1,5", InvalidInput), ("-1", InvalidInput)],
)  # fmt: skip
def test_whole_numbers(given: str, stored: object) -> None:
    check(lambda value: values.whole_number(value, "headcount"), given, stored)


def check(rule: object, given: str, stored: object) -> None:
    assert callable(rule)
    if stored is InvalidInput:
        with pytest.raises(InvalidInput):
            rule(given)
    else:
        assert rule(given) == stored
