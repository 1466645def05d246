"""Codes on paper: 16 digits in four groups, typed whatever input method is on.

Telex and VNI turn letters into others as they are typed, and digits after letters into tones; digits
by themselves they leave alone. Fifteen are random (about 50 bits), the last is Damm's check digit:
one wrong digit and two neighbours that changed places are found out without exception (Luhn's lets
09 for 90 pass), so that whoever mistypes is told before it counts as a guess.

    new       a code
    typed     what somebody typed, as a code
    grouped   a code as it is printed
    digest    what is stored of it
"""

import re
import secrets
import unicodedata

from directory.base.crypto import Keyring
from directory.base.errors import InvalidInput

DIGITS = 16
_RANDOM = DIGITS - 1
_GROUP = re.compile(r".{1,4}")
_BETWEEN = re.compile(r"[\s.\-–—_/]")
_DAMM = (
    "0317598642",
    "7092154863",
    "4206871359",
    "1750983426",
    "6123045978",
    "3674209581",
    "5869720134",
    "8945362017",
    "9438617205",
    "2581436790",
)
"""A totally anti-symmetric quasigroup of order 10 (H. M. Damm, 2004)."""


def new() -> str:
    """A code that nobody has guessed."""
    digits = f"{secrets.randbelow(10**_RANDOM):0{_RANDOM}}"
    return digits + _check(digits)


def typed(text: str, *, field: str = "code") -> str:
    """The code that somebody typed, however she set it apart. Raises InvalidInput for what is none:
    that is a mistake and no guess.
    """
    digits = _BETWEEN.sub("", unicodedata.normalize("NFKC", text))
    if len(digits) != DIGITS or not (digits.isascii() and digits.isdecimal()):
        raise InvalidInput(
            "paper_code_form", "Mã gồm đúng 16 chữ số, in thành bốn nhóm trên giấy.", field=field
        )
    if _check(digits) != "0":
        raise InvalidInput(
            "paper_code_typo",
            "Có chữ số gõ nhầm hoặc đổi chỗ. Hãy so lại từng nhóm với tờ giấy; lần này không bị tính là sai.",
            field=field,
        )
    return digits


def grouped(code: str) -> str:
    """As it is printed."""
    return " ".join(_GROUP.findall(code))


def digest(keyring: Keyring, purpose: str, code: str) -> str:
    """What is stored of a code."""
    return keyring.keyed_hash(purpose, code)


def _check(digits: str) -> str:
    """The check digit of these; "0" of whatever ends in its own."""
    state = "0"
    for digit in digits:
        state = _DAMM[int(state)][int(digit)]
    return state
