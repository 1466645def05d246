"""The contract of the changes API as an OpenAPI 3.1 document, written by hand; what each kind of
change asks for is described by the kind itself.

A test validates it, calls every operation for every response it documents, and checks each
answer against its schema.
"""

from typing import Any

from directory.changes.proposals import ProposalState
from idp.api import requests
from idp.api.schemas import SCHEMAS, TEXT, Schema, one, ref

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
            "content": {"application/json": {"schema": ref(schema)}},
        }
    }
    for status in problems:
        found[str(status)] = {
            "description": _PROBLEMS[status],
            "content": {"application/problem+json": {"schema": ref("Problem")}},
        }
    found["401"]["headers"] = {"WWW-Authenticate": {"schema": TEXT}}
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
            "content": {"application/json": {"schema": ref(body)}},
        }
    return operation


_PROPOSAL_ID: Schema = {"name": "id", "in": "path", "required": True, "schema": TEXT}
_CHANGE_ID: Schema = {"name": "id", "in": "path", "required": True, "schema": TEXT}
_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "1 to 255 visible ASCII characters. The same key with the same body gives the same change for seven days.",
    "schema": TEXT | {"pattern": "^[!-~]{1,255}$"},
}
_AFTER: Schema = {"name": "after", "in": "query", "schema": TEXT}
_LIMIT: Schema = {
    "name": "limit",
    "in": "query",
    "schema": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
}


_STATE: Schema = {"name": "state", "in": "query", "schema": one(ProposalState)}


def _proposals() -> dict[str, Any]:
    """Proposals: what takes a second person."""
    left = "It waits for a second person; nothing was written to the directory."
    bad = (400, 401, 403, 404, 409, 413, 415, 422)
    act = "/api/v1/proposals/{id}/"
    return {
        "/api/v1/proposals": {
            "get": _operation(
                "listProposals",
                "Proposals, newest first",
                _responses(200, "ProposalPage", "One page.", (401, 403, 422)),
                scope="changes:read",
                parameters=(_STATE, _AFTER, _LIMIT),
            ),
            "post": _operation(
                "proposeChange",
                "Leave a previewed change for a second person to approve",
                _responses(201, "Proposal", left, (400, 401, 403, 409, 413, 415, 422)),
                scope="changes:write",
                body="CommitRequest",
                parameters=(_KEY,),
            ),
        },
        "/api/v1/proposals/{id}": {
            "get": _operation(
                "getProposal",
                "A proposal with its plan as it is now, worked out for its proposer",
                _responses(200, "ProposalShown", "The proposal as it stands.", (401, 403, 404)),
                scope="changes:read",
                parameters=(_PROPOSAL_ID,),
            )
        },
        f"{act}approve": {
            "post": _operation(
                "approveProposal",
                "Agree: it is committed as its proposer's change. Sent again it gives the same",
                _responses(201, "Committed", "Committed, with the approver named.", bad),
                scope="changes:write",
                body="UndoRequest",
                parameters=(_PROPOSAL_ID,),
            )
        },
        f"{act}decline": {
            "post": _operation(
                "declineProposal",
                "Say no, and why",
                _responses(200, "Proposal", "It can no longer be approved.", bad),
                scope="changes:write",
                body="DeclineRequest",
                parameters=(_PROPOSAL_ID,),
            )
        },
        f"{act}withdraw": {
            "post": _operation(
                "withdrawProposal",
                "Take one's own proposal back",
                _responses(200, "Proposal", "It can no longer be approved.", (401, 403, 404, 409)),
                scope="changes:write",
                parameters=(_PROPOSAL_ID,),
            )
        },
        "/api/v1/changes/{id}/undo/propose": {
            "post": _operation(
                "proposeUndo",
                "Leave the undoing of a change for a second person to approve",
                _responses(201, "Proposal", left, bad),
                scope="changes:write",
                body="UndoRequest",
                parameters=(_CHANGE_ID, _KEY),
            )
        },
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
        "paths": _paths() | _proposals(),
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
