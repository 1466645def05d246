"""Accounts follow the directory: the account artefact of the door, and the job behind it.

    preview ─┐  desired before the plan, desired after it: the difference is what is promised
    cut ─────┴▶ effects + jobs ``account.apply``, one per person and application
    due         a scheduled change takes effect: what the rules have come to say since
    recompute   the rules of an application changed: everybody they match or matched
    apply_account
                the job: what is wanted NOW → the least change at the target → a fresh look at
                the target as proof → one transaction that notes it

The job names the person and the application, never a difference: late, doubled and reordered
jobs all end in the same account.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Text, and_, cast, literal, select, union
from sqlalchemy.orm import Session

from connectors.accounts import mapping, matching, proving, registry, work_items
from connectors.accounts.account_changes import AccountEffect, Turn, between, turns
from connectors.accounts.contract import (
    Action,
    Attribute,
    Operation,
    Outcome,
    Pending,
    RemoteAccount,
    WantedAccount,
)
from connectors.accounts.withholding import connector_for
from connectors.errors import Rejected
from connectors.tools import Tools
from directory import assignments, entitlements, units
from directory.base import audit, outbox
from directory.base.audit import Actor, Tag
from directory.base.clock import local_day
from directory.base.failpoints import failpoint
from directory.base.outbox import Claim, JobKind, Priority
from directory.base.rows import batches
from directory.changes import effects
from directory.changes.effects import Due, Foreseen, State
from directory.changes.model import Change, Plan
from directory.changes.table import Column
from directory.entitlements import (
    Account,
    AccountState,
    Application,
    Connected,
    Desired,
    RuleView,
    desired_accounts,
)
from directory.people import User, UserStatus, sole_email

URGENT_UP_TO = 50
"""A change of more people than this must not hold up the one official at the counter."""


class AccountCutter:
    """The column "accounts" of the event × artefact table."""

    columns = frozenset({Column.ACCOUNTS})

    def preview(self, session: Session, plan: Plan) -> Sequence[Foreseen]:
        """What becomes of every account of every person of the plan."""
        names = entitlements.connected(session)
        return [
            Foreseen(
                Column.ACCOUNTS,
                turn.kind,
                turn.user_id,
                str(turn.application_id),
                names[turn.application_id].name,
                detail=turn.detail,
            )
            for turn in _turns(plan)
            if turn.application_id in names
        ]

    def cut(self, session: Session, plan: Plan, change: Change) -> Sequence[Due]:
        """One effect and one job per account; the remote work is the job's."""
        names = entitlements.connected(session)
        return [
            _due(turn, names, now=plan.now, run_at=plan.effective_at, people=len(plan.people))
            for turn in _turns(plan)
            if turn.application_id in names
        ]

    def due(self, session: Session, change: Change, users: Sequence[int]) -> Sequence[Due]:
        """Accounts that the day turns by rules made since the commit; what the commit has
        ordered itself is not repeated.
        """
        now = change.took_effect_at or change.effective_at
        on = change.effective_on
        names = entitlements.connected(session)
        rules = entitlements.rulebook(session).rules
        held = assignments.timeline(session, users)
        ordered = {
            (effect.user_id, effect.target)
            for effect in effects.of_change(session, change.id)
            if effect.column == Column.ACCOUNTS
        }
        found: list[Turn] = []
        for user in _people(session, users):
            found += between(
                user.id,
                desired_accounts(
                    rules, held[user.id], status=UserStatus.ACTIVE, on=on - timedelta(days=1)
                ),
                desired_accounts(rules, held[user.id], status=_status(user, on), on=on),
            )
        return [
            _due(turn, names, now=now, run_at=now, people=len(users))
            for turn in found
            if turn.application_id in names
            and (turn.user_id, str(turn.application_id)) not in ordered
        ]


def recompute(session: Session, application_id: int, *, now: datetime) -> int:
    """Look again at everybody the application's rules match today or who has an account there.

    For changed rules, a new or a disabled application. One statement whatever the number of
    people; how many jobs it enqueued or brought forward: none where people only sign in.
    """
    people = union(
        matching.people(_rules(session, application_id), on=local_day(now)),
        select(Account.user_id).where(Account.application_id == application_id),
    ).subquery()
    user_id = people.c.user_id
    subjects = select(
        cast(user_id, Text).concat(f":{application_id}"),
        literal(f"app:{application_id}:").concat(cast(user_id % entitlements.LANES, Text)),
    ).where(
        select(Application.id)
        .where(Application.id == application_id, Application.connector.is_not(None))
        .exists()
    )
    return outbox.enqueue_selected(
        session, JobKind.ACCOUNT_APPLY, subjects, now=now, priority=Priority.BULK
    )


def apply_account(tools: Tools, claim: Claim) -> Callable[[Session], set[str]]:
    """Make one person's account in one application right, and prove it by looking again.

    Raises Transient when the target is away or does not show the state yet, and what
    ``proving.look`` raises where it never will.
    """
    user_id, application_id = _subject(claim)
    with tools.db.read() as session:
        case = _Case.read(session, user_id, application_id, on=local_day(tools.clock()))
    connector = connector_for(tools, case.application, case.wanted)
    failpoint("account.before_remote")
    outcome = connector.apply(Operation(case.wanted, case.remote_id))
    failpoint("account.after_remote")
    if (pending := outcome.pending) is not None:
        return lambda session: case.hand_over(session, claim, outcome, pending, at=tools.clock())
    seen, evidence = proving.look(
        connector, case.wanted, outcome, others=case.others, last=claim.tries >= proving.PATIENCE
    )
    at = tools.clock()

    def record(session: Session) -> set[str]:
        failpoint("account.before_record")
        return case.record(session, claim, outcome, seen, evidence, at=at)

    return record


@dataclass(frozen=True)
class _Case:
    """One person and one application, as the directory wants them at one moment."""

    user: User
    application: Application
    desired: Desired | None
    wanted: WantedAccount
    remote_id: str | None
    """Where we believe the account to be."""
    others: tuple[proving.Other, ...]
    """A few accounts in this application that are active for all we know."""

    @classmethod
    def read(cls, session: Session, user_id: int, application_id: int, *, on: date) -> "_Case":
        row = session.execute(
            select(User, Application, Account.remote_id, sole_email().label("sole"))
            .select_from(User)
            .join(Application, Application.id == application_id)
            .outerjoin(
                Account,
                and_(Account.user_id == User.id, Account.application_id == Application.id),
            )
            .where(User.id == user_id)
        ).one_or_none()
        if row is None:
            raise Rejected("Người dùng hoặc ứng dụng không còn trong danh bạ.")
        user, application, remote_id, sole = row
        rules = _rules(session, application_id)
        held = assignments.timeline(session, [user_id])[user_id]
        desired = desired_accounts(rules, held, status=_status(user, on), on=on).get(application_id)
        organization = _organization(session, desired)
        wanted = mapping.wanted_account(
            user, desired, organization=organization, shared_email=sole != user.email
        )
        others = () if wanted.active else _others(session, user_id, application_id)
        return cls(user, application, desired, wanted, remote_id, others)

    def hand_over(
        self, session: Session, claim: Claim, outcome: Outcome, pending: Pending, *, at: datetime
    ) -> set[str]:
        """A person is to do it: write down what, for whom and by when; the changes touched."""
        task = work_items.Task(
            self.user.id,
            self.application.id,
            self.wanted,
            outcome.action,
            pending,
            self.desired.assignment_id if self.desired else None,
        )
        return work_items.hand_over(session, task, effects.of_job(session, claim.id), at=at)

    def record(
        self,
        session: Session,
        claim: Claim,
        outcome: Outcome,
        seen: RemoteAccount | None,
        shown: Mapping[str, Any],
        *,
        at: datetime,
    ) -> set[str]:
        """Note the account as it was seen, advance the job's effects; the changes touched."""
        evidence = {**_evidence(outcome, seen, at), **shown}
        if self.wanted.unsent:
            evidence["unsent"] = [name.value for name in self.wanted.unsent]
        ours, at_hand = effects.of_job(session, claim.id), self.application.connector or ""
        whose = self.user.id, self.application.id
        by_hand = work_items.over(session, *whose, why=at_hand, at=at)
        waiting = [*ours, *(e for e in by_hand if e not in ours)]
        lost = self.remote_id is not None and seen is None
        touched: set[str] = set()
        for effect in waiting:
            # To be cut and lost is final, and no proof; to be made and lost was overtaken.
            state = State.VERIFIED
            if lost:
                cut = effect.kind == AccountEffect.DISABLE
                state = State.GONE if cut else State.SUPERSEDED
            touched |= effects.advance(session, [effect], state, at=at, detail=evidence)
        changed = self._note(session, seen, at=at)
        if changed or outcome.action not in (Action.UNCHANGED, Action.ABSENT):
            audit.record(
                session,
                Tag.ACCOUNT_APPLIED,
                at=at,
                actor=Actor.system(),
                subject=("user", self.user.id),
                change_id=min(touched, default=None),
                data={"application": self.application.code, **evidence},
            )
        return touched

    def _note(self, session: Session, seen: RemoteAccount | None, *, at: datetime) -> bool:
        """Bring the link up to what was seen; whether that changed it."""
        link = _link(session, self.user.id, self.application.id)
        if link is None:
            if seen is None:
                return False
            link = Account(user_id=self.user.id, application_id=self.application.id)
            session.add(link)
        state = AccountState.GONE if link.remote_id else AccountState.ABSENT
        if seen is not None:
            state = AccountState.ACTIVE if seen.active else AccountState.DISABLED
        noted = {
            # A lost account may come back under its number, from a backup.
            "remote_id": seen.key if seen else link.remote_id,
            "state": state.value,
            "role": self.desired.role if self.desired else link.role,
            "assignment_id": self.desired.assignment_id if self.desired else None,
            "fingerprint": mapping.digest(self.wanted),
        }
        changed = any(getattr(link, name) != value for name, value in noted.items())
        for name, value in noted.items():
            setattr(link, name, value)
        if changed:
            link.applied_at = at
        link.verified_at = at
        session.flush()
        return changed


def _evidence(outcome: Outcome, seen: RemoteAccount | None, at: datetime) -> dict[str, Any]:
    """What the probe saw, without what only concerns the person (name, e-mail, phone)."""
    shown: dict[str, Any] = {"action": outcome.action.value, "probed_at": at.isoformat()}
    if seen is None:
        return shown | {"remote_id": None}
    return shown | {
        "remote_id": seen.key,
        "active": seen.active,
        "role": seen.role,
        "department": seen.attributes.get(Attribute.DEPARTMENT),
        "title": seen.attributes.get(Attribute.TITLE),
        **seen.evidence,
    }


def _subject(claim: Claim) -> tuple[int, int]:
    user_id, _, application_id = claim.key.partition(":")
    if not (user_id.isdecimal() and application_id.isdecimal()):
        raise Rejected("Công việc {key} không nêu đúng người dùng và ứng dụng.", key=claim.key)
    return int(user_id), int(application_id)


def _others(session: Session, user_id: int, application_id: int) -> tuple[proving.Other, ...]:
    rows = session.execute(
        select(Account.remote_id, User.sub)
        .join(User, User.id == Account.user_id)
        .where(
            Account.application_id == application_id,
            Account.state == AccountState.ACTIVE.value,
            Account.user_id != user_id,
            Account.remote_id.is_not(None),
        )
        .order_by(Account.verified_at.desc(), Account.id)
        .limit(proving.CONTROLS)
    )
    return tuple(proving.Other(key or "", sub) for key, sub in rows)


def _link(session: Session, user_id: int, application_id: int) -> Account | None:
    return session.scalars(
        select(Account).where(Account.user_id == user_id, Account.application_id == application_id)
    ).one_or_none()


def _organization(session: Session, desired: Desired | None) -> str:
    """The name of the legal person the unit belongs to; often the unit itself."""
    if desired is None:
        return ""
    unit = desired.held.unit
    if unit.legal_person:
        return unit.name
    return units.legal_person_of(session, units.get(session, unit.id)).name


def _rules(session: Session, application_id: int) -> list[RuleView]:
    rules = entitlements.rulebook(session).rules
    return [rule for rule in rules if rule.application_id == application_id]


def _people(session: Session, users: Sequence[int]) -> Iterator[User]:
    ids = sorted(users)
    for page in batches(ids):
        yield from session.scalars(select(User).where(User.id.in_(page)).order_by(User.id))


def _status(user: User, on: date) -> str:
    """Her status on a day: a day of leaving counts from its first moment."""
    if user.status == UserStatus.ACTIVE and not user.may_act(on):
        return UserStatus.LEFT
    return user.status


def _turns(plan: Plan) -> list[Turn]:
    return [turn for person in plan.people for turn in turns(person, plan)]


def _due(
    turn: Turn,
    applications: Mapping[int, Connected],
    *,
    now: datetime,
    run_at: datetime,
    people: int,
) -> Due:
    application = applications[turn.application_id]
    job = entitlements.account_job(
        turn.user_id,
        turn.application_id,
        now=now,
        priority=Priority.BULK if people > URGENT_UP_TO else Priority.URGENT,
        run_at=run_at,
    )
    return Due(
        Column.ACCOUNTS,
        turn.kind,
        turn.user_id,
        str(turn.application_id),
        application.name,
        registry.final_of(application.connector),
        detail=turn.detail,
        job=job,
    )
