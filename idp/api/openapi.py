"""The contract of the changes API as an OpenAPI 3.1 document, written by hand; what each kind of
change asks for is described by the kind itself.

A test validates it, calls every operation for every response it documents, and checks each
answer against its schema.
"""

from typing import Any

from directory.changes.effects import State
from directory.changes.model import ChangeState
from directory.changes.table import Column
from idp.api import requests

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_MAYBE_TEXT: Schema = {"type": ["string", "null"]}
_NUMBER: Schema = {"type": "integer"}
_MAYBE_NUMBER: Schema = {"type": ["integer", "null"]}
_FLAG: Schema = {"type": "boolean"}
_DAY: Schema = {"type": "string", "format": "date"}
_MAYBE_DAY: Schema = {"type": ["string", "null"], "format": "date"}
_MOMENT: Schema = {"type": "string", "format": "date-time"}
_MAYBE_MOMENT: Schema = {"type": ["string", "null"], "format": "date-time"}
_OPEN: Schema = {"type": "object"}
_MAYBE_OPEN: Schema = {"type": ["object", "null"]}


def _object(required: Schema, optional: Schema | None = None, **more: Any) -> Schema:
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": list(required),
        "additionalProperties": False,
        **more,
    }


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _one(of: Any) -> Schema:
    return {"type": "string", "enum": [str(value) for value in of]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _maybe(name: str) -> Schema:
    return {"oneOf": [_ref(name), {"type": "null"}]}


SCHEMAS: dict[str, Schema] = {
    "Decision": _object({"number": _TEXT, "issued_on": _DAY, "issuer": _TEXT}),
    "UndoRequest": _object({"fingerprint": _TEXT | {"pattern": "^[0-9a-f]{64}$"}}),
    "Held": _object(
        {
            "id": _MAYBE_NUMBER,
            "kind": _TEXT,
            "unit": _object({"id": _NUMBER, "name": _TEXT, "short_name": _TEXT}),
            "position": _object({"code": _TEXT, "name": _TEXT}),
            "valid_from": _DAY,
            "valid_to": _MAYBE_DAY,
        }
    ),
    "Line": _object(
        {
            "table": _TEXT,
            "action": _TEXT,
            "label": _TEXT,
            "user": _MAYBE_NUMBER,
            "before": _MAYBE_OPEN,
            "after": _MAYBE_OPEN,
        }
    ),
    "Notice": _object(
        {"code": _TEXT, "message": _TEXT, "user": _MAYBE_NUMBER, "row": _MAYBE_NUMBER}
    ),
    "ForeseenEffect": _object(
        {
            "artefact": _one(Column),
            "kind": _TEXT,
            "user": _NUMBER,
            "target": _TEXT,
            "label": _TEXT,
            "count": _NUMBER,
            "counted": _FLAG
            | {"description": "A count at this moment, cut by predicate, not promised."},
            "detail": _OPEN,
        }
    ),
    "ApplicationAccess": _object(
        {
            "user": _MAYBE_NUMBER,
            "application": _object({"id": _NUMBER, "code": _TEXT, "name": _TEXT}),
            "access": _one(("lost", "kept", "gained")),
            "role_before": _MAYBE_TEXT,
            "role_after": _MAYBE_TEXT,
        }
    ),
    "Plan": _object(
        {
            "kind": _TEXT,
            "effective_on": _DAY,
            "scheduled": _FLAG,
            "people": _list(
                _object(
                    {
                        "id": _MAYBE_NUMBER,
                        "username": _TEXT,
                        "full_name": _TEXT,
                        "event": _TEXT,
                        "status_before": _TEXT,
                        "status_after": _TEXT,
                        "before": _list(_ref("Held")),
                        "after": _list(_ref("Held")),
                    }
                )
            ),
            "lines": _list(_ref("Line")),
            "effects": _list(_ref("ForeseenEffect")),
            "applications": _list(_ref("ApplicationAccess")),
            "warnings": _list(_ref("Notice")),
            "conflicts": _list(_ref("Notice")),
            "committable": _FLAG,
            "fingerprint": _TEXT,
        }
    ),
    "Committed": _object({"id": _TEXT, "state": _one(ChangeState)}),
    "Actor": _object({"kind": _TEXT, "label": _TEXT}),
    "Change": _object(
        {
            "id": _TEXT,
            "kind": _TEXT,
            "state": _one(ChangeState),
            "needs_attention": _FLAG,
            "title": _TEXT,
            "actor": _ref("Actor"),
            "effective_on": _DAY,
            "committed_at": _MOMENT,
            "people": _NUMBER,
            "undo_of": _MAYBE_TEXT,
        }
    ),
    "ChangePage": _object(
        {
            "changes": _list(_ref("Change")),
            "after": _MAYBE_TEXT | {"description": "For the next page; null on the last."},
        }
    ),
    "Effect": _object(
        {
            "id": _NUMBER,
            "artefact": _one(Column),
            "kind": _TEXT,
            "user": _MAYBE_NUMBER,
            "target": _TEXT,
            "label": _TEXT,
            "state": _one(State),
            "final": _one(State) | {"description": "The state that completes it."},
            "done": _FLAG,
            "due_at": _MOMENT,
            "sent_at": _MAYBE_MOMENT,
            "acknowledged_at": _MAYBE_MOMENT,
            "verified_at": _MAYBE_MOMENT,
            "lapses_at": _MAYBE_MOMENT,
            "latency_ms": _MAYBE_NUMBER,
            "reason": _MAYBE_TEXT,
            "detail": _OPEN | {"description": "The evidence: what was asked and answered."},
        }
    ),
    "Proof": _object(
        {
            "id": _TEXT,
            "kind": _TEXT,
            "state": _one(ChangeState),
            "needs_attention": _FLAG,
            "title": _TEXT,
            "actor": _ref("Actor"),
            "decision": _maybe("Decision"),
            "effective_on": _DAY,
            "committed_at": _MOMENT,
            "took_effect_at": _MAYBE_MOMENT,
            "settled_at": _MAYBE_MOMENT,
            "settled": _FLAG,
            "undo_of": _MAYBE_TEXT,
            "lines": _list(_ref("Line")),
            "effects": _list(_ref("Effect")),
        }
    ),
    "Problem": _object(
        {
            "type": _TEXT | {"format": "uri"},
            "title": _TEXT,
            "status": _NUMBER,
            "code": _TEXT | {"description": "Stable; for programs."},
            "detail": _TEXT | {"description": "For people, in the language asked for."},
            "request_id": _TEXT,
        },
        {
            "field": _TEXT,
            "missing": _TEXT
            | {"description": "The side a right is missing on: `source`, `destination`, `self` …"},
            "plan": _maybe("Plan")
            | {"description": "On 409 of a commit: the plan as it is now, to be shown again."},
        },
    ),
}

_PROBLEMS = {
    400: "Not JSON, names given twice, nested too deep, or Idempotency-Key missing or malformed.",
    401: "No bearer token, or one that is not good any more.",
    403: "A scope is missing, or a right; `missing` names the side.",
    404: "No such change, or none that the caller may see.",
    409: "The directory's state refuses it; `plan_stale`: preview again. The fresh plan is given.",
    413: "The body is larger than any change.",
    415: "The body is not application/json.",
    422: "A field is wrong (`field` names it), or the Idempotency-Key was used with another body.",
}


def _responses(good: int, schema: str, what: str, problems: tuple[int, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {
        str(good): {
            "description": what,
            "content": {"application/json": {"schema": _ref(schema)}},
        }
    }
    for status in problems:
        found[str(status)] = {
            "description": _PROBLEMS[status],
            "content": {"application/problem+json": {"schema": _ref("Problem")}},
        }
    found["401"]["headers"] = {"WWW-Authenticate": {"schema": _TEXT}}
    return found


def _operation(
    name: str,
    summary: str,
    responses: dict[str, Any],
    *,
    scope: str,
    body: str | None = None,
    parameters: tuple[Schema, ...] = (),
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "security": [{"oauth": [scope]}],
        "responses": responses,
    }
    if parameters:
        operation["parameters"] = list(parameters)
    if body:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _ref(body)}},
        }
    return operation


_CHANGE_ID: Schema = {"name": "id", "in": "path", "required": True, "schema": _TEXT}
_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "1 to 255 visible ASCII characters. The same key with the same body gives the same change for seven days.",
    "schema": _TEXT | {"pattern": "^[!-~]{1,255}$"},
}
_AFTER: Schema = {"name": "after", "in": "query", "schema": _TEXT}
_LIMIT: Schema = {
    "name": "limit",
    "in": "query",
    "schema": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
}


def _paths() -> dict[str, Any]:
    planned = "What would happen; nothing was written."
    done = "Committed: access is cut; the effects are under way."
    return {
        "/api/v1/changes/preview": {
            "post": _operation(
                "previewChange",
                "What a change would do",
                _responses(200, "Plan", planned, (400, 401, 403, 413, 415, 422)),
                scope="changes:write",
                body="ChangeRequest",
            )
        },
        "/api/v1/changes": {
            "get": _operation(
                "listChanges",
                "Changes, newest first",
                _responses(200, "ChangePage", "One page.", (401, 403, 422)),
                scope="changes:read",
                parameters=(_AFTER, _LIMIT),
            ),
            "post": _operation(
                "commitChange",
                "Do what a preview announced",
                _responses(201, "Committed", done, (400, 401, 403, 409, 413, 415, 422)),
                scope="changes:write",
                body="CommitRequest",
                parameters=(_KEY,),
            ),
        },
        "/api/v1/changes/{id}": {
            "get": _operation(
                "getChange",
                "A change with every effect: state, times, latency, evidence",
                _responses(200, "Proof", "The proof as it stands.", (401, 403, 404)),
                scope="changes:read",
                parameters=(_CHANGE_ID,),
            )
        },
        "/api/v1/changes/{id}/undo/preview": {
            "post": _operation(
                "previewUndo",
                "What undoing a change would do",
                _responses(200, "Plan", planned, (401, 403, 404, 409)),
                scope="changes:write",
                parameters=(_CHANGE_ID,),
            )
        },
        "/api/v1/changes/{id}/undo": {
            "post": _operation(
                "undoChange",
                "Undo a change: directory rows come back; sessions, tokens, certificates never",
                _responses(201, "Committed", done, (400, 401, 403, 404, 409, 413, 415, 422)),
                scope="changes:write",
                body="UndoRequest",
                parameters=(_CHANGE_ID, _KEY),
            )
        },
    }


def document(issuer: str) -> dict[str, Any]:
    """The whole document for an installation at this address."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Dinhdanh changes API",
            "version": "1",
            "description": "Every write to the directory is a plan that is previewed and then committed. After the commit of a transfer, access is gone; the proof says when the rest followed.",
        },
        "servers": [{"url": issuer}],
        "paths": _paths(),
        "components": {
            "schemas": SCHEMAS | requests.schemas(),
            "securitySchemes": {
                "oauth": {
                    "type": "oauth2",
                    "flows": {
                        "clientCredentials": {
                            "tokenUrl": f"{issuer}/oauth2/token",
                            "scopes": {
                                "changes:read": "See changes and their proofs",
                                "changes:write": "Preview, commit and undo changes",
                            },
                        }
                    },
                }
            },
        },
    }
