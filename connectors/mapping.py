"""Person + assignment → what her account should say → a SCIM User or an LDAP entry. Pure.

The account speaks of the capacity that earned it: ``department`` is the unit, ``organization``
the legal person it belongs to, ``title`` the position. ``external_id`` is the OIDC ``sub``, so
that an application finds the account of whoever signs in; nothing is derived from the citizen
number, and no employee number is made up.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from pydantic import ValidationError
from scim2_models import (
    Context,
    Email,
    EnterpriseUser,
    Name,
    PatchOp,
    PatchOperation,
    PhoneNumber,
    User,
)
from scim2_models import Role as ScimRole

from connectors.contract import Attribute, Attributes, RemoteAccount, Wanted
from directory.entitlements import Desired
from directory.text import clean

ScimUser = User[EnterpriseUser]

EVERYTHING = frozenset(Attribute)
ENTERPRISE = frozenset({Attribute.DEPARTMENT, Attribute.ORGANIZATION})
"""What only the Enterprise extension can say (RFC 7643 §4.3)."""

_SCIM_PATHS = {
    Attribute.DISPLAY_NAME: "displayName",
    Attribute.FAMILY_NAME: "name.familyName",
    Attribute.MIDDLE_NAME: "name.middleName",
    Attribute.GIVEN_NAME: "name.givenName",
    Attribute.EMAIL: "emails",
    Attribute.PHONE: "phoneNumbers",
    Attribute.TITLE: "title",
    Attribute.DEPARTMENT: f"{EnterpriseUser.__schema__}:department",
    Attribute.ORGANIZATION: f"{EnterpriseUser.__schema__}:organization",
}


class Person(Protocol):
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


def wanted_account(person: Person, desired: Desired | None, *, organization: str) -> Wanted:
    """The state a person's account ought to be in; without ``desired`` it is to be disabled."""
    if desired is None:
        return Wanted(person.sub, person.username, active=False)
    said = {
        Attribute.DISPLAY_NAME: person.full_name,
        Attribute.FAMILY_NAME: person.family_name,
        Attribute.MIDDLE_NAME: person.middle_name,
        Attribute.GIVEN_NAME: person.given_name,
        Attribute.EMAIL: email_address(person.email),
        Attribute.PHONE: person.phone,
        Attribute.TITLE: desired.held.position_name,
        Attribute.DEPARTMENT: desired.held.unit.name,
        Attribute.ORGANIZATION: organization,
    }
    kept = {name: clean(value) for name, value in said.items() if value and clean(value)}
    return Wanted(person.sub, person.username, active=True, attributes=kept, role=desired.role)


def email_address(value: str | None) -> str | None:
    """The address in the one form every connector compares; None when it is no address."""
    try:
        return Email(value=value).value if value else None
    except ValidationError:
        return None


def digest(wanted: Wanted) -> str:
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
    wanted: Wanted, seen: RemoteAccount, *, managed: frozenset[Attribute] = EVERYTHING
) -> tuple[str, ...]:
    """What the account does not show as wanted, by the names of SCIM; only ``managed`` counts.

    An account that is to be disabled is right as soon as it is inactive.
    """
    wrong = [] if seen.active == wanted.active else ["active"]
    if wanted.attributes is None:
        return tuple(wrong)
    if seen.external_id != wanted.external_id:
        wrong.append("externalId")
    if seen.username.casefold() != wanted.username.casefold():  # RFC 7643 §4.1.1: caseExact false
        wrong.append("userName")
    if seen.role != wanted.role:
        wrong.append("role")
    wrong += [
        name.value
        for name in Attribute
        if name in managed and seen.attributes.get(name) != wanted.attributes.get(name)
    ]
    return tuple(wrong)


def to_scim(wanted: Wanted, *, managed: frozenset[Attribute] = EVERYTHING) -> ScimUser:
    """A whole SCIM User: core schema and Enterprise extension."""
    said = _managed(wanted.attributes or {}, managed)
    user = ScimUser(
        external_id=wanted.external_id,
        user_name=wanted.username,
        active=wanted.active,
        display_name=said.get(Attribute.DISPLAY_NAME),
        title=said.get(Attribute.TITLE),
        name=Name(
            family_name=said.get(Attribute.FAMILY_NAME),
            middle_name=said.get(Attribute.MIDDLE_NAME),
            given_name=said.get(Attribute.GIVEN_NAME),
        ),
        emails=_emails(said.get(Attribute.EMAIL)),
        phone_numbers=_phones(said.get(Attribute.PHONE)),
        roles=_roles(wanted.role),
    )
    if managed & ENTERPRISE:
        user[EnterpriseUser] = EnterpriseUser(
            department=said.get(Attribute.DEPARTMENT),
            organization=said.get(Attribute.ORGANIZATION),
        )
    return user


def from_scim(resource: Mapping[str, Any], evidence: Mapping[str, Any]) -> RemoteAccount:
    """A SCIM User as an account, read leniently.

    What others keep may break the schema (an address without a dot); it must not stop us from
    disabling the account. Absent ``active`` counts as active: RFC 7643 gives no default.
    """
    user = _folded(resource)
    name = _folded(user.get("name"))
    work = _folded(user.get(str(EnterpriseUser.__schema__).lower()))
    said = {
        Attribute.DISPLAY_NAME: _text(user.get("displayname")),
        Attribute.FAMILY_NAME: _text(name.get("familyname")),
        Attribute.MIDDLE_NAME: _text(name.get("middlename")),
        Attribute.GIVEN_NAME: _text(name.get("givenname")),
        Attribute.EMAIL: email_address(_primary(user.get("emails"))),
        Attribute.PHONE: _primary(user.get("phonenumbers")),
        Attribute.TITLE: _text(user.get("title")),
        Attribute.DEPARTMENT: _text(work.get("department")),
        Attribute.ORGANIZATION: _text(work.get("organization")),
    }
    return RemoteAccount(
        key=_text(user.get("id")) or "",
        external_id=_text(user.get("externalid")),
        username=_text(user.get("username")) or "",
        active=user.get("active") is not False,
        attributes={attribute: value for attribute, value in said.items() if value},
        role=_primary(user.get("roles")),
        evidence=evidence,
    )


def scim_patch(wanted: Wanted, wrong: Iterable[str]) -> PatchOp[ScimUser]:
    """The PATCH that mends exactly what ``differences`` named (RFC 7644 §3.5.2)."""
    said = wanted.attributes or {}
    values: dict[str, tuple[str, Any]] = {
        "active": ("active", wanted.active),
        "externalId": ("externalId", wanted.external_id),
        "userName": ("userName", wanted.username),
        "role": ("roles", _roles(wanted.role)),
    }
    for attribute, path in _SCIM_PATHS.items():
        value: Any = said.get(attribute)
        if attribute is Attribute.EMAIL:
            value = _emails(value)
        elif attribute is Attribute.PHONE:
            value = _phones(value)
        values[attribute.value] = (path, value)
    operations = []
    for name in wrong:
        path, value = values[name]
        operations.append(
            PatchOperation[ScimUser](op=PatchOperation.Op.remove, path=path)
            if value is None
            else PatchOperation[ScimUser](op=PatchOperation.Op.replace_, path=path, value=value)
        )
    return PatchOp[ScimUser](operations=operations)


def merged_scim(
    current: Mapping[str, Any], wanted: Wanted, *, managed: frozenset[Attribute] = EVERYTHING
) -> dict[str, Any]:
    """The current resource with our part replaced, for targets that know PUT only.

    What the application keeps of its own (groups, time zone, extensions) stays as it is.
    """
    merged = dict(current) | {"active": wanted.active}
    if wanted.attributes is None:
        return merged
    ours = to_scim(wanted, managed=managed).model_dump(
        scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST
    )
    paths = ["externalId", "userName", "roles", *(_SCIM_PATHS[name] for name in managed)]
    for path in paths:
        outer, _, inner = _nested(path)
        if inner:
            part = dict(merged.get(outer) or {})
            _replace(part, inner, (ours.get(outer) or {}).get(inner))
            _replace(merged, outer, part or None)
        else:
            _replace(merged, outer, ours.get(outer))
    merged["schemas"] = sorted({*merged.get("schemas", ()), *ours["schemas"]})
    return merged


def ldap_values(said: Attributes) -> dict[str, str]:
    """The attributes of an inetOrgPerson (RFC 2798, RFC 4519), one value each.

    ``givenName`` is all of the name that is not the surname (RFC 4519 §2.12), so middle names go
    there; ``sn`` and ``cn`` must be present, so a single-word name serves as both.
    """
    middle_given = (said.get(Attribute.MIDDLE_NAME), said.get(Attribute.GIVEN_NAME))
    given = " ".join(part for part in middle_given if part)
    shown = said.get(Attribute.DISPLAY_NAME) or given
    values = {
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
    return {name: value for name, value in values.items() if value}


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


def from_ldap(values: Mapping[str, str]) -> dict[Attribute, str]:
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
    return {attribute: values[name] for name, attribute in names.items() if values.get(name)}


def _managed(said: Attributes, managed: frozenset[Attribute]) -> dict[Attribute, str]:
    return {name: value for name, value in said.items() if name in managed}


def _emails(value: str | None) -> list[Email] | None:
    return [Email(value=value, type=Email.Type.work, primary=True)] if value else None


def _phones(value: str | None) -> list[PhoneNumber] | None:
    if not value:
        return None
    return [PhoneNumber(value=value, type=PhoneNumber.Type.work, primary=True)]


def _roles(value: str | None) -> list[ScimRole] | None:
    return [ScimRole(value=value, primary=True)] if value else None


def _primary(values: Any) -> str | None:
    """The value marked primary, else the first."""
    entries = [_folded(value) for value in values] if isinstance(values, list) else []
    ranked = sorted(entries, key=lambda entry: entry.get("primary") is not True)
    return next((text for entry in ranked if (text := _text(entry.get("value")))), None)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _folded(value: Any) -> dict[str, Any]:
    """Attribute names do not mind upper and lower case (RFC 7643 §2.1)."""
    return {str(k).lower(): v for k, v in value.items()} if isinstance(value, Mapping) else {}


def _nested(path: str) -> tuple[str, str, str]:
    """(outer, separator, inner) of a PATCH path; the inner part is empty at the top level."""
    if path.startswith("urn:"):
        return path.rpartition(":")
    return path.partition(".")


def _replace(part: dict[str, Any], name: str, value: Any) -> None:
    if value is None:
        part.pop(name, None)
    else:
        part[name] = value
