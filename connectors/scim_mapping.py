"""What an account should say → a SCIM User (RFC 7643), and what a SCIM User says. Pure.

Apart from ``mapping`` because the models take a second to load, which nobody who does not speak
SCIM should have to wait for.
"""

from collections.abc import Iterable, Mapping
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

from connectors.contract import Attribute, Attributes, RemoteAccount, Wanted
from connectors.mapping import ENTERPRISE, EVERYTHING, email_address

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
