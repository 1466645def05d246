"""The one way in: ``plan`` works out what a change would do, ``commit`` does exactly that.

``commit`` in one transaction:

    1  the Idempotency-Key, if any, is claimed (a key that led to a change gives that change, to
       whoever may still see it)
    2  people, then units, then the posts whose places it may take, each in id order, then the
       rules are locked
    3  the plan is made again; another fingerprint → PlanStale, conflicts → Conflict
    4  directory rows, lines, audit entries
    5  epochs and dated cuts: from here on nothing issued before opens a door
    6  each artefact's own cut (sessions, accounts, certificates, roles) and its effects and jobs

Nothing has to succeed afterwards for access to be gone; the jobs push and prove.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory import entitlements, people, permissions
from directory.assignments import timeline
from directory.base import audit, outbox
from directory.base.audit import Actor, Tag
from directory.base.clock import local_day
from directory.base.crypto import Keyring, random_id
from directory.base.errors import InvalidInput, Misconfigured, NotAllowed, PlanStale
from directory.base.failpoints import failpoint
from directory.changes import (
    effects,
    kind,
    kinds,  # noqa: F401 (registered by being imported)
    limits,
    places,
    proof,
    repeats,
    thresholds,
    write,
)
from directory.changes.cutter import Cutter
from directory.changes.drafting import Ground, named
from directory.changes.effects import Effect, State
from directory.changes.model import Change, ChangeLine, ChangeState, Plan, Spec
from directory.changes.notices import Notice
from directory.changes.promises import overlapping, superseded
from directory.changes.table import REQUIRED
from directory.changes.thresholds import ALONE, Thresholds
from directory.people import User, UserStatus
from directory.units import OrgUnit, lock_tree


def _overlaps(plan: Plan) -> list[Notice]:
    """One primary post at a time, whatever the way in. What overlapped before may stay as it is:
    it must not keep anybody from being suspended or dismissed. Whose plan is refused already is
    not refused twice.
    """
    refused = {(n.user_id, n.row) for n in plan.conflicts}
    return [
        Notice(
            "two_primaries",
            "{name} không thể có hai phân công chính trong cùng một ngày.",
            person.id if person.id > 0 else None,
            args={"name": person.full_name},
            row=person.row,
        )
        for person in plan.people
        if overlapping(person.after) - overlapping(person.before)
        and (person.id if person.id > 0 else None, person.row) not in refused
    ]


def _kept(session: Session, plan: Plan) -> dict[str, Any]:
    """What a change keeps beside its request, for whoever is shown it."""
    spec = plan.spec
    kept: dict[str, Any] = {"size": len(plan.people) or len(spec.rows)}
    if told := kind.told(spec):
        kept["told"] = told
    if spec.undo_of is not None:
        kept["undoes"] = session.get_one(Change, spec.undo_of).kind
    return kept


_LARGE = 2000
"""People in one change, which is one transaction, at most; more goes in batches."""


class Door:
    """Plans and commits, with the cutters the composition root has handed over."""

    def __init__(
        self,
        *,
        cutters: Sequence[Cutter],
        keyring: Keyring,
        thresholds: Thresholds = ALONE,
        idempotency_days: int = 7,
    ) -> None:
        self.cutters = tuple(cutters)
        self.keyring = keyring
        self.thresholds = thresholds
        self.idempotency_days = idempotency_days

    def plan(self, session: Session, spec: Spec, actor: Actor, *, now: datetime) -> Plan:
        """What the change would do. Reads only.

        Raises InvalidInput, NotAllowed (naming the missing side), Conflict, NotFound.
        """
        return self._plan(session, spec, actor, now, entitlements.rulebook(session))

    def _plan(
        self,
        session: Session,
        spec: Spec,
        actor: Actor,
        now: datetime,
        rulebook: entitlements.Rulebook,
        *,
        commits: bool = False,
    ) -> Plan:
        granted = permissions.rights(session, actor, local_day(now))
        plan = self.drafted(session, spec, Ground(now, granted, rulebook))
        warnings, wider = limits.check(session, plan, today=local_day(now), commits=commits)
        many = thresholds.too_many(session, plan, actor, most=self.thresholds.people)
        always = limits.always(plan) if kind.get(spec.kind).needs_approval else []
        plan = replace(
            plan,
            warnings=(*plan.warnings, *warnings),
            conflicts=(*plan.conflicts, *_overlaps(plan), *always, *wider, *many),
        )
        foreseen = (f for cutter in self.cutters for f in cutter.preview(session, plan))
        plan = replace(plan, foreseen=tuple(foreseen))
        lost = thresholds.too_many_lost(session, plan, actor, self.thresholds, commits=commits)
        return replace(plan, conflicts=(*plan.conflicts, *lost))

    @staticmethod
    def drafted(session: Session, spec: Spec, ground: Ground) -> Plan:
        """What the planner of its kind makes of it. Raises as ``plan``."""
        plan, actor = kind.get(spec.kind).plan(session, spec, ground), ground.rights.actor
        if actor.kind == "user" and actor.id in spec.users:
            raise NotAllowed(
                "own_change", "Không ai được tự thực hiện thay đổi về chính mình.", missing="self"
            )
        if len(plan.people) > _LARGE:
            raise InvalidInput(
                "too_many", "Một lần xác nhận tối đa {n} người.", field="users", n=_LARGE
            )
        return plan

    def commit(
        self,
        session: Session,
        spec: Spec,
        actor: Actor,
        *,
        now: datetime,
        fingerprint: str,
        idempotency_key: str | None = None,
        approver: Actor | None = None,
    ) -> Change:
        """Do what the preview with this fingerprint announced, in the caller's transaction.

        What takes a second person is done only for ``proposals``, which names the ``approver``.
        With an Idempotency-Key that has already led to a change, gives that change and does
        nothing. Raises PlanStale, Conflict, NotAllowed, InvalidInput (also for a key that was
        used with another body).
        """
        self._require_cutters()
        change_id = random_id()
        if idempotency_key is not None:
            keep = timedelta(days=self.idempotency_days)
            keyed = repeats.Keyed(actor, idempotency_key, spec)
            earlier = repeats.claim(session, keyed, change_id, now=now, keep=keep)
            if earlier is not None:
                return earlier
        failpoint("commit.begin")
        thresholds.one_at_a_time(session, actor)
        rulebook = self._lock(session, spec)
        plan = self._plan(session, spec, actor, now, rulebook, commits=True)
        limits.require_settled(plan, approver)
        if plan.fingerprint != fingerprint:
            raise PlanStale
        change = self._new_change(session, plan, actor, change_id, approver)
        failpoint("commit.locked")
        plan = write.write_plan(session, plan, change, actor)
        failpoint("commit.rows")
        write.cut_access(session, plan, change)
        if spec.undo_of is not None:
            self._mark_undone(session, spec.undo_of, now)
        failpoint("commit.cut")
        for cutter in self.cutters:
            effects.order(session, change.id, cutter.cut(session, plan, change), now=now)
        write.set_boundaries(session, plan)
        failpoint("commit.effects")
        proof.settle(session, {change.id}, now=now)
        failpoint("commit.before_commit")
        return change

    def _require_cutters(self) -> None:
        missing = REQUIRED - {c for a in self.cutters for c in a.columns}
        if missing:
            raise Misconfigured(
                "artefact_missing", "Thiếu phần xử lý: {names}.", names=", ".join(sorted(missing))
            )

    @staticmethod
    def _lock(session: Session, spec: Spec) -> entitlements.Rulebook:
        """The tree where it changes, people, then units, then posts, each in id order, then the rules:
        everyone locks in this order. What is planned from then on is read anew, also what the session has seen before.
        """
        one = kind.get(spec.kind)
        if one.moves_tree:
            lock_tree(session)
        people.lock(session, sorted(spec.users))
        found = one.subjects(session, spec)
        if more := found.people - set(spec.users):
            people.lock(session, sorted(more))
            # What was found before anybody was held may have changed meanwhile.
            found, first = one.subjects(session, spec), found
            if found.people - first.people:
                raise PlanStale
        session.scalars(
            select(OrgUnit)
            .where(OrgUnit.id.in_(found.units | {unit_id for unit_id, _ in found.places}))
            .order_by(OrgUnit.id)
            .with_for_update(read=True)
            .execution_options(populate_existing=True)
        ).all()
        places.lock(session, found.places)
        return entitlements.rulebook(session, lock=True)

    def _new_change(
        self, session: Session, plan: Plan, actor: Actor, change_id: str, approver: Actor | None
    ) -> Change:
        spec, decision = plan.spec, plan.spec.decision
        change = Change(
            id=change_id,
            kind=str(spec.kind),
            state=(
                ChangeState.SCHEDULED
                if plan.scheduled and not spec.undo_of
                else ChangeState.COMMITTED
            ).value,
            about=named(plan),
            actor_kind=actor.kind,
            actor_id=actor.id,
            actor_label=actor.label,
            effective_on=spec.effective_on,
            effective_at=plan.effective_at,
            committed_at=plan.now,
            took_effect_at=None if plan.scheduled else plan.now,
            decision_number=decision.number if decision else None,
            decision_issued_on=decision.issued_on if decision else None,
            decision_issuer=decision.issuer if decision else None,
            spec=spec.as_dict() | _kept(session, plan),
            fingerprint=plan.fingerprint,
            undo_of=spec.undo_of,
            people_count=thresholds.people_of(plan),
            needs_attention=False,
            approver_kind=approver.kind if approver else None,
            approver_id=approver.id if approver else None,
            approver_label=approver.label if approver else None,
        )
        session.add(change)
        session.flush()
        audit.record(
            session,
            Tag.CHANGE_UNDO if spec.undo_of else Tag.CHANGE_COMMIT,
            at=plan.now,
            actor=actor,
            subject=("change", change.id),
            change_id=change.id,
            data={
                "kind": str(spec.kind),
                "people": len(plan.people),
                "effective_on": spec.effective_on.isoformat(),
                "decision": decision.number if decision else None,
            }
            | ({"approver": approver.key} if approver else {}),
        )
        return change

    @staticmethod
    def _mark_undone(session: Session, change_id: str, now: datetime) -> None:
        undone = session.get_one(Change, change_id)
        waiting = undone.state == ChangeState.SCHEDULED.value
        undone.state = ChangeState.UNDONE.value
        if waiting and undone.effective_at <= now:
            undone.took_effect_at = undone.effective_at  # the dates did it, no job had come by
        if waiting:
            pending = session.scalars(select(Effect).where(Effect.change_id == change_id))
            effects.advance(session, pending, State.SUPERSEDED, at=now)

    def take_effect(self, session: Session, user_id: int, *, now: datetime) -> set[str]:
        """The day of something about this person has come: push what follows from it.

        Access is already decided by the dates; this enqueues what must be told to others, and
        returns the ids of the changes to settle.
        """
        due = (
            select(Change.id)
            .where(
                Change.state == ChangeState.SCHEDULED.value,
                Change.effective_at <= now,
                Change.id.in_(select(ChangeLine.change_id).where(ChangeLine.user_id == user_id)),
            )
            .order_by(Change.effective_at, Change.id)
        )
        about = {
            change_id: self._people_of(session, change_id) for change_id in session.scalars(due)
        }
        # People first, as every commit does: two that meet must not wait for each other.
        people.lock(session, sorted({user_id, *(u for users in about.values() for u in users)}))
        waiting = session.scalars(
            select(Change)
            .where(Change.id.in_(about), Change.state == ChangeState.SCHEDULED.value)
            .order_by(Change.effective_at, Change.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).all()
        for change in waiting:
            users = about[change.id]
            change.state, change.took_effect_at = ChangeState.COMMITTED.value, now
            for user in people.lock(session, users):
                if user.has_left(local_day(now)):
                    user.status = UserStatus.LEFT.value
            session.flush()
            for cutter in self.cutters:
                effects.order(session, change.id, cutter.due(session, change, users), now=now)
        self._recompute_accounts(session, user_id, now)
        return {change.id for change in waiting}

    @staticmethod
    def _people_of(session: Session, change_id: str) -> list[int]:
        """Everybody the change is still about: not those for whom it was put aside."""
        about = {
            user_id
            for user_id in session.scalars(
                select(ChangeLine.user_id).where(ChangeLine.change_id == change_id).distinct()
            )
            if user_id is not None
        }
        aside = {u for u, of in superseded(session, sorted(about)) if of == change_id}
        return sorted(about - aside)

    @staticmethod
    def _recompute_accounts(session: Session, user_id: int, now: datetime) -> None:
        user = session.get_one(User, user_id)
        on = local_day(now)
        status = UserStatus.ACTIVE.value if user.may_act(on) else user.status
        held = timeline(session, [user_id])[user_id]
        rules = entitlements.rulebook(session).rules
        wanted = set(entitlements.desired_accounts(rules, held, status=status, on=on))
        linked = {app for _, app in entitlements.accounts_of(session, [user_id])}
        outbox.enqueue_rows(
            session,
            [
                entitlements.account_job(user_id, app, now=now)
                for app in sorted((wanted | linked) & entitlements.connected(session).keys())
            ],
        )
