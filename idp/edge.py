"""From an edge to the door: the one path that console, API and command line share.

    ask = asked(has, body)                 or undoing(change_id)
    plan = preview(has, ask, actor)        plain data, read only
    done = commit(has, ask, actor, fingerprint=plan["fingerprint"], key=…)

An edge adds how somebody proves who she is and how a plan looks; nothing else differs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from directory import entitlements, permissions
from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.base.errors import DinhdanhError, Gathered, InvalidInput, NotAllowed, PlanStale
from directory.base.text import by_name
from directory.changes import history, kind, present, spec, undo
from directory.changes.model import Change, Person, Plan, Spec
from directory.changes.notices import Notice
from directory.changes.proof import Proof
from directory.entitlements import Application, Desired, desired_accounts
from directory.permissions import Do, Rights
from idp.services import Services
from idp.web import labels
from idp.web.i18n import gettext

Ask = Callable[[Session, datetime, Rights], Spec]
"""Makes the Spec inside the transaction that plans it: references resolve where they are used."""


@dataclass(frozen=True)
class Done:
    """A committed change."""

    id: str
    state: str


def asked(has: Services, body: Any, *, wrong: Sequence[InvalidInput] = ()) -> Ask:
    """What the body of the changes API asks for; a form of the console makes the same body, with
    what is ``wrong`` in it already: told together with what else is.
    """

    def ask(session: Session, now: datetime, granted: Rights) -> Spec:
        gathered = Gathered()
        gathered.errors += wrong
        spec.require_destination(session, body, granted, today=local_day(now))
        found = gathered.read(lambda: spec.parse(session, body, now=now, keyring=has.keyring), None)
        gathered.tell()
        return cast("Spec", found)

    return ask


def undoing(change_id: str) -> Ask:
    """The undoing of a change the actor may see."""

    def ask(session: Session, _now: datetime, granted: Rights) -> Spec:
        return undo.spec_of(session, history.find(session, granted, change_id).change.id)

    return ask


def preview(has: Services, ask: Ask, actor: Actor) -> dict[str, Any]:
    """The plan as plain data. Raises InvalidInput, NotAllowed, Conflict, NotFound."""
    now = has.clock()
    with has.db.read() as session:
        plan = has.door.plan(session, made(session, ask, actor, now), actor, now=now)
        return plain(session, plan)


def plain(session: Session, plan: Plan) -> dict[str, Any]:
    """A plan as plain data, in the language in force."""
    return present.plan_as_dict(plan) | {
        "asked": [
            {"field": name, "value": value}
            for name, value in labels.told(plan.spec.kind, kind.told(plan.spec))
        ],
        "undoes": _undone(session, plan),
        "applications": _applications(session, plan),
        "warnings": [_said(notice) for notice in plan.warnings],
        "conflicts": [_said(notice) for notice in plan.conflicts],
    }


def _undone(session: Session, plan: Plan) -> dict[str, Any] | None:
    """The change that a plan takes back, if it does."""
    if plan.spec.undo_of is None:
        return None
    change = session.get_one(Change, plan.spec.undo_of)
    return {"id": change.id, "kind": change.kind, "about": change.named, "title": change.title}


def fresh(has: Services, ask: Ask, actor: Actor) -> dict[str, Any] | None:
    """The plan as it is now; None where what refuses it keeps it from being made."""
    try:
        return preview(has, ask, actor)
    except DinhdanhError:
        return None


def commit(has: Services, ask: Ask, actor: Actor, *, fingerprint: str, key: str | None) -> Done:
    """Do what the preview announced. Raises PlanStale, also when another writer got in between."""
    now = has.clock()
    try:
        with has.db.write() as session:
            change = has.door.commit(
                session,
                made(session, ask, actor, now),
                actor,
                now=now,
                fingerprint=fingerprint,
                idempotency_key=key,
            )
            return Done(change.id, change.state)
    except IntegrityError as exc:
        raise PlanStale from exc


def made(session: Session, ask: Ask, actor: Actor, now: datetime) -> Spec:
    """The Spec of what is asked for. Whoever may change nothing is not told which names exist. Raises NotAllowed."""
    granted = rights(session, actor, now=now)
    try:
        return ask(session, now, granted)
    except DinhdanhError:
        if granted.paths(Do.CHANGE) == []:
            raise NotAllowed(
                "not_allowed", "Không có quyền thực hiện việc này.", missing="role"
            ) from None
        raise


def rights(session: Session, actor: Actor, *, now: datetime) -> Rights:
    """What the actor may do today."""
    return permissions.rights(session, actor, local_day(now))


def seen(session: Session, actor: Actor, change_id: str, *, now: datetime) -> Proof:
    """A change as the actor may see it. Raises NotFound."""
    return history.find(session, rights(session, actor, now=now), change_id)


def _said(notice: Notice) -> dict[str, Any]:
    """A notice in the language in force."""
    found = notice.as_dict() | {"message": gettext(notice.message, **notice.args)}
    if notice.choices:
        found["choices"] = [
            {"value": one.value, "label": gettext(one.message, **one.args)}
            for one in notice.choices
        ]
    return found


def _applications(session: Session, plan: Plan) -> list[dict[str, Any]]:
    """Per person and application what the rules gave and what they will give."""
    known = {a.id: a for a in entitlements.applications(session)}
    return [row for person in plan.people for row in _turns(person, plan, known)]


def _turns(person: Person, plan: Plan, known: dict[int, Application]) -> list[dict[str, Any]]:
    on = plan.spec.effective_on
    rules = plan.rulebook.rules
    was, will = present.shown(person, plan)
    before = desired_accounts(rules, was, status=person.status_before, on=on)
    after = desired_accounts(rules, will, status=person.status_after, on=on)
    return [
        {
            "user": person.id if person.id > 0 else None,
            "application": {"id": i, "code": known[i].code, "name": known[i].name},
            "access": _verdict(before.get(i), after.get(i)),
            "role_before": before[i].role if i in before else None,
            "role_after": after[i].role if i in after else None,
        }
        for i in sorted(before.keys() | after.keys(), key=lambda i: (by_name(known[i].name), i))
    ]


def _verdict(before: Desired | None, after: Desired | None) -> str:
    if after is None:
        return "lost"
    return "gained" if before is None else "kept"
