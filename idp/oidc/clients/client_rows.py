"""Client: a relying party or resource server we know, and what it may do.

``Client`` is the row; ``view.ClientView`` is what one request needs of it. A disabled
client is as good as unknown; disabling raises its epoch, so that nothing issued to it revives
with it.
"""

import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, Select, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.crypto import Keyring, random_id, random_secret
from directory.base.db import AUTOINCREMENT, Base, Key
from directory.base.errors import InvalidInput, NotFound
from directory.base.text import by_name
from directory.entitlements import Application
from idp.oidc.clients import metadata, sectors, sorts
from idp.oidc.clients.columns import Registration
from idp.oidc.clients.kinds import (
    BY_SECRET,
    AuthMethod,
    SubjectType,
)
from idp.oidc.clients.options import Options
from idp.oidc.signing_keys import ensure_keys

SECRET_OVERLAP = timedelta(days=7)
"""How long the old secret still works after a rotation."""


class Client(Base):
    """A registered client."""

    __tablename__ = "client"
    __table_args__ = (AUTOINCREMENT,)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    client_id: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    kind: Mapped[str]
    application_id: Mapped[int | None] = mapped_column(ForeignKey("application.id"), index=True)
    secrets: Mapped[list[Any]]
    """``[{"hash", "created_at", "expires_at"}]``: keyed hashes; two while a rotation overlaps."""
    auth_method: Mapped[str]
    redirect_uris: Mapped[list[str]]
    post_logout_redirect_uris: Mapped[list[str]]
    backchannel_logout_uri: Mapped[str | None]
    backchannel_logout_session_required: Mapped[bool]
    grant_types: Mapped[list[str]]
    response_types: Mapped[list[str]]
    scopes: Mapped[list[str]]
    id_token_alg: Mapped[str]
    access_token_format: Mapped[str]
    subject_type: Mapped[str]
    sector: Mapped[str | None]
    """Of its pairwise subjects; None: it is told the public ``sub``."""
    first_party: Mapped[bool]
    """Ours: people are not asked for consent."""
    resource_server: Mapped[bool]
    """May introspect tokens meant for its application."""
    introspect_all: Mapped[bool]
    """May introspect any token; only the installation's probe."""
    enabled: Mapped[bool] = mapped_column(default=True)
    epoch: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """``options.Options``, as far as it differs from the default."""
    registration_token: Mapped[str | None]
    """Keyed hash of the registration access token (RFC 7592) of a client that registered itself,
    until somebody else manages it."""


def register(
    session: Session, wanted: Registration, *, keyring: Keyring, actor: Actor, now: datetime
) -> tuple[Client, str | None]:
    """The new client and its secret, which is shown once and never again (None: it has none).

    Whoever names a ``sector_identifier_uri`` has had it vouched for before
    (``sectors.require_vouched``). Raises InvalidInput naming the field.
    """
    values = metadata.checked(wanted)
    _require_application(session, wanted)
    secret = random_secret() if wanted.auth_method in BY_SECRET else None
    client = Client(
        **values,
        client_id=wanted.client_id or random_id(),
        secrets=[] if secret is None else [kept(keyring, secret, now, method=wanted.auth_method)],
        created_at=now,
    )
    session.add(client)
    session.flush()
    _prepare(session, client, keyring, now)
    _record(session, client, actor, now, {"action": "register", **values})
    return client, secret


def replace(
    session: Session,
    client: Client,
    wanted: Registration,
    *,
    keyring: Keyring,
    actor: Actor,
    now: datetime,
) -> str | None:
    """Register the client anew under its id; a new secret where it needs one it does not have.

    What it holds ends when it may no longer have all of it, or would be told other names. Who
    changes it and is not the client itself takes it over, as with every act on it.
    Raises InvalidInput naming the field, as ``register`` does.
    """
    values = metadata.checked(wanted)
    _require_application(session, wanted)
    before = {name: getattr(client, name) for name in values}
    method = wanted.auth_method
    secret = None
    if method not in BY_SECRET:
        client.secrets = []
    elif not _keeps_secret(client, method):
        secret = random_secret()
        client.secrets = [kept(keyring, secret, now, method=method)]
    for name, value in values.items():
        setattr(client, name, value)
    if _takes_away(before, values):
        client.epoch = Client.epoch + 1
    changed = {name: value for name, value in values.items() if before[name] != value}
    if changed:
        _taken_over(client, actor)
    session.flush()
    session.refresh(client)
    _prepare(session, client, keyring, now)
    _record(session, client, actor, now, {"action": "replace", **changed})
    return secret


def _taken_over(client: Client, actor: Actor) -> None:
    """Who acts on a client and is not the client itself manages it from now on: its registration
    access token ends. What she has done it does not undo.
    """
    if (actor.kind, actor.id) != ("client", client.id):
        client.registration_token = None


def _keeps_secret(client: Client, method: AuthMethod) -> bool:
    """Whether its secret serves the method: one that must sign was kept sealed."""
    signs = method is AuthMethod.SECRET_JWT
    return any("sealed" in each or not signs for each in client.secrets)


def _takes_away(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether something it could do, or was told, is no longer so."""
    lists = ("scopes", "grant_types", "response_types")
    lost = any(set(before[name]) - set(after[name]) for name in lists)
    same = ("auth_method", "sector", "application_id")
    earlier, later = Options.of(before["options"]), Options.of(after["options"])
    bound = later.sender_constrained and not earlier.sender_constrained
    lost = lost or bool(set(earlier.resources) - set(later.resources))
    lost = lost or (before["first_party"] and not after["first_party"])
    return lost or bound or any(before[name] != after[name] for name in same)


def _require_application(session: Session, wanted: Registration) -> None:
    """Raises InvalidInput for an application that is not there, or that knows people by their
    public ``sub`` while this client would be told another.
    """
    if wanted.application_id is None:
        return
    found = session.get(Application, wanted.application_id)
    if found is None:
        raise InvalidInput(
            "client_application_id", "Không có ứng dụng này.", field="application_id"
        )
    if wanted.subject_type is SubjectType.PAIRWISE and found.connector is not None:
        raise InvalidInput(
            "client_subject_type",
            "Ứng dụng nhận tài khoản qua đầu nối phải dùng mã định danh chung.",
            field="subject_type",
        )


def _prepare(session: Session, client: Client, keyring: Keyring, now: datetime) -> None:
    """The keys and the salt that answering it needs."""
    said = Registration.of(client).every()
    signed = (value for each, value in said if each.sort is sorts.OUR_ALGORITHM)
    ensure_keys(session, keyring, now, algorithms=dict.fromkeys(filter(None, signed)))
    if client.sector is not None:
        sectors.ensure(session, client.sector, keyring=keyring)


def rotate_secret(
    session: Session,
    client: Client,
    *,
    keyring: Keyring,
    actor: Actor,
    now: datetime,
    overlap: timedelta = SECRET_OVERLAP,
) -> str:
    """A new secret; the one before works until ``overlap`` has passed, older ones no longer.

    Raises InvalidInput for a public client.
    """
    if client.auth_method not in BY_SECRET:
        raise InvalidInput("client_public", "Ứng dụng này không dùng mật khẩu.", field="client_id")
    secret = random_secret()
    until = (now + overlap).isoformat()
    before = [dict(each, expires_at=until) for each in client.secrets if not each["expires_at"]]
    client.secrets = [kept(keyring, secret, now, method=client.auth_method), *before]
    _taken_over(client, actor)
    session.flush()
    _record(session, client, actor, now, {"action": "rotate_secret", "old_until": until})
    return secret


def retire_secrets(session: Session, client: Client, *, actor: Actor, now: datetime) -> int:
    """Only its newest secret works from now on; how many others did until now."""
    newest = [each for each in client.secrets if not each["expires_at"]]
    gone = [each for each in client.secrets if each["expires_at"] and secret_lives(each, now)]
    client.secrets = newest
    _taken_over(client, actor)
    session.flush()
    _record(session, client, actor, now, {"action": "retire_secrets", "count": len(gone)})
    return len(gone)


def disable(session: Session, client: Client, *, actor: Actor, now: datetime) -> None:
    """The client is as good as unknown, and nothing it holds works, also if enabled again."""
    client.enabled = False
    client.epoch = Client.epoch + 1
    _taken_over(client, actor)
    session.flush()
    session.refresh(client)
    _record(session, client, actor, now, {"action": "disable"})


def enable(session: Session, client: Client, *, actor: Actor, now: datetime) -> None:
    """The client may ask again; what it held before stays dead."""
    client.enabled = True
    _taken_over(client, actor)
    session.flush()
    _record(session, client, actor, now, {"action": "enable"})


def get(session: Session, ref: int | str) -> Client:
    """A client by internal id (int) or client_id (text). Raises NotFound."""
    by = Client.id == ref if isinstance(ref, int) else Client.client_id == ref
    return _found(session, select(Client).where(by))


def held(session: Session, client_id: str) -> Client:
    """The client, which nobody else changes before this transaction ends: secrets and options
    are read, changed and written whole. People go on signing in to it. Raises NotFound.
    """
    row = select(Client).where(Client.client_id == client_id).with_for_update(key_share=True)
    return _found(session, row.execution_options(populate_existing=True))


def _found(session: Session, statement: Select[Client]) -> Client:
    client = session.scalars(statement).one_or_none()
    if client is None:
        raise NotFound("client_unknown", "Không tìm thấy ứng dụng khách.")
    return client


def all_clients(session: Session) -> list[Client]:
    """Every client by name."""
    return _in_order(session.scalars(select(Client)))


def clients_of(session: Session, application_id: int) -> list[Client]:
    """The clients of one application, by name."""
    return _in_order(session.scalars(select(Client).where(Client.application_id == application_id)))


def _in_order(clients: Iterable[Client]) -> list[Client]:
    return sorted(clients, key=lambda c: (by_name(c.name), c.id))


def _record(
    session: Session, client: Client, actor: Actor, now: datetime, data: dict[str, Any]
) -> None:
    audit.record(
        session, Tag.CLIENT_CHANGE, at=now, actor=actor, subject=("client", client.id), data=data
    )


def secret_fits(
    secrets: Iterable[Mapping[str, Any]], secret: str, *, keyring: Keyring, now: datetime
) -> bool:
    """Whether this is one of a client's secrets in force; all are compared, in constant time."""
    digest = keyring.keyed_hash("client-secret", secret)
    fits = False
    for each in secrets:
        same = hmac.compare_digest(each["hash"], digest)
        fits = fits or (same and secret_lives(each, now))
    return fits


def secret_lives(kept: Mapping[str, Any], now: datetime) -> bool:
    """Whether a secret of ``Client.secrets`` is in force."""
    until = kept["expires_at"]
    return until is None or datetime.fromisoformat(until) > now


def kept(keyring: Keyring, secret: str, now: datetime, *, method: str) -> dict[str, Any]:
    """A secret as it is stored: a keyed hash, and sealed where it must sign (client_secret_jwt)."""
    found = {
        "hash": keyring.keyed_hash("client-secret", secret),
        "created_at": now.isoformat(),
        "expires_at": None,
    }
    if method == AuthMethod.SECRET_JWT:
        found["sealed"] = keyring.encrypt("client-secret", secret.encode())
    return found
