"""Scope → the claims it gives (OIDC Core §5.4); ``org`` is ours."""

from collections.abc import Iterable

CLAIMS: dict[str, tuple[str, ...]] = {
    "openid": ("sub",),
    "profile": (
        "name",
        "family_name",
        "middle_name",
        "given_name",
        "preferred_username",
        "gender",
        "birthdate",
        "zoneinfo",
        "locale",
        "updated_at",
    ),
    "email": ("email", "email_verified"),
    "phone": ("phone_number", "phone_number_verified"),
    "address": ("address",),
    "org": ("org",),
}
"""``nickname``, ``profile``, ``picture`` and ``website`` are missing: the directory has none."""
ABOUT_SIGN_IN = ("auth_time", "acr", "amr")
"""Claims of the ID token that may be asked for by name; it carries them anyway."""
_SCOPE_OF = {claim: scope for scope, names in CLAIMS.items() for claim in names}
_OF_TOKENS = ("iss", "aud", "exp", "iat", "sid", "nonce", "at_hash", "c_hash")


def supported() -> list[str]:
    """Every claim we know, for discovery."""
    return [*_SCOPE_OF, *_OF_TOKENS, *ABOUT_SIGN_IN]


def scope_of(claim: str) -> str | None:
    """The scope that gives a claim about a person; None for any other."""
    return _SCOPE_OF.get(claim)


def scopes_of(asked: Iterable[str]) -> set[str]:
    """The scopes that would have given these claims: what consent is asked for."""
    return {_SCOPE_OF[name] for name in asked if name in _SCOPE_OF}


def names(scopes: Iterable[str], asked: Iterable[str] = ()) -> set[str]:
    """The claims the scopes give, and those asked for one by one."""
    return {name for scope in scopes for name in CLAIMS.get(scope, ())} | set(asked)
