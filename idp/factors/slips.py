"""Activation slips and links: whoever holds one sets its person's password, once.

A slip is a 256-bit token printed once and kept as a keyed hash. Its holder becomes the person, so
it is good only for her as she stood when it was issued. It is void as soon as one of these is
another: her access epoch or the installation's, her status, the post she stands in, her roles, her
password; when a dated cut has come; and when whoever issued it could not issue it now. All of
that is asked when it is used. A change, a new role and a new password also mark it at once, so
that previews count it and the trail says why it ended.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, and_, func, null, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory import assignments, people, permissions, search
from directory.access import still_good
from directory.assignments import Assignment, Held
from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.clock import local_day
from directory.base.crypto import Keyring, random_secret
from directory.base.db import AUTOINCREMENT, Base, Key
from directory.base.errors import Conflict, NotFound
from directory.base.rows import batches, not_over
from directory.entitlements import Installation
from directory.people import User, UserStatus
from directory.permissions import AdminRole, Do, Rights, counting
from directory.search import PersonView
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
    """Why it ended unused: ``newer``, ``password``, ``role``, ``restored``, ``change:<id>``."""
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


def issue(
    session: Session,
    keyring: Keyring,
    user_id: int,
    *,
    now: datetime,
    lifetime: int,
    actor: Actor,
) -> str:
    """The token of a new slip, good for ``lifetime`` seconds; earlier unused ones are void.

    Whether the actor may issue it is the caller's to ask (``entitled``). Raises NotFound.
    """
    _lock(session, user_id)
    void(session, [user_id], why="newer", now=now, actor=actor)
    token = random_secret()
    session.add(
        Activation(
            digest=_digest(keyring, token),
            user_id=user_id,
            issued_at=now,
            issued_by=actor.key,
            expires_at=now + timedelta(seconds=lifetime),
            issuer_kind=actor.kind,
            issuer_id=actor.id,
            **_standing(session, user_id, local_day(now)),
        )
    )
    session.flush()
    audit.record(session, Tag.ACTIVATION_ISSUE, at=now, actor=actor, subject=("user", user_id))
    return token


def owner(session: Session, keyring: Keyring, token: str, *, now: datetime) -> User | None:
    """Whose slip this is, while it can be used."""
    found = session.execute(
        select(Activation, User)
        .join(User, User.id == Activation.user_id)
        .outerjoin(Assignment, Assignment.id == null())
        .where(
            Activation.digest == _digest(keyring, token),
            Activation.used_at.is_(None),
            Activation.expires_at > now,
            still_good(
                user_epoch=Activation.user_epoch,
                installation_epoch=Activation.installation_epoch,
                assignment_id=null(),
                issued_at=Activation.issued_at,
                now=now,
            ),
        )
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        return None
    slip, user = found
    today = local_day(now)
    recorded = {name: getattr(slip, name) for name in _STANDING}
    if recorded != _standing(session, user.id, today) or not _may_begin(session, user.id, today):
        return None
    issuer = Actor(slip.issuer_kind or "", slip.issuer_id)
    return user if _still_entitled(session, issuer, user.id, today) else None


def use(session: Session, keyring: Keyring, token: str, *, now: datetime) -> int:
    """Consume the slip; whose it was. She is locked for the rest of the transaction, so that no
    change comes between the check and her new password.

    Raises NotFound when it is unknown, used, void or too old: which of them nobody is told.
    """
    digest = _digest(keyring, token)
    user_id = session.scalar(select(Activation.user_id).where(Activation.digest == digest))
    if user_id is None:
        raise unknown()
    _lock(session, user_id)
    if owner(session, keyring, token, now=now) is None:
        raise unknown()
    taken = session.execute(
        update(Activation)
        .where(Activation.digest == digest, Activation.used_at.is_(None))
        .values(used_at=now)
        .returning(Activation.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if taken is None:
        raise unknown()
    return user_id


def require_use(session: Session, user_id: int, *, on: date) -> None:
    """Raises Conflict for whom no slip would work: who may not act, or never comes to act as anything."""
    user = people.get(session, user_id)
    if not user.may_act(on):
        raise Conflict(
            "not_active", "{name} đang bị đình chỉ hoặc đã thôi việc.", name=user.full_name
        )
    posts = assignments.timeline(session, [user_id])[user_id]
    if not any(not_over(h, on) for h in posts) and not permissions.promised(session, user_id, on):
        raise Conflict(
            "nothing_to_act_as",
            "{name} không có phân công hay vai trò nào nên không đăng nhập được.",
            name=user.full_name,
        )


def unknown() -> NotFound:
    """The one answer about a slip that cannot be used."""
    return NotFound("activation_unknown", "Phiếu kích hoạt không đúng, đã dùng hoặc đã hết hạn.")


def issued_by(session: Session, user_id: int, actor: Actor, *, since: datetime) -> bool:
    """Whether this officer has given the person a slip since then."""
    found = select(Activation.id).where(
        Activation.user_id == user_id,
        Activation.issuer_kind == actor.kind,
        Activation.issuer_id == actor.id,
        Activation.issued_at > since,
    )
    return session.scalar(found.limit(1)) is not None


def given_by(session: Session, user_ids: Iterable[int], *, since: datetime) -> set[int]:
    """Who gave these people the slips that they have used since then."""
    found = session.scalars(
        select(Activation.issuer_id).where(
            Activation.user_id.in_(sorted(user_ids)),
            Activation.used_at > since,
            Activation.issuer_kind == "user",
        )
    )
    return {issuer for issuer in found if issuer is not None}


def void(
    session: Session,
    user_ids: Iterable[int],
    *,
    why: str,
    now: datetime,
    actor: Actor,
    before: datetime | None = None,
    change_id: str | None = None,
) -> list[tuple[int, int]]:
    """End these people's unused slips (those issued before a moment); (slip, person) of each."""
    ended: list[tuple[int, int]] = []
    for part in batches(sorted(set(user_ids))):
        issued = [Activation.issued_at < before] if before else []
        rows = session.execute(
            update(Activation)
            .where(Activation.user_id.in_(part), open_at(now), *issued)
            .values(used_at=now, ended_as=why)
            .returning(Activation.id, Activation.user_id)
            .execution_options(synchronize_session=False)
        )
        ended += sorted((row.id, row.user_id) for row in rows)
    entries = [
        audit.entry(
            Tag.ACTIVATION_VOID,
            at=now,
            actor=actor,
            subject=("user", user_id),
            change_id=change_id,
            data={"reason": why.partition(":")[0]},
        )
        for _, user_id in ended
    ]
    audit.record_rows(session, entries)
    return ended


def entitled(session: Session, granted: Rights, found: PersonView, *, on: date) -> bool:
    """Whether the holder of these rights may give this person a slip, or end a lock on her.

    Nobody does so for herself, nor for whom she does not see whole; and whoever holds
    administrative roles, or is going to, is served only by somebody who could have given them:
    whoever holds a slip becomes the person, its password is still hers on the day her office
    begins, and an end to a lock is more guesses at it.
    """
    at = found.primary or assignments.last_of(found.timeline)
    actor = granted.actor
    if actor.kind == "user" and actor.id == found.user.id:
        return False
    theirs = permissions.promised(session, found.user.id, on)
    return (
        found.full
        and found.status == UserStatus.ACTIVE
        and granted.may(Do.RESET_FACTORS, at.unit.path if at else None)
        and all(granted.may(Do.GRANT_ROLE, reach.path) for reach in theirs)
    )


def _still_entitled(session: Session, issuer: Actor, user_id: int, on: date) -> bool:
    if issuer.kind != "user":
        # The operator at the command line, and the product itself: no right of theirs can end.
        # What can is the installation's epoch, which every slip carries.
        return issuer.kind in ("operator", "system")
    granted = permissions.rights(session, issuer, on)
    try:
        found = search.person(session, granted, user_id, on=on)
    except NotFound:
        return False
    return entitled(session, granted, found, on=on)


# ---- how a person stands ---------------------------------------------------------------------

_STANDING = (
    "user_epoch",
    "installation_epoch",
    "status",
    "assignment_id",
    "roles",
    "password_generation",
)


def _standing(session: Session, user_id: int, on: date) -> dict[str, Any]:
    """What must be the same when a slip is used as when it was issued."""
    user = session.execute(
        select(User.access_epoch, User.status, PasswordCredential.generation)
        .outerjoin(PasswordCredential, PasswordCredential.user_id == User.id)
        .where(User.id == user_id)
    ).one()
    post = _post(assignments.timeline(session, [user_id])[user_id], on)
    return {
        "user_epoch": user.access_epoch,
        "installation_epoch": session.scalars(select(Installation.epoch)).one(),
        "status": user.status,
        "assignment_id": post.id if post else None,
        "roles": _roles(session, user_id, on),
        "password_generation": user.generation or 0,
    }


def _post(timeline: Sequence[Held], on: date) -> Held | None:
    """Her primary post on a day, else another of hers, else the first that is to come."""
    held = [h for h in timeline if h.in_force(on)]
    coming = [h for h in timeline if not_over(h, on)]
    return min(
        held or coming,
        key=lambda h: (h.valid_from if not held else date.min, h.kind != "primary", h.id),
        default=None,
    )


def _roles(session: Session, user_id: int, on: date) -> list[int]:
    """A role given and ended meanwhile shows in the first number, which never goes back."""
    last = session.scalar(select(func.max(AdminRole.id)).where(AdminRole.user_id == user_id))
    given = session.scalars(
        select(AdminRole.id)
        .outerjoin(Assignment, Assignment.id == AdminRole.assignment_id)
        .where(
            AdminRole.user_id == user_id,
            counting(on),
        )
        .order_by(AdminRole.id)
    )
    return [last or 0, *given]


def _may_begin(session: Session, user_id: int, on: date) -> bool:
    """Whether she could sign in on this day: in a post, or as an administrator without one."""
    return bool(
        assignments.current(session, user_id, on)
        or permissions.rights(session, Actor("user", user_id), on).reaches
    )


def _lock(session: Session, user_id: int) -> None:
    if not people.lock(session, [user_id]):
        raise NotFound("user_unknown", "Không tìm thấy người dùng.")


def _digest(keyring: Keyring, token: str) -> str:
    return keyring.keyed_hash("activation", token)


def open_at(now: datetime) -> Any:
    """The condition of a slip that is neither used nor marked void nor too old."""
    return and_(Activation.used_at.is_(None), Activation.expires_at > now)
