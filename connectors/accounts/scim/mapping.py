"""What an account should say → a SCIM User (RFC 7643), and what a SCIM User says. Pure.

Apart from ``mapping`` because the models take a second to load, which nobody who does not speak
SCIM should have to wait for.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

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

from connectors.accounts.contract import Attribute, Attributes, RemoteAccount, WantedAccount
from connectors.accounts.mapping import ENTERPRISE, EVERYTHING, email_address, number_of
from directory.base.text import clean

ScimUser = User[EnterpriseUser]

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


def created(wanted: WantedAccount, *, managed: frozenset[Attribute] = EVERYTHING) -> dict[str, Any]:
    """The body of a create (RFC 7644 §3.3)."""
    user = to_scim(wanted, managed=managed)
    body: dict[str, Any] = user.model_dump(scim_ctx=Context.RESOURCE_CREATION_REQUEST)
    return body


def to_scim(wanted: WantedAccount, *, managed: frozenset[Attribute] = EVERYTHING) -> ScimUser:
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


_ON = frozenset({"true", "1", "yes", "on"})
_OFF = frozenset({"false", "0", "0.0", "no", "off"})


def truth(value: Any) -> bool | None:
    """A boolean however it is spelled (``"False"``, ``0``, ``"0"``); None where nothing is said."""
    if isinstance(value, bool) or value is None:
        return value
    said = str(value).strip().casefold()
    return True if said in _ON else False if said in _OFF else None


def switched(resource: Mapping[str, Any]) -> bool | None:
    """Whether the resource says that it is active; None where it does not say."""
    return truth(_folded(resource).get("active"))


def identifier(value: Any) -> str | None:
    """An id as text; some services number their accounts."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def listed(page: Mapping[str, Any]) -> tuple[list[Any], int | None]:
    """The resources of a list answer, and how many there are in all, as far as it says so.

    ``Resources`` may be absent or null where there are none; ``totalResults`` a text, a float
    or absent (RFC 7644 §3.4.2 wants an integer). Raises ValueError for anything else.
    """
    body = _folded(page)
    users, total = body.get("resources") or [], body.get("totalresults")
    if not isinstance(users, list) or not all(isinstance(user, Mapping) for user in users):
        raise ValueError("resources")
    if isinstance(total, str) and total.strip().isascii() and total.strip().isdecimal():
        return users, int(total.strip()[:12])
    if isinstance(total, int | float) and not isinstance(total, bool) and 0 <= total < 10**12:
        return users, int(total)
    return users, None


def from_scim(
    resource: Mapping[str, Any], evidence: Mapping[str, Any], *, silence: bool = True
) -> RemoteAccount:
    """A SCIM User as an account, read leniently.

    What others keep may break the schema (an address without a dot, a telephone number as URI,
    letters taken apart); it must not stop us from disabling the account. ``silence`` is what it
    means that ``active`` is absent: RFC 7643 gives no default, so that it counts as active
    unless the asker knows better.
    """
    user = _folded(resource)
    name = _folded(user.get("name"))
    work = _folded(user.get(str(EnterpriseUser.__schema__).lower()))
    phone = _primary(user.get("phonenumbers"))
    said = {
        Attribute.DISPLAY_NAME: _text(user.get("displayname")),
        Attribute.FAMILY_NAME: _text(name.get("familyname")),
        Attribute.MIDDLE_NAME: _text(name.get("middlename")),
        Attribute.GIVEN_NAME: _text(name.get("givenname")),
        Attribute.EMAIL: email_address(_primary(user.get("emails"))),
        Attribute.PHONE: number_of(phone) if phone else None,
        Attribute.TITLE: _text(user.get("title")),
        Attribute.DEPARTMENT: _text(work.get("department")),
        Attribute.ORGANIZATION: _text(work.get("organization")),
    }
    active = switched(resource)
    return RemoteAccount(
        key=identifier(user.get("id")) or "",
        external_id=identifier(user.get("externalid")),
        username=_composed(identifier(user.get("username"))) or "",
        active=silence if active is None else active,
        attributes={attribute: value for attribute, value in said.items() if value},
        role=_primary(user.get("roles")),
        evidence=evidence,
    )


def with_family_name(wanted: WantedAccount) -> WantedAccount:
    """The same, with a family name: who has one name only bears it as both."""
    said = dict(wanted.attributes or {})
    given = said.get(Attribute.GIVEN_NAME) or said.get(Attribute.DISPLAY_NAME)
    if not given or said.get(Attribute.FAMILY_NAME):
        return wanted
    return replace(wanted, attributes=said | {Attribute.FAMILY_NAME: given})


def fitted(wanted: WantedAccount, seen: RemoteAccount) -> WantedAccount:
    """What can be wanted of this account: a family name that it was given because it must have
    one stays.
    """
    named = with_family_name(wanted)
    family = Attribute.FAMILY_NAME
    same = (named.attributes or {}).get(family) == seen.attributes.get(family)
    return named if named is not wanted and same else wanted


def patched(wanted: WantedAccount, wrong: Iterable[str]) -> dict[str, Any]:
    """The body of a PATCH."""
    patch = scim_patch(wanted, wrong)
    body: dict[str, Any] = patch.model_dump(scim_ctx=Context.RESOURCE_PATCH_REQUEST)
    return body


def scim_patch(wanted: WantedAccount, wrong: Iterable[str]) -> PatchOp[ScimUser]:
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
    current: Mapping[str, Any],
    wanted: WantedAccount,
    *,
    managed: frozenset[Attribute] = EVERYTHING,
    roles: bool = True,
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
    paths = ["externalId", "userName", *(_SCIM_PATHS[name] for name in managed)]
    if roles:
        paths.append("roles")
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
    """Text as we keep it: letters put together (NFC), blanks tidied."""
    return clean(value) or None if isinstance(value, str) else None


def _composed(value: str | None) -> str | None:
    return unicodedata.normalize("NFC", value) if value else None


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
