"""Sealed envelopes: codes on paper, in a safe, with which one administrator comes in when nothing else is left.

An envelope is made at the command line of the installation and nowhere else. It is one code, or two halves for
two envelopes that two people keep; what is stored is one keyed hash over all of it, so that a half by itself
is no more than a wrong code. It is good once, and only while

- its person is active, and no change has cut her access since it was sealed,
- the very role that it was made for is in force: one that was taken away and given anew is another,
- it is no older than ``break_glass_days``, and of as many halves as ``break_glass`` asks for now,
- no backup was put back since: a backup may know an envelope as unused that was opened after it was made.

Her epoch is not asked: a new password and a lost phone raise it, and are what envelopes are kept for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, ForeignKey, Select, null, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory import people
from directory.access import still_good
from directory.assignments import Assignment
from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.clock import local_day
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.db import AUTOINCREMENT, Base, Key, core
from directory.base.errors import Conflict
from directory.base.rows import batches
from directory.entitlements import installation_epoch
from directory.people import User
from directory.permissions import AdminRole, Role, counting
from idp.factors import paper_code

HALVES = {"one": 1, "two": 2}
"""Codes of an envelope, by the setting ``break_glass``."""
USED = "used"


class Envelope(Base):
    """One envelope, or two halves of one."""

    __tablename__ = "envelope"
    __table_args__ = (AUTOINCREMENT,)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    role_id: Mapped[int] = mapped_column(ForeignKey("admin_role.id"))
    """The role that it was made for."""
    halves: Mapped[int]
    installation_epoch: Mapped[int]
    sealed_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_as: Mapped[str | None]
    """``used``, ``newer``, ``change:<id>``."""


@dataclass(frozen=True)
class TypedEnvelope:
    """The envelope whose codes were typed."""

    id: int
    user_id: int
    username: str
    why: str
    """Why it is no good; empty where it is."""


def seal(
    session: Session,
    keyring: Keyring,
    user_id: int,
    *,
    now: datetime,
    settings: Settings,
    actor: Actor,
) -> list[str]:
    """The codes of a new envelope, as they are printed, one for each half; the person's earlier one is void.

    Raises Conflict where the installation has none, or she does not administer all of it.
    """
    if settings.break_glass not in HALVES:
        raise Conflict(
            "break_glass_off",
            'Cài đặt break_glass đang là "off": trang đăng nhập không nhận phong bì khẩn cấp.',
        )
    people.lock(session, [user_id])
    role_id = session.scalars(_role(user_id, local_day(now))).first()
    if role_id is None:
        raise Conflict(
            "break_glass_role",
            "Phong bì khẩn cấp chỉ dành cho người đang công tác và giữ vai trò quản trị toàn hệ thống.",
        )
    end(session, [user_id], why="newer", now=now, actor=actor)
    codes = [paper_code.new() for _ in range(HALVES[settings.break_glass])]
    session.add(
        Envelope(
            digest=_digest(keyring, codes),
            user_id=user_id,
            role_id=role_id,
            halves=len(codes),
            installation_epoch=installation_epoch(core(session)),
            sealed_at=now,
        )
    )
    audit.record(
        session,
        Tag.ENVELOPE_SEAL,
        at=now,
        actor=actor,
        subject=("user", user_id),
        data={"halves": len(codes)},
    )
    return [paper_code.grouped(code) for code in codes]


def find(
    connection: Connection,
    keyring: Keyring,
    codes: Sequence[str],
    *,
    now: datetime,
    settings: Settings,
) -> TypedEnvelope | None:
    """The envelope with these codes, in whatever order; whether it is good is judged now."""
    row = connection.execute(
        select(Envelope.id, Envelope.user_id, Envelope.ended_at, Envelope.ended_as, User.username)
        .join(User, User.id == Envelope.user_id)
        .where(Envelope.digest == _digest(keyring, codes))
    ).one_or_none()
    if row is None:
        return None
    why = ""
    if row.ended_at is not None:
        why = USED if row.ended_as == USED else "void"
    elif row.id not in {one.id for one in _good(connection, now, settings)}:
        why = "void"
    return TypedEnvelope(row.id, row.user_id, row.username, why)


def use(session: Session, found: TypedEnvelope, *, now: datetime, settings: Settings) -> bool:
    """Use it up; of many at once, one is told True. Its person is locked for the rest of the transaction, so
    that no change comes between.
    """
    people.lock(session, [found.user_id])
    if found.id not in {one.id for one in _good(session, now, settings)}:
        return False
    used = session.execute(
        update(Envelope)
        .where(Envelope.id == found.id, Envelope.ended_at.is_(None))
        .values(ended_at=now, ended_as=USED)
        .returning(Envelope.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    return used is not None


def end(
    session: Session,
    user_ids: Iterable[int],
    *,
    why: str,
    now: datetime,
    actor: Actor,
    before: datetime | None = None,
) -> None:
    """Void these people's unused envelopes (those sealed before a moment)."""
    ended: list[int] = []
    for part in batches(sorted(set(user_ids))):
        sealed = [Envelope.sealed_at < before] if before else []
        ended += session.scalars(
            update(Envelope)
            .where(Envelope.user_id.in_(part), Envelope.ended_at.is_(None), *sealed)
            .values(ended_at=now, ended_as=why)
            .returning(Envelope.user_id)
            .execution_options(synchronize_session=False)
        )
    entries = [
        audit.entry(
            Tag.ENVELOPE_VOID,
            at=now,
            actor=actor,
            subject=("user", user_id),
            data={"reason": why.partition(":")[0]},
        )
        for user_id in sorted(ended)
    ]
    audit.record_rows(session, entries)


@dataclass(frozen=True)
class Kept:
    """An envelope that is good."""

    id: int
    username: str
    until: datetime


def kept(where: Session, *, now: datetime, settings: Settings) -> list[Kept]:
    """Those that are good now, by user name."""
    return _good(where, now, settings)


def last_used(session: Session) -> datetime | None:
    """When one was opened last."""
    used = select(Envelope.ended_at).where(Envelope.ended_as == USED)
    return session.scalar(used.order_by(Envelope.ended_at.desc()).limit(1))


# ---- whether one is good -----------------------------------------------------------------------


def _good(where: Connection | Session, now: datetime, settings: Settings) -> list[Kept]:
    """There are a handful of them."""
    days = timedelta(days=settings.break_glass_days)
    good = still_good(
        user_epoch=User.access_epoch,
        installation_epoch=Envelope.installation_epoch,
        assignment_id=null(),
        issued_at=Envelope.sealed_at,
        now=now,
    )
    rows = core(where).execute(
        select(Envelope.id, User.username, Envelope.sealed_at)
        .join(User, User.id == Envelope.user_id)
        .join(AdminRole, AdminRole.id == Envelope.role_id)
        .outerjoin(Assignment, Assignment.id == AdminRole.assignment_id)
        .where(
            Envelope.ended_at.is_(None),
            Envelope.halves == HALVES.get(settings.break_glass, 0),
            Envelope.sealed_at > now - days,
            AdminRole.user_id == Envelope.user_id,
            counting(local_day(now)),
            good,
        )
        .order_by(User.username)
    )
    return [Kept(row.id, row.username, row.sealed_at + days) for row in rows]


def _role(user_id: int, on: date) -> Select[int]:
    """The role that makes her an administrator of all of it."""
    return (
        select(AdminRole.id)
        .join(User, User.id == AdminRole.user_id)
        .outerjoin(Assignment, Assignment.id == AdminRole.assignment_id)
        .where(
            AdminRole.user_id == user_id,
            AdminRole.role == Role.ADMINISTRATOR.value,
            AdminRole.unit_id.is_(None),
            counting(on),
            people.active(on),
        )
        .order_by(AdminRole.id)
    )


def _digest(keyring: Keyring, codes: Sequence[str]) -> str:
    return paper_code.digest(keyring, "envelope", ":".join(sorted(codes)))
