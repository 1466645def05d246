"""Who may give whom a slip: alone, with a second person, or not at all. One rule, for one and for many.

Whoever holds a slip becomes its person. So nobody gives one to herself, nor to whom she does not see
whole; whoever holds administrative roles, or is going to, is served alone only by somebody who could
have given them: the password is still hers on the day her office begins. And whoever has signed in
here before has something to lose: her slip is a recovery, which always takes two. A reset does not
make her new again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlalchemy import ColumnElement, Text, cast, exists, or_, select
from sqlalchemy.orm import Session

from directory import assignments, eid_links, permissions
from directory.base.audit import Actor, AuditEntry, Tag
from directory.base.rows import batches, not_over
from directory.changes import limits
from directory.people import User
from directory.permissions import Do, Rights, visible_people
from idp.factors import enrolled, passwords, slip_rows
from idp.factors.slip_rows import Activation


class Bar(StrEnum):
    """Why nobody with these rights gives her a slip, with or without a second person."""

    UNSEEN = "unseen"
    SELF = "self"
    AWAY = "away"
    """Suspended, or she has left."""
    NOTHING = "nothing"
    """She has no post and no role, now or later: she could not sign in."""
    REACH = "reach"
    """Nobody's of this one: her unit is somebody else's."""


@dataclass(frozen=True)
class Verdict:
    """What somebody may do for a person's sign-in."""

    bar: Bar | None = None
    activated: bool = False
    """She has, or had, a way to sign in: a slip is a recovery."""
    office: bool = False
    """She holds a role, or is going to, that the asker could not have given."""

    @property
    def alone(self) -> bool:
        """Whether one person gives her a slip."""
        return self.bar is None and not self.because

    @property
    def together(self) -> bool:
        """Whether it takes a second person, and one can be asked for."""
        return self.bar is None and bool(self.because)

    @property
    def because(self) -> str:
        """Why it takes a second person (a choice of the change ``slip``); nothing where it does not."""
        return "recovery" if self.activated else "office" if self.office else ""

    @property
    def may_reset(self) -> bool:
        """Whether a lock of hers may be ended, and what she has enrolled."""
        return self.bar in (None, Bar.NOTHING) and not self.office


def verdicts(
    session: Session, granted: Rights, user_ids: Iterable[int], *, on: date
) -> dict[int, Verdict]:
    """For each of these people, what the holder of these rights may do."""
    found: dict[int, Verdict] = {}
    for part in batches(sorted(set(user_ids))):
        users = {u.id: u for u in session.scalars(select(User).where(User.id.in_(part)))}
        seen = set(
            session.scalars(select(User.id).where(User.id.in_(part), visible_people(granted, on)))
        )
        timelines = assignments.timeline(session, part)
        promised = permissions.promised_to(session, part, on)
        known = activated(session, part)
        for user_id in part:
            theirs, timeline = promised.get(user_id, ()), timelines[user_id]
            at = assignments.stands_in(timeline, on)
            bar: Bar | None = None
            if user_id not in users or user_id not in seen:
                bar = Bar.UNSEEN
            elif granted.actor.kind == "user" and granted.actor.id == user_id:
                bar = Bar.SELF
            elif not users[user_id].may_act(on):
                bar = Bar.AWAY
            elif not granted.may(Do.RESET_FACTORS, at.unit.path if at else None):
                bar = Bar.REACH
            elif not theirs and not any(not_over(h, on) for h in timeline):
                bar = Bar.NOTHING
            office = not all(granted.may(Do.GRANT_ROLE, reach.path) for reach in theirs)
            found[user_id] = Verdict(bar, user_id in known, office)
    return found


def verdict(session: Session, granted: Rights, user_id: int, *, on: date) -> Verdict:
    """As ``verdicts``, of one."""
    return verdicts(session, granted, [user_id], on=on)[user_id]


def has_been_activated() -> ColumnElement[bool]:
    """The SQL condition on ``User``: she has, or ever had, a way to sign in of her own. Of passwords and
    links that were ended nothing is left but the trail.
    """
    told = (
        exists()
        .where(
            AuditEntry.subject_kind == "user",
            AuditEntry.subject_id == cast(User.id, Text),
            AuditEntry.tag.in_((Tag.PASSWORD_SET.value, Tag.EID_LINK.value)),
        )
        .correlate(User)
    )
    return or_(
        passwords.has_one(), enrolled.ever_had_one(), slip_rows.used_one(), eid_links.linked(), told
    )


def activated(session: Session, user_ids: Iterable[int]) -> set[int]:
    """Those of these people of whom that is true."""
    found: set[int] = set()
    for part in batches(sorted(set(user_ids))):
        found.update(
            session.scalars(select(User.id).where(User.id.in_(part), has_been_activated()))
        )
    return found


def stands(session: Session, slip: Activation, *, on: date) -> bool:
    """Whether those who gave this slip could give it now."""
    issuer = Actor(slip.issuer_kind or "", slip.issuer_id)
    if issuer.kind != "user":
        # The operator at the command line, and the product itself: no right of theirs can end.
        # What can is the installation's epoch, which every slip carries.
        return issuer.kind in ("operator", "system")
    granted = permissions.rights(session, issuer, on)
    found = verdict(session, granted, slip.user_id, on=on)
    if slip.change_id is None:
        return found.alone
    return found.bar is None and _approves(session, slip, on)


def _approves(session: Session, slip: Activation, on: date) -> bool:
    """Whether who approved it is still somebody whose rights are as wide as its person's."""
    if slip.approver_kind == "operator":
        return True
    granted = permissions.rights(session, Actor(slip.approver_kind or "", slip.approver_id), on)
    found = verdict(session, granted, slip.user_id, on=on)
    return found.bar is None and not limits.wider_people(session, [slip.user_id], granted, today=on)
