"""What happens to a session: start, renew, switch, end. The caller owns the transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from directory.assignments import Assignment
from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.db import core, read_anew
from directory.base.errors import Conflict
from directory.base.failpoints import failpoint
from directory.base.rows import batches
from directory.people import User
from idp.assurance import UNASKED, Level
from idp.factors.factor import Proven, Source
from idp.sessions import answers
from idp.sessions.opening import FIRST, Capacity, columns, new_row, opening
from idp.sessions.session_rows import (
    GOOD,
    VIEW,
    SessionView,
    SsoSession,
    at,
    handle,
    living,
    view_of,
)


def start(
    session: Session,
    proven: Sequence[Proven],
    capacity: Capacity,
    source: Source,
    *,
    now: datetime,
    settings: Settings,
    keyring: Keyring,
) -> tuple[SessionView, str]:
    """A new session of whoever proved this, and its cookie value. It counts from the oldest of
    the proofs, and is dead where the epochs of one of them are over.
    """
    has: Any = {"now": now, "settings": settings, "keyring": keyring}
    made = opening(proven, capacity, source, **has)
    core(session).execute(_OPEN, made.row)
    audit.record_rows(session, [made.entry])
    failpoint("session.start")
    return _stored(session, made.id, now), made.cookie


_OPEN = insert(SsoSession)
_STORED = VIEW.where(SsoSession.id == bindparam("session"))


def _open(session: Session, **values: Any) -> str:
    """Write a new row; its id."""
    row = new_row(**values)
    core(session).execute(_OPEN, row)
    return str(row["id"])


def _stored(session: Session, session_id: str, now: datetime) -> SessionView:
    """The view of a row whatever its state: a session may be born dead."""
    row = core(session).execute(_STORED, {"session": session_id, **at(now)}).one()
    return view_of(row)


def renew(
    session: Session,
    view: SessionView,
    proven: Sequence[Proven],
    *,
    now: datetime,
    settings: Settings,
    keyring: Keyring,
) -> tuple[SessionView, str]:
    """The same person proved herself again in the same capacity and assurance: the row stays
    (and the grants on it), the cookie changes. Raises Conflict if the session died meanwhile.
    """
    generation = session.execute(
        update(SsoSession)
        .where(
            SsoSession.id == view.id,
            SsoSession.generation == view.generation,
            SsoSession.ended_at.is_(None),
        )
        .values(
            generation=SsoSession.generation + 1,
            last_seen_at=now,
            idle_until=now + timedelta(seconds=settings.session_idle),
            **columns(proven, settings),
        )
        .returning(SsoSession.generation)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if generation is None:
        raise Conflict("session_ended", "Phiên đăng nhập đã kết thúc. Hãy đăng nhập lại.")
    read_anew(session)
    return _stored(session, view.id, now), handle(keyring, view.id, generation)


def end(
    session: Session, session_id: str, *, now: datetime, reason: str, actor: Actor | None = None
) -> bool:
    """End one session; False if it had ended before."""
    return bool(end_many(session, [session_id], now=now, reason=reason, actor=actor))


def end_many(
    session: Session,
    session_ids: Iterable[str],
    *,
    now: datetime,
    reason: str,
    actor: Actor | None = None,
) -> list[str]:
    """End those of the sessions that had not ended; which these were."""
    wanted = sorted(set(session_ids))
    ended: list[str] = []
    entries = []
    for some in batches(wanted):
        for row in session.execute(
            update(SsoSession)
            .where(SsoSession.id.in_(some), SsoSession.ended_at.is_(None))
            .values(ended_at=now, end_reason=reason)
            .returning(SsoSession.id, SsoSession.user_id)
            .execution_options(synchronize_session=False)
        ):
            ended.append(row.id)
            entries.append(
                audit.entry(
                    Tag.SESSION_END,
                    at=now,
                    actor=actor or Actor.system(),
                    subject=("user", row.user_id),
                    data={"session": row.id, "reason": reason},
                )
            )
    answers.drop_of(session, ended)
    audit.record_rows(session, entries)
    read_anew(session)
    return ended


def switch(  # noqa: PLR0913 (one keyword per fact)
    session: Session,
    view: SessionView,
    assignment_id: int | None,
    *,
    now: datetime,
    settings: Settings,
    keyring: Keyring,
    ip: str | None = None,
    port: int | None = None,
) -> tuple[SessionView, str]:
    """Go on in another capacity: the old row ends (``switched``), a new one starts with the same
    person, assurance and time of sign-in. The caller tells the old session's relying parties.

    The caller has checked that the capacity is hers today. Raises Conflict if the session is no
    longer good.
    """
    old = session.execute(
        select(SsoSession)
        .join(User, User.id == SsoSession.user_id)
        .outerjoin(Assignment, Assignment.id == SsoSession.assignment_id)
        .where(SsoSession.id == view.id, GOOD),
        at(now),
    ).scalar_one_or_none()
    if old is None or not end_many(
        session, [view.id], now=now, reason="switched", actor=view.actor(ip, port)
    ):
        raise Conflict("session_ended", "Phiên đăng nhập đã kết thúc. Hãy đăng nhập lại.")
    session_id = _open(
        session,
        now=now,
        settings=settings,
        user_id=old.user_id,
        assignment_id=assignment_id,
        acr=old.acr,
        amr=old.amr,
        auth_time=old.auth_time,
        user_epoch=old.user_epoch,
        installation_epoch=old.installation_epoch,
        issued_at=now,
        expires_at=old.expires_at,
        ip=ip or old.ip,
        port=port if ip else old.port,
        user_agent=old.user_agent,
    )
    audit.record(
        session,
        Tag.SESSION_SWITCH,
        at=now,
        actor=view.actor(ip, port),
        subject=("user", view.user_id),
        data={"from": view.id, "to": session_id, "assignment": assignment_id},
    )
    return _stored(session, session_id, now), handle(keyring, session_id, FIRST)


def cut_others(
    session: Session,
    user_id: int,
    *,
    epoch: int,
    keep: str | None,
    now: datetime,
    actor: Actor,
    reason: str = "password",
) -> tuple[int, list[str]]:
    """A password was set, or a factor lost: everything issued to the person before is dead, but for the session
    ``keep``. Gives the new epoch and the sessions ended.

    Raises Conflict when her epoch is no longer the one the caller acts under: her access was cut
    meanwhile, and nothing may outlive that.
    """
    raised = session.execute(
        update(User)
        .where(User.id == user_id, User.access_epoch == epoch)
        .values(access_epoch=User.access_epoch + 1)
        .returning(User.access_epoch)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if raised is None:
        raise Conflict(
            "login_overtaken", "Thông tin công tác của bạn vừa thay đổi. Hãy đăng nhập lại."
        )
    read_anew(session)
    others = [row.id for row in living(session, [user_id], now=now) if row.id != keep]
    session.execute(update(SsoSession).where(SsoSession.id == keep).values(user_epoch=raised))
    return raised, end_many(session, others, now=now, reason=reason, actor=actor)


def lower(session: Session, view: SessionView, *, keyring: Keyring) -> str:
    """The session goes on with what its password proved alone, under a new cookie, which is given.

    Raises Conflict if it died meanwhile.
    """
    generation = session.execute(
        update(SsoSession)
        .where(SsoSession.id == view.id, SsoSession.ended_at.is_(None))
        .values(
            generation=SsoSession.generation + 1,
            acr=Level.AAL1.value,
            amr=[way for way in view.amr if way in ("pwd", UNASKED)],
        )
        .returning(SsoSession.generation)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if generation is None:
        raise Conflict("session_ended", "Phiên đăng nhập đã kết thúc. Hãy đăng nhập lại.")
    return handle(keyring, view.id, generation)
