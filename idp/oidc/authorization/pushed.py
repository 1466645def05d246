"""Pushed authorization requests (RFC 9126).

``request_uri`` is a handle: it names a row, belongs to the client that pushed it, must be
brought by a browser within ``pushed_request_lifetime``, and then lives as long as the sign-in
it leads to. It is used up when the client is answered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, ForeignKey, delete, insert, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.base.crypto import random_id
from directory.base.db import Base
from idp.oidc.authorization.page_error import PageError
from idp.oidc.clients.view import ClientView
from idp.oidc.provider import Provider

URN = "urn:ietf:params:oauth:request_uri:"
CONSENT = timedelta(minutes=15)
"""What a person may take to consent, after she has signed in."""


class PushedRequest(Base):
    """The parameters one client has pushed, until they have been used."""

    __tablename__ = "pushed_request"

    id: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("client.id"))
    parameters: Mapped[dict[str, Any]]
    """As they count: of a signed request, those it signed."""
    signed: Mapped[bool]
    jkt: Mapped[str | None]
    """The DPoP key it was pushed with (RFC 9449 §10.1)."""
    pushed_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


@dataclass(frozen=True)
class UsableRequest:
    """A pushed request that may be used."""

    id: str
    parameters: dict[str, str]
    jkt: str | None
    signed: bool
    pushed_at: datetime


def keep(
    connection: Connection,
    client: ClientView,
    parameters: Mapping[str, str],
    *,
    now: datetime,
    lifetime: timedelta,
    jkt: str | None = None,
    signed: bool = False,
) -> str:
    """Remember a request; its id. One INSERT."""
    request_id = random_id()
    row = {
        "id": request_id,
        "client_id": client.id,
        "parameters": dict(parameters),
        "signed": signed,
        "jkt": jkt,
        "pushed_at": now,
        "expires_at": now + lifetime,
    }
    connection.execute(insert(PushedRequest), [row])
    return request_id


def uri(provider: Provider, request_id: str) -> str:
    """The ``request_uri`` of a request we keep."""
    return URN + provider.tokens.handles.pushed(request_id)


def find(
    provider: Provider,
    connection: Connection,
    request_uri: str,
    client: ClientView,
    *,
    now: datetime,
) -> UsableRequest:
    """The request of a ``request_uri``, if this client pushed it and it may still be used.

    Raises PageError.
    """
    request_id = provider.tokens.handles.open_pushed(request_uri.removeprefix(URN))
    row = (
        connection.execute(
            select(
                PushedRequest.parameters,
                PushedRequest.jkt,
                PushedRequest.signed,
                PushedRequest.pushed_at,
            ).where(
                PushedRequest.id == request_id,
                PushedRequest.client_id == client.id,
                PushedRequest.used_at.is_(None),
                PushedRequest.expires_at > now,
            )
        ).one_or_none()
        if request_id is not None
        else None
    )
    if request_id is None or row is None:
        raise PageError("invalid_request_uri", "Yêu cầu đăng nhập này đã dùng rồi hoặc đã hết hạn.")
    return UsableRequest(request_id, row.parameters, row.jkt, row.signed, row.pushed_at)


def ends(pushed_at: datetime, *, flow_lifetime: int) -> datetime:
    """When it is over at the latest, however often a browser brings it: a sign-in and a consent
    after it was pushed.
    """
    return pushed_at + timedelta(seconds=flow_lifetime) + CONSENT


def prolong(connection: Connection, request_id: str, *, until: datetime) -> None:
    """A browser has brought it in time: it lives as long as the sign-in it leads to."""
    connection.execute(
        update(PushedRequest)
        .where(PushedRequest.id == request_id, PushedRequest.expires_at < until)
        .values(expires_at=until)
    )


def consume(connection: Connection, request_id: str, *, now: datetime) -> None:
    """The client is answered: use it up. Raises PageError for whoever comes second."""
    used = connection.execute(
        update(PushedRequest)
        .where(PushedRequest.id == request_id, PushedRequest.used_at.is_(None))
        .values(used_at=now)
        .returning(PushedRequest.id)
    ).first()
    if used is None:
        raise PageError("invalid_request_uri", "Yêu cầu đăng nhập này đã dùng rồi hoặc đã hết hạn.")


def purge(session: Session, *, now: datetime) -> None:
    """Delete what nobody can bring any more."""
    over = or_(PushedRequest.expires_at < now, PushedRequest.used_at.is_not(None))
    session.execute(delete(PushedRequest).where(over))
