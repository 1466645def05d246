"""A token that is good at this moment, and how its key is named."""

from dataclasses import dataclass
from datetime import datetime

from idp.oidc.grants import GrantView


@dataclass(frozen=True)
class Active:
    """An access or refresh token that is good at this moment."""

    client_id: int
    public_client_id: str
    application_id: int | None
    audience: tuple[str, ...]
    """Who it is for: the resources it names, or its client's application, or ourselves."""
    scopes: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime
    jti: str
    grant: GrantView | None = None
    """None for a client's token on its own account."""
    refresh: bool = False
    resources: tuple[str, ...] = ()
    bound_to: str | None = None
    """The key whoever presents it must prove (``jkt:…``, ``x5t:…``)."""

    fapi: bool = False
    """Whether its client follows FAPI 2.0."""
    by_name: bool = False
    """Whether it is told what the claims request asks for by name (OIDC Core §5.5), beyond its own
    scopes: only a token as large as its grant is, and no child."""

    @property
    def cnf(self) -> dict[str, str]:
        """The claim ``cnf`` (RFC 7800, RFC 8705 §3.1, RFC 9449 §6.1); empty: anybody's."""
        return confirmation(self.bound_to)


def confirmation(bound_to: str | None) -> dict[str, str]:
    """``cnf`` of a key."""
    if bound_to is None:
        return {}
    kind, _, digest = bound_to.partition(":")
    return {"jkt" if kind == "jkt" else "x5t#S256": digest}


def token_type(bound_to: str | None) -> str:
    """``token_type`` of a token bound so: DPoP (RFC 9449 §5); those of certificates are used as
    bearer tokens are (RFC 8705 §3).
    """
    return "DPoP" if bound_to is not None and bound_to.startswith("jkt:") else "Bearer"


def bound(cnf: dict[str, str]) -> str | None:
    """The key that such a claim names; None: anybody's."""
    if "jkt" in cnf:
        return "jkt:" + cnf["jkt"]
    return "x5t:" + cnf["x5t#S256"] if "x5t#S256" in cnf else None
