"""What an upstream says of a person, read strictly, and how far it is believed.

Data are kept to what correlation needs: number, name, birth date, two levels. Nothing else of the
answer leaves this module.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from connectors.eid.refusals import EidRefused, Why
from connectors.eid.settings import Claims, Settings, level_of
from directory.base import text
from directory.base.storable import is_text

LEAST_LEVEL = 2
"""Of identity: level 1 is registered by oneself, level 2 by the police (Nghị định 69/2024/NĐ-CP)."""
_NUMBER = re.compile(r"[0-9]{12}")
_LONGEST_SUBJECT = 255
_LONGEST_NAME = 200
_DATES = (
    re.compile(r"(?P<y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})"),
    re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})"),
    re.compile(r"(?P<d>\d{2})/(?P<m>\d{2})/(?P<y>\d{4})"),
)
_PERSON = ("1", "person")


@dataclass(frozen=True)
class Vouched:
    """What an upstream vouches for."""

    issuer: str
    subject: str = field(repr=False)
    number: str = field(repr=False)
    """Twelve digits."""
    full_name: str = field(repr=False)
    birth_date: str = field(repr=False)
    """ISO date, or a bare year."""
    level: int
    """Of identity: it lets in or not, and raises nothing."""
    strength: int
    """Of this authentication, 1 to 4: signed or assumed, never above the ceiling."""
    assumed: bool
    """Whether ``strength`` rests on nothing that upstream has signed."""
    at: datetime | None = None
    """When she was asked there, where upstream has signed that or always asks; None where nobody
    knows: it may have let her through without asking anybody."""
    acr: str = ""
    amr: tuple[str, ...] = ()
    via: str = ""
    """By whom upstream itself was told (``loginIdp``)."""
    logout: str = field(default="", repr=False)
    """What its logout is to be told (``id_token_hint``)."""


@dataclass(frozen=True)
class Said:
    """Who somebody is, as upstream's claims say it."""

    number: str = field(repr=False)
    full_name: str = field(repr=False)
    birth_date: str = field(repr=False)
    level: int


def said(claims: Mapping[str, Any], names: Claims) -> Said:
    """Number, name, birth date and level. Raises EidRefused where one is missing or unreadable."""
    kind = claims.get(names.kind) if names.kind else None
    if kind is not None and (isinstance(kind, bool) or str(kind).lower() not in _PERSON):
        raise EidRefused(Why.ORGANISATION)
    level = _level(claims.get(names.level))
    if level < LEAST_LEVEL:
        raise EidRefused(Why.LEVEL, f"level {level}")
    number = claims.get(names.number)
    if not isinstance(number, str) or not _NUMBER.fullmatch(number):
        raise EidRefused(Why.INCOMPLETE, "number")
    return Said(
        number, _name(claims.get(names.full_name)), birth(claims.get(names.birth_date)), level
    )


def subject(value: Any) -> str:
    """An identifier of a person at an upstream. Raises EidRefused."""
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_SUBJECT or not is_text(value):
        raise EidRefused(Why.INCOMPLETE, "subject")
    return value


def _level(value: Any) -> int:
    """1 or 2; what is more than 2 is 2. Raises EidRefused for what is no number."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise EidRefused(Why.LEVEL, "no level" if value is None else "unreadable level")
    return min(max(value, 0), LEAST_LEVEL)


def _name(value: Any) -> str:
    name = text.clean(value) if isinstance(value, str) and is_text(value) else ""
    if not 0 < len(name) <= _LONGEST_NAME:
        raise EidRefused(Why.INCOMPLETE, "name")
    return name


def birth(value: Any) -> str:
    """A birth date as ISO date, or its year where only that is known. Raises EidRefused."""
    value = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(value, str):
        if re.fullmatch(r"(18|19|20|21)\d\d", value):
            return value
        for pattern in _DATES:
            if found := pattern.fullmatch(value):
                try:
                    return date(*(int(found[part]) for part in "ymd")).isoformat()
                except ValueError:
                    break
    raise EidRefused(Why.INCOMPLETE, "birth date")


def strength(settings: Settings, acr: Any) -> tuple[int, bool]:
    """(1 to 4, whether that is an assumption) of what upstream has signed about the
    authentication: what is known of its ``acr``, else what it is trusted with; never above its
    ceiling, and never more for an assumption than for what was signed.
    """
    ceiling = level_of(settings.ceiling)
    known = settings.acr.get(acr) if isinstance(acr, str) else None
    if known is not None:
        return min(level_of(known), ceiling), False
    return min(level_of(settings.assume), ceiling), True


def same_name(one: str, other: str) -> bool:
    """Whether two spellings are one name: diacritics, place of tone, case and blanks do not count."""
    return text.search_key(one) == text.search_key(other)


def same_birth(one: str | None, other: str | None) -> bool:
    """Whether two birth dates can be one: a bare year fits each of its days. What is not known on
    one side does not differ.
    """
    if not one or not other:
        return True
    return one == other or (4 in (len(one), len(other)) and one[:4] == other[:4])
