"""A new password: chosen by a person, or made for her."""

import secrets

from directory.base.config import Settings
from directory.base.crypto import PasswordHasher
from directory.base.errors import InvalidInput
from directory.people import User
from idp.factors.passwords.canonical import canonical
from idp.factors.passwords.stored import Candidate
from idp.factors.passwords.strength import about, check_strength
from idp.factors.passwords.typed import hashed, verify
from idp.factors.wordlist import SYLLABLES


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
    if canonical(password) != canonical(again):
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
