"""Codes on paper: digits only, and what people do wrong with them is found out."""

import pytest

from directory.base.errors import InvalidInput
from idp.factors import paper_code


def test_a_code_has_sixteen_digits_of_which_the_last_follows() -> None:
    codes = {paper_code.new() for _ in range(200)}
    assert len(codes) == 200
    assert all(len(code) == 16 and code.isdecimal() for code in codes)
    assert {paper_code.typed(code) for code in codes} == codes


def test_the_check_digit_is_damms() -> None:
    """H. M. Damm's own example: 572 is checked by 4."""
    assert paper_code._check("572") == "4"
    assert paper_code._check("5724") == "0"


def test_every_wrong_digit_and_every_pair_that_changed_places_is_found() -> None:
    for _ in range(20):
        code = paper_code.new()
        for at in range(16):
            for digit in "0123456789":
                wrong = code[:at] + digit + code[at + 1 :]
                if wrong != code:
                    with pytest.raises(InvalidInput, match="gõ nhầm"):
                        paper_code.typed(wrong)
        for at in range(15):
            turned = code[:at] + code[at + 1] + code[at] + code[at + 2 :]
            if turned != code:
                with pytest.raises(InvalidInput, match="gõ nhầm"):
                    paper_code.typed(turned)


@pytest.mark.parametrize("apart", [" ", "  ", "-", "–", ".", "\u00a0", "\t", ""])
def test_its_groups_may_be_set_apart_in_any_way(apart: str) -> None:
    code = paper_code.new()
    assert paper_code.typed(paper_code.grouped(code).replace(" ", apart)) == code


def test_full_width_digits_are_digits() -> None:
    code = paper_code.new()
    assert paper_code.typed("".join(chr(ord(d) - ord("0") + ord("０")) for d in code)) == code


@pytest.mark.parametrize(
    "text", ["", "123", "1" * 15, "1" * 17, "a" * 16, "12345678901234a5", "١" * 16]
)
def test_what_can_be_no_code_is_told_as_such(text: str) -> None:
    with pytest.raises(InvalidInput, match="16 chữ số"):
        paper_code.typed(text)
