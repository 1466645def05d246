"""Vietnamese as it stands in a field whose input method is off: Telex and VNI keystrokes.

Who types ``Thanh Hóa`` where nothing turns keys into letters leaves ``Thanh Hoas`` or ``Thanh Hoa1``.
To whoever guesses these are the same word. The keys of a letter's shape come behind the letter or at
the end of the syllable, and so does the key of its tone: both ways are common.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import product

from directory.base.spelling import TONES, is_syllable

_CIRCUMFLEX, _BREVE, _HORN = "\u0302", "\u0306", "\u031b"
_TELEX_TONE = dict(zip(TONES, "frxsj", strict=True))
_VNI_TONE = dict(zip(TONES, "23415", strict=True))
_VNI_SHAPE = {_CIRCUMFLEX: "6", _HORN: "7", _BREVE: "8", "đ": "9"}
_Method = Callable[[str, str], str]
"""The key that gives this letter this mark."""
_TELEX_SHAPE = re.compile(r"([aeod])\1|([auo])w")
_TELEX_SYLLABLE = re.compile(r"([a-z]*[aeiouy])([sfrxj])?([a-z]{0,2}?)([sfrxj])?")
_VNI_SYLLABLE = re.compile(r"(?=\D*\d{1,3}\D*$|\D*\d\D*\d{1,2}$)[a-z]+[1-9][a-z1-9]*")


def bare(text: str) -> str:
    """Small letters without marks, one for each character."""
    return "".join(map(_bare, text))


@lru_cache(maxsize=2048)
def _bare(char: str) -> str:
    if char in "đĐ":
        return "d"
    return unicodedata.normalize("NFD", char)[0].lower()[:1]


def has_marks(text: str) -> bool:
    """Whether a letter in it bears a mark: an input method that is on gives some unasked."""
    return any(char in "đĐ" or len(unicodedata.normalize("NFD", char)) > 1 for char in text) or any(
        map(unicodedata.combining, text)
    )


def spelled(words: str) -> set[str]:
    """The keystrokes of some syllables, run together: none pressed for marks, Telex, VNI."""
    syllables = unicodedata.normalize("NFC", words).lower().split()
    found = {bare("".join(syllables))}
    for method, shapes_last, tone_last in product((_telex, _vni), (False, True), (False, True)):
        keys = (_keys(each, method, shapes_last, tone_last) for each in syllables)
        found.add("".join(keys))
    return found


def _telex(letter: str, mark: str) -> str:
    if mark in _TELEX_TONE:
        return _TELEX_TONE[mark]
    return letter if mark in (_CIRCUMFLEX, "đ") else "w"


def _vni(_letter: str, mark: str) -> str:
    return _VNI_TONE.get(mark) or _VNI_SHAPE[mark]


def _keys(syllable: str, method: _Method, shapes_last: bool, tone_last: bool) -> str:
    out, shapes, tone = "", "", ""
    for letter, mark in _letters(syllable):
        out += letter
        for each in mark:
            key = method(letter, each)
            if each in TONES:
                if tone_last:
                    tone = key
                else:
                    out += key
            elif shapes_last:
                # ươ is one press of the horn's key.
                shapes += "" if key in shapes and each == _HORN else key
            else:
                out += key
    return out + shapes + tone


def _letters(syllable: str) -> Iterator[tuple[str, str]]:
    """Each letter and its marks: of its shape first, of its tone second."""
    for char in syllable:
        if char == "đ":
            yield "d", "đ"
            continue
        apart = unicodedata.normalize("NFD", char)
        known = [mark for mark in apart[1:] if mark in TONES or mark in _VNI_SHAPE]
        yield apart[0], "".join(sorted(known, key=lambda m: m in TONES))


@lru_cache(maxsize=8192)
def is_spelled_syllable(keys: str) -> bool:
    """Whether these small ASCII letters and digits are a Vietnamese syllable in Telex or VNI keys;
    not without any key that makes a mark.
    """
    return _is_vni(keys) or _is_telex(keys)


def _is_vni(keys: str) -> bool:
    if not _VNI_SYLLABLE.fullmatch(keys):
        return False
    return is_syllable(re.sub(r"\d", "", keys))


def _is_telex(keys: str) -> bool:
    if not keys.isalpha():
        return False
    plain = _TELEX_SHAPE.sub(lambda found: found[1] or found[2], keys)
    found = _TELEX_SYLLABLE.fullmatch(plain)
    if found is None or (found[2] and found[4]):
        return False
    without = found[1] + found[3]
    return without != keys and is_syllable(without)
