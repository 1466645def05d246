"""Person + assignment → what her account should say → an LDAP entry. Pure. (``scim_mapping`` has SCIM.)

The account speaks of the capacity that earned it: ``department`` is the unit, ``organization``
the legal person it belongs to, ``title`` the position. ``external_id`` is the OIDC ``sub``, so
that an application finds the account of whoever signs in; nothing is derived from the citizen
number, and no employee number is made up.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from connectors.accounts.contract import Attribute, Attributes, RemoteAccount, WantedAccount
from directory.base import values
from directory.base.errors import InvalidInput
from directory.base.text import clean
from directory.entitlements import Desired

EVERYTHING = frozenset(Attribute)
ENTERPRISE = frozenset({Attribute.DEPARTMENT, Attribute.ORGANIZATION})
"""What only the Enterprise extension can say (RFC 7643 §4.3)."""


def same(attribute: Attribute, ours: str | None, theirs: str | None) -> bool:
    """Whether both say the same: letters of an address may be small ones, a telephone number
    has signs between its digits or not, and is written as a URI or not.
    """
    if ours is None or theirs is None or ours == theirs:
        return ours == theirs
    if attribute is Attribute.EMAIL:
        return ours.casefold() == theirs.casefold()
    if attribute is Attribute.PHONE:
        return _digits(ours) == _digits(theirs) != ""
    return clean(ours) == clean(theirs)


_NUMBER = re.compile(r"(?=.*\d)\+?[\s\dA-Fa-f*#().-]+")
"""What stands behind the scheme of a telephone number's URI, with spaces as people write them."""


def number_of(said: str) -> str:
    """A telephone number without what makes a URI of it (RFC 3966 §3). Where no number stands behind
    the scheme it is no URI, and stays as it is.
    """
    number = said[4:].partition(";")[0].strip()
    return number if said[:4].casefold() == "tel:" and _NUMBER.fullmatch(number) else said


def _digits(said: str) -> str:
    """A telephone number without the signs between its digits (RFC 3966 §5.1.1)."""
    return re.sub(r"[\s().-]", "", number_of(said))


SHORTEST_CUT = 10
"""Characters: nothing in the wild cuts shorter than that."""


class AccountOwner(Protocol):
    """What is read of a person; ``directory.people.User`` fits."""

    @property
    def sub(self) -> str: ...
    @property
    def username(self) -> str: ...
    @property
    def full_name(self) -> str: ...
    @property
    def family_name(self) -> str: ...
    @property
    def middle_name(self) -> str: ...
    @property
    def given_name(self) -> str: ...
    @property
    def email(self) -> str | None: ...
    @property
    def phone(self) -> str | None: ...


def wanted_account(
    person: AccountOwner, desired: Desired | None, *, organization: str, shared_email: bool = False
) -> WantedAccount:
    """The state a person's account ought to be in; without ``desired`` it is to be disabled.

    An address that is somebody else's as well is given to no application, and one that is none
    to nobody: the account says so, it is not dropped without a word.
    """
    if desired is None:
        return WantedAccount(person.sub, person.username, active=False)
    email = None if shared_email else email_address(person.email)
    said = {
        Attribute.DISPLAY_NAME: person.full_name,
        Attribute.FAMILY_NAME: person.family_name,
        Attribute.MIDDLE_NAME: person.middle_name,
        Attribute.GIVEN_NAME: person.given_name,
        Attribute.EMAIL: email,
        Attribute.PHONE: person.phone,
        Attribute.TITLE: desired.held.position_name,
        Attribute.DEPARTMENT: desired.held.unit.name,
        Attribute.ORGANIZATION: organization,
    }
    kept = {name: clean(value) for name, value in said.items() if value and clean(value)}
    unsent = (Attribute.EMAIL,) if person.email and email is None else ()
    return WantedAccount(
        person.sub,
        person.username,
        active=True,
        attributes=kept,
        role=desired.role,
        unsent=unsent,
    )


def email_address(value: str | None) -> str | None:
    """The address by the rule of ``directory.base.values``; None when no service takes it."""
    try:
        return values.email(value)
    except InvalidInput:
        return None


def digest(wanted: WantedAccount) -> str:
    """SHA-256 over a wanted state: equal states have equal digests."""
    body = [
        wanted.external_id,
        wanted.username,
        wanted.active,
        wanted.role,
        dict(wanted.attributes) if wanted.attributes is not None else None,
    ]
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def differences(
    wanted: WantedAccount,
    seen: RemoteAccount,
    *,
    managed: frozenset[Attribute] = EVERYTHING,
    roles: bool = True,
) -> tuple[str, ...]:
    """What the account does not show as wanted, by the names of SCIM; only ``managed`` counts,
    and the role only where the target keeps ``roles``.

    An account that is to be disabled is right as soon as it is inactive.
    """
    wrong = [] if seen.active == wanted.active else ["active"]
    if wanted.attributes is None:
        return tuple(wrong)
    if seen.external_id != wanted.external_id:
        wrong.append("externalId")
    if seen.username.casefold() != wanted.username.casefold():  # RFC 7643 §4.1.1: caseExact false
        wrong.append("userName")
    if roles and seen.role != wanted.role:
        wrong.append("role")
    wrong += [
        name.value
        for name in Attribute
        if name in managed
        and not same(name, wanted.attributes.get(name), seen.attributes.get(name))
    ]
    return tuple(wrong)


_TEXT = frozenset(Attribute) - {Attribute.EMAIL, Attribute.PHONE}


def cut(wanted: WantedAccount, seen: RemoteAccount, wrong: Sequence[str]) -> tuple[str, ...]:
    """Those of ``wrong`` where the target keeps the beginning of what was just written.

    Only for text that people read: half a role or half an address is not the same one.
    """
    said = wanted.attributes or {}
    return tuple(
        name
        for name in wrong
        if name in _TEXT
        and (shown := clean(seen.attributes.get(Attribute(name), "")))
        and len(shown) >= SHORTEST_CUT
        and said.get(Attribute(name), "").startswith(shown)
    )


def ldap_values(said: Attributes) -> dict[str, str]:
    """The attributes of an inetOrgPerson (RFC 2798, RFC 4519), one value each.

    ``givenName`` is all of the name that is not the surname (RFC 4519 §2.12), so middle names go
    there; ``sn`` and ``cn`` must be present, so a single-word name serves as both.
    """
    middle_given = (said.get(Attribute.MIDDLE_NAME), said.get(Attribute.GIVEN_NAME))
    given = " ".join(part for part in middle_given if part)
    shown = said.get(Attribute.DISPLAY_NAME) or given
    found = {
        "cn": shown,
        "displayName": shown,
        "sn": said.get(Attribute.FAMILY_NAME) or given or shown,
        "givenName": given,
        "mail": said.get(Attribute.EMAIL),
        "telephoneNumber": said.get(Attribute.PHONE),
        "title": said.get(Attribute.TITLE),
        "ou": said.get(Attribute.DEPARTMENT),
        "o": said.get(Attribute.ORGANIZATION),
    }
    return {name: value for name, value in found.items() if value}


LDAP_ATTRIBUTES = (
    "cn",
    "displayName",
    "sn",
    "givenName",
    "mail",
    "telephoneNumber",
    "title",
    "ou",
    "o",
)


def from_ldap(entry: Mapping[str, str]) -> dict[Attribute, str]:
    """What an entry says. ``ldap_values`` of the result gives the same values back."""
    names = {
        "displayName": Attribute.DISPLAY_NAME,
        "sn": Attribute.FAMILY_NAME,
        "givenName": Attribute.GIVEN_NAME,
        "mail": Attribute.EMAIL,
        "telephoneNumber": Attribute.PHONE,
        "title": Attribute.TITLE,
        "ou": Attribute.DEPARTMENT,
        "o": Attribute.ORGANIZATION,
    }
    return {attribute: entry[name] for name, attribute in names.items() if entry.get(name)}
