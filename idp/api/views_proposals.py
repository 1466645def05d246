"""The changes API's endpoints for what takes a second person."""

from flask import Blueprint, Response, jsonify, request

from directory.base.audit import Actor
from directory.base.errors import Conflict
from directory.changes.proposals import ProposalState
from idp import approving, edge
from idp.api import problems, reading
from idp.api.bodies import Commit, Decline, Fingerprint
from idp.demands import Operation
from idp.web.gate import services

READ, WRITE = ("changes:read",), ("changes:write",)


def propose() -> Response:
    """Leave a change for a second person."""
    actor = reading.caller(WRITE, Operation.CHANGE)
    key = reading.idempotency_key(request)
    brought = reading.body_as(Commit, request)
    return _propose(edge.asked(services(), brought.change), actor, brought.fingerprint, key)


def propose_undo(change_id: str) -> Response:
    """Leave the undoing of a change for a second person."""
    actor = reading.caller(WRITE, Operation.CHANGE)
    key = reading.idempotency_key(request)
    brought = reading.body_as(Fingerprint, request)
    return _propose(edge.undoing(change_id), actor, brought.fingerprint, key)


def _propose(ask: edge.Ask, actor: Actor, fingerprint: str, key: str) -> Response:
    try:
        made = approving.propose(services(), ask, actor, fingerprint=fingerprint, key=key)
    except Conflict as error:
        return problems.of_error(error, plan=edge.fresh(services(), ask, actor))
    response = jsonify(made)
    response.status_code = 201
    response.headers["Location"] = f"/api/v1/proposals/{made['id']}"
    return response


def listed() -> Response:
    """Proposals, newest first."""
    actor = reading.caller(READ)
    rows, after = approving.listed(
        services(),
        actor,
        state=reading.chosen(request, "state", [s.value for s in ProposalState]),
        after=request.args.get("after"),
        limit=reading.limit(request),
    )
    return jsonify({"proposals": rows, "after": after})


def show(proposal_id: str) -> Response:
    """One proposal with its plan as it is now."""
    actor = reading.caller(READ)
    found = approving.shown(services(), proposal_id, actor)
    return jsonify(
        found.row
        | {
            "decision": found.decision
            and {
                "number": found.decision.number,
                "issued_on": found.decision.issued_on.isoformat(),
                "issuer": found.decision.issuer,
            },
            "asked": [{"field": name, "value": value} for name, value in found.said],
            "plan": found.plan,
            "may_approve": found.may_decide and not found.hindrance,
            "hindrance": found.hindrance or None,
        }
    )


def approve(proposal_id: str) -> Response:
    """Approve the plan with this fingerprint: it is committed."""
    actor = reading.caller(WRITE, Operation.APPROVAL)
    brought = reading.body_as(Fingerprint, request)
    done = approving.approve(services(), proposal_id, actor, fingerprint=brought.fingerprint)
    response = jsonify({"id": done.id, "state": done.state})
    response.status_code = 201
    response.headers["Location"] = f"/api/v1/changes/{done.id}"
    return response


def decline(proposal_id: str) -> Response:
    """Say no, and why."""
    actor = reading.caller(WRITE, Operation.APPROVAL)
    brought = reading.body_as(Decline, request)
    return jsonify(approving.decline(services(), proposal_id, actor, reason=brought.reason))


def withdraw(proposal_id: str) -> Response:
    """Take one's own proposal back."""
    actor = reading.caller(WRITE, Operation.CHANGE)
    return jsonify(approving.withdraw(services(), proposal_id, actor))


def install(blueprint: Blueprint) -> None:
    """Register the endpoints."""
    for rule, view, method in (
        ("/api/v1/proposals", propose, "POST"),
        ("/api/v1/proposals", listed, "GET"),
        ("/api/v1/proposals/<proposal_id>", show, "GET"),
        ("/api/v1/proposals/<proposal_id>/approve", approve, "POST"),
        ("/api/v1/proposals/<proposal_id>/decline", decline, "POST"),
        ("/api/v1/proposals/<proposal_id>/withdraw", withdraw, "POST"),
        ("/api/v1/changes/<change_id>/undo/propose", propose_undo, "POST"),
    ):
        name = f"proposals_{view.__name__}"
        blueprint.add_url_rule(rule, name, view, methods=[method])
