"""A Vietnamese input method, on and off: our own model, from the rules their makers publish.

    telex.keys("Hóa")       the keys somebody presses who means that; what stays where it is off
    telex.field("start")    what stands in a field where it is on: ``stảt``

Telex: aa ee oo dd, w for ư ơ ă, tones s f r x j, z takes one away. VNI: 6 for â ê ô, 7 for ơ ư, 8 for ă,
9 for đ, tones 1 to 5, 0 takes one away. A key pressed twice gives itself. Marks may be given anywhere in
the syllable, as all of today's methods allow; syllables are not checked against a dictionary, as in
their plainest setting.
"""

import re
import unicodedata
from dataclasses import dataclass

SAC, HUYEN, HOI, NGA, NANG = "\u0301", "\u0300", "\u0309", "\u0303", "\u0323"
TONES = (SAC, HUYEN, HOI, NGA, NANG)
CIRCUMFLEX, BREVE, HORN = "\u0302", "\u0306", "\u031b"
VOWEL = re.compile("[aăâeêioôơuưy]", re.IGNORECASE)


def apart(char: str) -> tuple[str, str, str]:
    """(letter, shape, tone); đ is d with the shape đ."""
    if char in "đĐ":
        return ("d" if char == "đ" else "D"), "đ", ""
    letter, *marks = unicodedata.normalize("NFD", char)
    shape = "".join(m for m in marks if m not in TONES)
    return letter, shape, "".join(m for m in marks if m in TONES)


def joined(letter: str, shape: str, tone: str = "") -> str:
    if shape == "đ":
        return "Đ" if letter.isupper() else "đ"
    return unicodedata.normalize("NFC", letter + shape + tone)


@dataclass(frozen=True)
class Method:
    """One input method by its keys."""

    tones: dict[str, str]
    shapes: tuple[tuple[str, str, str], ...]
    """(key, letters it changes, the shape it gives)"""
    undo: str
    lone: str = ""
    """The key that is ư where there is nothing to change."""
    newer: bool = False
    """Whether the tone of an open oa, oe, uy stands on the second vowel."""

    # ---- what is pressed

    def keys(self, text: str, *, inline: bool = False) -> str:
        """The keys that make this text: tones at the end of each syllable, or right behind the vowel."""
        return " ".join(self._pressed(word, inline) for word in text.split(" "))

    def _pressed(self, word: str, inline: bool) -> str:
        out, last = "", ""
        for char in unicodedata.normalize("NFC", word):
            letter, shape, tone = apart(char)
            out += letter
            if shape:
                out += next(
                    key for key, on, gives in self.shapes if gives == shape and letter.lower() in on
                )
            if tone:
                key = next(k for k, t in self.tones.items() if t == tone)
                out, last = (out + key, last) if inline else (out, key)
        return out + last

    # ---- what stands in the field

    def field(self, keys: str) -> str:
        """What these keys leave where the method is on."""
        whole = word = ""
        for key in keys:
            word = self._with(word, key)
            if not key.isalnum():  # a sign ends the syllable
                whole, word = whole + word, ""
        return whole + word

    def _with(self, word: str, key: str) -> str:
        small = key.lower()
        tone = self.tones.get(small)
        if tone and VOWEL.search(unicodedata.normalize("NFD", word)):
            if tone in unicodedata.normalize("NFD", word):
                return self._toned(word, "") + key
            return self._toned(word, tone)
        if small == self.undo and any(t in unicodedata.normalize("NFD", word) for t in TONES):
            return self._toned(word, "")
        if (changed := self._shaped(word, key)) is not None:
            return changed
        if small == self.lone:
            key = "Ư" if key.isupper() else "ư"
        if not key.isalpha():
            return word + key
        tone = next((t for t in TONES if t in unicodedata.normalize("NFD", word)), "")
        letters = [apart(c) for c in word]
        if [(letter.lower(), shape) for letter, shape, _ in letters[-2:]] == [
            ("u", ""),
            ("o", HORN),
        ]:
            letters[-2] = (letters[-2][0], HORN, letters[-2][2])
        return self._toned("".join(joined(*each) for each in letters) + key, tone)

    def _shaped(self, word: str, key: str) -> str | None:
        letters = [apart(c) for c in word]
        for at in range(len(letters) - 1, -1, -1):
            letter, has, tone = letters[at]
            given = (s for k, on, s in self.shapes if k == key.lower() and letter.lower() in on)
            shape = next(given, None)
            if shape is None:
                continue
            if has == shape:
                letters[at] = (letter, "", tone)
                return "".join(joined(*each) for each in letters) + key
            letters[at] = (letter, shape, tone)
            before = letters[at - 1] if at else ("", "", "")
            followed = at < len(letters) - 1  # thuở ends in uơ, đường goes on in ươ
            if shape == HORN and letter.lower() == "o" and before[0].lower() == "u" and followed:
                letters[at - 1] = (before[0], HORN, before[2])
            kept = next((t for _, _, t in letters if t), "")
            return self._toned("".join(joined(*each) for each in letters), kept)
        return None

    def _toned(self, word: str, tone: str) -> str:
        letters = [(letter, shape) for letter, shape, _ in map(apart, word)]
        at = self._bearer(letters) if tone else -1
        return "".join(
            joined(letter, shape, tone if place == at else "")
            for place, (letter, shape) in enumerate(letters)
        )

    def _bearer(self, letters: list[tuple[str, str]]) -> int:
        """The vowel that the tone stands on."""
        word = "".join(letter.lower() for letter, _ in letters)
        vowels = [at for at, letter in enumerate(word) if letter in "aeiouy"]
        if len(vowels) > 1 and re.match("qu|gi", word):
            vowels = [at for at in vowels if at != 1]
        shaped = [at for at in vowels if letters[at][1]]
        if shaped:
            return shaped[-1]
        if len(vowels) == 1:
            return vowels[0]
        if len(vowels) > 2:
            return vowels[-2]
        if vowels[-1] < len(word) - 1:
            return vowels[-1]
        pair = "".join(word[at] for at in vowels[-2:])
        return vowels[-1] if self.newer and pair in ("oa", "oe", "uy") else vowels[-2]


telex = Method(
    dict(zip("sfrxj", TONES, strict=True)),
    (
        *((letter, letter, CIRCUMFLEX) for letter in "aeo"),
        ("d", "d", "đ"),
        ("w", "uo", HORN),
        ("w", "a", BREVE),
    ),
    "z",
    "w",
)
vni = Method(
    dict(zip("12345", TONES, strict=True)),
    (("6", "aeo", CIRCUMFLEX), ("7", "uo", HORN), ("8", "a", BREVE), ("9", "d", "đ")),
    "0",
)
