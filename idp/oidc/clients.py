"""Client: a relying party or resource server we know, and what it may do.

``Client`` is the row; ``client_view.ClientView`` is what one request needs of it. A disabled
client is as good as unknown; disabling raises its epoch, so that nothing issued to it revives
with it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.crypto import Keyring, random_id, random_secret
from directory.base.db import AUTOINCREMENT, Base, Key
from directory.base.errors import InvalidInput, NotFound
from directory.entitlements import Application
from idp.keys import ALGORITHMS, ensure_keys
from idp.oidc import redirects


class AuthMethod(StrEnum):
    """token_endpoint_auth_method (OIDC Core §9)."""

    BASIC = "client_secret_basic"
    POST = "client_secret_post"
    NONE = "none"


class GrantType(StrEnum):
    """Grant types the token endpoint knows (RFC 6749)."""

    CODE = "authorization_code"
    REFRESH = "refresh_token"
    CLIENT = "client_credentials"


class TokenFormat(StrEnum):
    """How its access tokens look: an opaque handle, or a JWT it may check offline (RFC 9068)."""

    OPAQUE = "opaque"
    JWT = "jwt"


class Kind(StrEnum):
    """application_type (OIDC Registration §2)."""

    WEB = "web"
    NATIVE = "native"


IDENTITY_SCOPES = ("openid", "profile", "email", "phone", "org", "offline_access")
"""About a person; never given to a client on its own account."""
API_SCOPES = ("changes:read", "changes:write")
SCOPES = IDENTITY_SCOPES + API_SCOPES
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
    first_party: Mapped[bool]
    """Ours: people are not asked for consent."""
    resource_server: Mapped[bool]
    """May introspect tokens meant for its application."""
    introspect_all: Mapped[bool]
    """May introspect any token; only the installation's probe."""
    enabled: Mapped[bool] = mapped_column(default=True)
    epoch: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]


@dataclass(frozen=True)
class Registration:
    """What somebody asks to register; ``register`` checks it field by field."""

    name: str
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str | None = None
    application_id: int | None = None
    kind: Kind = Kind.WEB
    auth_method: AuthMethod = AuthMethod.BASIC
    grant_types: tuple[GrantType, ...] = (GrantType.CODE, GrantType.REFRESH)
    scopes: tuple[str, ...] = ("openid", "profile", "email", "phone", "org")
    id_token_alg: str = "RS256"  # noqa: S105 (an algorithm)
    """RS256 where a client does not say (OIDC Registration §2); ES256 for ours: it is cheaper."""
    access_token_format: TokenFormat = TokenFormat.OPAQUE
    first_party: bool = False
    resource_server: bool = False
    backchannel_logout_session_required: bool = True
    client_id: str | None = None
    """Chosen by the installation itself (the demo, the probe); random otherwise."""
    introspect_all: bool = False


def register(
    session: Session, wanted: Registration, *, keyring: Keyring, actor: Actor, now: datetime
) -> tuple[Client, str | None]:
    """The new client and its secret, which is shown once and never again (None: public).

    Raises InvalidInput naming the field.
    """
    values = _checked(session, wanted)
    public = wanted.auth_method is AuthMethod.NONE
    secret = None if public else random_secret()
    client = Client(
        **values,
        client_id=wanted.client_id or random_id(),
        secrets=[] if secret is None else [_kept(keyring, secret, now)],
        created_at=now,
    )
    session.add(client)
    session.flush()
    ensure_keys(session, keyring, now, algorithms=[wanted.id_token_alg])
    _record(session, client, actor, now, {"action": "register", **values})
    return client, secret


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
    if client.auth_method == AuthMethod.NONE:
        raise InvalidInput(
            "client_public", "Ứng dụng công khai không có mật khẩu.", field="client_id"
        )
    secret = random_secret()
    until = (now + overlap).isoformat()
    before = [dict(kept, expires_at=until) for kept in client.secrets if not kept["expires_at"]]
    client.secrets = [_kept(keyring, secret, now), *before]
    session.flush()
    _record(session, client, actor, now, {"action": "rotate_secret", "old_until": until})
    return secret


def disable(session: Session, client: Client, *, actor: Actor, now: datetime) -> None:
    """The client is as good as unknown, and nothing it holds works, also if enabled again."""
    client.enabled = False
    client.epoch = Client.epoch + 1
    session.flush()
    session.refresh(client)
    _record(session, client, actor, now, {"action": "disable"})


def enable(session: Session, client: Client, *, actor: Actor, now: datetime) -> None:
    """The client may ask again; what it held before stays dead."""
    client.enabled = True
    session.flush()
    _record(session, client, actor, now, {"action": "enable"})


def get(session: Session, ref: int | str) -> Client:
    """A client by internal id (int) or client_id (text). Raises NotFound."""
    by = Client.id == ref if isinstance(ref, int) else Client.client_id == ref
    client = session.scalars(select(Client).where(by)).one_or_none()
    if client is None:
        raise NotFound("client_unknown", "Không tìm thấy ứng dụng khách.")
    return client


def all_clients(session: Session) -> list[Client]:
    """Every client by name."""
    return list(session.scalars(select(Client).order_by(Client.name, Client.id)))


def clients_of(session: Session, application_id: int) -> list[Client]:
    """The clients of one application, by name."""
    return list(
        session.scalars(
            select(Client)
            .where(Client.application_id == application_id)
            .order_by(Client.name, Client.id)
        )
    )


def _record(
    session: Session, client: Client, actor: Actor, now: datetime, data: dict[str, Any]
) -> None:
    audit.record(
        session, Tag.CLIENT_CHANGE, at=now, actor=actor, subject=("client", client.id), data=data
    )


def _kept(keyring: Keyring, secret: str, now: datetime) -> dict[str, Any]:
    return {
        "hash": keyring.keyed_hash("client-secret", secret),
        "created_at": now.isoformat(),
        "expires_at": None,
    }


def _checked(session: Session, wanted: Registration) -> dict[str, Any]:
    name = wanted.name.strip()
    _require(0 < len(name) <= 200, "name", "Tên ứng dụng dài từ 1 đến 200 ký tự.")
    native = wanted.kind is Kind.NATIVE
    by_browser = GrantType.CODE in wanted.grant_types
    _require(bool(wanted.grant_types), "grant_types", "Cần ít nhất một kiểu cấp quyền.")
    _require(
        by_browser or GrantType.REFRESH not in wanted.grant_types,
        "grant_types",
        "Kiểu refresh_token phải đi cùng authorization_code.",
    )
    # RFC 6749 §4.4: only confidential clients act on their own account.
    _require(
        wanted.auth_method is not AuthMethod.NONE or GrantType.CLIENT not in wanted.grant_types,
        "auth_method",
        "Ứng dụng công khai không được dùng client_credentials.",
    )
    _require(
        bool(wanted.redirect_uris) == by_browser,
        "redirect_uris",
        "Địa chỉ chuyển về là bắt buộc với authorization_code và chỉ dùng với kiểu đó.",
    )
    unknown = set(wanted.scopes) - set(SCOPES)
    _require(not unknown, "scopes", "Có phạm vi không được hỗ trợ.")
    _require(wanted.id_token_alg in ALGORITHMS, "id_token_alg", "Thuật toán ký không được hỗ trợ.")
    _require(
        not (wanted.resource_server and wanted.auth_method is AuthMethod.NONE),
        "resource_server",
        "Máy chủ tài nguyên phải có mật khẩu.",
    )
    if wanted.application_id is not None:
        _require(
            session.get(Application, wanted.application_id) is not None,
            "application_id",
            "Không có ứng dụng này.",
        )
    logout = [wanted.backchannel_logout_uri] if wanted.backchannel_logout_uri else []
    redirects.checked(logout, field="backchannel_logout_uri")
    return {
        "name": name,
        "kind": wanted.kind.value,
        "application_id": wanted.application_id,
        "auth_method": wanted.auth_method.value,
        "redirect_uris": redirects.checked(
            wanted.redirect_uris, field="redirect_uris", native=native
        ),
        "post_logout_redirect_uris": redirects.checked(
            wanted.post_logout_redirect_uris, field="post_logout_redirect_uris", native=native
        ),
        "backchannel_logout_uri": wanted.backchannel_logout_uri or None,
        "backchannel_logout_session_required": wanted.backchannel_logout_session_required,
        "grant_types": [g.value for g in wanted.grant_types],
        "response_types": ["code"] if by_browser else [],
        "scopes": [s for s in SCOPES if s in wanted.scopes],
        "id_token_alg": wanted.id_token_alg,
        "access_token_format": wanted.access_token_format.value,
        "subject_type": "public",
        "first_party": wanted.first_party,
        "resource_server": wanted.resource_server,
        "introspect_all": wanted.introspect_all,
    }


def _require(holds: bool, name: str, sentence: str) -> None:
    if not holds:
        raise InvalidInput("client_" + name, sentence, field=name)


PROBE = "dinhdanh-probe"


def probe_secret(keyring: Keyring) -> str:
    """The probe client's secret: derived, so that a worker needs nothing but the keyring."""
    return keyring.mac("probe-client", PROBE.encode(), size=32).hex()


def ensure_probe_client(session: Session, keyring: Keyring, now: datetime) -> Client:
    """The client by which the installation asks itself, as an ordinary client, what is active."""
    secret = probe_secret(keyring)
    wanted_hash = keyring.keyed_hash("client-secret", secret)
    found = session.scalars(select(Client).where(Client.client_id == PROBE)).one_or_none()
    if found is None:
        found, _ = register(
            session,
            Registration(
                name="Kiểm chứng thu hồi",
                grant_types=(GrantType.CLIENT,),
                scopes=(),
                resource_server=True,
                introspect_all=True,
                client_id=PROBE,
            ),
            keyring=keyring,
            actor=Actor.system(),
            now=now,
        )
    if [kept["hash"] for kept in found.secrets] != [wanted_hash]:
        found.secrets = [_kept(keyring, secret, now)]
        session.flush()
    return found
