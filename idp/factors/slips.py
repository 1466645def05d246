"""Activation slips: whoever holds one, and knows a little about her, sets its person's password, once.

A slip is a code of 16 digits (``paper_code``), printed once and kept as a keyed hash. Its holder becomes the person, so
it is good only for her as she stood when it was issued. It is void as soon as one of these is
another: her access epoch or the installation's, her status, the post she stands in, her roles, her
password; when a dated cut has come; and when whoever issued it could not issue it now. All of
that is asked when it is used. A change, a new role and a new password also mark it at once, so
that previews count it and the trail says why it ended.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, ForeignKey, and_, func, null, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from connectors import notices
from connectors.notices import Notice
from directory import assignments, people, permissions, search
from directory.access import still_good
from directory.assignments import Assignment, Held
from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.clock import local_day
from directory.base.crypto import Keyring
from directory.base.db import AUTOINCREMENT, Base, Key
from directory.base.errors import Conflict, NotFound
from directory.base.rows import batches, not_over
from directory.entitlements import Installation
from directory.people import User, UserStatus
from directory.permissions import AdminRole, Do, Rights, counting
from directory.search import PersonView
from idp.factors import paper_code
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
    tries: Mapped[int] = mapped_column(default=0, server_default="0")
    """How often its question was answered wrongly."""


def issue(
    session: Session,
    keyring: Keyring,
    user_id: int,
    *,
    now: datetime,
    lifetime: int,
    actor: Actor,
) -> str:
    """The code of a new slip, good for ``lifetime`` seconds; earlier unused ones are void.

    Whether the actor may issue it is the caller's to ask (``entitled``). Raises NotFound.
    """
    lock(session, user_id)
    void(session, [user_id], why="newer", now=now, actor=actor)
    code = paper_code.new()
    session.add(
        Activation(
            digest=_digest(keyring, code),
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
    notices.tell(session, user_id, Notice.SLIP_ISSUED, now=now, actor=actor)
    return code


def is_known(connection: Connection, keyring: Keyring, code: str) -> bool:
    """Whether there is a slip of this code, whatever became of it."""
    wanted = Activation.digest == _digest(keyring, code)
    return connection.execute(select(Activation.id).where(wanted)).first() is not None


def by_code(session: Session, keyring: Keyring, code: str) -> Activation:
    """The slip of this code, whatever became of it; there is one."""
    wanted = Activation.digest == _digest(keyring, code)
    return session.scalars(select(Activation).where(wanted)).one()


@dataclass(frozen=True)
class SlipStanding:
    """Whether a slip can be used: whose it is then, else why not."""

    owner: User | None
    why: str = ""
    """``used``, ``expired``, why it was ended, or what is not as it was when it was issued."""


def standing_of(session: Session, slip: Activation, *, now: datetime) -> SlipStanding:
    """Whether the slip can be used at this moment."""
    if slip.used_at is not None:
        return SlipStanding(None, (slip.ended_as or "used").partition(":")[0])
    if slip.expires_at <= now:
        return SlipStanding(None, "expired")
    good = still_good(
        user_epoch=Activation.user_epoch,
        installation_epoch=Activation.installation_epoch,
        assignment_id=null(),
        issued_at=Activation.issued_at,
        now=now,
    )
    user = session.scalars(
        select(User)
        .join(Activation, Activation.user_id == User.id)
        .outerjoin(Assignment, Assignment.id == null())
        .where(Activation.id == slip.id, good)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if user is None:
        return SlipStanding(None, "change")
    today = local_day(now)
    then = {name: getattr(slip, name) for name in _STANDING}
    differing = [
        name for name, value in _standing(session, user.id, today).items() if value != then[name]
    ]
    if differing:
        return SlipStanding(None, _WHY.get(differing[0], "change"))
    if not _may_begin(session, user.id, today):
        return SlipStanding(None, "early")
    issuer = Actor(slip.issuer_kind or "", slip.issuer_id)
    if not _still_entitled(session, issuer, user.id, today):
        return SlipStanding(None, "issuer")
    return SlipStanding(user)


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
_WHY = {"roles": "role", "password_generation": "password", "installation_epoch": "restored"}
"""What a slip is void for, by what is not as it was; of anything else a change."""


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


def lock(session: Session, user_id: int) -> None:
    """Hold the person for the rest of the transaction. Raises NotFound."""
    if not people.lock(session, [user_id]):
        raise NotFound("user_unknown", "Không tìm thấy người dùng.")


def _digest(keyring: Keyring, code: str) -> str:
    return paper_code.digest(keyring, "activation", code)


def open_at(now: datetime) -> Any:
    """The condition of a slip that is neither used nor marked void nor too old."""
    return and_(Activation.used_at.is_(None), Activation.expires_at > now)
