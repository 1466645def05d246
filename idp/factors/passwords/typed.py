"""A password as it was typed, looked at beside a stored hash; and hashes to be stored.

Hashing never happens inside a database transaction on the sign-in path: callers hash or verify
first and store the result with ``stored.store``. ``set_password`` does both for commands and the
demo.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from sqlalchemy.orm import Session

from directory.base.audit import Actor
from directory.base.errors import Busy
from directory.base.hashing import PasswordHasher
from idp.factors.passwords import foreign, stored
from idp.factors.passwords.canonical import canonical, spellings
from idp.factors.passwords.stored import Candidate


class Typed:
    """What somebody has typed. It costs the same whoever has the name, or nobody has it, or she
    has no password: as many hashes as there are ``spellings``, unless one fits.
    """

    def __init__(self, passwords: PasswordHasher, text: str) -> None:
        self._passwords, self._text = passwords, text
        self._old: str | None = None
        self._as_it_is = False

    def fits(self, found: Candidate | None, first: bool = False) -> bool:
        """Whether it is her password; ``first`` if she is known and waits for no stranger. Raises Busy:
        then nothing was looked at, for all spellings are one piece of work.
        """
        hash_ = found.hash if found else None
        return self._passwords.beside(lambda: self._any(hash_, first), first=first)

    def is_of(self, hash_: str, *, first: bool = False) -> bool:
        """Whether this is a hash of it. Raises Busy."""
        return self._passwords.beside(lambda: self._any(hash_, first), first=first)

    def _any(self, hash_: str | None, first: bool) -> bool:
        for spelling in spellings(self._text):
            if self._is(hash_, spelling, first):
                self._old, self._as_it_is = hash_, spelling == canonical(self._text)
                return True
        return False

    def _is(self, hash_: str | None, spelling: str, first: bool) -> bool:
        if hash_ is None or not foreign.is_foreign(hash_):
            return self._passwords.verify(hash_, spelling, first=first)
        if self._passwords.beside(lambda: foreign.fits(hash_, spelling), first=first):
            return True
        # One of ours is made for everybody; what a foreign one costs comes on top.
        return self._passwords.verify(None, spelling, first=first)

    def renewed(self) -> str | None:
        """The hash to keep in place of the one that fitted: None where that is of today's
        parameters, of the canonical form and our own, and where there is no room to make one now: she
        signs in again.
        """
        if self._old is None:
            return None
        stale = foreign.is_foreign(self._old) or self._passwords.needs_rehash(self._old)
        if self._as_it_is and not stale:
            return None
        # What fitted is not to be refused for what comes on top of it.
        with suppress(Busy):
            return hashed(self._passwords, self._text, first=True)
        return None


def was_hers(passwords: PasswordHasher, hashes: Iterable[str], password: str) -> bool:
    """Whether one of these hashes, of passwords that a person has had, is of this one. Raises Busy."""
    typed = Typed(passwords, password)
    return any(typed.is_of(each, first=True) for each in hashes)


def verify(
    passwords: PasswordHasher, found: Candidate | None, password: str, *, first: bool = False
) -> bool:
    """Whether the password fits; costs the same when nobody has the name or she has none. Raises Busy."""
    return Typed(passwords, password).fits(found, first)


def hashed(passwords: PasswordHasher, password: str, *, first: bool = False) -> str:
    """The PHC string to store. Call it outside any transaction. Raises Busy."""
    return passwords.hash(canonical(password), first=first)


def set_password(
    session: Session,
    passwords: PasswordHasher,
    user_id: int,
    password: str,
    *,
    must_change: bool,
    now: datetime,
    actor: Actor | None = None,
) -> None:
    """Hash and store; for commands and the demo, where the strength is the caller's concern."""
    phc = hashed(passwords, password)
    actor = actor or Actor.system()
    stored.store(session, user_id, phc, must_change=must_change, now=now, actor=actor)
