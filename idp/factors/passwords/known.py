"""Words that passwords are made of: ours for Viet Nam, and the lists of those who collect them.

    words/vietnamese.txt    places, names, common words, offices, sayings; with their Telex and VNI keys
    zxcvbn                  30,000 passwords and the words of its other lists, read from the package's
                            file: importing it would keep its own dictionaries, ten times as large
    cracklib-small          the dictionary of Debian's ``cracklib-runtime``, where it is installed

Kept as numbers: sorted, 8 bytes for a word and 2 for what is known of it. Read when a password is first
judged, once in a process.
"""

import importlib.util
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import chain
from math import log2
from pathlib import Path

from idp.factors.passwords.keystrokes import bare, spelled

OWN_WORDS = Path(__file__).parent / "words" / "vietnamese.txt"
CRACKLIB = Path("/usr/share/dict/cracklib-small")
SHORTEST = 2
LONGEST = 48
_SECTION = re.compile(r"\[(\w+) (\d+)\]")
_FIRST = 1.0
"""Guesses (log2) for the first word of a list ordered by use."""


class Kind(StrEnum):
    """Why a part of a password is easy to guess."""

    OWN = "own"
    """Something of the person's own: names, user name, birthday, telephone."""
    UNIT = "unit"
    """A unit she works in."""
    PLACE = "place"
    NAME = "name"
    COMMON = "common"
    """A word often found in passwords here."""
    OFFICE = "office"
    """What agencies and their parts are called."""
    SAYING = "saying"
    WORD = "word"
    """A word of a dictionary, or a name of elsewhere."""
    PASSWORD = "password"  # noqa: S105
    """Among the passwords used most in the world."""
    LEAKED = "leaked"
    """Found in a collection of passwords that leaked."""
    YEAR = "year"
    DATE = "date"
    PHONE = "phone"
    NUMBER = "number"
    """Like the number of an identity card."""
    KEYS = "keys"
    """Neighbours on the keyboard, in the alphabet or among the digits."""
    REPEAT = "repeat"


@dataclass(frozen=True)
class Word:
    """What is known of a word."""

    kind: Kind
    guesses: float
    """Log2 of how many are tried before it."""


class Words:
    """Many words in little room: asked for one by one, never listed."""

    def __init__(self, found: Iterable[tuple[str, Kind, float]]) -> None:
        cheapest: dict[int, int] = {}
        for word, kind, guesses in found:
            if SHORTEST <= len(word) <= LONGEST:
                key, note = hash(word), round(guesses * 8) << 8 | _KINDS.index(kind)
                if note < cheapest.get(key, 1 << 16):
                    cheapest[key] = note
        self._keys = array("q", sorted(cheapest))
        self._notes = array("H", (cheapest[key] for key in self._keys))

    def __len__(self) -> int:
        return len(self._keys)

    def look(self, word: str) -> Word | None:
        """What is known of it, in small letters without marks."""
        key = hash(word)
        at = bisect_left(self._keys, key)
        if at == len(self._keys) or self._keys[at] != key:
            return None
        note = self._notes[at]
        return Word(_KINDS[note & 255], (note >> 8) / 8)


_KINDS = tuple(Kind)


@cache
def words() -> Words:
    """All of them, read at the first question."""
    return Words(chain(_vietnamese(), _ranked(), _cracklib()))


def _vietnamese() -> Iterator[tuple[str, Kind, float]]:
    kind, guesses = Kind.COMMON, 0.0
    for line in OWN_WORDS.read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        if section := _SECTION.fullmatch(line):
            kind, guesses = Kind(section[1]), float(section[2])
            continue
        for word in filter(None, (each.strip() for each in line.split(","))):
            plain = bare(word).replace(" ", "")
            for keys in spelled(word):
                yield keys, kind, guesses if keys == plain else guesses + 1


_RANKED = {
    "passwords": Kind.PASSWORD,
    "english_wikipedia": Kind.WORD,
    "us_tv_and_film": Kind.WORD,
    "female_names": Kind.WORD,
    "male_names": Kind.WORD,
    "surnames": Kind.WORD,
}
"""The lists of zxcvbn, the most used words first."""


def has_ranked_lists() -> bool:
    """Whether the package is installed that the lists of passwords come in."""
    return importlib.util.find_spec("zxcvbn") is not None


def _ranked() -> Iterator[tuple[str, Kind, float]]:
    package = importlib.util.find_spec("zxcvbn")
    if package is None or not package.submodule_search_locations:
        return
    file = Path(package.submodule_search_locations[0]) / "frequency_lists.py"
    spec = importlib.util.spec_from_file_location("frequency_lists", file)
    if spec is None or spec.loader is None:
        return
    lists = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lists)
    for name, kind in _RANKED.items():
        listed = lists.FREQUENCY_LISTS.get(name, "")
        for rank, word in enumerate(listed.split(",") if isinstance(listed, str) else listed):
            yield word, kind, _FIRST + log2(rank + 1)


def _cracklib() -> Iterator[tuple[str, Kind, float]]:
    if not CRACKLIB.exists():
        return
    listed = CRACKLIB.read_text("utf-8", "replace").split()
    guesses = log2(len(listed) + 1)
    yield from ((word.lower(), Kind.WORD, guesses) for word in listed)
