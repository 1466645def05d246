"""What has ended the session that a browser had, told on the page that asks to sign in again.

The cookie of that session is the key, sealed by us and gone when the browser closes: nobody else is told
anything, and whoever makes a cookie up is told what everybody is. It says what the person may know of
herself: the decision, where she serves now, her applications, whom to ask; never who did it, nor
anything of others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from directory import assignments, entitlements, people
from directory.assignments import Assignment, Held
from directory.base.clock import day_start, local_day
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.changes.model import Change
from directory.changes.table import Event
from directory.people import UserCut
from idp import sessions
from idp.factors import passwords
from idp.sessions import SsoSession

TOLD_FOR = timedelta(days=1)
"""So long after the end; a browser that was left open longer is told what everybody is."""
_CHANGE = "change:"
_OTHERS = {
    "ended by owner": "owner",
    "everywhere": "everywhere",
    "password": "password",
    "factor": "factor",
}
"""Why a session has ended without a change, and what that is called here."""


@dataclass(frozen=True)
class Cut:
    """What has happened, for whom it has happened to."""

    why: str
    """``change``, ``owner`` (from another browser of hers), ``everywhere``, ``password``, ``factor``."""
    may_return: bool
    """Whether she may sign in again."""
    has_password: bool
    unit: str
    """Where she serves, or served last: whose personnel office knows."""
    contact: str
    """Whom to ask, where the installation says so."""
    kind: str = ""
    """The kind of the change."""
    decision: tuple[str, date, str] | None = None
    """Number, day, issuer."""
    effective_on: date | None = None
    posts: Sequence[Held] = ()
    """Where she serves now."""
    applications: Sequence[str] = ()
    """Hers now, by name."""


def read(
    session: Session, keyring: Keyring, cookie_value: str, *, now: datetime, settings: Settings
) -> Cut | None:
    """What has ended the session of this cookie; None for what is no such session, lives, has simply
    run out, or ended too long ago.
    """
    named = sessions.named(keyring, cookie_value)
    row = session.get(SsoSession, named[0]) if named is not None else None
    if named is None or row is None or row.generation != named[1]:
        return None
    ended = _ended(session, row, now)
    if ended is None or ended[1] <= now - TOLD_FOR:
        return None
    why, today = ended[0], local_day(now)
    change = session.get(Change, why.removeprefix(_CHANGE)) if why.startswith(_CHANGE) else None
    if change is None and why not in _OTHERS:
        return None
    if change is not None and change.event_of(row.user_id) is Event.DIE:
        return None
    timeline = assignments.timeline(session, [row.user_id])[row.user_id]
    held = assignments.current(session, row.user_id, today)
    last = held[0] if held else assignments.last_of(timeline)
    found = Cut(
        _OTHERS.get(why, "change"),
        may_return=people.standing(session, row.user_id).may_act(today),
        has_password=bool(passwords.having(session, [row.user_id])),
        unit=last.unit.name if last else "",
        contact=settings.notice_contact,
    )
    return found if change is None else _by(session, change, found, row.user_id, held, today)


def _ended(session: Session, row: SsoSession, now: datetime) -> tuple[str, datetime] | None:
    """Why and when it has ended: as it was marked, or by a date that nobody has marked yet."""
    if row.ended_at is not None:
        return row.end_reason or "", row.ended_at
    if min(row.expires_at, row.idle_until) <= now:
        return None
    cut = session.scalars(
        select(UserCut)
        .where(
            UserCut.user_id == row.user_id,
            or_(UserCut.assignment_id.is_(None), UserCut.assignment_id == row.assignment_id),
            UserCut.at > row.issued_at,
            UserCut.at <= now,
        )
        .order_by(UserCut.at.desc())
    ).first()
    if cut is not None:
        return _CHANGE + cut.change_id, cut.at
    post = session.get(Assignment, row.assignment_id) if row.assignment_id is not None else None
    if post is not None and post.closed_by and post.valid_to and day_start(post.valid_to) <= now:
        return _CHANGE + post.closed_by, day_start(post.valid_to)
    return None


def _by(
    session: Session, change: Change, found: Cut, user_id: int, held: Sequence[Held], today: date
) -> Cut:
    """What a change has done to her."""
    decision = None
    if change.decision_number and change.decision_issued_on and change.decision_issuer:
        decision = (change.decision_number, change.decision_issued_on, change.decision_issuer)
    return Cut(
        found.why,
        found.may_return,
        found.has_password,
        found.unit,
        found.contact,
        kind=change.undoes or change.kind,
        decision=decision,
        effective_on=change.effective_on,
        posts=held if found.may_return else (),
        applications=_applications(session, user_id, held, today) if found.may_return else (),
    )


def _applications(
    session: Session, user_id: int, held: Sequence[Held], today: date
) -> Sequence[str]:
    """Those that her posts earn, and those open to all."""
    status = people.standing(session, user_id).status
    rules = entitlements.rulebook(session).rules
    wanted = entitlements.desired_accounts(rules, held, status=status, on=today)
    return [
        one.name
        for one in entitlements.applications(session)
        if one.enabled and (one.open_to_all or one.id in wanted)
    ]
