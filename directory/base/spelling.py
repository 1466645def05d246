"""What Vietnamese text looks like when a program has read it in the wrong encoding.

``garbled`` tells text of an old or mistaken encoding from Vietnamese and from the names of other
peoples, and says what it would be. It compares: the reading under which more words are Vietnamese
syllables is the likelier one. What is lost (``?``, U+FFFD) is never guessed.

The tables are those of TCVN 5712:1993 (TCVN3, fonts named ``.Vn…``), of VNI's Windows fonts and
of VIQR (RFC 1456).
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

TONES = "\u0300\u0309\u0303\u0301\u0323"
"""huyền, hỏi, ngã, sắc, nặng: the combining marks, in the order of dictionaries."""
_SOFT_HYPHEN = "\u00ad"
_LOST = re.compile(r"�|[^\W\d_]\?|\?[^\W\d_]")


@dataclass(frozen=True)
class Garbled:
    """The encoding that text seems to be in, and what it would be; nothing where that is lost."""

    encoding: str
    meant: str | None


def garbled(text: str) -> Garbled | None:
    """What is wrong with this spelling; nothing where nothing is."""
    for encoding, read in _READINGS:
        meant = read(text)
        if meant is not None and meant != text and _likelier(meant, text):
            return Garbled(encoding, unicodedata.normalize("NFC", meant))
    if _LOST.search(text) or _SOFT_HYPHEN in text:
        return Garbled("?", None)
    return None


def _likelier(meant: str, text: str) -> bool:
    """Whether a larger share of words is Vietnamese this way, and every word that differs is."""
    new, old = _words(meant), _words(text)
    # Where signs that were no letters have become some, words no longer stand side by side.
    changed = new if len(new) != len(old) else [n for n in new if n not in old]
    return _share(new) > _share(old) and all(map(is_syllable, changed))


def _share(words: list[str]) -> float:
    return sum(map(is_syllable, words)) / len(words) if words else 0.0


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", text))


# ---- what a Vietnamese syllable is ---------------------------------------------------------------

_ONSET = r"(?:ngh|ng|nh|th|tr|ch|kh|ph|gh|gi|qu|[bcdđghklmnpqrstvx])?"
_RIMES = """
a ac ach ai am an ang anh ao ap at au ay ăc ăm ăn ăng ăp ăt âc âm ân âng âp ât âu ây
e ec em en eng eo ep et ê êch êm ên êng ênh êp êt êu
i ia ich im in inh ip it iu iêc iêm iên iêng iêp iêt iêu
o oc oi om on ong op ot oa oac oach oai oam oan oang oanh oao oap oat oay oăc oăm oăn oăng oăt
oe oen oeo oet ooc oong ô ôc ôi ôm ôn ông ôp ôt ơ ơi ơm ơn ơp ơt
u ua uc ui um un ung up ut uân uâng uât uây uê uêch uênh uôc uôi uôm uôn uông uôt uơ
uy uya uych uyn uynh uyp uyt uyu uyên uyêt
ư ưa ưc ưi ưm ưn ưng ưt ưu ươc ươi ươm ươn ương ươp ươt ươu
y yêm yên yêng yêt yêu
"""
_SYLLABLE = re.compile(_ONSET + "(?:" + "|".join(sorted(_RIMES.split(), key=len)[::-1]) + ")")


def is_syllable(word: str) -> bool:
    """Whether a word could be written in Vietnamese: at most one tone, a rime of the language,
    and capitals only at its beginning or throughout.
    """
    if not (word.islower() or word.isupper() or (word[0].isupper() and word[1:].islower())):
        return False
    apart = unicodedata.normalize("NFD", word.lower())
    if sum(c in TONES for c in apart) > 1:
        return False
    bare = unicodedata.normalize("NFC", "".join(c for c in apart if c not in TONES))
    return _SYLLABLE.fullmatch(bare) is not None


# ---- readings ------------------------------------------------------------------------------------

_CP1252 = {0x80 + i: c for i, c in enumerate(bytes(range(0x80, 0xA0)).decode("cp1252", "replace"))}
_BYTE = {c: b for b, c in _CP1252.items() if c != "�"} | {chr(b): b for b in range(256)}


def _as_bytes(text: str) -> bytes | None:
    """The bytes that a program took for Western European text; nothing if they cannot be."""
    try:
        return bytes(_BYTE[c] for c in text)
    except KeyError:
        return None


def _utf8(text: str) -> str:
    return " ".join(_utf8_word(word) for word in text.split(" "))


def _utf8_word(word: str) -> str:
    raw = _as_bytes(word)
    if raw is None or raw.isascii():
        return word
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return word


_TCVN3 = dict(
    zip(
        "µ¸¶·¹¨»¾¼½Æ©ÇÊÈÉË®ÌÐÎÏÑªÒÕÓÔÖ×ÝØÜÞßãáâä«åèæçé¬êíëìîïóñòô\u00adõøö÷ùúýûüþ¡¢£¤¥¦§",
        "àáảãạăằắẳẵặâầấẩẫậđèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵĂÂÊÔƠƯĐ",
        strict=True,
    )
)


def _tcvn3(text: str) -> str | None:
    if text.isascii() or _as_bytes(text) is None:
        return None
    return "".join(_TCVN3.get(c, c) for c in text)


_VNI_MARKS = {
    "ù": "\u0301", "ø": "\u0300", "û": "\u0309", "õ": "\u0303", "ï": "\u0323",
    "â": "\u0302", "á": "\u0302\u0301", "à": "\u0302\u0300", "å": "\u0302\u0309",
    "ã": "\u0302\u0303", "ä": "\u0302\u0323",
    "ê": "\u0306", "é": "\u0306\u0301", "è": "\u0306\u0300", "ú": "\u0306\u0309",
    "ü": "\u0306\u0303", "ë": "\u0306\u0323",
}  # fmt: skip
_VNI_LETTERS = {"ö": "ư", "ô": "ơ", "ñ": "đ", "æ": "ỉ", "ó": "ĩ", "ò": "ị", "î": "ỵ"}
_VNI = re.compile(
    "([aeouyöô])([{}])".format("".join(_VNI_MARKS)),
    re.IGNORECASE,
)


def _vni(text: str) -> str | None:
    if text.isascii() or _as_bytes(text) is None:
        return None

    def letter(c: str) -> str:
        plain = _VNI_LETTERS.get(c.lower(), c.lower())
        return plain.upper() if c.isupper() else plain

    def marked(found: re.Match[str]) -> str:
        return letter(found[1]) + _VNI_MARKS[found[2].lower()]

    parts, last = [], 0
    for found in _VNI.finditer(text):
        parts += [*map(letter, text[last : found.start()]), marked(found)]
        last = found.end()
    parts += map(letter, text[last:])
    return unicodedata.normalize("NFC", "".join(parts))


_VIQR_SHAPES = {"^": "\u0302", "(": "\u0306", "+": "\u031b"}
_VIQR_TONES = {"'": "\u0301", "`": "\u0300", "?": "\u0309", "~": "\u0303", ".": "\u0323"}
_VIQR = re.compile(r"([aeiouy])([\^(+]?)(['`?~.]?)|dd|DD|Dd", re.IGNORECASE)
_VIQR_SIGN = re.compile(r"[aeouAEOU][\^(+]")


def _viqr(text: str) -> str | None:
    # The signs of tones alone also end sentences; a shape is what nobody writes by chance.
    if not _VIQR_SIGN.search(text):
        return None

    def letter(found: re.Match[str]) -> str:
        if not found[1]:
            return "đ" if found[0] == "dd" else "Đ"
        return found[1] + _VIQR_SHAPES.get(found[2], "") + _VIQR_TONES.get(found[3], "")

    return unicodedata.normalize("NFC", _VIQR.sub(letter, text))


_READINGS: tuple[tuple[str, Callable[[str], str | None]], ...] = (
    ("UTF-8", _utf8),
    ("TCVN3", _tcvn3),
    ("VNI", _vni),
    ("VIQR", _viqr),
)
