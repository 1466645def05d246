"""A random text with one character changed: never the same text, and never the same bytes behind it.

A constant put in the place of a character is, once in 64 times, what stood there already; and the last
character of base64 carries bits that nobody reads.
"""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
"""RFC 4648 §5."""
_READ_EVERYWHERE = 0b100000
"""The highest of a letter's six bits: the one that counts even in the last letter."""


def bent(text: str, at: int = 0) -> str:
    """``text`` (base64url, or our tokens made of it) with the letter at ``at`` changed to another.

    The bits that nobody reads stay as they were: it is refused for what it says, not for how it is spelt.

    Raises:
        ValueError: no letter of base64url stands there.
    """
    at = range(len(text))[at]
    other = _LETTERS[_LETTERS.index(text[at]) ^ _READ_EVERYWHERE]
    return text[:at] + other + text[at + 1 :]
