"""Settings of notices: whom to ask, who answers for security, and by which channels they leave."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, Field, field_validator, model_validator


class NoticeSettings(BaseModel):
    """The part of ``Settings`` that is about telling people."""

    notice_contact: str = ""
    """Whom people are to ask, in every notice: an office, a telephone number. Empty: their own
    organisation's personnel office, by that name."""
    notice_days: int = Field(default=365, ge=1)
    """So long it is kept what was told to whom."""
    notice_from: str = ""
    """The address that mails come from; empty: ``no-reply`` at the issuer's host."""
    smtp_host: str = ""
    """The mail server; empty: none."""
    smtp_port: int = Field(default=0, ge=0, le=65535)
    """0: 587 with ``starttls``, 465 with ``tls``, 25 with ``none``."""
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """How its connection is protected. Its certificate must name ``smtp_host`` and be vouched for by
    ``outbound_ca_file``, or by an authority the system trusts."""
    smtp_user: str = ""
    """Whom we sign in as there; empty: we do not."""
    smtp_password_file: Path | None = None
    """The file whose first line is the password, readable for its owner alone."""
    mail_drop: Path | None = None
    """A folder into which each mail is put as a file, for a closed network."""
    text_drop: Path | None = None
    """A folder into which each text message is put as a file, as ``smsd`` takes it."""
    security_officers: list[str] = []
    """Addresses of those who are told when somebody says that another person was at her account."""

    @field_validator("notice_from")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if value and not looks_like_an_address(value):
            raise ValueError(f"not an e-mail address: {value}")
        return value

    @field_validator("security_officers")
    @classmethod
    def _are_addresses(cls, value: list[str]) -> list[str]:
        if wrong := [each for each in value if not looks_like_an_address(each)]:
            raise ValueError(f"not an e-mail address: {', '.join(wrong)}")
        return value

    @model_validator(mode="after")
    def _no_password_in_clear(self) -> Self:
        if bool(self.smtp_user) != (self.smtp_password_file is not None):
            raise ValueError("smtp_user and smtp_password_file go together")
        if self.smtp_user and self.smtp_security == "none":
            raise ValueError("smtp_user needs smtp_security: nobody's password goes out in clear")
        return self


def looks_like_an_address(value: str) -> bool:
    """Whether it has the form of one, in one line."""
    local, at, domain = value.rpartition("@")
    return (
        bool(local and at and domain)
        and value.isascii()
        and not set(value) & set(" \t\r\n,;<>\"'()")
    )
