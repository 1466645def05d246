"""Activation slips: whoever holds one, and knows a little about her, sets its person's password, once.

A slip is a code of 16 digits (``paper_code``), printed once and kept as a keyed hash. Its holder becomes the person, so
it is good only for her as she stood when it was issued. It is void as soon as one of these is
another: her access epoch or the installation's, her status, the post she stands in, her roles, her
password; when a dated cut has come; and when whoever issued it could not issue it now, or whoever
approved it could not approve it. All of that is asked when it is used. A change, a new role and a new
password also mark it at once, so that previews count it and the trail says why it ended.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, null, select, update
from sqlalchemy.orm import Session

from connectors import notices
from connectors.notices import Notice
from directory import assignments, people, permissions
from directory.access import still_good
from directory.assignments import Assignment
from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.clock import local_day
from directory.base.crypto import Keyring
from directory.base.db import insert_rows
from directory.base.errors import Conflict, NotFound
from directory.base.rows import batches, not_over
from directory.people import User
from idp.factors import paper_code, slip_rights
from idp.factors.slip_rows import STANDING, Activation, open_at, standings


@dataclass(frozen=True)
class Agreed:
    """What two have agreed upon: one slip for one person."""

    change_id: str
    approver_kind: str
    approver_id: int | None
    at: datetime


def issue(
    session: Session,
    keyring: Keyring,
    user_id: int,
    *,
    now: datetime,
    lifetime: int,
    actor: Actor,
    agreed: Agreed | None = None,
) -> str:
    """As ``issue_all``, for one."""
    approvals = {user_id: agreed} if agreed is not None else {}
    return issue_all(
        session,
        keyring,
        [user_id],
        now=now,
        lifetime=lifetime,
        actor=actor,
        agreed=approvals,
    )[user_id]


def issue_all(
    session: Session,
    keyring: Keyring,
    user_ids: Iterable[int],
    *,
    now: datetime,
    lifetime: int,
    actor: Actor,
    agreed: Mapping[int, Agreed] | None = None,
) -> dict[int, str]:
    """The codes of new slips by person, good for ``lifetime`` seconds; earlier unused ones are void.

    Whether the actor may issue them is the caller's to ask (``slip_rights``). Raises NotFound.
    """
    whom, on, approvals = sorted(set(user_ids)), local_day(now), agreed or {}
    if len(people.lock(session, whom)) < len(whom):
        raise _unknown()
    void(session, whom, why="newer", now=now, actor=actor)
    codes = {user_id: paper_code.new() for user_id in whom}
    stand = standings(session, whom, on)
    rows, entries = [], []
    for user_id, code in codes.items():
        by = approvals.get(user_id)
        rows.append(
            {
                "digest": _digest(keyring, code),
                "user_id": user_id,
                "issued_at": now,
                "issued_by": actor.key,
                "expires_at": now + timedelta(seconds=lifetime),
                "issuer_kind": actor.kind,
                "issuer_id": actor.id,
                "change_id": by.change_id if by else None,
                "approver_kind": by.approver_kind if by else None,
                "approver_id": by.approver_id if by else None,
                **stand[user_id],
            }
        )
        entries.append(
            audit.entry(
                Tag.ACTIVATION_ISSUE,
                at=now,
                actor=actor,
                subject=("user", user_id),
                change_id=by.change_id if by else None,
                data={"slips": len(whom)} if len(whom) > 1 else {},
            )
        )
    insert_rows(session, Activation, rows)
    audit.record_rows(session, entries)
    notices.tell_all(session, dict.fromkeys(whom), Notice.SLIP_ISSUED, now=now, actor=actor)
    return codes


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
    then = {name: getattr(slip, name) for name in STANDING}
    stand = standings(session, [user.id], today)[user.id]
    differing = [name for name, value in stand.items() if value != then[name]]
    if differing:
        return SlipStanding(None, _WHY.get(differing[0], "change"))
    if not _may_begin(session, user.id, today):
        return SlipStanding(None, "early")
    if not slip_rights.stands(session, slip, on=today):
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
        Activation.issued_by == actor.key,
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


# ---- how a person stands ---------------------------------------------------------------------

_WHY = {"roles": "role", "password_generation": "password", "installation_epoch": "restored"}
"""What a slip is void for, by what is not as it was; of anything else a change."""


def _may_begin(session: Session, user_id: int, on: date) -> bool:
    """Whether she could sign in on this day: in a post, or as an administrator without one."""
    return bool(
        assignments.current(session, user_id, on)
        or permissions.rights(session, Actor("user", user_id), on).reaches
    )


def lock(session: Session, user_id: int) -> None:
    """Hold the person for the rest of the transaction. Raises NotFound."""
    if not people.lock(session, [user_id]):
        raise _unknown()


def _unknown() -> NotFound:
    return NotFound("user_unknown", "Không tìm thấy người dùng.")


def _digest(keyring: Keyring, code: str) -> str:
    return paper_code.digest(keyring, "activation", code)
