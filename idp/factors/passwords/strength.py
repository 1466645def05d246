"""Whether a password is long enough, and not one that is guessed."""

import re
from collections.abc import Iterable

from directory.base.config import Settings
from directory.base.errors import InvalidInput
from directory.base.text import search_key
from directory.people import User
from idp.factors.passwords.canonical import canonical, require_bound
from idp.factors.wordlist import COMMON, PROVINCES


def check_strength(
    password: str, *, settings: Settings, about: Iterable[str] = (), field: str = "password"
) -> None:
    """Raises InvalidInput when a password is too short, too long or easy to guess.

    ``about`` are words tied to the person: her names, username, e-mail, birth date. No rule about
    kinds of characters: length and a blocklist (NIST SP 800-63B 5.1.1.2).
    """
    password = canonical(password)
    if len(password) < settings.password_min:
        raise InvalidInput(
            "password_short",
            "Mật khẩu phải có ít nhất {least} ký tự.",
            field=field,
            least=settings.password_min,
        )
    require_bound(password, field=field)
    if not _strong(password, _words(about), settings.password_min):
        raise InvalidInput(
            "password_weak",
            "Mật khẩu này dễ đoán. Hãy tránh tên, ngày sinh, địa danh, dãy phím và từ thông dụng.",
            field=field,
        )


def about(user: User) -> list[str]:
    """The words a person's own data offers to whoever guesses."""
    birth = user.birth_date or ""
    turned = "".join(reversed(birth.split("-")))
    values = (
        user.full_name,
        user.username,
        user.username_stem,
        user.email,
        user.phone,
        birth,
        turned,
    )
    return [value for value in values if value]


_LEET = str.maketrans("0134578@$!", "oieastbasi")
_SEQUENCES = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik",
    "1q2w3e4r5t6y7u8i9o0p",
)
_TELEX_TONE = re.compile(r"(?<=[aeiouyw])([bcdghmnpt]{0,2})[sfrxj]\b")
_TELEX_LETTER = (
    ("aa", "a"),
    ("ee", "e"),
    ("oo", "o"),
    ("dd", "d"),
    ("uw", "u"),
    ("ow", "o"),
    ("aw", "a"),
)


def _words(about: Iterable[str]) -> set[str]:
    """The words a person's own data offers, alone and run together, without diacritics."""
    found: set[str] = set()
    for value in about:
        parts = search_key(value).split()
        found.update(p for p in parts if len(p) >= 3)
        if len(parts) > 1:
            found.add("".join(parts))
    return found


def _telex(text: str) -> str:
    """What Telex keystrokes spell, without diacritics: ``maatj khaaur`` → ``mat khau``."""
    for typed, letter in _TELEX_LETTER:
        text = text.replace(typed, letter)
    return _TELEX_TONE.sub(r"\1", text)


def _strong(password: str, own: set[str], least: int) -> bool:
    """Whether enough is left once everything guessable has been taken out.

    Every known word, sequence and repetition counts as one character: a password passes when
    what remains is at least half as long as the shortest allowed.
    """
    symbols = len({c for c in password if not c.isalnum() and not c.isspace()})
    read_as = {search_key(password), search_key(password.lower().translate(_LEET))}
    forms = read_as | {_telex(form) for form in read_as}
    return all(_left(form, own) + symbols >= least / 2 for form in forms)


def _left(text: str, own: set[str]) -> int:
    text = text.replace(" ", "")
    for word in sorted(own | COMMON | PROVINCES, key=len, reverse=True):
        text = text.replace(word, "\x00")
    text = re.sub(r"(.+?)\1{2,}", "\x00", text)
    text = re.sub(r"(19|20)\d\d|\d{6,}", "\x00", text)
    text = _without_sequences(text)
    return len(re.sub("\x00+", "\x00", text))


def _without_sequences(text: str) -> str:
    for line in _SEQUENCES:
        for way in (line, line[::-1]):
            for length in range(len(way), 3, -1):
                for start in range(len(way) - length + 1):
                    text = text.replace(way[start : start + length], "\x00")
    return text
