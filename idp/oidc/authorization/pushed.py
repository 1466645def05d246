"""Pushed authorization requests (RFC 9126).

``request_uri`` is a handle: it names a row, belongs to the client that pushed it, must be
brought by a browser within ``pushed_request_lifetime``, and then lives as long as the sign-in
it leads to. It is used up when the client is answered.

A request that the client has signed (RFC 9101) and a browser has brought goes on in the same
way, but nothing of it is written: anybody may bring one. What was found in it travels in the
``request_uri`` itself, sealed; that it has been used up is remembered.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError
from sqlalchemy import (
    BindParameter,
    Connection,
    ForeignKey,
    bindparam,
    delete,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.base import hot, replay_cache
from directory.base.crypto import random_id
from directory.base.db import Base, UTCDateTime
from directory.base.errors import Misconfigured
from idp.oidc.authorization.page_error import PageError
from idp.oidc.clients.view import ClientView
from idp.oidc.proofs import dpop
from idp.oidc.proofs.dpop import DpopProof
from idp.oidc.request import LONGEST, Provider

URN = "urn:ietf:params:oauth:request_uri:"
CONSENT = timedelta(minutes=15)
"""What a person may take to consent, after she has signed in."""
_CARRIED = "ddq_"
_PURPOSE = "carried-request"
_BESIDE = 500
"""Characters left for what stands beside it in a query."""


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


_PREFIX = "the_"
_ID: BindParameter[str] = bindparam("request")
_NOW = bindparam("now", type_=UTCDateTime())
_UNTIL = bindparam("until", type_=UTCDateTime())
_NAMED = [bindparam(c.name, type_=c.type) for c in PushedRequest.__table__.columns]
_KEEP = hot.write(insert(PushedRequest).values({each.key: each for each in _NAMED}))
_FIRST = replay_cache.FIRST
_KEEP_IF_FIRST = hot.write(
    insert(PushedRequest)
    .from_select(
        [each.key for each in _NAMED],
        select(
            *(bindparam(_PREFIX + each.key, type_=each.type).label(each.key) for each in _NAMED)
        ).select_from(_FIRST),
    )
    .returning(PushedRequest.id)
)
COLUMNS = ("id", "parameters", "jkt", "signed", "pushed_at")
"""What ``usable`` reads."""
_FIND = hot.read(
    select(*(getattr(PushedRequest, name) for name in COLUMNS)).where(
        PushedRequest.id == _ID,
        PushedRequest.client_id == bindparam("client"),
        PushedRequest.used_at.is_(None),
        PushedRequest.expires_at > _NOW,
    )
)
_PROLONG = hot.write(
    update(PushedRequest)
    .where(PushedRequest.id == _ID, PushedRequest.expires_at < _UNTIL)
    .values(expires_at=_UNTIL)
)
USED_UP = (
    update(PushedRequest)
    .where(PushedRequest.id == _ID, PushedRequest.used_at.is_(None))
    .values(used_at=_NOW)
    .returning(PushedRequest.id)
)
"""The request, by whoever comes first."""
_CONSUME = hot.write(USED_UP)


@dataclass(frozen=True)
class UsableRequest:
    """A pushed request that may be used."""

    id: str
    parameters: dict[str, str]
    jkt: str | None
    signed: bool
    pushed_at: datetime
    carried: bool = False
    """It is no row: its name says it."""


def keep(
    connection: Connection,
    client: ClientView,
    parameters: Mapping[str, str],
    *,
    now: datetime,
    lifetime: timedelta,
    proof: DpopProof | None = None,
    signed: bool = False,
) -> str:
    """Remember a request; its id. The proof it came with is spent with it: on PostgreSQL by the same
    INSERT, on SQLite by one before it. Raises InvalidProof when it was presented before.
    """
    request_id = random_id()
    row = {
        "id": request_id,
        "client_id": client.id,
        "parameters": dict(parameters),
        "signed": signed,
        "jkt": None if proof is None else proof.jkt,
        "pushed_at": now,
        "expires_at": now + lifetime,
        "used_at": None,
    }
    if proof is not None and connection.dialect.name == "postgresql":
        given = {_PREFIX + name: value for name, value in row.items()}
        spent = {"digest": proof.digest, "expires_at": proof.until}
        if _KEEP_IF_FIRST.one(connection, **given, **spent) is None:
            raise dpop.used_before()
        return request_id
    if proof is not None:
        proof.spend(connection)
    _KEEP.run(connection, **row)
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
    text = request_uri.removeprefix(URN)
    if text.startswith(_CARRIED):
        return _opened(provider, connection, text.removeprefix(_CARRIED), client, now=now)
    request_id = named(provider, request_uri)
    row = (
        _FIND.one(connection, request=request_id, client=client.id, now=now)
        if request_id is not None
        else None
    )
    if row is None:
        raise over()
    return usable(row)


def named(provider: Provider, request_uri: str) -> str | None:
    """The id of the row that a ``request_uri`` of ours names; None where it names none."""
    if not request_uri.startswith(URN):
        return None
    return provider.tokens.handles.open_pushed(request_uri.removeprefix(URN))


def usable(row: Any, prefix: str = "") -> UsableRequest:
    """The request of a row that has these columns."""
    return UsableRequest(*(getattr(row, prefix + name) for name in COLUMNS))


def over() -> PageError:
    """Nobody can bring it any more."""
    return PageError("invalid_request_uri", "Yêu cầu đăng nhập này đã dùng rồi hoặc đã hết hạn.")


def carried(
    provider: Provider, client: ClientView, parameters: Mapping[str, str], *, now: datetime
) -> tuple[UsableRequest, str]:
    """A signed request that a browser has brought, and the ``request_uri`` that says all of it.
    Raises InvalidRequestError for more than an address can say.
    """
    found = UsableRequest(
        random_id(), dict(parameters), None, signed=True, pushed_at=now, carried=True
    )
    told = [found.id, client.id, found.parameters, now.isoformat()]
    plain = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    sealed = provider.tools.keyring.encrypt(_PURPOSE, zlib.compress(plain, 9)).rstrip("=")
    name = URN + _CARRIED + sealed
    if len(name) > LONGEST - _BESIDE:
        raise InvalidRequestError("The signed request is too long.")
    return found, name


def _opened(
    provider: Provider, connection: Connection, text: str, client: ClientView, *, now: datetime
) -> UsableRequest:
    """Raises PageError."""
    try:
        padded = text + "=" * (-len(text.partition(".")[2]) % 4)
        plain = provider.tools.keyring.decrypt(_PURPOSE, padded)
    except Misconfigured:
        raise over() from None
    request_id, whose, parameters, brought_at = json.loads(zlib.decompress(plain))
    at = datetime.fromisoformat(brought_at)
    found = UsableRequest(request_id, parameters, None, signed=True, pushed_at=at, carried=True)
    used = replay_cache.known(connection, _digest(found))
    if whose != client.id or _ends(provider, found) <= now or used:
        raise over()
    return found


def _digest(found: UsableRequest) -> str:
    return replay_cache.digest("request", "", found.id)


def _ends(provider: Provider, found: UsableRequest) -> datetime:
    """When it is over at the latest, however often a browser brings it: a sign-in and a consent
    after it was pushed.
    """
    lifetime = provider.tools.settings.flow_lifetime
    return found.pushed_at + timedelta(seconds=lifetime) + CONSENT


def prolong(provider: Provider, connection: Connection, found: UsableRequest) -> None:
    """A browser has brought it in time: it lives as long as the sign-in it leads to."""
    if found.carried:
        return
    until = _ends(provider, found)
    _PROLONG.run(connection, request=found.id, until=until)


def consume(
    provider: Provider, connection: Connection, found: UsableRequest, *, now: datetime
) -> None:
    """The client is answered: use it up. Raises PageError for whoever comes second."""
    if found.carried:
        used = replay_cache.first(connection, _digest(found), until=_ends(provider, found))
    else:
        used = _CONSUME.one(connection, request=found.id, now=now) is not None
    if not used:
        raise over()


def purge(session: Session, *, now: datetime) -> None:
    """Delete what nobody can bring any more."""
    over = or_(PushedRequest.expires_at < now, PushedRequest.used_at.is_not(None))
    session.execute(delete(PushedRequest).where(over))
