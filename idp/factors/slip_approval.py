"""A slip that takes two: what the second person agrees to, and what its proposer may do once with it.

The change ``slip`` (``directory.changes.kinds.slip``) is proposed and approved as any other. Its one
effect says how the person stands; another standing is another plan, so that the proposal is stale as
soon as anything of hers has moved. Nothing printable exists before the approval, and none by it: it
allows its proposer to print one slip, within a day, while the person still stands so.
"""

import hashlib
import json
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.changes.effects import Due, Effect, Foreseen, State
from directory.changes.kinds.slip import KIND
from directory.changes.model import Change, Plan
from directory.changes.proposals import Proposal, ProposalState
from directory.changes.table import Column, Event
from idp.factors.slip_rows import Activation, standings
from idp.factors.slips import Agreed

ALLOW = "slip.allow"
LABEL = "Phiếu kích hoạt"


def foreseen(session: Session, plan: Plan) -> list[Foreseen]:
    """For each person of a plan that allows slips, the one that would be printed."""
    whom = [person.id for person in plan.people if person.event == Event.SLIP]
    if not whom:
        return []
    stand = standings(session, whom, local_day(plan.now))
    return [
        Foreseen(Column.SLIPS, ALLOW, user_id, _digest(stand[user_id]), LABEL) for user_id in whom
    ]


def due(plan: Plan) -> list[Due]:
    """The same in the commit: nothing is left to be done for it."""
    return [
        Due(
            one.column,
            one.kind,
            one.user_id,
            one.target,
            one.label,
            final=State.ACKNOWLEDGED,
            state=State.ACKNOWLEDGED,
        )
        for one in plan.foreseen
        if one.kind == ALLOW
    ]


def proposed(session: Session, user_id: int, actor: Actor, *, now: datetime) -> str | None:
    """The proposal about this person that the actor has waiting, if there is one."""
    rows = session.execute(
        select(Proposal.id, Proposal.subjects).where(
            Proposal.proposer_kind == actor.kind,
            Proposal.proposer_id == actor.id,
            Proposal.state == ProposalState.PROPOSED.value,
            Proposal.expires_at > now,
            Proposal.kind == KIND.code,
        )
    )
    return next((row.id for row in rows if user_id in row.subjects), None)


def agreed(
    session: Session, user_id: int, actor: Actor, *, now: datetime, within: timedelta
) -> Agreed | None:
    """What this actor has been allowed for this person, as she stands now, and has not printed yet.
    Held under her lock, it is used once.
    """
    stand = standings(session, [user_id], local_day(now))
    if user_id not in stand:
        return None
    found = session.execute(
        select(Change.id, Change.approver_kind, Change.approver_id, Change.committed_at)
        .join(Effect, Effect.change_id == Change.id)
        .outerjoin(Activation, Activation.change_id == Change.id)
        .where(
            Effect.kind == ALLOW,
            Effect.target == _digest(stand[user_id]),
            Effect.user_id == user_id,
            Change.actor_kind == actor.kind,
            Change.actor_id == actor.id,
            Change.approver_kind.is_not(None),
            Change.committed_at > now - within,
            Activation.id.is_(None),
        )
        .order_by(Change.committed_at.desc(), Change.id)
        .limit(1)
    ).one_or_none()
    return (
        Agreed(found.id, found.approver_kind or "", found.approver_id, found.committed_at)
        if found
        else None
    )


def _digest(standing: dict[str, object]) -> str:
    text = json.dumps(standing, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
