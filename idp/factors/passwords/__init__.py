"""Passwords.

    choosing        a new one: chosen by a person, or made for her
    strength        whether it is long enough, and not one that is guessed
    typed           what was typed, beside a stored hash; hashes to be stored
    stored          the table, and who has one
    canonical       one form of a password, whichever keyboard typed it

An arrow only ever points down this list.
"""

from idp.factors.passwords.canonical import LONGEST, canonical, require_bound
from idp.factors.passwords.choosing import chosen_hash, generate_password
from idp.factors.passwords.stored import (
    Candidate,
    PasswordCredential,
    candidate,
    forget,
    having,
    replace_hash,
    store,
)
from idp.factors.passwords.strength import about, check_strength
from idp.factors.passwords.typed import Typed, hashed, set_password, verify

__all__ = [
    "LONGEST",
    "Candidate",
    "PasswordCredential",
    "Typed",
    "about",
    "candidate",
    "canonical",
    "check_strength",
    "chosen_hash",
    "forget",
    "generate_password",
    "hashed",
    "having",
    "replace_hash",
    "require_bound",
    "set_password",
    "store",
    "verify",
]
