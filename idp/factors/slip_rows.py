"""The table of activation slips, and how a person stands: what must be the same when one is used as
when it was issued.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, and_, exists, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory import assignments
from directory.assignments import Assignment, Held
from directory.base.db import AUTOINCREMENT, Base, Key
from directory.base.rows import batches, not_over
from directory.entitlements import Installation
from directory.people import User
from directory.permissions import AdminRole, counting
from idp.factors.passwords import PasswordCredential


class Activation(Base):
    """A slip, and how its person stood when it was issued.

    What says how she stood is empty in slips that an earlier version issued: these are void.
    """

    __tablename__ = "activation"
    __table_args__ = (AUTOINCREMENT,)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    issued_at: Mapped[datetime]
    issued_by: Mapped[str]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    """When it was used, or ended without."""
    ended_as: Mapped[str | None]
    """Why it ended unused: ``newer``, ``password``, ``role``, ``restored``, ``answers``, ``change:<id>``."""
    user_epoch: Mapped[int | None]
    installation_epoch: Mapped[int | None]
    status: Mapped[str | None]
    assignment_id: Mapped[int | None] = mapped_column(Key)
    """The post she stood in; before her first day, the one she was to begin in."""
    roles: Mapped[list[Any] | None]
    """The last role she had ever been given, then those in force."""
    password_generation: Mapped[int | None]
    issuer_kind: Mapped[str | None]
    issuer_id: Mapped[int | None] = mapped_column(Key)
    change_id: Mapped[str | None] = mapped_column(index=True, unique=True)
    """What two have agreed upon, where it took two: good for one slip."""
    approver_kind: Mapped[str | None]
    approver_id: Mapped[int | None] = mapped_column(Key)
    tries: Mapped[int] = mapped_column(default=0, server_default="0")
    """How often its question was answered wrongly."""


def open_at(now: datetime) -> Any:
    """The condition of a slip that is neither used nor marked void nor too old."""
    return and_(Activation.used_at.is_(None), Activation.expires_at > now)


def used_one() -> ColumnElement[bool]:
    """The SQL condition on ``User``: she has set a password by a slip."""
    return (
        exists()
        .where(
            Activation.user_id == User.id,
            Activation.used_at.is_not(None),
            Activation.ended_as.is_(None),
        )
        .correlate(User)
    )


def open_until(session: Session, user_ids: Iterable[int], *, now: datetime) -> dict[int, datetime]:
    """Those of these people who have a slip that nobody has used yet, and until when it is good."""
    found: dict[int, datetime] = {}
    for part in batches(sorted(set(user_ids))):
        mine = Activation.user_id.in_(part)
        rows = session.execute(
            select(Activation.user_id, Activation.expires_at).where(mine, open_at(now))
        )
        found |= {row.user_id: row.expires_at for row in rows}
    return found


# ---- how a person stands ---------------------------------------------------------------------

STANDING = (
    "user_epoch",
    "installation_epoch",
    "status",
    "assignment_id",
    "roles",
    "password_generation",
)


def standings(session: Session, user_ids: Iterable[int], on: date) -> dict[int, dict[str, Any]]:
    """How these people stand on a day, by person."""
    found: dict[int, dict[str, Any]] = {}
    installation = session.scalars(select(Installation.epoch)).one()
    for part in batches(sorted(set(user_ids))):
        timelines = assignments.timeline(session, part)
        last, given = _roles(session, part, on)
        rows = session.execute(
            select(User.id, User.access_epoch, User.status, PasswordCredential.generation)
            .outerjoin(PasswordCredential, PasswordCredential.user_id == User.id)
            .where(User.id.in_(part))
        )
        for row in rows:
            post = _post(timelines[row.id], on)
            found[row.id] = {
                "user_epoch": row.access_epoch,
                "installation_epoch": installation,
                "status": row.status,
                "assignment_id": post.id if post else None,
                "roles": [last.get(row.id, 0), *given.get(row.id, [])],
                "password_generation": row.generation or 0,
            }
    return found


def _post(timeline: Sequence[Held], on: date) -> Held | None:
    """Her primary post on a day, else another of hers, else the first that is to come."""
    held = [h for h in timeline if h.in_force(on)]
    coming = [h for h in timeline if not_over(h, on)]
    return min(
        held or coming,
        key=lambda h: (h.valid_from if not held else date.min, h.kind != "primary", h.id),
        default=None,
    )


def _roles(
    session: Session, user_ids: Sequence[int], on: date
) -> tuple[dict[int, int], dict[int, list[int]]]:
    """The last role each has ever been given, which never goes back: one given and ended meanwhile
    shows in it; and those in force.
    """
    hers = AdminRole.user_id.in_(user_ids)
    last = session.execute(
        select(AdminRole.user_id, func.max(AdminRole.id).label("last"))
        .where(hers)
        .group_by(AdminRole.user_id)
    )
    given: dict[int, list[int]] = {}
    for row in session.execute(
        select(AdminRole.user_id, AdminRole.id)
        .outerjoin(Assignment, Assignment.id == AdminRole.assignment_id)
        .where(hers, counting(on))
        .order_by(AdminRole.id)
    ):
        given.setdefault(row.user_id, []).append(row.id)
    return {row.user_id: row.last for row in last}, given
