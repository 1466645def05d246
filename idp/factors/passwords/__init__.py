"""Passwords.

choosing        a new one that a person chooses
strength        whether it is long enough, and not one that is guessed
guesses         what guessing costs, and which parts make it cheap
own             what is known of the person who chooses
known           words that passwords are made of, in little room
keystrokes      Vietnamese typed where the input method is off
generated       one made for somebody
typed           what was typed, beside a stored hash; hashes to be stored
stored          the table, and who has one
canonical       one form of a password, whichever keyboard typed it
"""

from idp.factors.passwords.canonical import LONGEST, canonical, require_bound
from idp.factors.passwords.choosing import Choosing, choosing
from idp.factors.passwords.generated import generate_password
from idp.factors.passwords.known import Kind
from idp.factors.passwords.stored import (
    Candidate,
    PasswordCredential,
    candidate,
    forget,
    having,
    replace_hash,
    store,
)
from idp.factors.passwords.strength import Judgement, Rule, Verdict, Weak, rule
from idp.factors.passwords.typed import Typed, hashed, set_password, verify

__all__ = [
    "LONGEST",
    "Candidate",
    "Choosing",
    "Judgement",
    "Kind",
    "PasswordCredential",
    "Rule",
    "Typed",
    "Verdict",
    "Weak",
    "candidate",
    "canonical",
    "choosing",
    "forget",
    "generate_password",
    "hashed",
    "having",
    "replace_hash",
    "require_bound",
    "rule",
    "set_password",
    "store",
    "verify",
]
