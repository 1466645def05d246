"""One form of a password, whichever keyboard typed it, before its length is looked at and its hash made.

Two things differ from keyboard to keyboard and are the same to whoever reads them:

    how letters are composed    ế is one code point or three; NFC (NIST SP 800-63B §5.1.1.2)
    where the tone stands       hòa and hoà, khỏe and khoẻ, thúy and thuý: of ``oa``, ``oe`` and ``uy``
                                older spelling marks the first vowel, newer the second; ours is the second

Wherever another letter follows (``hoàn``, ``thuỳnh``) only the second is right, and what an old
input method wrote there (``hòan``) reads the same: the rule looks at nothing that follows, so it
holds in words run together (``hòabình``) too. Nothing is trimmed, and no other letter is changed.
"""

import re
import unicodedata

from directory.base.errors import InvalidInput
from directory.base.spelling import TONES

LONGEST = 4096
"""Bytes in UTF-8. Longer ones would only make hashing a way to keep us busy."""
_FIRST_VOWEL = re.compile(
    f"(?:(?<=[oO])([{TONES}])([aAeE])|(?<=[uU])([{TONES}])([yY]))(?![\u0300-\u036f])"
)
"""A tone on the first vowel, where the second bears no mark; decomposed."""


def canonical(text: str) -> str:
    """The form in which a password is measured, judged and hashed."""
    return unicodedata.normalize("NFC", _FIRST_VOWEL.sub(_moved, decomposed(text)))


def _moved(found: re.Match[str]) -> str:
    tone, vowel = found[1] or found[3], found[2] or found[4]
    return vowel + tone


def decomposed(text: str) -> str:
    """Letters and marks apart."""
    return unicodedata.normalize("NFD", text)


def spellings(text: str) -> tuple[str, ...]:
    """What is tried of a password, in this order: its canonical form, the one that hashes were made
    from before (NFC), and what was typed, byte for byte, as other systems hash it. Nothing twice.

    How many there are follows from the text alone, and every name is looked at with all of them:
    so nobody learns from the time it takes whether a name is known.
    """
    return tuple(dict.fromkeys((canonical(text), unicodedata.normalize("NFC", text), text)))


def require_bound(text: str, *, field: str) -> None:
    """Raises InvalidInput for a password longer than any that is taken: told, never cut."""
    if len(canonical(text).encode("utf-8", "surrogatepass")) > LONGEST:
        raise InvalidInput(
            "password_long",
            "Mật khẩu này dài quá {most} byte. Hệ thống không cắt bớt; hãy dùng mật khẩu ngắn hơn.",
            field=field,
            most=LONGEST,
        )
