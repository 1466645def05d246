"""Where passkeys are good: the RP ID, and why there can be none at some addresses.

A passkey belongs to a name, its RP ID (W3C Web Authentication Level 3 §5.1.2): the issuer's host, or
a parent of it that the setting ``passkey_rp_id`` names. Browsers know none for an address (127.0.0.1),
for a name under which others register theirs (a public suffix: ``gov.vn``, ``thanhhoa.vn``), and on
pages that came without TLS, ``localhost`` apart.

Whoever changes it makes every passkey useless, so that it is frozen once somebody has one
(``frozen``).
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from publicsuffixlist import PublicSuffixList
from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from directory.base import hosts
from directory.base.config import Settings
from directory.base.db import core
from directory.base.errors import Conflict
from idp.factors.enrolled import LIVE, EnrolledFactor

CODE = "passkey"
_LOCAL = "localhost"


class Without(StrEnum):
    """Why there are no passkeys at an address."""

    ADDRESS = "address"
    """It is no name."""
    INSECURE = "insecure"
    """Pages come there without TLS."""
    SUFFIX = "suffix"
    """Others have names of their own under this one."""
    ELSEWHERE = "elsewhere"
    """The RP ID that is set is neither the issuer's host nor a parent of it, and the issuer's origin
    is none of those that ``passkey_related_origins`` names (§5.11)."""


@dataclass(frozen=True)
class Site:
    """What a browser must say that it has signed for."""

    rp_id: str
    origin: str


def rp_id(settings: Settings) -> str:
    """The RP ID that is set, possible or not."""
    host = hosts.Host.of(settings.issuer)
    return settings.passkey_rp_id or (host.name if host is not None else "")


def without(settings: Settings) -> Without | None:
    """Why there are no passkeys here; None where there are."""
    named, host = rp_id(settings), hosts.Host.of(settings.issuer)
    at = host.name if host is not None else ""
    if hosts.address(named) is not None or hosts.address(at) is not None:
        return Without.ADDRESS
    if not settings.secure and not _is_local(at):
        return Without.INSECURE
    if is_suffix(named):
        return Without.SUFFIX
    if not covers(settings) and settings.issuer not in settings.passkey_related_origins:
        return Without.ELSEWHERE
    return None


def site(settings: Settings) -> Site | None:
    """Where passkeys are good; None where there are none."""
    found = hosts.origin(settings.issuer)
    if found is None or without(settings) is not None:
        return None
    scheme, host = found
    return Site(rp_id(settings), f"{scheme}://{host.spelt}")


def _is_local(name: str) -> bool:
    """Whether browsers take it for this very machine (W3C Secure Contexts §3.1)."""
    return name == _LOCAL or name.endswith(f".{_LOCAL}")


def covers(settings: Settings) -> bool:
    """Whether the RP ID is the issuer's host or a parent of it, as every browser asks."""
    named, host = rp_id(settings), hosts.Host.of(settings.issuer)
    return host is not None and f".{host.name}".endswith(f".{named}")


@lru_cache(maxsize=16)
def is_suffix(name: str) -> bool:
    """Whether others have names of their own under this one. The list is read, asked and let go."""
    return name != _LOCAL and bool(PublicSuffixList().is_public(name))


def frozen(where: Connection | Session) -> str | None:
    """The RP ID of the oldest passkey that anybody has; None while nobody has one."""
    oldest = (
        select(EnrolledFactor.public)
        .where(EnrolledFactor.kind == CODE, LIVE)
        .order_by(EnrolledFactor.id)
        .limit(1)
    )
    public = core(where).execute(oldest).scalar_one_or_none()
    return str(public["rp_id"]) if public else None


def require_same(where: Connection | Session, site: Site) -> None:
    """Raises Conflict where people have passkeys of another name than this one."""
    before = frozen(where)
    if before not in (None, site.rp_id):
        raise Conflict(
            "passkey_moved",
            "Khóa đăng nhập (passkey) ở đây thuộc về tên miền {before}, nay hệ thống dùng {now}. Hãy "
            "báo người quản trị đặt lại passkey_rp_id = {before}.",
            before=before,
            now=site.rp_id,
        )
