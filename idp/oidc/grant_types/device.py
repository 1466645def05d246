"""The device authorization grant (RFC 8628): somebody says yes elsewhere, the device asks until
then.

    /oauth2/device_authorization    a device code (a handle) and a code a person can type
    /device                         where she types it and decides (``authorization.device``)
    /oauth2/token                   pending, slow down, denied, expired, or the tokens, once

What she allows is a grant like any other, with no browser session behind it: its one-time code
is the device code, consumed by the same UPDATE … WHERE unused RETURNING before anything is
issued. Presented again later, or by a public client at all, whatever it gave is revoked.
"""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from authlib.oauth2.rfc6749 import (
    AccessDeniedError,
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    UnauthorizedClientError,
)
from authlib.oauth2.rfc8628 import (
    AuthorizationPendingError,
    ExpiredTokenError,
    SlowDownError,
)
from sqlalchemy import Connection, ForeignKey, bindparam, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.base import hot
from directory.base.crypto import Keyring, random_id
from directory.base.db import Base, UTCDateTime
from directory.base.rows import for_each_dialect
from idp.oidc import grants
from idp.oidc.clients.kinds import GrantType
from idp.oidc.clients.view import ClientView
from idp.oidc.grant_types.issuing import revoke
from idp.oidc.grants import GRACE, GrantView
from idp.oidc.request import Call

PAGE = "/device"
ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""§6.1: no vowels, so that no word comes about, and nothing that looks like a digit."""
LETTERS = 8
MORE = 5
"""§3.5: seconds the interval grows by when the device does not keep to it."""
JITTER = timedelta(milliseconds=500)
"""A poll may have taken longer on its way than the one after it."""
KEPT = timedelta(minutes=10)
"""How long a request is remembered after its end: its device is told that it has expired."""


class DeviceRequest(Base):
    """A device that waits for a person to say yes elsewhere."""

    __tablename__ = "device_request"

    id: Mapped[str] = mapped_column(primary_key=True)
    user_code_hash: Mapped[str] = mapped_column(unique=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("client.id"))
    scopes: Mapped[list[str]]
    resources: Mapped[list[str]]
    client_epoch: Mapped[int]
    """The client's, and its application's, when the device asked: a cut ends the request too."""
    application_epoch: Mapped[int | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    ip: Mapped[str | None]
    """Where the device asked from; shown to whoever decides."""
    interval: Mapped[int]
    """Seconds the device must wait between two questions; grows when it does not (§3.5)."""
    asked_at: Mapped[datetime | None]
    decided_at: Mapped[datetime | None]
    grant_id: Mapped[str | None] = mapped_column(ForeignKey("access_grant.id"))
    """What the person allowed; None after ``decided_at``: she said no."""


@dataclass(frozen=True)
class WaitingDevice:
    """A device request as a poll sees it."""

    id: str
    client_id: int
    client_epoch: int
    application_epoch: int | None
    expires_at: datetime
    interval: int
    asked_at: datetime | None
    decided_at: datetime | None
    grant_id: str | None

    def too_fast(self, now: datetime) -> bool:
        """Whether the device has not waited as long as it was told to."""
        wait = timedelta(seconds=self.interval) - JITTER
        return self.asked_at is not None and now - self.asked_at < wait


_WAITING = hot.read(
    select(*(getattr(DeviceRequest, name) for name in WaitingDevice.__annotations__)).where(
        DeviceRequest.id == bindparam("request")
    )
)
_ASKED = hot.write(
    update(DeviceRequest)
    .where(DeviceRequest.id == bindparam("request"))
    .values(
        asked_at=bindparam("now", type_=UTCDateTime()),
        interval=DeviceRequest.interval + bindparam("more"),
    )
)
_LATER = {"asked_at", "decided_at", "grant_id"}
"""Columns that nothing is written to when a device asks."""
_VALUES = {
    c.name: bindparam(c.name, type_=c.type)
    for c in DeviceRequest.__table__.columns
    if c.name not in _LATER
}
_INSERT = hot.write(
    for_each_dialect(
        lambda insert: (
            insert(DeviceRequest)
            .values(_VALUES)
            .on_conflict_do_nothing(index_elements=["user_code_hash"])
            .returning(DeviceRequest.id)
        )
    )
)


def device_flow_registered(call: Call) -> None:
    """The client has registered the device flow."""
    if not call.client.check_grant_type(GrantType.DEVICE):
        raise UnauthorizedClientError("The client may not use the device flow.")


def device_scope_allowed(call: Call) -> None:
    """``scope`` holds something the client may have."""
    call.scopes = allowed_scopes(call.client, call.request.payload.scope)


def begun(call: Call) -> dict[str, Any]:
    """A device code and a user code, and how to go on with them. One INSERT."""
    provider, request, client = call.provider, call.request, call.client
    settings = provider.tools.settings
    request_id = random_id()
    row = {
        "id": request_id,
        "client_id": client.id,
        "scopes": call.scopes,
        "resources": call.resources,
        "client_epoch": client.epoch,
        "application_epoch": client.application_epoch,
        "created_at": request.now,
        "expires_at": request.now + timedelta(seconds=settings.device_lifetime),
        "ip": request.source[0],
        "interval": settings.device_interval,
    }
    user_code = _kept(request.connection, provider.tools.keyring, row)
    page = settings.issuer + PAGE
    return {
        "device_code": provider.tokens.handles.device(request_id),
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": f"{page}?user_code={user_code}",
        "expires_in": settings.device_lifetime,
        "interval": settings.device_interval,
    }


def _kept(connection: Connection, keyring: Keyring, row: dict[str, Any]) -> str:
    """Write the request under a code that no other waiting device shows; the code."""
    while True:
        code = _user_code()
        hashed = {"user_code_hash": code_hash(keyring, code)}
        if _INSERT.one(connection, **row, **hashed):
            return code


def _user_code() -> str:
    """``WDJB-MJHT``: 34 bits, for minutes, against few guesses (§5.1)."""
    return spelt("".join(secrets.choice(ALPHABET) for _ in range(LETTERS)))


@dataclass
class Poll(Call):
    """A device asks whether somebody has decided."""

    waiting: WaitingDevice = field(init=False)


def device_code_known(call: Poll) -> None:
    """The device code is of ours, and this client's. One SELECT."""
    text = call.request.get("device_code")
    if text is None:
        raise InvalidRequestError("Missing device_code.")
    request_id = call.provider.tokens.handles.open_device(text)
    found = waiting(call.request.connection, request_id) if request_id is not None else None
    # RFC 6749 §5.2: "was issued to another client" is invalid_grant.
    if found is None or found.client_id != call.client.id:
        raise InvalidGrantError
    call.waiting = found


def waiting(connection: Connection, request_id: str) -> WaitingDevice | None:
    """The device request of this id, while it is remembered."""
    row = _WAITING.one(connection, request=request_id)
    return WaitingDevice(*row) if row is not None else None


def decided(call: Poll) -> None:
    """Somebody has answered, and said yes (RFC 8628 §3.5). One UPDATE where nobody has."""
    if call.waiting.decided_at is None:
        _wait(call)
    if call.waiting.grant_id is None:
        raise AccessDeniedError


def device_code_redeemable(call: Poll) -> None:
    """The device code is unused, in time, and its grant living. One SELECT."""
    request, waiting = call.request, call.waiting
    grant = grants.read_with_person(request.connection, waiting.grant_id or "", now=request.now)
    if grant is None:
        raise InvalidGrantError
    if grant.code_used_at is not None:
        _again(call, grant)
    if grant.code_expires_at <= request.now:
        raise ExpiredTokenError
    if not grant.living or not current(waiting, call.client):
        raise InvalidGrantError
    request.belongs(grant)


def device_code_used_up(call: Poll) -> None:
    """The device code, by whoever comes first. One UPDATE."""
    request, grant = call.request, call.grant
    if grants.consume_code(
        request.connection, grant.id, call.client.id, now=request.now, bound_to=request.bound_to
    ):
        return
    again = grants.read(request.connection, grant.id, now=request.now)
    if again is not None and again.code_used_at is not None:
        _again(call, again)
    raise InvalidGrantError


def _wait(call: Poll) -> None:
    """Nobody has decided: raises what the device is to be told."""
    request, waiting = call.request, call.waiting
    # Once its client was cut off nobody can answer it any more (``authorization.device``).
    if waiting.expires_at <= request.now or not current(waiting, call.client):
        raise ExpiredTokenError
    fast = waiting.too_fast(request.now)
    more = MORE if fast else 0
    _ASKED.run(request.connection, request=waiting.id, now=request.now, more=more)
    raise SlowDownError if fast else AuthorizationPendingError


def _again(call: Call, grant: GrantView) -> None:
    """The code was used before. A device that asks twice at once loses nothing, if its client
    proves who it is or it holds the key the first answer was bound to; else, and later, two
    parties hold the code, and what it gave is revoked (RFC 6749 §4.1.2).
    """
    used, key = grant.code_used_at, grant.bound_to
    proven = not call.client.public or (key is not None and key == call.request.bound_to)
    if used is not None and not (proven and call.request.now - used <= GRACE):
        revoke(call, grant, "device_code_replay")
    raise InvalidGrantError


def current(request: Any, client: ClientView) -> bool:
    """Whether neither the client nor its application was cut off since the device asked."""
    asked = (request.client_epoch, request.application_epoch)
    return bool(asked == (client.epoch, client.application_epoch))


def allowed_scopes(client: ClientView, asked: str | None) -> list[str]:
    """Those it may have of the scopes it asks for.

    Raises InvalidScopeError when nothing is left, as at the authorization endpoint.
    """
    allowed = client.get_allowed_scope(asked)
    # OIDC Core §11: offline access is ignored where no refresh token can be had.
    refreshable = client.check_grant_type(GrantType.REFRESH)
    scopes = [s for s in (allowed or "").split() if refreshable or s != "offline_access"]
    if not scopes:
        raise InvalidScopeError
    return scopes


def letters(text: str) -> str | None:
    """The letters of a code as somebody typed it (§6.1: case and signs do not count), or None."""
    found = "".join(c for c in text.upper() if c.isalnum()) if len(text) < 100 else ""
    return found if len(found) == LETTERS and set(found) <= set(ALPHABET) else None


def spelt(code: str) -> str:
    """The code as devices show it."""
    return f"{code[:4]}-{code[4:]}"


def code_hash(keyring: Keyring, code: str) -> str:
    """How a user code is kept."""
    return keyring.keyed_hash("device-user-code", code.replace("-", ""))


def purge(session: Session, *, now: datetime) -> None:
    """Delete what no device will ask for any more."""
    session.execute(delete(DeviceRequest).where(DeviceRequest.expires_at < now - KEPT))
