"""What a person is shown of a device that waits for her, and what comes of her answer (RFC 8628
§3.3).

She is always asked, also for applications of ours: the request was made by a device that may
stand anywhere, and whoever talked her into typing its code would be signed in as her (§5.4).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from authlib.oauth2.rfc6749 import InvalidScopeError
from sqlalchemy import Connection, select, update
from sqlalchemy.orm import Session

from directory.base import audit, signed_values
from directory.base.audit import Actor, Tag
from directory.base.clock import local_day
from directory.base.crypto import random_id
from directory.base.errors import Conflict, NotAllowed
from idp import demands
from idp.assurance import may_last
from idp.demands import Asked, Rules, Situation
from idp.oidc import entitlement, grants, resources
from idp.oidc.authorization import consent
from idp.oidc.clients import view as client_view
from idp.oidc.clients.kinds import GrantType
from idp.oidc.clients.view import ClientView
from idp.oidc.grant_types.device import DeviceRequest, allowed_scopes, code_hash, current
from idp.oidc.request import Provider
from idp.oidc.resources import InvalidTarget

if TYPE_CHECKING:
    from idp.sessions import SessionView

DECIDE_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True)
class Asking:
    """A device that waits for a person's answer."""

    id: str
    client: ClientView
    scopes: list[str]
    resources: list[str]
    created_at: datetime
    expires_at: datetime
    ip: str | None

    @property
    def name(self) -> str:
        """What the person knows the client as."""
        return self.client.application_name or self.client.name


_COLUMNS = (
    DeviceRequest.id,
    DeviceRequest.client_id,
    DeviceRequest.scopes,
    DeviceRequest.resources,
    DeviceRequest.client_epoch,
    DeviceRequest.application_epoch,
    DeviceRequest.created_at,
    DeviceRequest.expires_at,
    DeviceRequest.ip,
)


def by_code(
    provider: Provider, connection: Connection, code: str, *, now: datetime
) -> Asking | None:
    """The device that shows this code, if it still waits."""
    hashed = code_hash(provider.tools.keyring, code)
    return _one(provider, connection, DeviceRequest.user_code_hash == hashed, now=now)


def by_id(
    provider: Provider, connection: Connection, request_id: str, *, now: datetime
) -> Asking | None:
    """The device request, if it still waits."""
    return _one(provider, connection, DeviceRequest.id == request_id, now=now)


def _one(provider: Provider, connection: Connection, which: Any, *, now: datetime) -> Asking | None:
    """The request, for what its client may have today of what it asked for then; None when that
    is nothing, a resource is not its to ask for any more, or it was cut off since.
    """
    row = connection.execute(
        select(*_COLUMNS).where(
            which, DeviceRequest.decided_at.is_(None), DeviceRequest.expires_at > now
        )
    ).one_or_none()
    client = client_view.view_by_id(connection, row.client_id) if row is not None else None
    if row is None or client is None or not client.check_grant_type(GrantType.DEVICE):
        return None
    if not current(row, client):
        return None
    try:
        scopes = allowed_scopes(client, " ".join(row.scopes))
        wanted = resources.granted(
            connection, client, " ".join(row.resources), issuer=provider.tools.settings.issuer
        )
    except (InvalidScopeError, InvalidTarget):
        return None
    return Asking(row.id, client, scopes, wanted, row.created_at, row.expires_at, row.ip)


def ticket(
    provider: Provider, request_id: str, code: str, view: "SessionView", *, now: datetime
) -> str:
    """That this session has typed the code of this device, for the page that follows."""
    body = f"{view.id}.{int(now.timestamp())}.{request_id}.{code}"
    return signed_values.seal(provider.tools.keyring, "device-ticket", body)


def opened(
    provider: Provider, text: str, view: "SessionView", *, now: datetime
) -> tuple[str, str] | None:
    """(device request, the code she typed) of a ticket that this very session was given."""
    body = signed_values.unseal(provider.tools.keyring, "device-ticket", text)
    if body is None:
        return None
    session_id, given_at, request_id, code = body.split(".")
    age = now - datetime.fromtimestamp(int(given_at), UTC)
    return (request_id, code) if session_id == view.id and age <= DECIDE_WITHIN else None


def entitled(
    provider: Provider,
    connection: Connection,
    asking: Asking,
    view: "SessionView",
    *,
    now: datetime,
) -> bool:
    """Whether the capacity she acts in earns the client's application."""
    client = asking.client
    if not client.restricted:
        return True
    standing = consent.standing(
        connection,
        view.user_id,
        assignment_id=view.assignment_id,
        client_id=client.id,
    )
    return entitlement.entitled(provider.tools.db, client, standing.capacity, on=local_day(now))


def allow(
    provider: Provider,
    session: Session,
    asking: Asking,
    view: "SessionView",
    *,
    actor: Actor,
    now: datetime,
) -> None:
    """She lets the device in: a grant that waits for the device's next question.

    Raises Conflict when somebody has answered before or the device no longer waits, NotAllowed
    when her capacity does not earn the application or her sign-in is too weak for it.
    """
    connection = session.connection()
    # What the client may have may have changed since the page was asked for.
    found = by_id(provider, connection, asking.id, now=now)
    if found is None:
        raise _over()
    asking = found
    if not entitled(provider, connection, asking, view, now=now):
        raise NotAllowed(
            "not_entitled", "Vị trí công tác hiện tại của bạn không có quyền vào ứng dụng này."
        )
    _require_assured(provider, asking, view)
    grant_id = random_id()
    grants.issue(connection, _columns(provider, grant_id, asking, view, now))
    _decide(session, asking, grant_id, now=now)
    if not asking.client.first_party:
        # So that she finds it among what she has allowed, and can take it back.
        issuer = provider.tools.settings.issuer
        consent.remember(
            session,
            user_id=view.user_id,
            client_id=asking.client.id,
            scopes=consent.each(asking.scopes, asking.resources, issuer=issuer),
            actor=actor,
            now=now,
        )
    audit.record(
        session,
        Tag.GRANT_ISSUE,
        at=now,
        actor=actor,
        subject=("user", view.user_id),
        data={
            "client": asking.client.id,
            "grant": grant_id,
            "scopes": asking.scopes,
            "device_ip": asking.ip,
        },
    )


def _require_assured(provider: Provider, asking: Asking, view: "SessionView") -> None:
    """Raises NotAllowed where the client or a scope needs a stronger sign-in than hers."""
    if lacking(provider, asking, view) is not None:
        raise NotAllowed("step_up", "Ứng dụng này cần mức xác thực cao hơn mức bạn đã đăng nhập.")


def lacking(provider: Provider, asking: Asking, view: "SessionView") -> Asked | None:
    """What the client or a scope asks of whoever lets the device in that she has not proven; the
    strongest of it.
    """
    minimum, rules = asking.client.options.minimum_acr, Rules.of(provider.tools.settings)
    at = Situation(client=asking.name, minimum=minimum, scopes=asking.scopes)
    return demands.strongest(demands.short(demands.of(rules, at), view.acr))


def refuse(session: Session, asking: Asking, *, now: datetime) -> None:
    """She keeps the device out. Raises Conflict when somebody has answered before."""
    _decide(session, asking, None, now=now)


def _decide(session: Session, asking: Asking, grant_id: str | None, *, now: datetime) -> None:
    """Use the request up: of two answers one counts. The grant goes with the transaction."""
    decided = session.execute(
        update(DeviceRequest)
        .where(
            DeviceRequest.id == asking.id,
            DeviceRequest.decided_at.is_(None),
            DeviceRequest.expires_at > now,
        )
        .values(decided_at=now, grant_id=grant_id)
        .returning(DeviceRequest.id)
        .execution_options(synchronize_session=False)
    ).first()
    if decided is None:
        raise _over()


def _over() -> Conflict:
    return Conflict("device_decided", "Yêu cầu của thiết bị này đã được trả lời hoặc đã hết hạn.")


def _columns(
    provider: Provider, grant_id: str, asking: Asking, view: "SessionView", now: datetime
) -> dict[str, Any]:
    client, settings = asking.client, provider.tools.settings
    refreshable = client.check_grant_type(GrantType.REFRESH)
    # The last moment at which the device may come, and a token's life after it.
    lifetime = timedelta(seconds=settings.access_token_lifetime)
    ends = asking.expires_at + lifetime
    lasting = may_last(view.amr)
    if refreshable and lasting:
        ends = now + timedelta(seconds=settings.refresh_lifetime)
    return {
        "id": grant_id,
        "user_id": view.user_id,
        "client_id": client.id,
        # The browser it was allowed from may be closed; the capacity stays.
        "session_id": None,
        "assignment_id": view.assignment_id,
        "scopes": asking.scopes,
        "claims": {},
        "nonce": None,
        "redirect_uri": "",
        "code_challenge": "",
        "code_jkt": None,
        "resources": asking.resources,
        "front_channel": False,
        "auth_time": view.auth_time,
        "acr": view.acr,
        "amr": list(view.amr),
        # The session's epochs, not today's: what raced an open commit is dead.
        "user_epoch": view.user_epoch,
        "installation_epoch": view.installation_epoch,
        "client_epoch": client.epoch,
        "application_epoch": client.application_epoch,
        "offline": "offline_access" in asking.scopes and lasting,
        "refreshable": refreshable,
        "issued_at": now,
        "expires_at": ends,
        "code_expires_at": asking.expires_at,
        "refresh_generation": 0,
    }
