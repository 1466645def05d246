"""What a relying party is told about a person: scopes and the claims request → claims.

Only what is asked for and granted is told. The ID token says who signed in and how; everything
about the person comes from userinfo (OIDC Core §5.4), where it is as fresh as the directory.

The own scope ``org`` tells the capacity she acts in:

    "org": {"assignment_id", "capacity", "unit": {"id", "name", "short_name"},
            "legal_person": {"id", "name"}, "position": {"code", "name"}, "eid_level"}
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select
from sqlalchemy.orm import aliased

from directory.assignments import Assignment, Held, Position
from directory.people import User
from directory.units import OrgUnit, UnitView

CLAIMS: dict[str, tuple[str, ...]] = {
    "openid": ("sub",),
    "profile": ("name", "family_name", "middle_name", "given_name", "preferred_username"),
    "email": ("email", "email_verified"),
    "phone": ("phone_number", "phone_number_verified"),
    "org": ("org",),
}
"""Scope → the claims it gives (OIDC Core §5.4; ``org`` is ours)."""
ABOUT_SIGN_IN = ("auth_time", "acr", "amr")
"""Claims of the ID token that may be asked for by name; it carries them anyway."""
_SCOPE_OF = {claim: scope for scope, names in CLAIMS.items() for claim in names}


def supported() -> list[str]:
    """Every claim we know, for discovery."""
    own = ("iss", "aud", "exp", "iat", "sid", "nonce", "at_hash", *ABOUT_SIGN_IN)
    return [*_SCOPE_OF, *own]


@dataclass(frozen=True)
class Person:
    """A person and the capacity she acts in, as claims need them."""

    sub: str
    username: str
    full_name: str
    family_name: str
    middle_name: str
    given_name: str
    email: str | None
    phone: str | None
    eid_level: int | None
    held: Held | None
    legal_person: tuple[int, str] | None
    """None where the capacity is none, or lies deeper than the statement looks."""


_UP = (aliased(OrgUnit), aliased(OrgUnit), aliased(OrgUnit))
"""Parents of the unit: its legal person is hardly ever further up."""

_COLUMNS = (
    User.sub,
    User.username,
    User.full_name,
    User.family_name,
    User.middle_name,
    User.given_name,
    User.email,
    User.phone,
    User.eid_level,
    Assignment.id.label("held_id"),
    Assignment.kind.label("held_kind"),
    Assignment.valid_from,
    Assignment.valid_to,
    OrgUnit.id.label("unit_id"),
    OrgUnit.name.label("unit_name"),
    OrgUnit.short_name,
    OrgUnit.kind.label("unit_kind"),
    OrgUnit.bloc,
    OrgUnit.tier,
    OrgUnit.legal_person,
    OrgUnit.path,
    Position.id.label("position_id"),
    Position.code.label("position_code"),
    Position.name.label("position_name"),
    Position.rank,
    Position.leadership,
    *(
        column.label(f"up{n}_{name}")
        for n, up in enumerate(_UP)
        for name, column in (("id", up.id), ("name", up.name), ("legal", up.legal_person))
    ),
)


def with_person(statement: Any) -> Select[Any]:
    """Add what ``person`` reads to a statement that joins ``User`` and outer-joins
    ``Assignment``.
    """
    statement = (
        statement.add_columns(*_COLUMNS)
        .outerjoin(OrgUnit, OrgUnit.id == Assignment.unit_id)
        .outerjoin(Position, Position.id == Assignment.position_id)
    )
    below: Any = OrgUnit
    for up in _UP:
        statement = statement.outerjoin(up, up.id == below.parent_id)
        below = up
    found: Select[Any] = statement
    return found


def person(row: Any) -> Person:
    """The person of a row selected by ``with_person``."""
    return Person(
        row.sub,
        row.username,
        row.full_name,
        row.family_name,
        row.middle_name,
        row.given_name,
        row.email,
        row.phone,
        row.eid_level,
        _held(row),
        _legal_person(row),
    )


def _held(row: Any) -> Held | None:
    if row.held_id is None:
        return None
    unit = UnitView(
        row.unit_id,
        row.unit_name,
        row.short_name,
        row.unit_kind,
        row.bloc,
        row.tier,
        row.legal_person,
        row.path,
    )
    return Held(
        id=row.held_id,
        user_id=row.user_id,
        kind=row.held_kind,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        unit=unit,
        position_id=row.position_id,
        position_code=row.position_code,
        position_name=row.position_name,
        position_rank=row.rank,
        leadership=row.leadership,
    )


def _legal_person(row: Any) -> tuple[int, str] | None:
    if row.unit_id is None:
        return None
    top = (row.unit_id, row.unit_name)
    if row.legal_person:
        return top
    for n in range(len(_UP)):
        unit_id = getattr(row, f"up{n}_id")
        if unit_id is None:
            return top  # the root stands in where no unit is a legal person
        top = (unit_id, getattr(row, f"up{n}_name"))
        if getattr(row, f"up{n}_legal"):
            return top
    return None


def claims(about: Person, scopes: Iterable[str], *, asked: Iterable[str] = ()) -> dict[str, Any]:
    """The claims the scopes give, and those asked for one by one. ``sub`` always."""
    wanted = {name for scope in scopes for name in CLAIMS.get(scope, ())} | set(asked)
    found: dict[str, Any] = {"sub": about.sub}
    simple = {
        "name": about.full_name,
        "family_name": about.family_name,
        "middle_name": about.middle_name,
        "given_name": about.given_name,
        "preferred_username": about.username,
        "email": about.email,
        # The personnel office states addresses and numbers; nobody has tried them.
        "email_verified": False if about.email else None,
        "phone_number": about.phone,
        "phone_number_verified": False if about.phone else None,
    }
    # OIDC Core §5.3.2: a claim without a value is left out.
    found |= {k: v for k, v in simple.items() if k in wanted and v not in (None, "")}
    if "org" in wanted and about.held is not None:
        found["org"] = org(about.held, about)
    return found


def org(held: Held, about: Person) -> dict[str, Any]:
    """The capacity, as told in the claim ``org``."""
    body: dict[str, Any] = {
        "assignment_id": held.id,
        "capacity": held.kind,
        "unit": {
            "id": held.unit.id,
            "name": held.unit.name,
            "short_name": held.unit.short_name,
        },
        "position": {"code": held.position_code, "name": held.position_name},
    }
    if about.legal_person is not None:
        body["legal_person"] = {"id": about.legal_person[0], "name": about.legal_person[1]}
    if about.eid_level is not None:
        body["eid_level"] = about.eid_level
    return body


def scopes_of(asked: Iterable[str]) -> set[str]:
    """The scopes that would have given these claims: what consent is asked for."""
    return {_SCOPE_OF[name] for name in asked if name in _SCOPE_OF}


def asked_of(request: Mapping[str, Any], where: str, allowed: Iterable[str]) -> list[str]:
    """Claims a claims request (OIDC Core §5.5) wants in ``userinfo`` or ``id_token``.

    Only what a scope of the client could have given it; what we do not know is ignored.
    """
    may = set(allowed)
    part = request.get(where)
    if not isinstance(part, Mapping):
        return []
    return [name for name in part if _SCOPE_OF.get(name) in may]
