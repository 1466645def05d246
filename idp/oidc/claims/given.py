"""The claims (OIDC Core §5.1), and the own claim ``org``:

    "org": {
      "assignment_id", "capacity",                       what she acts as in this session
      "unit": {"id", "name", "short_name", "codes": [{"scheme", "value"}]},
      "position": {"code", "name"},
      "legal_person": {"id", "name"},
      "posts": [{"assignment_id", "capacity", "current", "unit", "position"}],
      "eid_level"
    }

Whoever acts in no capacity (an administrator without a post) has only ``posts`` and, where it
is known, ``eid_level``.
"""

import re
from collections.abc import Collection, Iterable
from typing import Any

from directory.assignments import Held
from directory.units import Tier
from idp.oidc.claims import scopes as known
from idp.oidc.claims.person import Above, ActingPerson, Posts

ZONE = "Asia/Ho_Chi_Minh"
LOCALE = "vi-VN"
"""Names, units and positions are told in Vietnamese."""
COUNTRY = "VN"
_COMMUNE = re.compile(r"\b(xã|phường|thị trấn|đặc khu) .+", re.IGNORECASE)
_PROVINCE = re.compile(r"\b(tỉnh|thành phố) .+", re.IGNORECASE)


def claims(
    about: ActingPerson,
    scopes: Iterable[str],
    *,
    asked: Iterable[str] = (),
    mail_domains: Collection[str] = (),
) -> dict[str, Any]:
    """The claims the scopes give, and those asked for one by one. ``sub`` always.

    ``mail_domains``, in small letters: those whose addresses the installation itself gives out.
    """
    wanted = known.names(scopes, asked)
    found: dict[str, Any] = {"sub": about.sub}
    simple = {
        "name": about.full_name,
        "family_name": about.family_name,
        "middle_name": about.middle_name,
        "given_name": about.given_name,
        "preferred_username": about.username,
        "gender": about.gender,
        # §5.1: a date, or a bare year.
        "birthdate": about.birth_date,
        "zoneinfo": ZONE,
        "locale": LOCALE,
        "updated_at": int(about.updated_at.timestamp()),
        "email": about.email,
        # The personnel office states addresses and numbers; nobody has tried them. At a domain of
        # our own nobody else has the address.
        "email_verified": _domain(about.email) in mail_domains if about.email else None,
        "phone_number": about.phone,
        "phone_number_verified": False if about.phone else None,
        "address": address(about) if about.held else None,
    }
    # OIDC Core §5.3.2: a claim without a value is left out.
    found |= {k: v for k, v in simple.items() if k in wanted and v not in (None, "")}
    if "org" in wanted:
        found["org"] = org(about)
    return found


def _domain(email: str) -> str:
    """Behind the one ``@`` of an address, in small letters; empty where it is none."""
    local, _, domain = email.strip().rpartition("@")
    return domain.lower() if local and "@" not in local else ""


def address(about: ActingPerson) -> dict[str, str]:
    """Where she works (§5.1.1): her unit, its legal person, commune and province."""
    owner = about.legal_person
    locality = _place(about.above, Tier.COMMUNE, _COMMUNE)
    # The province's own unit is the topmost; those below may be named after something else.
    region = _place(about.above[::-1], Tier.PROVINCE, _PROVINCE)
    lines = [about.above[0].name]
    if owner is not None and owner.id != about.above[0].id:
        lines.append(owner.name)
    for place in (locality, region):
        if place is not None and not any(place.lower() in line.lower() for line in lines):
            lines.append(place)
    found = {"formatted": "\n".join([*lines, "Việt Nam"]), "country": COUNTRY}
    found |= {"locality": locality} if locality else {}
    return found | ({"region": region} if region else {})


def _place(units: Iterable[Above], tier: Tier, named: re.Pattern[str]) -> str | None:
    """``Xã Hà Trung`` of ``Ủy ban nhân dân xã Hà Trung``; None where no unit is named so."""
    for unit in units:
        found = named.search(unit.name) if unit.tier == tier.value else None
        if found is not None:
            return found[0][0].upper() + found[0][1:]
    return None


def org(about: ActingPerson) -> dict[str, Any]:
    """The capacity she acts in, and all her posts."""
    posts = about.posts or Posts((), {})
    body: dict[str, Any] = {}
    if about.held is not None:
        body |= _post(about.held, posts)
    if about.legal_person is not None:
        body["legal_person"] = {"id": about.legal_person.id, "name": about.legal_person.name}
    current = about.held.id if about.held is not None else None
    body["posts"] = [_post(held, posts) | {"current": held.id == current} for held in posts.held]
    if about.eid_level is not None:
        body["eid_level"] = about.eid_level
    return body


def _post(held: Held, posts: Posts) -> dict[str, Any]:
    codes = posts.codes.get(held.unit.id, ())
    return {
        "assignment_id": held.id,
        "capacity": held.kind,
        "unit": {
            "id": held.unit.id,
            "name": held.unit.name,
            "short_name": held.unit.short_name,
            "codes": [{"scheme": code.scheme, "value": code.value} for code in codes],
        },
        "position": {"code": held.position_code, "name": held.position_name},
    }
