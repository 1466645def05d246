"""What a relying party is told about a person: scopes and the claims request → claims.

    scopes      which claims a scope gives, and which scope a claim needs
    person      one person and the capacity she acts in, as claims need them: one SELECT
    given       the claims themselves
    wanted      the claims request (OIDC Core §5.5)

Only what is asked for and granted is told. The ID token says who signed in and how; everything
about the person comes from userinfo (OIDC Core §5.4), where it is as fresh as the directory.
"""

from idp.oidc.claims.given import claims
from idp.oidc.claims.person import (
    ActingPerson,
    Capacity,
    capacity,
    complete,
    person,
    with_capacity,
    with_person,
)
from idp.oidc.claims.scopes import ABOUT_SIGN_IN, CLAIMS, scopes_of, supported
from idp.oidc.claims.wanted import PARTS, Levels, asked_of, levels, parse, subjects

__all__ = [
    "ABOUT_SIGN_IN",
    "CLAIMS",
    "PARTS",
    "ActingPerson",
    "Capacity",
    "Levels",
    "asked_of",
    "capacity",
    "claims",
    "complete",
    "levels",
    "parse",
    "person",
    "scopes_of",
    "subjects",
    "supported",
    "with_capacity",
    "with_person",
]
