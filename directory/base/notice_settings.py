"""Settings of notices: whom to ask, who answers for security, and by which channels they leave."""

from pathlib import Path

from pydantic import BaseModel, field_validator


class NoticeSettings(BaseModel):
    """The part of ``Settings`` that is about telling people."""

    notice_contact: str = ""
    """Whom people are to ask, in every notice: an office, a telephone number. Empty: their own
    organisation's personnel office, by that name."""
    notice_days: int = 365
    """So long it is kept what was told to whom."""
    notice_from: str = ""
    """The address that mails come from; empty: ``no-reply`` at the issuer's host."""
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


def looks_like_an_address(value: str) -> bool:
    """Whether it has the form of one, in one line."""
    local, at, domain = value.rpartition("@")
    return (
        bool(local and at and domain)
        and value.isascii()
        and not set(value) & set(" \t\r\n,;<>\"'()")
    )
