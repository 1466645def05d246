"""SHA-512-crypt (``$6$``), as Linux systems keep passwords: Ulrich Drepper, "Unix crypt using SHA-256
and SHA-512", version 0.6, whose steps are numbered here. Python's own ``crypt`` is gone since 3.13.
"""

import hashlib
import re

ROUNDS = 5000
MOST_ROUNDS = 1_000_000
"""A second of work; what asks for more is refused."""
LONGEST = 512
"""Bytes of a password. The work grows with their square, and nobody's is longer."""
_FORM = re.compile(r"\$6\$(?:rounds=(\d{1,9})\$)?([^$\s]{0,16})\$([./0-9A-Za-z]{86})")
_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ORDER = [(0, 21, 42)]
for _ in range(20):  # step 22 e: each row turns the one before
    _ORDER.append(tuple((each + 22) % 63 for each in _ORDER[-1]))  # type: ignore[arg-type]


def rounds_of(stored: str) -> int | None:
    """How many rounds it asks for; None for what is no such hash."""
    found = _FORM.fullmatch(stored)
    if found is None:
        return None
    return min(max(int(found[1]), 1000), 999_999_999) if found[1] else ROUNDS


def fits(stored: str, password: bytes) -> bool:
    """Whether the password was hashed to this."""
    found, rounds = _FORM.fullmatch(stored), rounds_of(stored)
    if found is None or rounds is None or rounds > MOST_ROUNDS or len(password) > LONGEST:
        return False
    return _encoded(_digest(password, found[2].encode(), rounds)) == found[3]


def _digest(key: bytes, salt: bytes, rounds: int) -> bytes:
    length = len(key)
    alternate = hashlib.sha512(key + salt + key).digest()  # 4–8
    mixed = hashlib.sha512(key + salt + _stretched(alternate, length))  # 1–3, 9–10
    bits = length
    while bits:  # 11
        mixed.update(alternate if bits & 1 else key)
        bits >>= 1
    digest = mixed.digest()  # 12
    p = _stretched(hashlib.sha512(key * length).digest(), length)  # 13–16
    s = _stretched(hashlib.sha512(salt * (16 + digest[0])).digest(), len(salt))  # 17–20
    for turn in range(rounds):  # 21
        first, last = (p, digest) if turn & 1 else (digest, p)
        between = (s if turn % 3 else b"") + (p if turn % 7 else b"")
        digest = hashlib.sha512(first + between + last).digest()
    return digest


def _stretched(block: bytes, length: int) -> bytes:
    return (block * (length // len(block) + 1))[:length]


def _encoded(digest: bytes) -> str:
    """Step 22: three bytes are four letters, the last byte two."""
    out = []
    for a, b, c in _ORDER:
        value = digest[a] << 16 | digest[b] << 8 | digest[c]
        out += [_ALPHABET[value >> shift & 63] for shift in (0, 6, 12, 18)]
    return "".join([*out, _ALPHABET[digest[63] & 63], _ALPHABET[digest[63] >> 6]])
