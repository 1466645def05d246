"""Slips for everybody of a unit who has never signed in: who is among them, who is not and why, one print."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from directory import assignments, people, permissions, tree, units
from directory.assignments import Assignment, Held
from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.errors import Conflict, NotAllowed
from directory.base.rows import MOST, not_over
from directory.people import User
from directory.permissions import Do, Rights, visible_people
from directory.units import OrgUnit, UnitView
from idp.factors import slip_rights, slip_rows, slip_use, slips
from idp.factors.slip_rights import Bar, Verdict
from idp.factors.slip_use import Question


@dataclass(frozen=True)
class Row:
    """Somebody of the unit who has never signed in."""

    user: User
    held: Held | None
    verdict: Verdict
    open_until: datetime | None
    """Until when a slip that she has been given is good."""

    @property
    def why_not(self) -> str:
        """Why she is given none here: a word of ``left_out``; nothing where she is."""
        if self.verdict.bar is not None:
            return self.verdict.bar.value
        return self.verdict.because


@dataclass(frozen=True)
class UnitSlips:
    """The page before the print."""

    unit: UnitView
    rows: list[Row]
    """Those whom the asker gives a slip alone, by unit and name."""
    left_out: list[Row]
    """Those who have never signed in, and whom she does not."""
    activated: int
    """How many have signed in before."""
    more: bool
    """Whether there are more than one print takes."""


@dataclass(frozen=True)
class Printed:
    """One slip to be printed."""

    user: User
    held: Held | None
    office: str
    """Whom to ask: the legal person her unit belongs to."""
    code: str = field(repr=False)
    question: Question | None = None


def before(session: Session, granted: Rights, unit_id: int, *, now: datetime) -> UnitSlips:
    """Who of a unit and those below it is to be given a slip. Raises NotFound, NotAllowed."""
    on = local_day(now)
    unit = tree.unit(session, granted, unit_id)
    granted.require(Do.RESET_FACTORS, unit.path, missing="source")
    inside = (
        exists()
        .where(
            Assignment.user_id == User.id,
            OrgUnit.id == Assignment.unit_id,
            OrgUnit.path.like(unit.path + "%"),
            not_over(Assignment, on),
        )
        .correlate(User)
    )
    known = slip_rights.has_been_activated()
    hers = (inside, visible_people(granted, on))
    found = session.scalars(
        select(User).where(*hers, ~known).order_by(User.sort_key, User.id).limit(MOST + 1)
    ).all()
    counted = session.scalar(select(func.count()).select_from(User).where(*hers, known))
    rows = _rows(session, granted, found[:MOST], on=on, now=now)
    return UnitSlips(
        units.view(unit),
        [row for row in rows if row.verdict.alone],
        [row for row in rows if not row.verdict.alone],
        counted or 0,
        len(found) > MOST,
    )


def _rows(
    session: Session, granted: Rights, users: Sequence[User], *, on: date, now: datetime
) -> list[Row]:
    ids = [user.id for user in users]
    timelines = assignments.timeline(session, ids)
    may = slip_rights.verdicts(session, granted, ids, on=on)
    given = slip_rows.open_until(session, ids, now=now)
    rows = [
        Row(u, assignments.stands_in(timelines[u.id], on), may[u.id], given.get(u.id))
        for u in users
    ]
    return sorted(rows, key=lambda row: row.held.unit.path if row.held else "")


def issue(
    session: Session,
    user_ids: Iterable[int],
    *,
    actor: Actor,
    keyring: Keyring,
    settings: Settings,
    now: datetime,
) -> list[Printed]:
    """New slips for these people, all or none, as they are to lie in the printer. Raises Conflict where
    one of them is not, or no longer, given hers by one officer alone.
    """
    on, whom = local_day(now), sorted(set(user_ids))
    if not whom:
        raise Conflict("nobody_chosen", "Chưa chọn ai.")
    if len(whom) > MOST:
        raise Conflict("too_many_slips", "Mỗi lần in tối đa {n} phiếu.", n=MOST)
    users = {user.id: user for user in people.lock(session, whom)}
    granted = permissions.rights(session, actor, on)
    may = slip_rights.verdicts(session, granted, whom, on=on)
    if any(may[user_id].bar == Bar.UNSEEN for user_id in whom):
        raise NotAllowed("not_allowed", "Không có quyền thực hiện việc này.", missing="source")
    changed = [users[user_id].full_name for user_id in whom if not may[user_id].alone]
    if changed:
        raise Conflict(
            "slips_changed",
            "Chưa cấp phiếu nào: có người không còn được cấp theo đợt ({names}). Hãy xem lại danh sách.",
            names=", ".join(changed[:5]) + (" …" if len(changed) > 5 else ""),
        )
    codes = slips.issue_all(
        session, keyring, whom, now=now, lifetime=settings.activation_lifetime, actor=actor
    )
    timelines = assignments.timeline(session, whom)
    held = {user_id: assignments.stands_in(timelines[user_id], on) for user_id in whom}
    offices = tree.owners(session, [h.unit for h in held.values() if h is not None])
    found = [
        Printed(
            users[user_id],
            at := held[user_id],
            offices[at.unit.id].name if at else "",
            codes[user_id],
            slip_use.question(users[user_id]),
        )
        for user_id in whom
    ]
    return sorted(
        found,
        key=lambda one: (one.held.unit.path if one.held else "", one.user.sort_key, one.user.id),
    )


def good_until(settings: Settings, *, now: datetime) -> datetime:
    """Until when a slip issued now is good."""
    return now + timedelta(seconds=settings.activation_lifetime)
