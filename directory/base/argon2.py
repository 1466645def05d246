"""argon2id (RFC 9106) by whichever implementation is quicker here. Both write and read the same PHC strings.

    libsodium    by PyNaCl, everywhere; takes its memory anew for every hash
    libargon2    by argon2-cffi-bindings, where ``scripts/setup`` could build it with AVX2; a thread
                 that hashes again and again keeps its memory

A hash lets go of Python's lock while it runs.
"""

import functools
import secrets
import time
from dataclasses import dataclass
from typing import Any, Protocol

import nacl.exceptions
import nacl.pwhash
import nacl.pwhash.argon2id

from directory.base import processors

try:
    from _argon2_cffi_bindings import ffi, lib
except ImportError:
    ffi = lib = None

SALT, LENGTH = 16, 32
"""Bytes (RFC 9106 §3.1, §4)."""
ROUNDS = 5
"""Hashes of each by which the quicker is found: the first ones fetch memory."""
_NO_PASSWORD = frozenset({"ARGON2_MEMORY_ALLOCATION_ERROR", "ARGON2_THREAD_FAIL"})
"""What says nothing about the password: the machine is short of something."""


@dataclass(frozen=True)
class Cost:
    """What one hash costs whoever makes it, and whoever guesses."""

    passes: int
    memory: int
    """Bytes."""


OWASP = Cost(passes=2, memory=19 * 1024 * 1024)
"""What the product hashes with; it knows no other."""


class Argon2(Protocol):
    """An implementation."""

    name: str

    def hash(self, password: bytes, cost: Cost) -> str:
        """A PHC string with a salt of its own."""

    def verify(self, stored: str, password: bytes) -> bool:
        """Whether the password fits a PHC string of any parameters; not, if that is none."""


class Libsodium:
    """PyNaCl's."""

    name = "libsodium"

    def hash(self, password: bytes, cost: Cost) -> str:
        """A PHC string with a salt of its own."""
        made: bytes = nacl.pwhash.argon2id.str(password, opslimit=cost.passes, memlimit=cost.memory)
        return made.decode()

    def verify(self, stored: str, password: bytes) -> bool:
        """Whether the password fits a PHC string of any parameters; not, if that is none."""
        try:
            return bool(nacl.pwhash.verify(stored.encode(), password))
        except (nacl.exceptions.InvalidkeyError, nacl.exceptions.ValueError):
            return False


class Libargon2:
    """The reference implementation's, built for processors with AVX2."""

    name = "libargon2 (AVX2)"

    def __init__(self, bindings: Any, memory: Any) -> None:
        self._lib, self._ffi = bindings, memory
        self._short = {getattr(bindings, name) for name in _NO_PASSWORD}

    def hash(self, password: bytes, cost: Cost) -> str:
        """A PHC string with a salt of its own. Raises MemoryError."""
        c, kib, salt = self._lib, cost.memory // 1024, secrets.token_bytes(SALT)
        size = c.argon2_encodedlen(cost.passes, kib, 1, SALT, LENGTH, c.Argon2_id)
        room = self._ffi.new("char[]", size)
        code = c.argon2_hash(
            *(cost.passes, kib, 1, password, len(password), salt, SALT),
            *(self._ffi.NULL, LENGTH, room, size, c.Argon2_id, c.ARGON2_VERSION_NUMBER),
        )
        if code != c.ARGON2_OK:
            raise MemoryError(f"argon2: {code}")
        return bytes(self._ffi.string(room)).decode()

    def verify(self, stored: str, password: bytes) -> bool:
        """Whether the password fits a PHC string of any parameters; not, if that is none. Raises
        MemoryError.
        """
        code = self._lib.argon2_verify(
            stored.encode(), password, len(password), self._lib.Argon2_id
        )
        if code in self._short:
            raise MemoryError(f"argon2: {code}")
        return bool(code == self._lib.ARGON2_OK)


@dataclass(frozen=True)
class Priced:
    """An implementation, and what a hash by it costs here."""

    by: Argon2
    price: float
    """Milliseconds of processor time."""


LIBSODIUM = Libsodium()


def present() -> list[Argon2]:
    """What can be run here: what was built elsewhere may need a processor that this is not."""
    found: list[Argon2] = [LIBSODIUM]
    if lib is not None and processors.can("avx2"):
        found.append(Libargon2(lib, ffi))
    return found


@functools.cache
def quickest() -> Priced:
    """The quicker one, and its price. Found once in a process; takes a fifth of a second."""
    every = present()
    rounds = [[_price(one) for one in every] for _ in range(ROUNDS)]
    # The least of each: what else the machine does only ever adds.
    priced = [
        Priced(one, min(each)) for one, each in zip(every, zip(*rounds, strict=True), strict=True)
    ]
    return min(priced, key=lambda one: one.price)


def _price(one: Argon2) -> float:
    began = time.thread_time()
    one.hash(b"x" * 20, OWASP)
    return (time.thread_time() - began) * 1000
