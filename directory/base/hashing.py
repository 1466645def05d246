"""Password hashes: argon2id by bounded workers, its parameters kept in each hash.

No more hashes run at once than this process has processors for, a short queue waits, and nothing else
ever waits behind either. A flood of sign-ins costs time and not memory.
"""

import functools
import secrets
from collections.abc import Callable

from directory.base import argon2
from directory.base.argon2 import OWASP, Argon2, Cost
from directory.base.workers import Workers

__all__ = ["OWASP", "Cost", "PasswordHasher"]


@functools.cache
def _decoy(cost: Cost) -> str:
    """The hash of a password nobody has, made once per process: it only costs time to verify."""
    return argon2.LIBSODIUM.hash(secrets.token_hex(16).encode(), cost)


class PasswordHasher:
    """Makes and verifies hashes, wherever there is room for one more.

    ``first`` is said by whoever asks for somebody who is known there: she does not wait for strangers.
    """

    def __init__(self, cost: Cost = OWASP, *, workers: Workers | None = None) -> None:
        self.workers = workers or Workers(1)
        self._cost = cost
        self._by: Argon2 = argon2.LIBSODIUM

    def get_ready(self) -> None:
        """For a process that will hash all day: by the quicker implementation from now on."""
        self._by = argon2.quickest().by
        _decoy(self._cost)

    def hash(self, password: str, *, first: bool = False) -> str:
        """A PHC string for storage. Raises Busy."""
        given = password.encode()
        return self.workers.run(lambda: self._by.hash(given, self._cost), first=first)

    def verify(self, stored: str | None, password: str, *, first: bool = False) -> bool:
        """Whether the password fits. With ``None`` it costs the same and answers False. Raises Busy."""
        target, given = stored or _decoy(self._cost), password.encode()
        fits = self.workers.run(lambda: self._by.verify(target, given), first=first)
        return fits and stored is not None

    def beside(self, check: Callable[[], bool], *, first: bool = False) -> bool:
        """What another costly check says, in the same queue; hashes within it are part of it. Raises Busy."""
        return self.workers.run(check, first=first)

    def needs_rehash(self, stored: str) -> bool:
        """Whether the stored hash was made with other parameters than today's."""
        return f"$m={self._cost.memory // 1024},t={self._cost.passes},p=1$" not in stored
