"""Pairwise subjects (OIDC Core §8.1): who she is to one sector, and to no other.

    sub    HMAC-SHA256(salt of the sector, "sub" and the public ``sub``)
    sid    the same over the session: it would link two sectors as well as ``sub`` does

A sector keeps a salt of its own for ever, sealed under the keyring: ``sub`` stays what it is
when keys of the installation are replaced. It is read with the client or the grant that it is for.
"""

import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Iterable
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, case, func, literal_column, select
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from connectors.errors import ConnectorError
from connectors.outbound import Outbound
from directory.base import base64url
from directory.base.crypto import Keyring
from directory.base.db import Base
from directory.base.errors import Busy, InvalidInput, Misconfigured
from directory.base.rows import insert_into

SLOWEST = 5.0
"""Seconds the call for a sector's document may take."""
AT_ONCE = 2
"""Calls under way at the same time: slow servers of clients must not take all our threads."""
_calls = threading.BoundedSemaphore(AT_ONCE)
_PURPOSE = "subject-sector"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Sector(Base):
    """A sector identifier (a host name) and its salt."""

    __tablename__ = "subject_sector"

    identifier: Mapped[str] = mapped_column(primary_key=True)
    salt_sealed: Mapped[str]


def salt_of(sector: InstrumentedAttribute[str | None]) -> ColumnElement[str | None]:
    """The sealed salt of a client's sector, for the statement that reads the client: nobody has to
    remember it. None for whoever is told public names, empty where it is missing.
    """
    sealed = select(Sector.salt_sealed).where(Sector.identifier == sector).scalar_subquery()
    return case((sector.is_not(None), func.coalesce(sealed, literal_column("''"))))


class PairwiseSubjects:
    """What people and sessions are called. ``salt`` is that of the sector of the client that is
    told, sealed as it is stored; None for public names.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def subject(self, sub: str, salt: str | None) -> str:
        """The ``sub`` this sector is told."""
        return sub if salt is None else self._told("sub", sub, salt)

    def session(self, session_id: str, salt: str | None) -> str:
        """The ``sid`` this sector is told."""
        return session_id if salt is None else self._told("sid", session_id, salt)

    def _told(self, kind: str, name: str, sealed: str) -> str:
        if not sealed:
            # Fail closed: the public name must not be told in its place.
            raise Misconfigured("sector_missing", "Thiếu dữ liệu của nhóm ứng dụng ẩn danh.")
        salt = self._keyring.decrypt(_PURPOSE, sealed)
        digest = hmac.new(salt, f"{kind}\0{name}".encode(), hashlib.sha256).digest()
        return base64url.encode(digest)


def ensure(session: Session, identifier: str, *, keyring: Keyring) -> None:
    """Give the sector a salt unless it has one."""
    sealed = keyring.encrypt(_PURPOSE, secrets.token_bytes(32))
    session.execute(
        insert_into(session, Sector)
        .values(identifier=identifier, salt_sealed=sealed)
        .on_conflict_do_nothing()
    )


def identifier(redirect_uris: Iterable[str], sector_identifier_uri: str | None) -> str:
    """The sector of a client (OIDC Core §8.1): the host of its ``sector_identifier_uri``, else
    the one host of all its redirect URIs. Raises InvalidInput.
    """
    uris = tuple(redirect_uris)
    if not uris:
        # Whoever names no address could claim anybody's sector.
        raise InvalidInput(
            "client_subject_type",
            "Mã định danh riêng cần có địa chỉ chuyển về.",
            field="subject_type",
        )
    if sector_identifier_uri is not None:
        return str(urlsplit(sector_identifier_uri).hostname)
    hosts = {urlsplit(uri).hostname or "" for uri in uris}
    # The loopback is everybody's: two applications there are no sector.
    if len(hosts) != 1 or hosts & {"", *_LOOPBACK}:
        raise InvalidInput(
            "client_sector_identifier_uri",
            "Địa chỉ chuyển về không cùng một máy chủ: cần sector_identifier_uri.",
            field="sector_identifier_uri",
        )
    return hosts.pop()


def require_vouched(outbound: Outbound, uri: str, redirect_uris: Iterable[str]) -> None:
    """The document at ``sector_identifier_uri`` must list every redirect URI (OIDC Registration
    §5). One call; never inside a transaction. Raises InvalidInput, and Busy while others call.
    """
    if not _calls.acquire(blocking=False):
        raise Busy("busy", "Hệ thống đang bận, hãy thử lại sau giây lát.")
    try:
        answer = outbound.request(
            "GET", uri, headers={"Accept": "application/json"}, timeout=SLOWEST
        )
        listed = json.loads(answer.require_ok().body)
    except (ConnectorError, ValueError, RecursionError) as exc:
        raise InvalidInput(
            "client_sector_identifier_uri",
            "Không đọc được tệp tại sector_identifier_uri.",
            field="sector_identifier_uri",
        ) from exc
    finally:
        _calls.release()
    if not isinstance(listed, list) or not set(redirect_uris) <= {
        each for each in listed if isinstance(each, str)
    }:
        raise InvalidInput(
            "client_sector_identifier_uri",
            "Tệp tại sector_identifier_uri không có đủ các địa chỉ chuyển về.",
            field="sector_identifier_uri",
        )
