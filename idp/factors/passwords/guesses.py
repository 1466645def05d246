"""How many guesses a password withstands, and which of its parts are cheap.

A password is cut into parts in every way: known words (``known``), the person's own (``own``), years,
dates, numbers, rows of keys, repetitions, Vietnamese syllables, and single characters where nothing else
fits. Each part has its price in log2 of guesses; the cheapest way through counts, for that is the one
who guesses takes. The idea is that of zxcvbn (Wheeler, USENIX Security 2016); Vietnamese, its keystrokes
and passwords of any length are why it is not zxcvbn itself, which refuses more than 72 characters and
calls ``Thanhhoa@2025`` strong.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import log2

from directory.base.spelling import is_syllable
from idp.factors.passwords.keystrokes import bare, is_spelled_syllable
from idp.factors.passwords.known import LONGEST, SHORTEST, Kind, Word

LOOKED_AT = 128
"""Characters. What is strong so far does not become weaker by what follows."""
_SEPARATORS = frozenset(" -_.,+&")
_LEET = (str.maketrans("0134578@$!", "oieastbasi"), str.maketrans("0134578@$!", "oleastbasl"))
_SEGMENT, _CASE, _CAMEL, _MARKS, _SWAPPED = 1.0, 1.0, 1.5, 1.0, 1.0
"""What it adds to a word that it is one of several, and how it is written."""
_SYLLABLE, _MARKED_SYLLABLE = 8.0, 9.5
"""Of some 6,700 syllables a few hundred make up most of what is written."""


@dataclass(frozen=True)
class Part:
    """A part that is easy to guess: from this character on, before that one."""

    kind: Kind
    start: int
    end: int


@dataclass(frozen=True)
class Estimate:
    """What guessing costs, in log2 of guesses, and what makes it cheap."""

    guesses: float
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class _Match:
    start: int
    end: int
    guesses: float
    kind: Kind | None = None


Look = Callable[[str], Word | None]


def estimate(text: str, look: Look) -> Estimate:
    """How hard a password in its canonical form is to guess. ``look`` says what is known of a word
    in small letters without marks.
    """
    text = text[:LOOKED_AT]
    ending: list[list[_Match]] = [[] for _ in range(len(text) + 1)]
    for match in _matches(text, look):
        ending[match.end].append(match)
    best = [0.0] * (len(text) + 1)
    through: list[_Match] = []
    for end in range(1, len(text) + 1):
        ways = [*ending[end], _Match(end - 1, end, _character(text[end - 1]))]
        taken = min(ways, key=lambda way: (best[way.start] + way.guesses, way.start))
        best[end] = best[taken.start] + taken.guesses
        through.append(taken)
    return Estimate(best[len(text)], _parts(through))


def _parts(through: list[_Match]) -> tuple[Part, ...]:
    found: list[Part] = []
    at = len(through)
    while at:
        match = through[at - 1]
        if match.kind is not None:
            found.append(Part(match.kind, match.start, match.end))
        at = match.start
    return tuple(reversed(found))


def _character(char: str) -> float:
    if char.isascii():
        if char.isdigit():
            return 3.3
        if char.islower():
            return 4.7
        if char.isupper():
            return 5.2
        return 1.5 if char == " " else 3.0 if char in "@!#.-_*" else 5.0
    return 6.5


def _matches(text: str, look: Look) -> Iterator[_Match]:
    plain = bare(text)
    yield from _words(text, plain, look)
    yield from _patterns(text)
    yield from _rows(plain)
    yield from _repeats(text, look)


# ---- words and syllables ---------------------------------------------------------------------


def _words(text: str, plain: str, look: Look) -> Iterator[_Match]:
    places = [at for at, char in enumerate(plain) if char not in _SEPARATORS]
    run = "".join(plain[at] for at in places)
    readings = dict.fromkeys((run, *(run.translate(table) for table in _LEET)))
    for start in range(len(run)):
        for end in range(start + SHORTEST, min(start + LONGEST, len(run)) + 1):
            first, last = places[start], places[end - 1] + 1
            written = text[first:last]
            for reading in readings:
                read = reading[start:end]
                if reading is not run and (read == run[start:end] or not _mostly_letters(written)):
                    continue
                word = look(read)
                if word is not None and _may_be(word, written, end - start):
                    swapped = _SWAPPED if reading is not run else 0.0
                    price = word.guesses + _SEGMENT + _writing(written) + swapped
                    yield _Match(first, last, price, word.kind)
            if end - start <= 8 and last - first == end - start:
                syllable = _syllable(written, run[start:end])
                if syllable is not None:
                    yield _Match(first, last, syllable)


def _may_be(word: Word, written: str, length: int) -> bool:
    """Words of the world's lists are not looked for under Vietnamese marks, nor over blanks."""
    if word.kind not in (Kind.WORD, Kind.PASSWORD):
        return True
    return len(written) == length and written.isascii()


def _mostly_letters(written: str) -> bool:
    return 2 * sum(char.isalpha() for char in written) >= len(written)


def _writing(written: str) -> float:
    """What capitals and marks add."""
    price = _MARKS if any(not c.isascii() for c in written) else 0.0
    letters = [c for c in written if c.isalpha()]
    upper = sum(c.isupper() for c in letters)
    if not upper:
        return price
    if upper == len(letters) or (upper == 1 and letters[0].isupper()):
        return price + _CASE
    if letters[0].isupper() and not any(
        one.isupper() and two.isupper() for one, two in pairwise(letters)
    ):
        return price + _CAMEL
    return price + min(upper, len(letters) - upper) + _CASE


def _syllable(written: str, plain: str) -> float | None:
    if not plain[0].isalpha() or (len(plain) < 3 and written.isascii()):
        return None
    if written.isalpha() and is_syllable(written.lower()):
        return (_SYLLABLE if written.isascii() else _MARKED_SYLLABLE) + _writing(written)
    if written.isascii() and is_spelled_syllable(plain):
        return _MARKED_SYLLABLE + _writing(written)
    return None


# ---- numbers ---------------------------------------------------------------------------------

_DAY, _MONTH, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:19[3-9]\d|20[0-4]\d)"
_PATTERNS = tuple(
    (re.compile(pattern), kind, guesses)
    for pattern, kind, guesses in (
        (_YEAR, Kind.YEAR, 6.0),
        (rf"{_DAY}([-/._ ]?){_MONTH}\1{_YEAR}", Kind.DATE, 14.0),
        (rf"{_YEAR}([-/._ ]?){_MONTH}\1{_DAY}", Kind.DATE, 15.0),
        (rf"{_DAY}([-/._ ]?){_MONTH}\1\d\d", Kind.DATE, 14.0),
        (r"(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])", Kind.DATE, 8.5),
        (r"(?:\+?84|0)[35789]\d{8}", Kind.PHONE, 18.0),
        (r"0\d\d[0-9]\d{8}", Kind.NUMBER, 24.0),
    )
)


def _patterns(text: str) -> Iterator[_Match]:
    for start, char in enumerate(text):
        if char.isdigit() or char == "+":
            for pattern, kind, guesses in _PATTERNS:
                if found := pattern.match(text, start):
                    yield _Match(start, found.end(), guesses + _SEGMENT, kind)


# ---- rows and repetitions ----------------------------------------------------------------------

_ROWS = tuple(
    way
    for row in (
        "abcdefghijklmnopqrstuvwxyz",
        "01234567890",
        "qwertyuiop[]",
        "asdfghjkl;'",
        "zxcvbnm,./",
        "qwertzuiop",
        "azertyuiop",
        "!@#$%^&*()",
        "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik",
        "qazwsxedcrfvtgbyhnujmikolp",
        "1q2w3e4r5t6y7u8i9o0p",
        "1a2b3c4d5e",
        "a1b2c3d4e5",
        "147258369",
        "159357",
        "13579",
        "02468",
    )
    for way in (row, row[::-1])
)


def _rows(plain: str) -> Iterator[_Match]:
    for start in range(len(plain) - 2):
        longest = 0
        for row in _ROWS:
            end = start + max(longest, 2) + 1
            while end <= len(plain) and plain[start:end] in row:
                longest = end - start
                end += 1
        for length in range(3, longest + 1):
            guesses = 5.0 + log2(length) + _SEGMENT
            yield _Match(start, start + length, guesses, Kind.KEYS)


_AGAIN = re.compile(r"(.{1,32}?)\1+", re.DOTALL)


def _repeats(text: str, look: Look) -> Iterator[_Match]:
    for found in _AGAIN.finditer(text):
        block, whole = found[1], found[0]
        if len(whole) >= 3:
            price = estimate(block, look).guesses + log2(len(whole) / len(block)) + _SEGMENT
            yield _Match(found.start(), found.end(), price, Kind.REPEAT)
