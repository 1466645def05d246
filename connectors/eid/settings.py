"""What is configured of an upstream: whom to ask, what its answers are called, how far it is trusted."""

import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

Algorithm = Literal["RS256", "ES256", "PS256"]
Endpoint = Literal["authorization", "token", "userinfo", "jwks", "end_session"]
_LEVEL = re.compile(r"urn:vn:aal:([1-4])")


def level_of(acr: str) -> int:
    """1 to 4 of ``urn:vn:aal:1`` … ``4``. Raises ValueError."""
    found = _LEVEL.fullmatch(acr)
    if found is None:
        raise ValueError(f"{acr!r} is none of urn:vn:aal:1 … urn:vn:aal:4")
    return int(found[1])


class Claims(BaseModel):
    """How upstream calls what we ask for. Everything else it says is not looked at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: str
    full_name: str
    birth_date: str
    level: str
    """A level of identity: who checked the papers, not how she signed in."""
    kind: str = ""
    """Whether the account is a person's: 1 or "person" where upstream says so."""


class Settings(BaseModel):
    """One upstream's settings; what a profile leaves out it gives itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: str
    endpoints: dict[Endpoint, str] = {}
    """Where they are, if upstream publishes no metadata or other ones are meant."""
    leads_to: str = ""
    """Where its sign-in page is, as it was published when it was last looked at."""
    scopes: tuple[str, ...] = ("openid",)
    claims: Claims
    auth: Literal["client_secret_basic", "client_secret_post"] = "client_secret_post"
    algorithms: tuple[Algorithm, ...] = ("RS256", "ES256", "PS256")
    """By which it may sign. Never ``none``, nothing symmetric."""
    signs: bool = True
    """Whether there must be an ID token; without one its word is what the connection brings."""
    id_token_issuer: str = ""
    """``iss`` of its ID tokens where that is not its issuer."""
    acr_values: str = ""
    """What is always asked for."""
    acr: dict[str, str] = {}
    """``acr`` as upstream signs it → one of ours."""
    assume: str = "urn:vn:aal:1"
    """What is believed of a sign-in there of which nothing signed is known: an assumption."""
    ceiling: str = "urn:vn:aal:2"
    """What no sign-in there is ever taken to exceed."""
    fresh: bool = True
    """Whether whoever comes is to be asked anew there, and upstream must say that she was."""
    asks_anew: bool = False
    """Where upstream cannot say so: whether it is believed to ask everybody every time."""

    @field_validator("ceiling", "assume")
    @classmethod
    def _is_a_level(cls, value: str) -> str:
        level_of(value)
        return value

    @field_validator("acr")
    @classmethod
    def _are_levels(cls, value: dict[str, str]) -> dict[str, str]:
        for each in value.values():
            level_of(each)
        return value

    @field_validator("algorithms")
    @classmethod
    def _is_not_empty(cls, value: tuple[Algorithm, ...]) -> tuple[Algorithm, ...]:
        if not value:
            raise ValueError("at least one algorithm")
        return value

    @field_validator("endpoints")
    @classmethod
    def _are_addresses(cls, value: dict[Endpoint, str]) -> dict[Endpoint, str]:
        for each in value.values():
            require_address(each)
        return value

    @model_validator(mode="after")
    def _assumes_no_more_than_its_ceiling(self) -> "Settings":
        if level_of(self.assume) > level_of(self.ceiling):
            raise ValueError("assume is above ceiling")
        return self


def most(said: Mapping[str, Any]) -> int:
    """1 to 4: the most that a sign-in can be worth at an upstream with these stored settings. A ceiling
    that neither a word of theirs nor an assumption reaches bounds nothing.
    """
    signed = said["acr"].values() if said["signs"] else ()
    return min(level_of(said["ceiling"]), max(map(level_of, (said["assume"], *signed))))


def require_address(url: str) -> None:
    """Raises ValueError for what is no http(s) URL without user and fragment."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or set("#@ ") & set(url):
        raise ValueError("not an http(s) URL without user and fragment")
