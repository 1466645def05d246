"""The claims request (OIDC Core §5.5): single claims, asked for by name.

``essential`` needs no answer of ours beside ``acr`` (§5.5.1.1): what the directory knows is told
either way. ``value`` and ``values`` count for ``sub``, where they name the person that must
answer (§3.1.2.2), and for ``acr``; of other claims she has one value or none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError
from pydantic import BaseModel, ValidationError

from directory.base import strict_json
from idp.oidc.claims.scopes import scope_of

PARTS = ("userinfo", "id_token")


@dataclass(frozen=True)
class Levels:
    """The acr values a request wants, in its order of preference."""

    values: tuple[str, ...] = ()
    essential: bool = False
    """Whether the client wants no answer without one of them."""


Wishes = dict[str, dict[str, Any] | None]
"""Claims by name; null asks for one in the usual manner (§5.5.1)."""


class _Request(BaseModel):
    """§5.5: other members MUST be ignored; a part may be null or left out."""

    userinfo: Wishes | None = None
    id_token: Wishes | None = None


def parse(text: str | None) -> dict[str, Any]:
    """The two parts we know of a claims request.

    Raises InvalidRequestError when it is no JSON object of objects whose members are objects or
    null.
    """
    if text is None:
        return {}
    try:
        # Strictly first: pydantic takes the last of two equal names, and no depth is too deep for it.
        found = _Request.model_validate(strict_json.read(text))
    except (strict_json.Unreadable, ValidationError) as exc:
        raise InvalidRequestError("Invalid claims.") from exc
    return {part: wishes for part, wishes in found if wishes is not None}


def asked_of(request: Mapping[str, Any], where: str, allowed: Iterable[str]) -> list[str]:
    """Claims a claims request (OIDC Core §5.5) wants in ``userinfo`` or ``id_token``.

    Only what a scope of the client could have given it; what we do not know is ignored.
    """
    may = set(allowed)
    part = request.get(where)
    if not isinstance(part, Mapping):
        return []
    return [name for name in part if scope_of(name) in may]


def subjects(request: Mapping[str, Any]) -> frozenset[str] | None:
    """The ``sub`` values of whom the answer must be about (§5.5.1); None: of anybody. Empty where
    nobody can be meant: what is asked for is no name, or the two parts ask for different people.
    """
    asked = [
        _names(wish)
        for part in PARTS
        if isinstance(wish := request.get(part, {}).get("sub"), Mapping)
        and not {"value", "values"}.isdisjoint(wish)
    ]
    return frozenset.intersection(*asked) if asked else None


def _names(wish: Mapping[str, Any]) -> frozenset[str]:
    """Whom one part asks for; where it says both, whom both name."""
    several = wish.get("values")
    found = []
    if "value" in wish:
        found.append([wish["value"]])
    if "values" in wish:
        found.append(several if isinstance(several, list) else [])
    return frozenset.intersection(*(frozenset(v for v in f if isinstance(v, str)) for f in found))


def levels(request: Mapping[str, Any]) -> Levels:
    """The acr values wanted in the ID token (§5.5.1.1)."""
    wish = request.get("id_token", {}).get("acr")
    values = tuple(value for value in _values(wish) if isinstance(value, str))
    return Levels(values, isinstance(wish, Mapping) and wish.get("essential") is True)


def _values(wish: Any) -> list[Any]:
    if not isinstance(wish, Mapping):
        return []
    several = wish.get("values")
    if isinstance(several, list):
        return several
    return [wish["value"]] if "value" in wish else []
