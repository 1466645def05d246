"""Passwords: storage, strength, forced change at first sign-in.

Hashing never happens inside a database transaction on the sign-in path: callers hash or verify
first and store the result with ``store``. ``set_password`` does both for commands and the demo.
"""

import re
import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, ForeignKey, bindparam, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.config import Settings
from directory.base.crypto import PasswordHasher
from directory.base.db import Base, core
from directory.base.errors import InvalidInput
from directory.base.rows import batches, insert_into
from directory.base.text import search_key
from directory.people import User
from idp.factors.wordlist import COMMON, PROVINCES, SYLLABLES

LONGEST = 128
"""Characters. Longer ones would only make hashing a way to keep us busy."""


class PasswordCredential(Base):
    """A person's password, as a PHC string with its own parameters."""

    __tablename__ = "password_credential"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    hash: Mapped[str]
    must_change: Mapped[bool]
    set_at: Mapped[datetime]
    changed_by: Mapped[str]
    """Key of the actor: the person herself, an administrator, the operator."""
    generation: Mapped[int] = mapped_column(default=1, server_default="1")
    """Raised by each new password, never by a new hash of the same."""


@dataclass(frozen=True)
class Candidate:
    """What one read gives a sign-in: who has this name, her password, and the epochs now.

    The epochs are read before the password is checked; the session will carry them.
    """

    user_id: int
    username: str
    full_name: str
    user_epoch: int
    hash: str | None
    must_change: bool


_CANDIDATE = (
    select(
        User.id,
        User.username,
        User.full_name,
        User.access_epoch,
        PasswordCredential.hash,
        PasswordCredential.must_change,
    )
    .outerjoin(PasswordCredential, PasswordCredential.user_id == User.id)
    .where(User.username == bindparam("username"))
)


def candidate(connection: Connection | Session, username: str) -> Candidate | None:
    """The person with this username, with or without a password."""
    named = {"username": username.strip().lower()}
    row = core(connection).execute(_CANDIDATE, named).one_or_none()
    return Candidate(*row[:5], must_change=bool(row[5])) if row else None


def verify(passwords: PasswordHasher, found: Candidate | None, password: str) -> bool:
    """Whether the password fits; costs the same when nobody has the name or she has none."""
    password = normal(password)
    stored = found.hash if found and len(password) <= LONGEST else None
    return passwords.verify(stored, password[:LONGEST])


def normal(password: str) -> str:
    """NFC: two keyboards spell one Vietnamese letter differently (NIST SP 800-63B 5.1.1.2)."""
    return unicodedata.normalize("NFC", password)


def hashed(passwords: PasswordHasher, password: str) -> str:
    """The PHC string to store. Call it outside any transaction."""
    return passwords.hash(normal(password))


def store(
    session: Session,
    user_id: int,
    phc: str,
    *,
    must_change: bool,
    now: datetime,
    actor: Actor,
) -> None:
    """Set a person's password to an already computed hash."""
    columns = {"hash": phc, "must_change": must_change, "set_at": now, "changed_by": actor.key}
    session.execute(
        insert_into(session, PasswordCredential)
        .values(user_id=user_id, **columns)
        .on_conflict_do_update(
            index_elements=["user_id"],
            set_=columns | {"generation": PasswordCredential.generation + 1},
        )
    )
    audit.record(
        session,
        Tag.PASSWORD_SET,
        at=now,
        actor=actor,
        subject=("user", user_id),
        data={"must_change": must_change},
    )


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
    store(session, user_id, phc, must_change=must_change, now=now, actor=actor or Actor.system())


def rehashed(passwords: PasswordHasher, found: Candidate, password: str) -> str | None:
    """A new hash of the password just verified if the stored one is of other parameters."""
    if found.hash is None or not passwords.needs_rehash(found.hash):
        return None
    return hashed(passwords, password)


def replace_hash(session: Session, user_id: int, *, old: str, new: str) -> None:
    """Store the same password under today's parameters, unless it was changed meanwhile."""
    session.execute(
        update(PasswordCredential)
        .where(PasswordCredential.user_id == user_id, PasswordCredential.hash == old)
        .values(hash=new)
    )


def having(session: Session, user_ids: Iterable[int]) -> list[int]:
    """Those of these people who have a password."""
    found: list[int] = []
    for some in batches(sorted(set(user_ids))):
        mine = PasswordCredential.user_id.in_(some)
        found += session.scalars(select(PasswordCredential.user_id).where(mine))
    return sorted(found)


def forget(session: Session, user_ids: Iterable[int]) -> list[int]:
    """These people have no password any more; whose there was one."""
    found = having(session, user_ids)
    for some in batches(found):
        mine = PasswordCredential.user_id.in_(some)
        session.execute(delete(PasswordCredential).where(mine))
    return found


# ---- strength --------------------------------------------------------------------------------


def check_strength(
    password: str, *, settings: Settings, about: Iterable[str] = (), field: str = "password"
) -> None:
    """Raises InvalidInput when a password is too short, too long or easy to guess.

    ``about`` are words tied to the person: her names, username, e-mail, birth date. No rule about
    kinds of characters: length and a blocklist (NIST SP 800-63B 5.1.1.2).
    """
    password = normal(password)
    if len(password) < settings.password_min:
        raise InvalidInput(
            "password_short",
            "Mật khẩu phải có ít nhất {least} ký tự.",
            field=field,
            least=settings.password_min,
        )
    if len(password) > LONGEST:
        raise InvalidInput(
            "password_long", "Mật khẩu dài nhất {most} ký tự.", field=field, most=LONGEST
        )
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


def chosen_hash(
    passwords: PasswordHasher,
    password: str,
    *,
    again: str,
    user: User,
    unlike: Candidate | None,
    settings: Settings,
) -> str:
    """The hash of a new password a person typed twice. Raises InvalidInput. Outside transactions.

    ``unlike`` is her present one, which the new one must not be.
    """
    check_strength(password, settings=settings, about=about(user))
    if normal(password) != normal(again):
        raise InvalidInput(
            "password_differs", "Hai lần nhập mật khẩu không giống nhau.", field="again"
        )
    if unlike is not None and verify(passwords, unlike, password):
        raise InvalidInput("password_same", "Mật khẩu mới phải khác mật khẩu cũ.", field="password")
    return hashed(passwords, password)


def generate_password() -> str:
    """A password people can copy from paper: five syllables and four digits, 48 bits."""
    words = [secrets.choice(SYLLABLES) for _ in range(5)]
    digits = "".join(secrets.choice("23456789") for _ in range(4))
    return "-".join([*words, digits])
