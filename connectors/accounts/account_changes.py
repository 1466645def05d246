"""What a plan makes of a person's accounts, from rules and directory alone. Pure.

The outcome is part of a plan's fingerprint: it must come out equal whenever nothing relevant has
changed, so neither account rows nor targets nor ids the plan has yet to give are looked at.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from directory.assignments import Held
from directory.base.clock import local_day
from directory.base.rows import is_fact
from directory.changes.model import Person, Plan
from directory.changes.table import Action, Column
from directory.entitlements import Desired, RuleView, desired_accounts


class AccountEffect(StrEnum):
    """What happens to an account, as previews and proofs call it."""

    CREATE = "account.create"
    UPDATE = "account.update"
    """Kept, with another name or address."""
    MOVE = "account.move"
    """Kept, in another unit, position or role."""
    DISABLE = "account.disable"
    ENABLE = "account.enable"


@dataclass(frozen=True)
class Turn:
    """One account of one person that changes."""

    user_id: int
    application_id: int
    kind: AccountEffect
    detail: dict[str, Any]
    """Unit, position and role, and what they were, for whoever reads the preview."""


def turns(person: Person, plan: Plan) -> Iterator[Turn]:
    """Every account of this person that the plan changes.

    An immediate plan is compared with the present timeline today; a scheduled one with the day
    before it takes effect.
    """
    ordered = person.orders(Column.ACCOUNTS)
    if ordered is Action.NONE:
        return
    today = local_day(plan.now)
    after_on = max(plan.spec.effective_on, today)
    before_on = after_on - timedelta(days=1) if plan.scheduled else today
    rules = plan.rulebook.rules
    before = desired_accounts(rules, person.before, status=person.status_before, on=before_on)
    after = desired_accounts(rules, person.after, status=person.status_after, on=after_on)
    found = list(between(person.id, before, after))
    if ordered is Action.UPDATE:
        turned = {turn.application_id for turn in found}
        yield from (
            Turn(person.id, app, AccountEffect.UPDATE, _shown(will, ""))
            for app, will in sorted(after.items())
            if app not in turned
        )
    for turn in found:
        wakes = ordered is Action.ENABLE or _ever_entitled(
            rules, person.before, turn.application_id
        )
        if turn.kind is AccountEffect.CREATE and wakes:
            yield replace(turn, kind=AccountEffect.ENABLE)
        else:
            yield turn


def between(
    user_id: int, before: Mapping[int, Desired], after: Mapping[int, Desired]
) -> Iterator[Turn]:
    """What separates two sets of desired accounts, by application; what stays is not mentioned."""
    for application_id in sorted(before.keys() | after.keys()):
        was, will = before.get(application_id), after.get(application_id)
        kind = _kind(was, will)
        if kind is not None:
            yield Turn(user_id, application_id, kind, _shown(was, "_before") | _shown(will, ""))


def _shown(desired: Desired | None, suffix: str) -> dict[str, Any]:
    if desired is None:
        return {}
    return {
        f"unit{suffix}": desired.held.unit.name,
        f"position{suffix}": desired.held.position_name,
        f"role{suffix}": desired.role,
    }


def _kind(was: Desired | None, will: Desired | None) -> AccountEffect | None:
    if was is None:
        return AccountEffect.CREATE if will is not None else None
    if will is None:
        return AccountEffect.DISABLE
    return AccountEffect.MOVE if _said(was) != _said(will) else None


def _said(desired: Desired) -> tuple[int, int, str]:
    return desired.held.unit.id, desired.held.position_id, desired.role


def _ever_entitled(rules: Iterable[RuleView], held: Iterable[Held], application_id: int) -> bool:
    """Whether an earlier assignment earned the application: then there is an account to wake."""
    mine = [rule for rule in rules if rule.application_id == application_id]
    lived = [h for h in held if h.valid_to is not None and is_fact(h)]
    return any(rule.matches(h) for rule in mine for h in lived)
