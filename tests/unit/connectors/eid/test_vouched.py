"""What an upstream says of a person: read strictly, compared as people would."""

from typing import Any

import pytest

from connectors.eid.refusals import EidRefused, Why
from connectors.eid.settings import Claims, Settings
from connectors.eid.vouched import birth, said, same_birth, same_name, strength

CLAIMS = Claims(number="n", full_name="f", birth_date="b", level="l", kind="k")
PERSON = {"n": "038190001234", "f": "Lê Thị Lan", "b": "1990-05-17", "l": 2}


@pytest.mark.parametrize(
    ("level", "good"),
    [
        *((2, True), ("2", True), (3, True), ("9", True)),
        *((1, False), ("1", False), (0, False), (-2, False), (None, False), ("", False)),
        *((True, False), (2.0, False), ("Mức độ 2", False), ("２", False), ("02", False)),
        *(([2], False), ({"l": 2}, False), ("2 ", False), ("+2", False), (10**400, True)),
    ],
)
def test_a_level_below_two_or_unreadable_lets_nobody_in(level: Any, good: bool) -> None:
    if good:
        assert said(PERSON | {"l": level}, CLAIMS).level == 2
        return
    with pytest.raises(EidRefused) as caught:
        said(PERSON | {"l": level}, CLAIMS)
    assert caught.value.why is Why.LEVEL


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1990-05-17", "1990-05-17"),
        ("19900517", "1990-05-17"),
        (19900517, "1990-05-17"),
        ("17/05/1990", "1990-05-17"),
        ("1990", "1990"),
        (1990, "1990"),
    ],
)
def test_a_birth_date_in_the_forms_that_are_seen(written: Any, read: str) -> None:
    assert birth(written) == read


@pytest.mark.parametrize(
    "written",
    ["", None, "17-05-1990", "1990-13-01", "31/02/1990", "0000", "90", True, 1.5, ["1990"], "٢٠٠٠"],
)
def test_a_birth_date_that_is_none(written: Any) -> None:
    with pytest.raises(EidRefused):
        birth(written)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Nguyễn Thị Hòa", "NGUYỄN THỊ HOÀ", True),
        ("Lê Thị Thủy", "Lê Thị Thuỷ", True),
        ("Đặng Văn Đức", "Dang Van Duc", True),
        ("Lê  Thị\u200b Lan", "Lê Thị Lan", True),
        ("Le\u0302 Thi\u0323 Lan", "Lê Thị Lan", True),
        ("Lê Thị Lan", "Lê Thị Loan", False),
        ("Lê Thị Lan", "Thị Lan Lê", False),
        ("Lê Thị Lan", "Lê Lan", False),
        ("H'Hen Niê", "H Hen Niê", True),
    ],
)
def test_two_spellings_of_one_name(one: str, other: str, same: bool) -> None:
    assert same_name(one, other) is same
    assert same_name(other, one) is same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1990-05-17", "1990-05-17", True),
        ("1990", "1990-05-17", True),
        ("1990", "1990", True),
        (None, "1990", True),
        ("1990-05-17", "1990-05-18", False),
        ("1990", "1991-05-17", False),
        ("1990", "1991", False),
    ],
)
def test_two_birth_dates_of_one_person(one: str | None, other: str, same: bool) -> None:
    assert same_birth(one, other) is same


def _settings(**said: Any) -> Settings:
    return Settings(client_id="x", claims=CLAIMS, **said)


@pytest.mark.parametrize(
    ("said", "acr", "level", "assumed"),
    [
        ({}, None, 1, True),
        ({"assume": "urn:vn:aal:2"}, None, 2, True),
        ({"assume": "urn:vn:aal:2", "acr": {"loa1": "urn:vn:aal:1"}}, "loa1", 1, False),
        ({"acr": {"loa3": "urn:vn:aal:3"}}, "loa3", 2, False),
        ({"acr": {"loa3": "urn:vn:aal:3"}, "ceiling": "urn:vn:aal:4"}, "loa3", 3, False),
        ({"acr": {"loa3": "urn:vn:aal:3"}}, ["loa3"], 1, True),
        ({"acr": {"loa3": "urn:vn:aal:3"}}, "LOA3", 1, True),
    ],
)
def test_strength_is_what_was_signed_or_assumed_and_never_above_the_ceiling(
    said: dict[str, Any],
    acr: Any,
    level: int,
    assumed: bool,
) -> None:
    assert strength(_settings(**said), acr) == (level, assumed)


@pytest.mark.parametrize(
    "said",
    [
        {"assume": "urn:vn:aal:3"},
        {"ceiling": "5"},
        {"acr": {"x": "high"}},
        {"algorithms": ["none"]},
        {"algorithms": ["HS256"]},
        {"algorithms": []},
        {"endpoints": {"token": "ftp://x/"}},
        {"endpoints": {"tokn": "https://x/"}},
        {"unheard": 1},
    ],
)
def test_what_cannot_be_configured(said: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".*"):
        _settings(**said)
