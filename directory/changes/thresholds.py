"""How much one person may do within a day; beyond it takes a second one (``approval``).

    people      of one committer and decision (or of none), over all batches
    accounts    of one application lost, by whatever anybody has committed alone

Splitting does not pass: what was committed before counts. The installation's operator may go beyond.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from directory.base.audit import Actor
from directory.changes.effects import Effect
from directory.changes.model import Change, Plan
from directory.changes.notices import Notice
from directory.entitlements import Account, AccountState

WINDOW = timedelta(hours=24)
"""How long people and accounts add up."""
SECOND_PERSON = "second_person"
ACCOUNTS_LOST = "second_person_accounts"
_LOST = "account.disable"
"""The effect by which an account is taken away."""


@dataclass(frozen=True)
class Thresholds:
    """What may be done within a day without a second person."""

    people: int = 500
    """By one committer under one decision."""
    accounts: int = 100
    """Taken away in one application, whoever did it; where it has many, rather ``percent``."""
    percent: int = 10
    """Of an application's accounts."""


ALONE = Thresholds()


def people_of(plan: Plan) -> int:
    """How many people a plan touches, also where it names none of them."""
    return len(plan.people) or plan.working


def too_many(session: Session, plan: Plan, actor: Actor, *, most: int) -> list[Notice]:
    """The conflict of a plan that needs a second person: its own people and those whom the same
    committer has changed under the same decision, or under none, within a day.
    """
    if actor.kind == "operator" or not people_of(plan):
        return []
    if people_of(plan) + _counted(session, plan, actor) <= most:
        return []
    return [
        Notice(
            SECOND_PERSON,
            "Thay đổi trên {n} người cần người thứ hai phê duyệt.",
            args={"n": most},
            lifted=True,
        )
    ]


def too_many_lost(
    session: Session, plan: Plan, actor: Actor, thresholds: Thresholds, *, commits: bool
) -> list[Notice]:
    """The conflict of a plan that, with what others have done alone within a day, takes too many
    accounts of an application away. What two have agreed on and what the operator did is no
    reason to keep anybody from cutting one person's access.

    Whoever ``commits`` such a loss waits for everybody else who does, application by application.
    """
    if actor.kind == "operator":
        return []
    now_lost = Counter(f.target for f in plan.foreseen if f.kind == _LOST)
    if not now_lost:
        return []
    if commits:
        for target in sorted(now_lost):
            _wait_for(session, f"accounts:{target}")
    before = _lost(session, plan, list(now_lost))
    return [
        Notice(
            ACCOUNTS_LOST,
            "Trong 24 giờ sẽ có quá {most} tài khoản của {application} bị thu hồi; cần người thứ "
            "hai phê duyệt.",
            args={"most": most, "application": name},
            lifted=True,
        )
        for target, name in sorted({(f.target, f.label) for f in plan.foreseen if f.kind == _LOST})
        if (lost := now_lost[target] + before.get(target, 0)) > thresholds.accounts
        and lost > (most := _most(session, int(target), thresholds))
    ]


def _lost(session: Session, plan: Plan, targets: list[str]) -> dict[str, int]:
    recent = select(Change.id).where(
        Change.committed_at > plan.now - WINDOW,
        Change.actor_kind.not_in(("operator", "system")),
        Change.approver_kind.is_(None),
    )
    rows = session.execute(
        select(Effect.target, func.count().label("lost"))
        .where(Effect.change_id.in_(recent), Effect.kind == _LOST, Effect.target.in_(targets))
        .group_by(Effect.target)
    )
    return {row.target: row.lost for row in rows}


def _most(session: Session, application_id: int, thresholds: Thresholds) -> int:
    there = session.scalar(
        select(func.count()).where(
            Account.application_id == application_id, Account.state == AccountState.ACTIVE.value
        )
    )
    return max(thresholds.accounts, (there or 0) * thresholds.percent // 100)


def _counted(session: Session, plan: Plan, actor: Actor) -> int:
    decision = plan.spec.decision
    by = (
        and_(Change.actor_kind == actor.kind, Change.actor_id == actor.id)
        if actor.id is not None
        else and_(Change.actor_kind == actor.kind, Change.actor_label == actor.label)
    )
    return int(
        session.scalar(
            select(func.coalesce(func.sum(Change.people_count), 0)).where(
                Change.committed_at > plan.now - WINDOW,
                by,
                Change.decision_number.is_not_distinct_from(decision.number if decision else None),
                Change.decision_issuer.is_not_distinct_from(decision.issuer if decision else None),
            )
        )
        or 0
    )


def one_at_a_time(session: Session, actor: Actor) -> None:
    """Of two commits by one committer at once the second counts the first (SQLite: the writer
    holds all).
    """
    if actor.kind != "operator":
        _wait_for(session, f"commit:{actor.key}")


def _wait_for(session: Session, what: str) -> None:
    """One at a time until the end of the transaction."""
    if session.get_bind().dialect.name != "postgresql":
        return
    digest = hashlib.sha256(what.encode()).digest()
    number = int.from_bytes(digest[:8], "big", signed=True)
    session.execute(select(func.pg_advisory_xact_lock(number)))
