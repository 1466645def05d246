"""The shapes of what the changes API is sent and answers, as JSON Schema for ``openapi``."""

from typing import Any

from directory.changes.effects import State
from directory.changes.model import ChangeState
from directory.changes.proposals import Lapse, ProposalState
from directory.changes.table import Column
from idp.api import bodies
from idp.api.requests import described

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
MAYBE_TEXT: Schema = {"type": ["string", "null"]}
NUMBER: Schema = {"type": "integer"}
MAYBE_NUMBER: Schema = {"type": ["integer", "null"]}
FLAG: Schema = {"type": "boolean"}
DAY: Schema = {"type": "string", "format": "date"}
MAYBE_DAY: Schema = {"type": ["string", "null"], "format": "date"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
MAYBE_MOMENT: Schema = {"type": ["string", "null"], "format": "date-time"}
OPEN: Schema = {"type": "object"}
MAYBE_OPEN: Schema = {"type": ["object", "null"]}


def record(required: Schema, optional: Schema | None = None, **more: Any) -> Schema:
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": list(required),
        "additionalProperties": False,
        **more,
    }


def array(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def one(of: Any) -> Schema:
    return {"type": "string", "enum": [str(value) for value in of]}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def maybe(name: str) -> Schema:
    return {"oneOf": [ref(name), {"type": "null"}]}


EFFECT: Schema = {
    "artefact": one(Column),
    "kind": TEXT,
    "user": NUMBER,
    "target": TEXT,
    "label": TEXT,
    "detail": OPEN,
}
"""What is said of an effect, foreseen or ordered."""

CHANGE: Schema = {
    "id": TEXT,
    "kind": TEXT,
    "state": one(ChangeState),
    "needs_attention": FLAG,
    "title": TEXT,
    "actor": ref("Actor"),
    "effective_on": DAY,
    "committed_at": MOMENT,
    "undo_of": MAYBE_TEXT,
}
"""What is said of a change, in a list and with its proof."""

PROPOSAL: Schema = {
    "id": TEXT,
    "kind": TEXT,
    "state": one(ProposalState),
    "title": TEXT,
    "proposer": ref("Actor"),
    "proposed_at": MOMENT,
    "expires_at": MOMENT,
    "effective_on": DAY,
    "people": NUMBER,
    "why": array(TEXT) | {"description": "What it takes a second person for."},
    "fingerprint": TEXT | {"description": "To be approved."},
    "decided_by": maybe("Actor"),
    "decided_at": MAYBE_MOMENT,
    "reason": MAYBE_TEXT | {"description": "What was said by who declined it."},
    "lapsed": {"enum": [*(str(why) for why in Lapse), None]},
    "change": MAYBE_TEXT | {"description": "The change it has become."},
}

SCHEMAS: dict[str, Schema] = {
    "Decision": record({"number": TEXT, "issued_on": DAY, "issuer": TEXT}),
    "UndoRequest": described(bodies.Fingerprint),
    "Held": record(
        {
            "id": MAYBE_NUMBER,
            "kind": TEXT,
            "unit": record({"id": NUMBER, "name": TEXT, "short_name": TEXT}),
            "position": record({"code": TEXT, "name": TEXT}),
            "valid_from": DAY,
            "valid_to": MAYBE_DAY,
        }
    ),
    "Line": record(
        {
            "table": TEXT,
            "action": TEXT,
            "label": TEXT,
            "user": MAYBE_NUMBER,
            "before": MAYBE_OPEN,
            "after": MAYBE_OPEN,
        }
    ),
    "Notice": record(
        {"code": TEXT, "message": TEXT, "user": MAYBE_NUMBER, "row": MAYBE_NUMBER},
        {
            "field": TEXT | {"description": "The field of the request by which it is settled."},
            "choices": array(record({"value": TEXT, "label": TEXT}))
            | {"description": "Values of that field that settle it."},
        },
    ),
    "ForeseenEffect": record(
        EFFECT
        | {
            "count": NUMBER,
            "counted": FLAG
            | {"description": "A count at this moment, cut by predicate, not promised."},
        }
    ),
    "ApplicationAccess": record(
        {
            "user": MAYBE_NUMBER,
            "application": record({"id": NUMBER, "code": TEXT, "name": TEXT}),
            "access": one(("lost", "kept", "gained")),
            "role_before": MAYBE_TEXT,
            "role_after": MAYBE_TEXT,
        }
    ),
    "Plan": record(
        {
            "kind": TEXT,
            "effective_on": DAY,
            "scheduled": FLAG,
            "people": array(
                record(
                    {
                        "id": MAYBE_NUMBER,
                        "username": TEXT,
                        "full_name": TEXT,
                        "event": TEXT,
                        "status_before": TEXT,
                        "status_after": TEXT,
                        "before": array(ref("Held")),
                        "after": array(ref("Held")),
                    }
                )
            ),
            "lines": array(ref("Line")),
            "effects": array(ref("ForeseenEffect")),
            "asked": array(record({"field": TEXT, "value": TEXT}))
            | {"description": "What was chosen and no line tells, in words."},
            "undoes": maybe("Undone"),
            "applications": array(ref("ApplicationAccess")),
            "warnings": array(ref("Notice")),
            "conflicts": array(ref("Notice")),
            "committable": FLAG,
            "proposable": FLAG
            | {"description": "Only a second person is wanting: it may be proposed."},
            "fingerprint": TEXT,
        }
    ),
    "Undone": record({"id": TEXT, "kind": TEXT, "about": TEXT, "title": TEXT}),
    "Committed": record({"id": TEXT, "state": one(ChangeState)}),
    "Actor": record({"kind": TEXT, "label": TEXT}),
    "Change": record(CHANGE | {"people": NUMBER}),
    "ChangePage": record(
        {
            "changes": array(ref("Change")),
            "after": MAYBE_TEXT | {"description": "For the next page; null on the last."},
        }
    ),
    "Effect": record(
        EFFECT
        | {
            "id": NUMBER,
            "user": MAYBE_NUMBER,
            "state": one(State),
            "final": one(State) | {"description": "The state that completes it."},
            "done": FLAG,
            "due_at": MOMENT,
            "sent_at": MAYBE_MOMENT,
            "acknowledged_at": MAYBE_MOMENT,
            "verified_at": MAYBE_MOMENT,
            "lapses_at": MAYBE_MOMENT,
            "latency_ms": MAYBE_NUMBER,
            "reason": MAYBE_TEXT,
            "detail": OPEN | {"description": "The evidence: what was asked and answered."},
        }
    ),
    "Proof": record(
        CHANGE
        | {
            "decision": maybe("Decision"),
            "took_effect_at": MAYBE_MOMENT,
            "settled_at": MAYBE_MOMENT,
            "settled": FLAG,
            "lines": array(ref("Line")),
            "effects": array(ref("Effect")),
        },
        {
            "approved_by": ref("Actor") | {"description": "The second person, where it took one."},
            "asked": OPEN | {"description": "What was chosen and no line tells, by field."},
        },
    ),
    "DeclineRequest": described(bodies.Decline),
    "Proposal": record(PROPOSAL),
    "ProposalShown": record(
        PROPOSAL
        | {
            "decision": maybe("Decision"),
            "asked": array(record({"field": TEXT, "value": TEXT}))
            | {"description": "What else was asked for, in words."},
            "plan": maybe("Plan") | {"description": "null where it no longer waits."},
            "may_approve": FLAG,
            "hindrance": MAYBE_TEXT | {"description": "Why not, for people."},
        }
    ),
    "ProposalPage": record({"proposals": array(ref("Proposal")), "after": MAYBE_TEXT}),
    "Problem": record(
        {
            "type": TEXT | {"format": "uri"},
            "title": TEXT,
            "status": NUMBER,
            "code": TEXT | {"description": "Stable; for programs."},
            "detail": TEXT | {"description": "For people, in the language asked for."},
            "request_id": TEXT,
        },
        {
            "field": TEXT | {"description": "The first field that is wrong."},
            "errors": array(record({"field": TEXT, "code": TEXT, "detail": TEXT}))
            | {"description": "Every field that is wrong, on 422."},
            "missing": TEXT
            | {"description": "The side a right is missing on: `source`, `destination`, `self` …"},
            "proposable": FLAG
            | {"description": "On 403 of a commit: a second person can be asked to approve it."},
            "plan": maybe("Plan")
            | {"description": "On 409 of a commit: the plan as it is now, to be shown again."},
        },
    ),
}
