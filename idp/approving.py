"""From an edge to a second person's approval: the one path of console, API and command line.

    propose     leave a previewed change for somebody else to approve
    shown       a proposal, with its plan as it is now and what the asker may do with it
    approve     agree; the change is committed as its proposer's
    decline     say no
    withdraw    take one's own back

Whoever could act as the other person is no second one (``_require_apart``): a slip is a way to sign
in as somebody, a client's registration a way to speak for it, and a role given yesterday a way to
make somebody agree.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from directory.base.audit import Actor, AuditEntry
from directory.base.clock import local_day
from directory.base.errors import (
    Conflict,
    DinhdanhError,
    NotAllowed,
    PlanStale,
)
from directory.changes import approval, kind, proposals
from directory.changes.asks import Input
from directory.changes.leaves import leaves
from directory.changes.model import Change, Decision, Spec
from directory.changes.proposals import Agenda, Outside, Proposal, ProposalState
from directory.permissions import AdminRole, Rights
from idp import edge
from idp.edge import Ask, Done
from idp.factors import slips
from idp.oidc.clients import Client
from idp.services import Services
from idp.web.i18n import day, gettext
from idp.web.labels import field_label, field_value

_LINKS = 20
"""How long a chain of slips is followed."""


@dataclass(frozen=True)
class Shown:
    """A proposal as somebody may see it."""

    proposal: Proposal
    row: dict[str, Any]
    """The same as plain data, with the state it is in now."""
    decision: Decision | None
    """Of what waits or was done; of what was not done only its number is kept, in the row."""
    change: Change | None
    """What came of it."""
    said: list[tuple[str, str]]
    """What else was asked for, in words: (field, value)."""
    unsealed: list[tuple[str, str]]
    """What is kept sealed and must be compared with the papers by whoever may approve: (field, value).
    Nobody else is told, nor any program."""
    plan: dict[str, Any] | None
    """What would happen, worked out for its proposer; None where it no longer waits."""
    may_decide: bool
    may_withdraw: bool
    hindrance: str
    """Why it cannot be approved, or not by the asker, in the language in force."""

    @property
    def unplanned(self) -> list[tuple[str, str]]:
        """What of that its plan, which is shown beside it, does not say by itself."""
        if self.plan is None:
            return self.said
        shown = {(one["field"], one["value"]) for one in self.plan["asked"]}
        for line in self.plan["lines"]:
            if line["table"] == "users":
                after = (line["after"] or {}).items()
                shown |= {(field_label(name), field_value(name, value)) for name, value in after}
        return [one for one in self.said if one not in shown]


def outside(has: Services) -> Outside:
    """What approval hangs on above the directory."""

    def apart(session: Session, proposer: Actor, approver: Actor, now: datetime) -> None:
        _require_apart(session, proposer, approver, now, has.settings.approval_apart_days)

    return Outside(_client_epoch, apart)


def propose(
    has: Services, ask: Ask, actor: Actor, *, fingerprint: str, key: str | None
) -> dict[str, Any]:
    """Leave the change for a second person. Raises as ``approval.propose``."""
    now = has.clock()
    with has.db.write() as session:
        row = approval.propose(
            session,
            has.door,
            edge.made(session, ask, actor, now),
            actor,
            now=now,
            fingerprint=fingerprint,
            lifetime=timedelta(seconds=has.settings.approval_lifetime),
            outside=outside(has),
            idempotency_key=key,
        )
        return proposals.as_dict(row, now=now)


def listed(
    has: Services, actor: Actor, *, state: str | None, after: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """One page of the proposals the actor may see, and the mark of the next."""
    now = has.clock()
    with has.db.read() as session:
        granted = edge.rights(session, actor, now=now)
        wanted = ProposalState(state) if state else None
        page = proposals.listed(session, granted, state=wanted, after=after, limit=limit)
        return [proposals.as_dict(row, now=now) for row in page.rows], page.after


def agenda(session: Session, granted: Rights, *, now: datetime) -> Agenda | None:
    """What home pages show; None for whom there is nothing."""
    if not granted.reaches:
        return None
    found = proposals.agenda(session, granted, now=now)
    return found if found.to_decide or found.own else None


def shown(has: Services, proposal_id: str, actor: Actor) -> Shown:
    """A proposal and its plan as it is now. Raises NotFound."""
    now = has.clock()
    with has.db.read() as session:
        granted = edge.rights(session, actor, now=now)
        row = proposals.find(session, granted, proposal_id)
        why = proposals.lapsed(session, row, outside(has), now=now) if row.waits(now) else None
        plan = _plan(has, session, row, now) if row.waits(now) and why is None else None
        if plan is not None and plan["fingerprint"] != row.fingerprint:
            plan = None
        told = proposals.as_dict(row, now=now)
        if told["state"] == ProposalState.PROPOSED.value and plan is None:
            why = why or proposals.Lapse.STALE
            told |= {"state": ProposalState.LAPSED.value, "lapsed": why.value}
        hindrance = _said(told)
        deciding = plan is not None and proposals.may_decide(session, row, granted)
        if deciding:
            hindrance = _hindrance(has, session, row, granted, now)
        spec = row.request if row.waits(now) else None
        change = session.get(Change, row.change_id) if row.change_id else None
        return Shown(
            row,
            told,
            spec.decision if spec else _decided(change),
            change,
            _asked(spec) if spec else [],
            _unsealed(has, spec) if spec and deciding and not hindrance else [],
            plan,
            deciding,
            told["state"] == ProposalState.PROPOSED.value and row.is_of(actor),
            hindrance,
        )


def _decided(change: Change | None) -> Decision | None:
    """The decision that a change was ordered by, if it was."""
    if change is None or change.decision_number is None or change.decision_issued_on is None:
        return None
    number, issued_on = change.decision_number, change.decision_issued_on
    return Decision(number, issued_on, change.decision_issuer or "")


def _plan(has: Services, session: Session, row: Proposal, now: datetime) -> dict[str, Any] | None:
    """Its plan as it is now; None where it can no longer be made."""
    try:
        return edge.plain(session, has.door.plan(session, row.request, row.proposer, now=now))
    except DinhdanhError as error:
        if error.status == 500:
            raise
        return None


def _asked(spec: Spec) -> list[tuple[str, str]]:
    """What a plan does not show: choices and words of the request."""
    found = []
    for leaf in leaves(kind.get(spec.kind).asks) if spec.asked else ():
        value: Any = spec.asked
        for part in leaf.path:
            value = getattr(value, part, None)
        if isinstance(value, str) and leaf.input in (Input.CHOICE, Input.TEXT):
            found.append((gettext(leaf.ask.label), gettext(leaf.words.get(value, value))))
        elif isinstance(value, date):
            found.append((gettext(leaf.ask.label), day(value)))
    return found


def _unsealed(has: Services, spec: Spec) -> list[tuple[str, str]]:
    """A masked number tells two apart by seven digits of twelve: that is no check of the others."""
    found = []
    for leaf in leaves(kind.get(spec.kind).asks) if spec.asked else ():
        value = getattr(spec.asked, leaf.path[0], None)
        if leaf.ask.secret and isinstance(value, dict) and value.get("citizen_sealed"):
            number = has.keyring.decrypt("citizen", value["citizen_sealed"]).decode()
            found.append((gettext(leaf.ask.label), number))
    return found


def _said(told: dict[str, Any]) -> str:
    sentence = proposals.SENTENCES.get(told["lapsed"] or told["state"], "")
    return gettext(sentence) if sentence else ""


def _hindrance(
    has: Services, session: Session, row: Proposal, granted: Rights, now: datetime
) -> str:
    try:
        approval.require_as_wide(session, row.request, granted, now)
        outside(has).require_apart(session, row.proposer, granted.actor, now)
    except DinhdanhError as error:
        return gettext(error.message, **error.message_args)
    return ""


def approve(has: Services, proposal_id: str, actor: Actor, *, fingerprint: str) -> Done:
    """Commit it as its proposer's. Raises as ``approval.approve``, and Conflict where it has
    lapsed, which is written down.
    """
    try:
        with has.db.write() as session:
            row = approval.approve(
                session,
                has.door,
                proposal_id,
                actor,
                now=has.clock(),
                fingerprint=fingerprint,
                outside=outside(has),
            )
            refused = proposals.closed(row) if row.change_id is None else None
            change = session.get(Change, row.change_id) if row.change_id else None
            done = Done(change.id, change.state) if change else None
    except IntegrityError as exc:
        raise PlanStale from exc
    if done is None:
        raise refused or Conflict("proposal_closed", proposals.SENTENCES["approved"])
    return done


def decline(has: Services, proposal_id: str, actor: Actor, *, reason: str) -> dict[str, Any]:
    """Say no, and why. Raises as ``approval.decline``."""
    now = has.clock()
    with has.db.write() as session:
        row = approval.decline(session, proposal_id, actor, now=now, reason=reason)
        return proposals.as_dict(row, now=now)


def withdraw(has: Services, proposal_id: str, actor: Actor) -> dict[str, Any]:
    """Take one's own back. Raises as ``approval.withdraw``."""
    now = has.clock()
    with has.db.write() as session:
        row = approval.withdraw(session, proposal_id, actor, now=now)
        return proposals.as_dict(row, now=now)


# ---- one person or two -------------------------------------------------------------------------


def _client_epoch(session: Session, client_id: int) -> int | None:
    return session.scalar(select(Client.epoch).where(Client.id == client_id, Client.enabled))


def _require_apart(
    session: Session, proposer: Actor, approver: Actor, now: datetime, days: int
) -> None:
    """Raises NotAllowed where one of the two could have acted as the other."""
    if approver.kind != "user" or approver.id is None:
        return
    if proposer.kind == "client":
        _require_not_hers(session, proposer, approver)
    if proposer.kind != "user" or proposer.id is None:
        return
    since = now - timedelta(days=days)
    for one, other in ((approver.id, proposer.id), (proposer.id, approver.id)):
        if other in _hands(session, one, since):
            raise NotAllowed(
                "approver_slip",
                "Trong {n} ngày qua, một trong hai người đã cấp phiếu kích hoạt cho người kia; cần "
                "người khác phê duyệt.",
                missing="second_person",
                n=days,
            )
    given = session.scalar(
        select(AdminRole.id).where(
            AdminRole.user_id == approver.id,
            AdminRole.granted_by == proposer.key,
            AdminRole.valid_from > local_day(since),
        )
    )
    if given is not None:
        raise NotAllowed(
            "approver_role",
            "Trong {n} ngày qua, chính người đề nghị đã giao vai trò cho bạn; cần người khác phê "
            "duyệt.",
            missing="second_person",
            n=days,
        )


def _require_not_hers(session: Session, proposer: Actor, approver: Actor) -> None:
    acted = session.scalar(
        select(AuditEntry.id)
        .where(
            AuditEntry.subject_kind == "client",
            AuditEntry.subject_id == str(proposer.id),
            AuditEntry.actor_kind == "user",
            AuditEntry.actor_id == approver.id,
        )
        .limit(1)
    )
    if acted is not None:
        raise NotAllowed(
            "approver_client",
            "Bạn đã đăng ký hoặc sửa ứng dụng khách đưa ra đề nghị này; cần người khác phê duyệt.",
            missing="second_person",
        )


def _hands(session: Session, user_id: int, since: datetime) -> set[int]:
    """Whose hands the person's way to sign in has gone through: who gave her a slip that was used,
    who gave that one hers …
    """
    found: set[int] = set()
    newest = {user_id}
    for _ in range(_LINKS):
        newest = slips.given_by(session, newest, since=since) - found
        if not newest:
            break
        found |= newest
    return found
