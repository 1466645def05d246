"""Vietnamese text: normal form, search keys and the order of names.

Two spellings of one name must find each other: NFC everywhere, search without diacritics
(NFD does not split đ), sorted by given name, then family name, then middle names.
"""

import re
import unicodedata
from functools import lru_cache

from directory.base.spelling import TONES

_ZERO_WIDTH = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"), None)
_NOT_KEY = re.compile(r"[^a-z0-9]+")
_ALPHABET = {
    letter: chr(ord("!") + index)
    for index, letter in enumerate("aăâbcdđeêfghijklmnoôơpqrstuưvwxyz0123456789", start=1)
}


def clean(value: str) -> str:
    """NFC, without zero-width characters, white space collapsed."""
    return " ".join(unicodedata.normalize("NFC", value).translate(_ZERO_WIDTH).split())


def search_key(*values: str | None) -> str:
    """Lower-case ASCII words, without diacritics: what a search compares."""
    decomposed = unicodedata.normalize("NFD", " ".join(v for v in values if v))
    bare = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
    bare = bare.replace("đ", "d").replace("Đ", "D").casefold()
    return _NOT_KEY.sub(" ", bare).strip()


def sort_key(value: str) -> str:
    """A key that orders text as Vietnamese dictionaries do: letters first, tones second."""
    places = [_place(char) for char in unicodedata.normalize("NFC", value).lower()]
    letters = "".join(letter for letter, _ in places)
    return letters.rstrip() + "\x1f" + "".join(tone for _, tone in places)


@lru_cache(maxsize=1024)
def _place(char: str) -> tuple[str, str]:
    """Where a letter stands in the alphabet, and its tone; asked for each letter of each name."""
    parts = unicodedata.normalize("NFD", char)
    tone = next((c for c in parts if c in TONES), "")
    base = unicodedata.normalize("NFC", "".join(c for c in parts if c not in TONES))
    return _ALPHABET.get(base, " "), str(TONES.index(tone) + 1) if tone else "0"


def by_name(value: str) -> str:
    """``sort_key`` for names of things in Python's ``sorted``; those equal to it differ in case."""
    return f"{sort_key(value)}\x1f{value}"


def name_parts(full_name: str) -> tuple[str, str, str]:
    """(family, middle, given) by the usual split; single words are a given name."""
    words = clean(full_name).split(" ")
    if len(words) == 1:
        return "", "", words[0]
    return words[0], " ".join(words[1:-1]), words[-1]


def name_sort_key(full_name: str) -> str:
    """Order of people in lists: given name, family name, middle names."""
    family, middle, given = name_parts(full_name)
    return sort_key(f"{given} {family} {middle}".strip())


def username_base(full_name: str) -> str:
    """``Nguyễn Văn Hiển`` → ``hiennv``: given name and initials, ASCII, 3 to 31 characters."""
    family, middle, given = name_parts(full_name)
    initials = "".join(word[0] for word in search_key(family, middle).split())
    base = search_key(given).replace(" ", "") + initials
    base = base.lstrip("0123456789") or "nguoidung"
    return (base if len(base) >= 3 else base + "nd")[:28]
