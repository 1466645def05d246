"""The endpoints of the changes API."""

from typing import Any

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from directory.base.audit import Actor
from directory.base.errors import Conflict, DinhdanhError
from directory.changes import history, present
from idp import edge
from idp.api import problems, reading, views_proposals
from idp.api.bodies import Commit, Fingerprint
from idp.api.openapi import document
from idp.demands import Operation
from idp.oidc import bearer, protected_resource
from idp.web.gate import services
from idp.web.i18n import gettext

blueprint = Blueprint("api", __name__)

READ, WRITE = ("changes:read",), ("changes:write",)


@blueprint.get("/api/openapi.json")
def openapi() -> Response:
    """The contract; public."""
    return jsonify(document(services().settings.issuer))


@blueprint.post("/api/v1/changes/preview")
def preview() -> Response:
    """What a change would do."""
    actor = reading.caller(WRITE)
    ask = edge.asked(services(), reading.body(request))
    return jsonify(edge.preview(services(), ask, actor))


@blueprint.post("/api/v1/changes")
def commit() -> Response:
    """Do what a preview announced."""
    actor = reading.caller(WRITE, Operation.CHANGE)
    key = reading.idempotency_key(request)
    brought = reading.body_as(Commit, request)
    return _commit(edge.asked(services(), brought.change), actor, brought.fingerprint, key)


@blueprint.get("/api/v1/changes")
def listed() -> Response:
    """Changes, newest first."""
    actor = reading.caller(READ)
    has = services()
    now = has.clock()
    with has.db.read() as session:
        page = history.listed(
            session,
            edge.rights(session, actor, now=now),
            after=request.args.get("after"),
            limit=reading.limit(request),
        )
    return jsonify({"changes": [present.listed_as_dict(c) for c in page.rows], "after": page.after})


@blueprint.get("/api/v1/changes/<change_id>")
def show(change_id: str) -> Response:
    """One change with its proof."""
    actor = reading.caller(READ)
    has = services()
    with has.db.read() as session:
        found = edge.seen(session, actor, change_id, now=has.clock())
        return jsonify(present.proof_as_dict(found))


@blueprint.post("/api/v1/changes/<change_id>/undo/preview")
def preview_undo(change_id: str) -> Response:
    """What undoing a change would do."""
    actor = reading.caller(WRITE)
    return jsonify(edge.preview(services(), edge.undoing(change_id), actor))


@blueprint.post("/api/v1/changes/<change_id>/undo")
def undo(change_id: str) -> Response:
    """Undo a change as its preview announced."""
    actor = reading.caller(WRITE, Operation.CHANGE)
    key = reading.idempotency_key(request)
    brought = reading.body_as(Fingerprint, request)
    return _commit(edge.undoing(change_id), actor, brought.fingerprint, key)


def _commit(ask: edge.Ask, actor: Actor, fingerprint: str, key: str) -> Response:
    """The committed change, or a refusal that brings the fresh plan along."""
    has = services()
    try:
        done = edge.commit(has, ask, actor, fingerprint=fingerprint, key=key)
    except Conflict as error:
        return problems.of_error(error, plan=edge.fresh(services(), ask, actor))
    response = jsonify({"id": done.id, "state": done.state})
    response.status_code = 201
    response.headers["Location"] = f"/api/v1/changes/{done.id}"
    return response


views_proposals.install(blueprint)
blueprint.after_request(bearer.offer_nonce)


@blueprint.errorhandler(bearer.Refused)
def _refused(error: bearer.Refused) -> Response:
    response = problems.of_error(error)
    metadata = protected_resource.url(services().settings.issuer)
    response.headers["WWW-Authenticate"] = error.challenge_of(metadata)
    return response


@blueprint.errorhandler(DinhdanhError)
def _ours(error: DinhdanhError) -> Response:
    return problems.of_error(error)


@blueprint.errorhandler(HTTPException)
def _http(error: HTTPException) -> Any:
    if error.response is not None:
        return error.response
    status = error.code or 500
    if status < 400:
        return error
    if status == 413:
        return problems.problem(413, "body_too_large", gettext("Nội dung gửi lên quá lớn."))
    return problems.problem(status, f"http_{status}", gettext("Yêu cầu không hợp lệ."))
