"""Plans and proofs as plain data: the one description that console, API and CLI all show."""

from datetime import datetime
from typing import Any

from directory.assignments import Held
from directory.base.clock import local_day
from directory.base.rows import not_over
from directory.changes import titles
from directory.changes.effects import Effect
from directory.changes.model import Change, ChangeLine, Line, Person, Plan
from directory.changes.proof import Proof
from directory.permissions import Do
from directory.units import columns


def plan_as_dict(plan: Plan) -> dict[str, Any]:
    """A preview: people before and after, lines, effects, warnings, conflicts, fingerprint."""
    return {
        "kind": str(plan.spec.kind),
        "effective_on": plan.spec.effective_on.isoformat(),
        "scheduled": plan.scheduled,
        "people": [_person(p, plan) for p in plan.people],
        "lines": [_line(line) for line in plan.lines],
        "effects": [f.as_dict() for f in plan.foreseen],
        "warnings": [n.as_dict() for n in plan.warnings],
        "conflicts": [n.as_dict() for n in plan.conflicts],
        "committable": not plan.conflicts,
        "proposable": plan.proposable,
        "fingerprint": plan.fingerprint,
    }


def listed_as_dict(change: Change) -> dict[str, Any]:
    """A change as lists show it."""
    return _change(change) | {"people": change.people_count}


def _change(change: Change) -> dict[str, Any]:
    """What is said of it in a list as well as with its proof."""
    return {
        "id": change.id,
        "kind": change.kind,
        "state": change.state,
        "needs_attention": change.needs_attention,
        "title": change.title,
        "actor": {"kind": change.actor_kind, "label": change.actor_label},
        "effective_on": change.effective_on.isoformat(),
        "committed_at": _iso(change.committed_at),
        "undo_of": change.undo_of,
    }


def proof_as_dict(found: Proof) -> dict[str, Any]:
    """A change with its effects, states, times and latency in milliseconds."""
    change = found.change
    return {
        **_change(change),
        "decision": {
            "number": change.decision_number,
            "issued_on": _iso(change.decision_issued_on),
            "issuer": change.decision_issuer,
        }
        if change.decision_number
        else None,
        "took_effect_at": _iso(change.took_effect_at),
        "settled_at": _iso(change.settled_at),
        "settled": found.settled,
        **approved_by(change),
        **({"asked": change.told} if change.told else {}),
        "lines": [
            {
                "table": line.table,
                "action": line.action,
                "label": label_of(line),
                "user": line.user_id,
                "before": line.before,
                "after": line.after,
            }
            for line in found.lines
        ],
        "effects": [effect_as_dict(e) for e in found.effects],
    }


def approved_by(change: Change) -> dict[str, Any]:
    """Who approved it; nothing where it took nobody (a proof of old is worded as ever)."""
    if change.approver_kind is None:
        return {}
    return {"approved_by": {"kind": change.approver_kind, "label": change.approver_label}}


def effect_as_dict(effect: Effect) -> dict[str, Any]:
    """One effect with its evidence."""
    latency = effect.latency
    return {
        "id": effect.id,
        "artefact": effect.column,
        "kind": effect.kind,
        "user": effect.user_id,
        "target": effect.target,
        "label": effect.label,
        "state": effect.state,
        "final": effect.final,
        "done": effect.done,
        "due_at": _iso(effect.due_at),
        "sent_at": _iso(effect.sent_at),
        "acknowledged_at": _iso(effect.acknowledged_at),
        "verified_at": _iso(effect.verified_at),
        "lapses_at": _iso(effect.lapses_at),
        "latency_ms": round(latency.total_seconds() * 1000) if latency is not None else None,
        "reason": effect.reason,
        "detail": effect.detail,
    }


def held_as_dict(held: Held) -> dict[str, Any]:
    """One assignment."""
    return {
        "id": held.id if held.id > 0 else None,
        "kind": held.kind,
        "unit": columns(held.unit),
        "position": {"code": held.position_code, "name": held.position_name},
        "valid_from": held.valid_from.isoformat(),
        "valid_to": _iso(held.valid_to),
    }


def shown(person: Person, plan: Plan) -> tuple[tuple[Held, ...], tuple[Held, ...]]:
    """Her timeline before and after, as far as the plan's actor may see it: of somebody who works
    in none of her units any more, only what lies in them.
    """
    if person.new or plan.rights.sees(person.before, local_day(plan.now)):
        return person.before, person.after
    mine = {h.id for h in person.before if plan.rights.may(Do.SEE, h.unit.path)}
    mine |= {h.id for h in person.after if h.id < 0}
    before, after = (
        tuple(h for h in held if h.id in mine) for held in (person.before, person.after)
    )
    return before, after


def _person(person: Person, plan: Plan) -> dict[str, Any]:
    on = plan.spec.effective_on
    before, after = shown(person, plan)
    return {
        "id": person.id if person.id > 0 else None,
        "username": person.username,
        "full_name": person.full_name,
        "event": person.event.value,
        "status_before": person.status_before,
        "status_after": person.status_after,
        "before": [held_as_dict(h) for h in before if not_over(h, on)],
        "after": [held_as_dict(h) for h in after if not_over(h, on)],
    }


def label_of(line: Line | ChangeLine) -> str:
    """What a line is about; of another change, what lists call that."""
    named = (line.before or {}).get("kind") if line.table == "change" else None
    return titles.composed(named, line.label) if named else line.label


def _line(line: Line) -> dict[str, Any]:
    return {
        "table": line.table,
        "action": line.action,
        "label": label_of(line),
        "user": line.user_id if line.user_id and line.user_id > 0 else None,
        "before": line.before,
        "after": line.after,
    }


def _iso(value: Any) -> str | None:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    return value.isoformat() if value is not None else None
