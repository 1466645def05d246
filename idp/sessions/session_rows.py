"""The stored session, what makes one good, and the reads: peek, resolve, living, good_ones."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    Date,
    ForeignKey,
    Index,
    and_,
    bindparam,
    exists,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.access import still_good
from directory.assignments import Assignment, Position
from directory.base import hot, signed_values
from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.db import Base, Key, UTCDateTime, core
from directory.base.rows import batches, in_force
from directory.people import User
from directory.permissions import AdminRole
from directory.units import OrgUnit
from idp.assurance import SEALED, asked_at

TOUCH_EVERY = timedelta(minutes=1)
"""Idle time is written no more often than this; a session may idle out that much too early."""


class SsoSession(Base):
    """One signed-in browser, acting in one capacity."""

    __tablename__ = "sso_session"
    __table_args__ = (Index("ix_sso_session_user", "user_id", "ended_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    """128 random bits; also the OIDC ``sid``."""
    generation: Mapped[int] = mapped_column(default=1)
    """Part of the cookie: raised when the cookie must change and the session may stay."""
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    assignment_id: Mapped[int | None] = mapped_column(ForeignKey("assignment.id"))
    """The capacity; None for people and administrators without a post."""
    acr: Mapped[str]
    amr: Mapped[list[str]]
    auth_time: Mapped[datetime]
    user_epoch: Mapped[int]
    installation_epoch: Mapped[int]
    issued_at: Mapped[datetime]
    """The moment dated cuts are compared with."""
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    idle_until: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]
    ip: Mapped[str | None]
    port: Mapped[int | None] = mapped_column(Key)
    user_agent: Mapped[str]


@dataclass(frozen=True)
class SessionView:
    """A good session with what pages and claims need of its person and capacity."""

    id: str
    generation: int
    user_id: int
    sub: str
    username: str
    full_name: str
    status: str
    assignment_id: int | None
    capacity_kind: str | None
    unit_id: int | None
    unit_name: str | None
    position_name: str | None
    position_code: str | None
    administers: bool
    """Whether she holds any administrative role here today: decides a link, never a right."""
    auth_time: datetime
    acr: str
    amr: tuple[str, ...]
    user_epoch: int
    installation_epoch: int
    created_at: datetime
    last_seen_at: datetime
    """Before the present request; the console compares it with its own, shorter idle limit."""
    expires_at: datetime
    ip: str | None
    user_agent: str

    @property
    def asked_at(self) -> datetime:
        """What the freshness of the sign-in counts from (``assurance.asked_at``)."""
        return asked_at(self.auth_time, self.amr)

    @property
    def sealed(self) -> bool:
        """Whether she came in by a sealed envelope: every page says so."""
        return SEALED in self.amr

    @property
    def sid(self) -> str:
        """The session as relying parties know it."""
        return self.id

    def actor(self, ip: str | None = None, port: int | None = None) -> Actor:
        """The person as the actor of what this session does."""
        posts = frozenset() if self.assignment_id is None else frozenset((self.assignment_id,))
        return Actor("user", self.user_id, self.username, ip, port, posts)


_FIELDS = tuple(each.name for each in fields(SessionView))


def handle(keyring: Keyring, session_id: str, generation: int) -> str:
    """The cookie value of a session."""
    return signed_values.seal(keyring, "session", f"{session_id}.{generation}")


def control(keyring: Keyring) -> str:
    """A cookie value that opens nothing and that the page of states calls good.

    Who asks about a session that has ended asks about this one first: then the answer "ended"
    comes from us, and is about the cookie that was sent.
    """
    return signed_values.seal(keyring, "session-control", "control")


def is_control(keyring: Keyring, cookie_value: str) -> bool:
    """Whether this is that value."""
    return signed_values.unseal(keyring, "session-control", cookie_value) is not None


_STORED = (
    SsoSession.id,
    SsoSession.generation,
    SsoSession.user_id,
    User.sub,
    User.username,
    User.full_name,
    User.status,
    SsoSession.assignment_id,
    Assignment.kind.label("capacity_kind"),
    Assignment.unit_id,
    OrgUnit.name.label("unit_name"),
    Position.name.label("position_name"),
    Position.code.label("position_code"),
    SsoSession.auth_time,
    SsoSession.acr,
    SsoSession.amr,
    SsoSession.user_epoch,
    SsoSession.installation_epoch,
    SsoSession.created_at,
    SsoSession.last_seen_at,
    SsoSession.expires_at,
    SsoSession.ip,
    SsoSession.user_agent,
)


_NOW = bindparam("now", type_=UTCDateTime())
_TODAY = bindparam("today", type_=Date())

GOOD = and_(
    SsoSession.ended_at.is_(None),
    SsoSession.expires_at > _NOW,
    SsoSession.idle_until > _NOW,
    still_good(
        user_epoch=SsoSession.user_epoch,
        installation_epoch=SsoSession.installation_epoch,
        assignment_id=SsoSession.assignment_id,
        issued_at=SsoSession.issued_at,
        now=_NOW,
        today=_TODAY,
    ),
)
"""The condition that a session opens doors at this moment; its parameters come from ``at``."""

_ADMINISTERS = exists(
    select(AdminRole.id).where(
        AdminRole.user_id == SsoSession.user_id,
        or_(AdminRole.assignment_id.is_(None), AdminRole.assignment_id == SsoSession.assignment_id),
        in_force(AdminRole, _TODAY),
    )
).correlate_except(AdminRole)
COLUMNS = (*_STORED, _ADMINISTERS.label("administers"))
"""What ``view_of`` reads, of a statement that joins user, assignment, unit and position."""
VIEW: Any = (
    select(*COLUMNS)
    .join(User, User.id == SsoSession.user_id)
    .outerjoin(Assignment, Assignment.id == SsoSession.assignment_id)
    .outerjoin(OrgUnit, OrgUnit.id == Assignment.unit_id)
    .outerjoin(Position, Position.id == Assignment.position_id)
)
"""The SELECT of a view, without any condition. Statements are made once: compiling one, and
finding its columns in the answer, costs more than asking.
"""
_BEHIND_COOKIE = hot.read(
    VIEW.where(
        SsoSession.id == bindparam("session"),
        SsoSession.generation == bindparam("generation"),
        GOOD,
    )
)
# Guarded by the value read: of several requests at once one writes.
_TOUCH = hot.write(
    update(SsoSession)
    .where(
        SsoSession.id == bindparam("session"),
        SsoSession.last_seen_at == bindparam("before", type_=UTCDateTime()),
        SsoSession.ended_at.is_(None),
    )
    .values(last_seen_at=_NOW, idle_until=bindparam("until", type_=UTCDateTime()))
)
_OF_USER = VIEW.where(SsoSession.user_id == bindparam("user"), GOOD).order_by(
    SsoSession.created_at.desc()
)


def at(now: datetime) -> dict[str, Any]:
    """The bound parameters of the present moment."""
    return {"now": now, "today": local_day(now)}


def view_of(row: Any) -> SessionView:
    """The view of a row that has ``COLUMNS``."""
    values = {name: getattr(row, name) for name in _FIELDS}
    values["amr"] = tuple(values["amr"])
    values["administers"] = bool(values["administers"])
    return SessionView(**values)


def peek(
    connection: Connection | Session, keyring: Keyring, cookie_value: str, *, now: datetime
) -> SessionView | None:
    """The good session behind a cookie, without counting as a sign of life. One SELECT."""
    found = named(keyring, cookie_value)
    if found is None:
        return None
    row = _BEHIND_COOKIE.one(core(connection), session=found[0], generation=found[1], **at(now))
    return view_of(row) if row else None


def named(keyring: Keyring, cookie_value: str) -> tuple[str, int] | None:
    """Which session a cookie of ours names, and in which generation."""
    body = signed_values.unseal(keyring, "session", cookie_value)
    if body is None:
        return None
    session_id, _, generation = body.partition(".")
    return session_id, int(generation)


def touch(connection: Connection, view: SessionView, *, now: datetime, settings: Settings) -> None:
    """It was just used: one UPDATE, once a minute at most."""
    if now - view.last_seen_at >= TOUCH_EVERY:
        until = now + timedelta(seconds=settings.session_idle)
        _TOUCH.run(connection, session=view.id, before=view.last_seen_at, now=now, until=until)


def resolve(
    connection: Connection,
    keyring: Keyring,
    cookie_value: str,
    *,
    now: datetime,
    settings: Settings,
) -> SessionView | None:
    """The good session behind a cookie: one SELECT, and at most once a minute one UPDATE."""
    view = peek(connection, keyring, cookie_value, now=now)
    if view is not None:
        touch(connection, view, now=now, settings=settings)
    return view


def living(session: Session, user_ids: Iterable[int], *, now: datetime) -> list[SsoSession]:
    """Sessions of these people that have neither ended nor run out, oldest first.

    Epochs and cuts are not asked: inside a commit this lists what the commit is about to cut.
    """
    wanted = sorted(set(user_ids))
    found: list[SsoSession] = []
    for some in batches(wanted):
        found += session.scalars(
            select(SsoSession)
            .where(
                SsoSession.user_id.in_(some),
                SsoSession.ended_at.is_(None),
                SsoSession.expires_at > now,
                SsoSession.idle_until > now,
            )
            .order_by(SsoSession.created_at, SsoSession.id)
        )
    return found


def good_ones(session: Session, user_id: int, *, now: datetime) -> list[SessionView]:
    """The sessions in which one person is signed in right now, newest first."""
    rows = session.execute(_OF_USER, {"user": user_id, **at(now)})
    return [view_of(row) for row in rows]
