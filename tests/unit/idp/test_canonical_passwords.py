"""One password is one password, whichever keyboard and whichever spelling of its tones."""

import unicodedata
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.base.errors import InvalidInput
from directory.base.hashing import Cost, PasswordHasher
from idp.factors import passwords
from idp.factors.passwords.own import words_of

OLD_AND_NEW = (
    *("òa oà", "óa oá", "ỏa oả", "õa oã", "ọa oạ", "òe oè", "óe oé", "ỏe oẻ", "õe oẽ", "ọe oẹ"),
    *("ùy uỳ", "úy uý", "ủy uỷ", "ũy uỹ", "ụy uỵ"),
)
"""The fifteen pairs that a decision of the ministry of education of 1984 and its older custom differ in."""
SHAPES = (str, str.upper, str.title)
AROUND = ("{}", "h{}", "Thanh h{} 2025", "h{}bình", "khoẻh{}", "x{}n")


@pytest.mark.parametrize("pair", OLD_AND_NEW)
def test_both_places_of_a_tone_are_one(pair: str) -> None:
    for shape, around, form in product(SHAPES, AROUND, ("NFC", "NFD")):
        old, new = (
            unicodedata.normalize(form, shape(around.format(each))) for each in pair.split()
        )
        assert old != new
        assert passwords.canonical(old) == passwords.canonical(new)
        assert passwords.canonical(new) == unicodedata.normalize("NFC", new)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "thuở",
            "huế",
            "quạ",
            "khuỷu",
            "ngoằn",
            "xoắn",
            "toán",
            "khuya",
            "quý",
            "loà xoà",
            "đoá hoa",
        ),
        *(
            "hoa",
            "o",
            "oà",
            "Ơ",
            "ờa",
            "ộa",
            "ứy",
            "ừa",
            "úa",
            "ỏi",
            "  hai  đầu  ",
            "tab\t",
            "a\u200bb",
        ),
        *("pässwörd", "ﬁ", "①", "Ω", "🙂🙂🙂", "\r\n", ""),
    ],
)
def test_nothing_else_is_changed(text: str) -> None:
    """Not trimmed, not folded, no other letter moved (NFC alone: Ω is U+03A9 in both)."""
    assert passwords.canonical(text) == unicodedata.normalize("NFC", text)


@given(
    st.text(
        alphabet="oOaAeEuUyYươăâq \u0300\u0301\u0303\u0309\u0323\u0302\u0306\u031bhoàthủy",
        max_size=12,
    )
)
def test_the_form_of_a_form_is_itself(text: str) -> None:
    once = passwords.canonical(text)
    assert passwords.canonical(once) == once
    for form in ("NFC", "NFD"):
        assert passwords.canonical(unicodedata.normalize(form, text)) == once


class Counting(PasswordHasher):
    """Says how often it was asked to look."""

    def __init__(self) -> None:
        super().__init__(Cost(passes=1, memory=8192))
        self.looked = 0

    def verify(self, stored: str | None, password: str, *, first: bool = False) -> bool:
        self.looked += 1
        return super().verify(stored, password, first=first)


def _having(stored: str | None) -> passwords.Candidate:
    return passwords.Candidate(1, "u", "U", 1, stored, must_change=False)


@pytest.mark.parametrize(
    ("typed", "most"),
    [
        ("bếp củi reo vui", 1),
        ("thanh hoà 36 biển", 1),
        ("thanh hòa 36 biển", 2),  # canonical, as it was before
        (unicodedata.normalize("NFD", "bếp củi"), 2),  # canonical, as it was typed
        (unicodedata.normalize("NFD", "thanh hòa"), 3),
    ],
)
def test_the_text_alone_says_how_many_hashes_a_wrong_one_costs(typed: str, most: int) -> None:
    hasher = Counting()
    other = hasher.hash("hoàn toàn khác")
    looks = []
    for found in (None, _having(None), _having(other)):
        hasher.looked = 0
        assert not passwords.verify(hasher, found, typed)
        looks.append(hasher.looked)
    assert looks == [most] * 3


def test_a_hash_made_of_the_earlier_form_fits_and_is_made_anew() -> None:
    """What stands in databases was made from NFC, wherever the tone stood."""
    hasher = Counting()
    typed = "thanh hòa 36 biển"
    earlier = _having(hasher.hash(unicodedata.normalize("NFC", typed)))
    one = passwords.Typed(hasher, typed)
    assert one.fits(earlier)
    renewed = one.renewed()
    assert renewed is not None
    assert passwords.verify(hasher, _having(renewed), "thanh hoà 36 biển")
    again = passwords.Typed(hasher, typed)
    assert again.fits(_having(renewed))
    hasher.looked = 0
    assert again.renewed() is None
    assert hasher.looked == 0


def test_a_new_password_is_kept_in_its_canonical_form() -> None:
    hasher = Counting()
    found = _having(passwords.hashed(hasher, "thanh hòa 36 biển"))
    hasher.looked = 0
    assert passwords.verify(hasher, found, "thanh hoà 36 biển")
    assert hasher.looked == 1


def test_the_bound_is_counted_in_bytes(settings: Any) -> None:
    long, longer = "ế" * 1365, "ế" * 1366  # three bytes each: 4095, 4098
    passwords.require_bound(long, field="password")
    asked = passwords.Choosing(passwords.rule(settings, second_factor=False), words_of(), None)
    for act in (
        lambda: passwords.require_bound(longer, field="password"),
        lambda: asked.judged(longer),
    ):
        with pytest.raises(InvalidInput) as refused:
            act()
        assert refused.value.code == "password_long"
