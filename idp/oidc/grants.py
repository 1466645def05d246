"""Grant: one row per authorization. Kill it and its code, refresh and access tokens die together.

A grant is *living* while it is not revoked and not past its end, ``directory.access.still_good``
holds for its person, its client (and the client's application) is enabled under the epoch it was
issued under, and, unless it is offline, its session has not ended and is not past its lifetime.
Idle time does not matter here: an idle browser cannot start anything new, but what an
application already holds lives on with the session itself. Epochs are copied from the session
that was resolved, not from today's rows: a sign-in that raced an open commit is dead.

Statements are made once (``directory.base.hot``); the present moment is a parameter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Date,
    ForeignKey,
    Index,
    Select,
    Text,
    and_,
    bindparam,
    exists,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.access import still_good
from directory.assignments import Assignment
from directory.base import hot
from directory.base.clock import local_day
from directory.base.db import Base, UTCDateTime
from directory.base.rows import batches
from directory.entitlements import Application
from directory.people import User
from idp.oidc.claims import ActingPerson, person, with_person
from idp.oidc.clients import sectors
from idp.oidc.clients.client_rows import Client
from idp.oidc.clients.kinds import Profile
from idp.oidc.signing_keys import STAMP
from idp.sessions import SsoSession

GRACE = timedelta(seconds=10)
"""How long the refresh token just replaced may come again (a retry after a lost answer, a
second tab) without the grant being taken for stolen."""


class Grant(Base):
    """What one person allowed one client, in one capacity, at one sign-in."""

    __tablename__ = "access_grant"
    __table_args__ = (
        Index("ix_access_grant_user", "user_id", "revoked_at"),
        Index("ix_access_grant_session", "session_id"),
        Index("ix_access_grant_client", "client_id", "issued_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    client_id: Mapped[int] = mapped_column(ForeignKey("client.id"))
    session_id: Mapped[str | None] = mapped_column(ForeignKey("sso_session.id"))
    assignment_id: Mapped[int | None] = mapped_column(ForeignKey("assignment.id"))
    scopes: Mapped[list[str]]
    claims: Mapped[dict[str, Any]]
    """The claims request (OIDC Core §5.5), as far as we honour it."""
    nonce: Mapped[str | None]
    redirect_uri: Mapped[str]
    """Empty where no browser comes back (device flow)."""
    code_challenge: Mapped[str]
    """Empty where the client needs no PKCE."""
    code_jkt: Mapped[str | None]
    """The only DPoP key the code may be redeemed with (RFC 9449 §10)."""
    bound_to: Mapped[str | None]
    """The key the refresh token was given to: ``jkt:…`` or ``x5t:…``. Such a grant does not
    rotate (FAPI 2.0 §5.3.2.1)."""
    resources: Mapped[list[str]] = mapped_column(default=list)
    """Resource indicators (RFC 8707) that were asked for and granted."""
    front_channel: Mapped[bool] = mapped_column(default=False)
    """Whether the authorization response itself carried an access token."""
    auth_time: Mapped[datetime]
    """Of the sign-in it rests on; dated cuts are compared with it."""
    acr: Mapped[str]
    amr: Mapped[list[str]]
    user_epoch: Mapped[int]
    installation_epoch: Mapped[int]
    client_epoch: Mapped[int]
    application_epoch: Mapped[int | None]
    offline: Mapped[bool]
    """``offline_access``: survives sign-out, but no epoch, cut or end of its assignment."""
    refreshable: Mapped[bool]
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    code_expires_at: Mapped[datetime]
    code_used_at: Mapped[datetime | None]
    refresh_generation: Mapped[int] = mapped_column(default=0)
    """The generation of the refresh token that has not been used."""
    refreshed_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoke_reason: Mapped[str | None]


@dataclass(frozen=True)
class GrantView:
    """A grant as one request sees it, in the shape Authlib's grants ask for."""

    id: str
    user_id: int
    client_id: int
    session_id: str | None
    assignment_id: int | None
    scopes: list[str]
    claims: dict[str, Any]
    nonce: str | None
    redirect_uri: str
    code_challenge: str
    code_jkt: str | None
    bound_to: str | None
    resources: list[str]
    front_channel: bool
    auth_time: datetime
    acr: str
    amr: list[str]
    offline: bool
    refreshable: bool
    issued_at: datetime
    expires_at: datetime
    code_expires_at: datetime
    code_used_at: datetime | None
    refresh_generation: int
    refreshed_at: datetime | None
    sub: str
    username: str
    public_client_id: str
    client_application_id: int | None
    audience: str
    """Its client's application; empty where it has none."""
    sector_salt: str | None
    """Of its client's pairwise subjects, sealed (``sectors.salt_of``)."""
    fapi: bool
    """Whether its client follows FAPI 2.0."""
    userinfo_alg: str | None
    """What userinfo is signed with for its client; None: it is not."""
    living: bool
    keys_stamp: str
    """Of the signing keys at the moment it was read (``signing_keys.STAMP``)."""
    person: ActingPerson | None = None

    code_challenge_method = "S256"
    """The only one ever stored (RFC 9700 §2.1.1)."""

    @property
    def gives_access(self) -> bool:
        """Whether an access token of it can have been given: a code never redeemed gives none."""
        return self.front_channel or self.code_used_at is not None

    def get_scope(self) -> str:
        """For Authlib."""
        return " ".join(self.scopes)

    def check_client(self, client: Any) -> bool:
        """Whether it was given to this client."""
        return bool(self.client_id == client.id)


_NOW = bindparam("now", type_=UTCDateTime())
_TODAY = bindparam("today", type_=Date())
_GRANT: BindParameter[str] = bindparam("grant", type_=Text())

_LIVING = and_(
    Grant.revoked_at.is_(None),
    Grant.expires_at > _NOW,
    still_good(
        user_epoch=Grant.user_epoch,
        installation_epoch=Grant.installation_epoch,
        assignment_id=Grant.assignment_id,
        issued_at=Grant.auth_time,
        now=_NOW,
        today=_TODAY,
    ),
    or_(
        Grant.offline,
        Grant.session_id.is_(None),
        and_(SsoSession.ended_at.is_(None), SsoSession.expires_at > _NOW),
    ),
    Client.enabled,
    Client.epoch == Grant.client_epoch,
    or_(
        Client.application_id.is_(None),
        and_(Application.enabled, Application.epoch == Grant.application_epoch),
    ),
)


def _joined(statement: Select[Any]) -> Select[Any]:
    """From the person on: what the living condition looks at beside the grant itself."""
    return (
        statement.join(Client, Client.id == Grant.client_id)
        .outerjoin(Application, Application.id == Client.application_id)
        .outerjoin(Assignment, Assignment.id == Grant.assignment_id)
        .outerjoin(SsoSession, SsoSession.id == Grant.session_id)
    )


_OWN = [f.name for f in fields(GrantView) if hasattr(Grant, f.name)]
LEAN = _joined(
    select(
        *(getattr(Grant, name) for name in _OWN),
        User.sub,
        User.username,
        Client.client_id.label("public_client_id"),
        Client.application_id.label("client_application_id"),
        sectors.salt_of(Client.sector).label("sector_salt"),
        Client.options.label("client_options"),
        Application.code.label("application_code"),
        _LIVING.label("living"),
    )
    .select_from(Grant)
    .join(User, User.id == Grant.user_id)
).where(Grant.id == _GRANT)
"""A grant, living or not: what ``view_of`` reads; its parameters are ``grant`` and those of ``at``."""
_STAMPED = LEAN.add_columns(STAMP.label("keys_stamp"))
_READ = hot.read(_STAMPED)
_READ_WITH_PERSON = hot.read(with_person(_STAMPED))

IS_LIVING = exists(
    _joined(select(User.id).select_from(User))
    .where(User.id == Grant.user_id, _LIVING)
    .correlate(Grant)
)
"""For statements about grants; its parameters are those of ``at``."""
_CONSUME_CODE = hot.write(
    update(Grant)
    .where(
        Grant.id == _GRANT,
        Grant.client_id == bindparam("client"),
        Grant.code_used_at.is_(None),
        Grant.code_expires_at > _NOW,
        IS_LIVING,
    )
    .values(code_used_at=_NOW, bound_to=bindparam("bound", type_=Text()))
    .returning(Grant.id)
)
_CONSUME_REFRESH = hot.write(
    update(Grant)
    .where(
        Grant.id == _GRANT,
        Grant.client_id == bindparam("client"),
        Grant.refresh_generation == bindparam("generation"),
        Grant.refreshable,
        Grant.code_used_at.is_not(None),
        IS_LIVING,
    )
    .values(refresh_generation=Grant.refresh_generation + 1, refreshed_at=_NOW)
    .returning(Grant.id)
)
_REVOKE = hot.write(
    update(Grant)
    .where(Grant.id == _GRANT, Grant.revoked_at.is_(None))
    .values(revoked_at=_NOW, revoke_reason=bindparam("reason", type_=Text()))
)


def at(now: datetime) -> dict[str, Any]:
    """The bound parameters of the present moment."""
    return {"now": now, "today": local_day(now)}


def issue(connection: Connection, values: Mapping[str, Any]) -> None:
    """Write a new grant."""
    connection.execute(insert(Grant), [dict(values)])


def read(connection: Connection, grant_id: str, *, now: datetime) -> GrantView | None:
    """The grant, living or not, without the person's data."""
    row = _READ.one(connection, grant=grant_id, **at(now))
    return view_of(row, row.keys_stamp, None) if row else None


def read_with_person(connection: Connection, grant_id: str, *, now: datetime) -> GrantView | None:
    """The grant, living or not, with everything claims need."""
    row = _READ_WITH_PERSON.one(connection, grant=grant_id, **at(now))
    return view_of(row, row.keys_stamp, person(row)) if row else None


def view_of(row: Any, keys_stamp: str, about: ActingPerson | None) -> GrantView:
    """The grant of a row of ``LEAN``, read with this stamp of the keys."""
    values: list[Any] = [
        *row[: len(_OWN)],
        row.sub,
        row.username,
        row.public_client_id,
        row.client_application_id,
        row.application_code or "",
        row.sector_salt,
        Profile(row.client_options.get("profile", Profile.STANDARD)).fapi,
        row.client_options.get("userinfo_signed_response_alg"),
        bool(row.living),
        keys_stamp,
        about,
    ]
    return GrantView(*values)


def consume_code(
    connection: Connection,
    grant_id: str,
    client_id: int,
    *,
    now: datetime,
    bound_to: str | None = None,
) -> bool:
    """Use up the code: True for exactly one caller, and only while the grant is living.

    From then on its refresh token belongs to the key ``bound_to`` names.
    """
    taken = _CONSUME_CODE.one(
        connection, grant=grant_id, client=client_id, bound=bound_to, **at(now)
    )
    return taken is not None


def consume_refresh(
    connection: Connection, grant_id: str, client_id: int, *, generation: int, now: datetime
) -> bool:
    """Use up this generation: True for exactly one caller, and only while the grant is living."""
    taken = _CONSUME_REFRESH.one(
        connection, grant=grant_id, client=client_id, generation=generation, **at(now)
    )
    return taken is not None


def revoke_one(connection: Connection, grant_id: str, *, now: datetime, reason: str) -> None:
    """Revoke a grant; one that is revoked already stays as it is."""
    _REVOKE.run(connection, grant=grant_id, now=now, reason=reason)


def revoke(
    connection: Connection | Session, grant_ids: Sequence[str], *, now: datetime, reason: str
) -> list[str]:
    """Revoke grants; those that had not been revoked before."""
    revoked: list[str] = []
    for some in batches(grant_ids):
        revoked += connection.execute(
            update(Grant)
            .where(Grant.id.in_(some), Grant.revoked_at.is_(None))
            .values(revoked_at=now, revoke_reason=reason)
            .returning(Grant.id)
            .execution_options(synchronize_session=False)
        ).scalars()
    return revoked
