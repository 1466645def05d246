"""How one directory server is reached and how accounts look in it."""

import re
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

_CONTAINER_PART = re.compile(r"(ou|o)=([^,=\\{}]|\{department\}|\{organization\})+", re.IGNORECASE)


class Security(StrEnum):
    """How the connection is protected."""

    LDAPS = "ldaps"
    STARTTLS = "starttls"
    PLAIN = "plain"
    """Not at all: passwords and personal data cross the wire readable."""


class LdapSettings(BaseModel):
    """The settings of one directory server; its secret is the password of ``bind_dn``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(min_length=1)
    port: int = Field(default=636, ge=1, le=65535)
    security: Security = Security.LDAPS
    ca_file: Path | None = None
    """PEM bundle that signs the server's certificate; empty means the system's."""
    bind_dn: str = Field(min_length=1)
    base: str = Field(min_length=1)
    """Below it all our entries live; it must exist."""
    container: str = ""
    """Relative to ``base``, of ``ou=`` and ``o=`` parts; ``{department}`` and ``{organization}``
    are filled in, escaped."""
    object_classes: tuple[str, ...] = ("inetOrgPerson", "shadowAccount")
    rdn_attribute: str = "uid"
    external_id_attribute: str = "employeeNumber"
    """Holds the person's OIDC ``sub``."""
    role_attribute: str = "employeeType"
    disabled_attribute: str = "shadowExpire"
    disabled_value: str = "1"
    disabled_container: str | None = None
    """Relative to ``base``; where disabled entries go, if they are to go anywhere."""
    adopt_by_username: bool = False
    """Whether an entry with our uid and *no* external id may be taken over."""
    page_size: int = Field(default=500, ge=1, le=1000)
    timeout: int = Field(default=8, ge=1, le=25)
    """Seconds, for connecting and for each answer."""

    @field_validator("container", "disabled_container")
    @classmethod
    def _container_is_simple(cls, value: str | None) -> str | None:
        parts = value.split(",") if value else []
        if not all(_CONTAINER_PART.fullmatch(part.strip()) for part in parts):
            raise ValueError(
                "must be ou=… and o=… parts separated by commas; only {department} and "
                "{organization} are filled in"
            )
        return value
