"""What is done with proposals, each in one transaction.

    propose     whoever may plan a change, but not make it alone, leaves it with its fingerprint
    approve     somebody else, with the rights that it takes, agrees: it is committed as hers who
                proposed it, with the approver named
    decline     such a person says no, and why
    withdraw    whoever proposed it takes it back
    lapse_due   what has lapsed meanwhile is written down
    forget_due  whom it was about is forgotten, some time after its end

A row is taken once, by an UPDATE that asks whether it still waits. Locks: the proposer's commits
first, then the proposal, then people, then as every commit.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from directory import entitlements, people, permissions
from directory.base import audit, storable
from directory.base.audit import Actor, Tag
from directory.base.clock import local_day
from directory.base.crypto import random_id
from directory.base.errors import (
    Conflict,
    DinhdanhError,
    InvalidInput,
    NotAllowed,
    NotFound,
    PlanStale,
)
from directory.base.failpoints import failpoint
from directory.base.text import clean
from directory.changes import limits, repeats, thresholds
from directory.changes.door import Door
from directory.changes.drafting import Ground, named
from directory.changes.model import Change, Plan, Spec
from directory.changes.proposals import (
    Lapse,
    Outside,
    Proposal,
    ProposalState,
    closed,
    epoch,
    find,
    frozen,
    lapsed,
    may_decide,
)
from directory.entitlements import Installation
from directory.permissions import Noting, Rights

MOST_OPEN = 100
"""Proposals of one proposer that may wait at once."""
_LONGEST = 500
"""Letters of a reason."""


def propose(  # noqa: PLR0913 (a request, its proof, and what it hangs on)
    session: Session,
    door: Door,
    spec: Spec,
    actor: Actor,
    *,
    now: datetime,
    fingerprint: str,
    lifetime: timedelta,
    outside: Outside,
    idempotency_key: str | None = None,
) -> Proposal:
    """Leave a change for a second person; the same again while it waits is the same proposal.

    Raises PlanStale, Conflict (also where no second person is needed, or would not help),
    NotAllowed, InvalidInput (also for a key that was used with another body).
    """
    thresholds.one_at_a_time(session, actor)
    proposal_id = random_id()
    if idempotency_key is not None:
        keyed = repeats.Keyed(actor, idempotency_key, spec, "propose")
        keep = timedelta(days=door.idempotency_days)
        earlier = repeats.take(session, keyed, proposal_id, now=now, keep=keep)
        if earlier is not None:
            found = session.get(Proposal, earlier.change_id)
            repeats.require_same(earlier, keyed, found.effective_on if found else spec.effective_on)
            if found is not None:
                return found
    plan = door.plan(session, spec, actor, now=now)
    _require_proposable(plan, fingerprint)
    held = epoch(session, actor, outside, since=now, now=now)
    if held is None:
        raise NotAllowed("not_allowed", "Không có quyền thực hiện việc này.", missing="role")
    for row in _waiting_of(session, actor, now):
        if row.fingerprint == fingerprint and lapsed(session, row, outside, now=now) is None:
            if idempotency_key is not None:
                repeats.lead(session, actor, idempotency_key, row.id)
            return row
    row = Proposal(
        id=proposal_id,
        kind=str(spec.kind),
        about=named(plan),
        size=len(plan.people) or len(spec.rows),
        undoes=session.get_one(Change, spec.undo_of).kind if spec.undo_of else None,
        state=ProposalState.PROPOSED.value,
        proposer_kind=actor.kind,
        proposer_id=actor.id,
        proposer_label=actor.label,
        proposer_ip=actor.ip,
        proposer_port=actor.port,
        proposer_posts=None if actor.posts is None else sorted(actor.posts),
        proposer_epoch=held,
        installation_epoch=session.scalars(select(Installation.epoch)).one(),
        proposed_at=now,
        expires_at=now + lifetime,
        effective_on=spec.effective_on,
        decision_number=spec.decision.number if spec.decision else None,
        people_count=thresholds.people_of(plan),
        subjects=sorted({p.id for p in plan.people if not p.new} | set(spec.users)),
        why=sorted({notice.code for notice in plan.conflicts}),
        needs=_needed(session, spec, plan, now),
        spec=frozen(spec),
        fingerprint=fingerprint,
    )
    session.add(row)
    session.flush()
    _record(session, Tag.CHANGE_PROPOSE, row, actor, now, {"why": row.why})
    return row


def _require_proposable(plan: Plan, fingerprint: str) -> None:
    for notice in plan.conflicts:
        if not notice.lifted:
            raise Conflict(notice.code, notice.message, **notice.args)
    if plan.fingerprint != fingerprint:
        raise PlanStale
    if not plan.conflicts:
        raise Conflict(
            "approval_not_needed", "Thay đổi này không cần người thứ hai; hãy xác nhận thực hiện."
        )


def _needed(session: Session, spec: Spec, plan: Plan, now: datetime) -> list[list[str | None]]:
    """The rights that it takes, as far as its proposer was asked for them."""
    noting = Noting.of(plan.rights)
    Door.drafted(session, spec, Ground(now, noting, plan.rulebook))
    return [[action.value, path] for action, path in noting.noted]


def _waiting_of(session: Session, actor: Actor, now: datetime) -> list[Proposal]:
    """The proposals of hers that wait. Raises Conflict where she has too many."""
    found = session.scalars(
        select(Proposal).where(
            Proposal.state == ProposalState.PROPOSED.value,
            Proposal.expires_at > now,
            Proposal.proposer_kind == actor.kind,
            Proposal.proposer_id == actor.id,
        )
    ).all()
    if len(found) >= MOST_OPEN:
        raise Conflict(
            "too_many_proposals",
            "Bạn đang có {n} đề nghị chờ phê duyệt; hãy đợi hoặc rút bớt.",
            n=len(found),
        )
    return list(found)


# ---- deciding ----------------------------------------------------------------------------------


def approve(
    session: Session,
    door: Door,
    proposal_id: str,
    approver: Actor,
    *,
    now: datetime,
    fingerprint: str,
    outside: Outside,
) -> Proposal:
    """Commit it as the proposer's change, with the approver named; or write down that it has
    lapsed. Which of both, its state says; again by the same approver it is what it was.

    Raises NotFound, NotAllowed (naming what she lacks), Conflict where it does not wait any more,
    PlanStale where she has looked at another plan.
    """
    row = find(session, permissions.rights(session, approver, local_day(now)), proposal_id)
    proposer = row.proposer
    stands = epoch(session, approver, outside, since=now, now=now)
    thresholds.one_at_a_time(session, proposer)
    failpoint("approve.begin")
    if not _take(session, row, ProposalState.APPROVED, approver, now):
        return row
    spec = row.request
    both = {a.id for a in (proposer, approver) if a.kind == "user" and a.id is not None}
    people.lock(session, sorted(both | set(row.subjects)))
    failpoint("approve.locked")
    if epoch(session, approver, outside, since=now, now=now) != stands:
        raise NotAllowed("not_allowed", "Không có quyền thực hiện việc này.", missing="approval")
    why = lapsed(session, row, outside, now=now)
    if why is not None:
        return _lapse(session, row, why, now)
    if fingerprint != row.fingerprint:
        raise PlanStale
    granted = _second(session, row, approver, now)
    try:
        require_as_wide(session, spec, granted, now)
    except (Conflict, NotFound):
        return _lapse(session, row, Lapse.STALE, now)
    outside.require_apart(session, proposer, approver, now)
    try:
        with session.begin_nested():
            change = door.commit(
                session, spec, proposer, now=now, fingerprint=fingerprint, approver=approver
            )
    except DinhdanhError as error:
        if error.status == 500:
            raise
        return _lapse(session, row, Lapse.STALE, now)
    row.change_id = change.id
    row.spec = {}
    session.flush()
    _record(session, Tag.CHANGE_APPROVE, row, approver, now, {"proposer": proposer.key})
    return row


def decline(
    session: Session, proposal_id: str, approver: Actor, *, now: datetime, reason: str
) -> Proposal:
    """Say no, and why: it can no longer be approved. Raises as ``approve``, and InvalidInput."""
    said = clean(storable.text(reason))
    if not said:
        raise InvalidInput("reason_missing", "Hãy ghi lý do từ chối.", field="reason")
    if len(said) > _LONGEST:
        raise InvalidInput("invalid", "Trường này quá dài.", field="reason")
    row = find(session, permissions.rights(session, approver, local_day(now)), proposal_id)
    if not _take(session, row, ProposalState.DECLINED, approver, now):
        return row
    _second(session, row, approver, now)
    row.reason = said
    return _put_away(session, row, Tag.CHANGE_DECLINE, approver, now)


def withdraw(session: Session, proposal_id: str, actor: Actor, *, now: datetime) -> Proposal:
    """Take one's own proposal back. Raises NotFound, NotAllowed, Conflict."""
    row = find(session, permissions.rights(session, actor, local_day(now)), proposal_id)
    if not row.is_of(actor):
        raise NotAllowed(
            "not_proposer", "Chỉ người đề nghị mới rút được đề nghị.", missing="proposer"
        )
    if not _take(session, row, ProposalState.WITHDRAWN, actor, now):
        return row
    return _put_away(session, row, Tag.CHANGE_WITHDRAW, actor, now)


def lapse_due(session: Session, outside: Outside, *, now: datetime, most: int = 200) -> int:
    """Write down what has lapsed by its time or by its proposer; how many."""
    waiting = session.scalars(
        select(Proposal)
        .where(Proposal.state == ProposalState.PROPOSED.value)
        .order_by(Proposal.expires_at, Proposal.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    ).all()
    due = [(row, lapsed(session, row, outside, now=now)) for row in waiting]
    for row, why in due:
        if why is not None:
            _lapse(session, row, why, now)
    return sum(why is not None for _, why in due)


def forget_due(session: Session, *, before: datetime) -> None:
    """Whom a proposal that was decided before a moment was about is known no longer. Until then her who
    is not to see it must be known; from then on nobody but its proposer finds it.
    """
    session.execute(
        update(Proposal)
        .where(
            Proposal.state != ProposalState.PROPOSED.value,
            Proposal.decided_at <= before,
            Proposal.fingerprint != "",
        )
        .values(
            about="",
            subjects=[],
            needs=[],
            decision_number=None,
            reason=None,
            spec={},
            fingerprint="",
        )
    )


def _second(session: Session, row: Proposal, approver: Actor, now: datetime) -> Rights:
    """Her rights, where she may be the second person. Raises NotAllowed."""
    if row.is_of(approver):
        raise NotAllowed(
            "own_proposal", "Người đề nghị không tự phê duyệt được.", missing="second_person"
        )
    if approver.kind not in ("user", "operator"):
        raise NotAllowed(
            "approver_person",
            "Phê duyệt là việc của một người, không phải của ứng dụng.",
            missing="second_person",
        )
    granted = permissions.rights(session, approver, local_day(now))
    if not may_decide(session, row, granted):
        raise NotAllowed("not_allowed", "Không có quyền thực hiện việc này.", missing="approval")
    return granted


def require_as_wide(session: Session, spec: Spec, granted: Rights, now: datetime) -> None:
    """Raises NotAllowed unless the approver could ask for it herself: with every right that it
    takes, rights as wide as those of whom it concerns, and herself none of them.
    """
    ground = Ground(now, granted, entitlements.rulebook(session))
    plan = Door.drafted(session, spec, ground)
    if granted.actor.kind == "user" and granted.actor.id in {p.id for p in plan.people}:
        raise NotAllowed(
            "own_change", "Không ai được tự thực hiện thay đổi về chính mình.", missing="self"
        )
    for notice in limits.wider(session, plan, today=ground.today):
        raise NotAllowed(notice.code, notice.message, missing="wider_rights", **notice.args)


def _take(
    session: Session, row: Proposal, state: ProposalState, actor: Actor, now: datetime
) -> bool:
    """It is this actor's to decide from here on, and nobody else's; False where she has decided
    the same before: a second click changes nothing. Raises Conflict.
    """
    taken = session.execute(
        update(Proposal)
        .where(Proposal.id == row.id, Proposal.state == ProposalState.PROPOSED.value)
        .values(
            state=state.value,
            decided_at=now,
            decider_kind=actor.kind,
            decider_id=actor.id,
            decider_label=actor.label,
        )
        .returning(Proposal.id)
        .execution_options(synchronize_session=False)
    ).first()
    session.refresh(row)
    by = (row.decider_kind, row.decider_id, row.decider_label)
    if taken is None and (row.state != state.value or by != (actor.kind, actor.id, actor.label)):
        raise closed(row)
    return taken is not None


def _lapse(session: Session, row: Proposal, why: Lapse, now: datetime) -> Proposal:
    row.state, row.lapse, row.decided_at = ProposalState.LAPSED.value, why.value, now
    row.decider_kind = row.decider_id = row.decider_label = None
    return _put_away(session, row, Tag.CHANGE_LAPSE, Actor.system(), now)


def _put_away(session: Session, row: Proposal, tag: Tag, actor: Actor, now: datetime) -> Proposal:
    """Nothing personal stays in what will not be done."""
    row.spec = {}
    session.flush()
    _record(session, tag, row, actor, now, {"proposer": row.proposer.key})
    return row


def _record(
    session: Session,
    tag: Tag,
    row: Proposal,
    actor: Actor,
    now: datetime,
    more: dict[str, Any],
) -> None:
    data = {"kind": row.kind, "people": row.people_count, "decision": row.decision_number}
    audit.record(
        session,
        tag,
        at=now,
        actor=actor,
        subject=("proposal", row.id),
        change_id=row.change_id,
        data=data | more | ({"reason": row.lapse} if row.lapse else {}),
        personal={"reason": row.reason} if row.reason else None,
    )
