"""Hashes that other systems made of passwords: looked at once, then ours takes their place.

    $2a$ $2b$ $2y$                          bcrypt; Django's "bcrypt$" before it
    pbkdf2_sha1$ pbkdf2_sha256$ …           PBKDF2 as Django writes it
    $pbkdf2$ $pbkdf2-sha256$ …              as passlib and PHC strings do
    {PBKDF2} {PBKDF2-SHA256} …              as directories do
    {SSHA} {SSHA256} {SSHA384} {SSHA512}    salted hashes of directories (RFC 3112 and its custom)
    $6$, {CRYPT}$6$                         SHA-512-crypt
    $argon2id$                              of any parameters: no foreign one, libsodium reads it

What is not here was no protection (unsalted, MD5, DES) or says nothing of the password (``!``, ``*``).
What would keep a processor busy for seconds is refused.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import bcrypt

from directory.base.errors import InvalidInput
from idp.factors.passwords import sha512_crypt

_MOST_COST = 14
"""Of bcrypt: a second of work."""
_MOST_ITERATIONS = 2_000_000
"""Of PBKDF2: one to two seconds."""
_MOST_MEMORY, _MOST_PASSES = 256 * 1024, 16
"""KiB and passes of argon2id."""
BCRYPT_LONGEST = 72
"""Bytes that bcrypt looks at. Who hashed there cut the rest off, and so do we."""

_Check = Callable[[bytes], bool]
_BCRYPT = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
_DJANGO = re.compile(r"pbkdf2_(sha1|sha256|sha512)\$(\d{1,9})\$([^$\s]{1,128})\$([A-Za-z0-9+/=]+)")
_PHC = re.compile(
    r"\$pbkdf2(?:-(sha1|sha256|sha512))?\$(?:i=)?(\d{1,9})(?:,l=\d+)?\$([\w./+=-]+)\$([\w./+=-]+)"
)
_LDAP = re.compile(
    r"\{PBKDF2(?:-SHA1|-(SHA256|SHA512))?\}(\d{1,9})\$([\w./+=-]+)\$([\w./+=-]+)", re.IGNORECASE
)
_SALTED = re.compile(r"\{SSHA(256|384|512)?\}([A-Za-z0-9+/=]+)", re.IGNORECASE)
_ARGON2 = re.compile(
    r"\$argon2id\$v=19\$m=(\d{1,9}),t=(\d{1,4}),p=\d{1,3}\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{16,}"
)
_WRAPPINGS = ("{CRYPT}", "{ARGON2}")


@dataclass(frozen=True)
class _Read:
    """A hash that is understood: how it is checked, whether that takes too long."""

    check: _Check
    costly: bool = False


def is_foreign(stored: str) -> bool:
    """Whether a stored hash is not ours to read."""
    return not stored.startswith("$argon2id$")


def fits(stored: str, spelling: str) -> bool:
    """Whether a password, spelled so, was hashed to this foreign hash. Raises nothing."""
    read = _foreign(stored)
    return read is not None and not read.costly and read.check(spelling.encode("utf-8", "replace"))


def accepted(given: str, *, row: int | None = None) -> str:
    """A hash as it is stored. Raises InvalidInput for one that is not understood, or too costly."""
    text = _unwrapped(given.strip())
    found = _ARGON2.fullmatch(text)
    if found is not None:
        costly = int(found[1]) > _MOST_MEMORY or int(found[2]) > _MOST_PASSES
    else:
        read = _foreign(text)
        if read is None:
            raise InvalidInput(
                "hash_unknown",
                "Không nhận ra kiểu băm mật khẩu này.",
                field="hash",
                row=row,
            )
        costly = read.costly
    if costly:
        raise InvalidInput(
            "hash_costly",
            "Kiểm tra mã băm này tốn quá nhiều thời gian của máy chủ.",
            field="hash",
            row=row,
        )
    return text


def _unwrapped(text: str) -> str:
    for wrapping in _WRAPPINGS:
        if text[: len(wrapping)].upper() == wrapping:
            text = text[len(wrapping) :]
    # Django says the name of its way first.
    for name in ("bcrypt$", "argon2$"):
        if text.startswith(name + "$"):
            return text[len(name) :]
        if text.startswith(name):
            return "$" + text[len(name) :]
    return text


def _foreign(text: str) -> _Read | None:
    for read in (_of_bcrypt, _of_pbkdf2, _of_salted, _of_crypt):
        if (found := read(text)) is not None:
            return found
    return None


def _of_bcrypt(text: str) -> _Read | None:
    found = _BCRYPT.fullmatch(text)
    if found is None or not 4 <= int(found[1]) <= 31:
        return None
    return _Read(partial(_bcrypt, text.encode()), int(found[1]) > _MOST_COST)


def _bcrypt(stored: bytes, password: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:BCRYPT_LONGEST], stored)
    except ValueError:
        return False


def _of_pbkdf2(text: str) -> _Read | None:
    salt: bytes | None
    if (found := _DJANGO.fullmatch(text)) is not None:
        salt = found[3].encode()
    elif (found := _PHC.fullmatch(text) or _LDAP.fullmatch(text)) is not None:
        salt = _unbase64(found[3])
    else:
        return None
    digest, iterations = _unbase64(found[4]), int(found[2])
    if not salt or digest is None or not 16 <= len(digest) <= 128 or iterations < 1:
        return None
    name = (found[1] or "sha1").lower()
    check = partial(_pbkdf2, name, salt, iterations, digest)
    return _Read(check, iterations > _MOST_ITERATIONS)


def _pbkdf2(name: str, salt: bytes, iterations: int, digest: bytes, password: bytes) -> bool:
    made = hashlib.pbkdf2_hmac(name, password, salt, iterations, len(digest))
    return hmac.compare_digest(made, digest)


def _of_salted(text: str) -> _Read | None:
    found = _SALTED.fullmatch(text)
    whole = _unbase64(found[2]) if found else None
    if found is None or whole is None:
        return None
    name = f"sha{found[1]}" if found[1] else "sha1"
    size = hashlib.new(name).digest_size
    digest, salt = whole[:size], whole[size:]
    if len(digest) < size or not 1 <= len(salt) <= 128:
        return None
    return _Read(partial(_salted, name, digest, salt))


def _salted(name: str, digest: bytes, salt: bytes, password: bytes) -> bool:
    return hmac.compare_digest(hashlib.new(name, password + salt).digest(), digest)


def _of_crypt(text: str) -> _Read | None:
    rounds = sha512_crypt.rounds_of(text)
    if rounds is None:
        return None
    return _Read(partial(sha512_crypt.fits, text), rounds > sha512_crypt.MOST_ROUNDS)


def _unbase64(text: str) -> bytes | None:
    """Any of the alphabets that are used for it: RFC 4648's two, and passlib's with a dot for plus."""
    plain = text.rstrip("=").replace(".", "+").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
