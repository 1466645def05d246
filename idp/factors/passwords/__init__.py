"""Passwords.

bringing_in     those of another system, from a file
choosing        a new one that a person chooses
strength        whether it is long enough, and not one that is guessed
guesses         what guessing costs, and which parts make it cheap
own             what is known of the person who chooses
leaked          passwords that leaked, in a file
known           words that passwords are made of, in little room
keystrokes      Vietnamese typed where the input method is off
generated       one made for somebody
typed           what was typed, beside a stored hash; hashes to be stored
foreign         hashes of other systems
sha512_crypt    one of their ways
stored          the table, and who has one
earlier         those that people had before
canonical       one form of a password, whichever keyboard typed it
"""

from idp.factors.passwords.bringing_in import RowsRefused, bring_in
from idp.factors.passwords.canonical import LONGEST, canonical, require_bound
from idp.factors.passwords.choosing import Choosing, choosing
from idp.factors.passwords.generated import generate_password
from idp.factors.passwords.keystrokes import has_marks
from idp.factors.passwords.known import Kind
from idp.factors.passwords.stored import (
    Candidate,
    PasswordCredential,
    candidate,
    forget,
    has_one,
    having,
    of_other_systems,
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
    "RowsRefused",
    "Rule",
    "Typed",
    "Verdict",
    "Weak",
    "bring_in",
    "candidate",
    "canonical",
    "choosing",
    "forget",
    "generate_password",
    "has_marks",
    "has_one",
    "hashed",
    "having",
    "of_other_systems",
    "replace_hash",
    "require_bound",
    "rule",
    "set_password",
    "store",
    "verify",
]
