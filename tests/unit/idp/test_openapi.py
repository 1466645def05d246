"""The document at /api/openapi.json is valid, and every response it promises is given so."""

import re
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from directory.permissions import Role
from idp.api.openapi import document
from tests import hr_world
from tests.hr_world import Hr

DOCUMENT = document("https://dinhdanh.example")
PREVIEW, COMMIT, ONE = "/api/v1/changes/preview", "/api/v1/changes", "/api/v1/changes/{id}"
UNDO_PREVIEW, UNDO = ONE + "/undo/preview", ONE + "/undo"
PROPOSALS, PROPOSE_UNDO = "/api/v1/proposals", ONE + "/undo/propose"
PROPOSAL = PROPOSALS + "/{id}"
APPROVE, DECLINE, WITHDRAW = (f"{PROPOSAL}/{act}" for act in ("approve", "decline", "withdraw"))
ZERO = "0" * 64


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def suspend(hr: Hr) -> dict[str, Any]:
    return {"kind": "suspend", "user": hr.names["lan"]}


def done(hr: Hr) -> str:
    return str(hr.api(hr.token()).commit(**suspend(hr)).json["id"])


def ask(hr: Hr, path: str, body: Any = None, **options: Any) -> Any:
    """A request as a client with the right over everything, unless told otherwise."""
    token = options.pop("token", None) or hr.token()
    method = options.pop("method", "POST")
    headers = {"Authorization": f"Bearer {token}"} | options.pop("headers", {})
    if options.pop("key", True):
        headers["Idempotency-Key"] = secrets.token_hex(8)
    if body is not None:
        options["json"] = body
    return hr.app.test_client().open(path, method=method, headers=headers, **options)


def bad(path: str, status: int) -> Callable[[Hr], Any]:
    """Ways to be refused that are the same for every operation with a body."""
    ways: dict[int, Callable[[Hr], Any]] = {
        400: lambda hr: ask(hr, path, data=b"{", content_type="application/json"),
        401: lambda hr: ask(hr, path, {}, token="made.up"),
        403: lambda hr: ask(hr, path, {}, token=hr.token(scopes=("changes:read",))),
        413: lambda hr: ask(hr, path, data=b" " * 300_000, content_type="application/json"),
        415: lambda hr: ask(hr, path, data=b"x", content_type="text/plain"),
        422: lambda hr: ask(hr, path, {"kind": "x", "fingerprint": ZERO, "a": 1}),
    }
    return ways[status]


def undone(hr: Hr) -> Any:
    change_id = done(hr)
    plan = ask(hr, f"/api/v1/changes/{change_id}/undo/preview").json
    return ask(hr, f"/api/v1/changes/{change_id}/undo", {"fingerprint": plan["fingerprint"]})


def undo_twice(hr: Hr) -> Any:
    undone(hr)
    with hr.services.db.read() as session:
        from sqlalchemy import select

        from directory.changes.model import Change

        first = session.scalars(select(Change.id).where(Change.undo_of.is_(None))).one()
    return ask(hr, f"/api/v1/changes/{first}/undo/preview")


def proposable(hr: Hr) -> dict[str, Any]:
    """A change that takes a second person, with its fingerprint."""
    hr.grant("lan", Role.AUDITOR)
    body = suspend(hr)
    return body | {"fingerprint": ask(hr, PREVIEW, body).json["fingerprint"]}


def proposed(hr: Hr) -> dict[str, Any]:
    return dict(ask(hr, PROPOSALS, proposable(hr)).json)


def deciding(hr: Hr, act: str, body: Any = None, *, who: str = "admin") -> Any:
    """Somebody decides about a proposal."""
    row = proposed(hr)
    if act == "approve":
        body = {"fingerprint": row["fingerprint"]} | (body or {})
    path = f"{PROPOSALS}/{row['id']}/{act}"
    return ask(hr, path, body, token=hr.own_token(who))


def withdrawing(hr: Hr, *then: str) -> Any:
    """A client withdraws its proposal, and perhaps somebody decides about it nevertheless."""
    token = hr.token()
    row = ask(hr, PROPOSALS, proposable(hr), token=token).json
    answer = ask(hr, f"{PROPOSALS}/{row['id']}/withdraw", token=token)
    for act in then:
        more = {"approve": {"fingerprint": row["fingerprint"]}, "decline": {"reason": "Không"}}
        path, token = f"{PROPOSALS}/{row['id']}/{act}", hr.own_token("admin")
        answer = ask(hr, path, more.get(act), token=token)
    return answer


def withdrawn_after_approval(hr: Hr) -> Any:
    token = hr.token()
    row = ask(hr, PROPOSALS, proposable(hr), token=token).json
    path = f"{PROPOSALS}/{row['id']}"
    ask(hr, f"{path}/approve", {"fingerprint": row["fingerprint"]}, token=hr.own_token("admin"))
    return ask(hr, f"{path}/withdraw", token=token)


def undo_proposed(hr: Hr) -> Any:
    change_id = done(hr)
    hr.grant("lan", Role.AUDITOR)
    plan = ask(hr, f"/api/v1/changes/{change_id}/undo/preview").json
    path = f"/api/v1/changes/{change_id}/undo/propose"
    return ask(hr, path, {"fingerprint": plan["fingerprint"]})


GET = {"method": "GET", "key": False}
_BAD = (400, 401, 403, 413, 415, 422)
WAYS: dict[tuple[str, str, int], Callable[[Hr], Any]] = {
    ("post", PREVIEW, 200): lambda hr: ask(hr, PREVIEW, suspend(hr)),
    ("post", COMMIT, 201): lambda hr: hr.api(hr.token()).commit(**suspend(hr)),
    ("post", COMMIT, 409): lambda hr: ask(hr, COMMIT, suspend(hr) | {"fingerprint": ZERO}),
    ("get", COMMIT, 200): lambda hr: [done(hr), ask(hr, COMMIT, **GET)][1],
    ("get", COMMIT, 401): lambda hr: ask(hr, COMMIT, token="made.up", **GET),
    ("get", COMMIT, 403): lambda hr: ask(
        hr, COMMIT, token=hr.token(scopes=("changes:write",)), **GET
    ),
    ("get", COMMIT, 422): lambda hr: ask(hr, COMMIT + "?limit=0", **GET),
    ("get", ONE, 200): lambda hr: ask(hr, f"/api/v1/changes/{done(hr)}", **GET),
    ("get", ONE, 401): lambda hr: ask(hr, "/api/v1/changes/x", token="made.up", **GET),
    ("get", ONE, 403): lambda hr: ask(
        hr, "/api/v1/changes/x", token=hr.token(scopes=("changes:write",)), **GET
    ),
    ("get", ONE, 404): lambda hr: ask(hr, "/api/v1/changes/x", **GET),
    ("post", UNDO_PREVIEW, 200): lambda hr: ask(hr, f"/api/v1/changes/{done(hr)}/undo/preview"),
    ("post", UNDO_PREVIEW, 401): bad("/api/v1/changes/x/undo/preview", 401),
    ("post", UNDO_PREVIEW, 403): bad("/api/v1/changes/x/undo/preview", 403),
    ("post", UNDO_PREVIEW, 404): lambda hr: ask(hr, "/api/v1/changes/x/undo/preview"),
    ("post", UNDO_PREVIEW, 409): undo_twice,
    ("post", UNDO, 201): undone,
    ("post", UNDO, 404): lambda hr: ask(hr, "/api/v1/changes/x/undo", {"fingerprint": ZERO}),
    ("post", UNDO, 409): lambda hr: ask(
        hr, f"/api/v1/changes/{done(hr)}/undo", {"fingerprint": ZERO}
    ),
    ("post", PROPOSALS, 201): lambda hr: ask(hr, PROPOSALS, proposable(hr)),
    ("post", PROPOSALS, 409): lambda hr: ask(hr, PROPOSALS, suspend(hr) | {"fingerprint": ZERO}),
    ("get", PROPOSALS, 200): lambda hr: [proposed(hr), ask(hr, PROPOSALS, **GET)][1],
    ("get", PROPOSALS, 401): lambda hr: ask(hr, PROPOSALS, token="made.up", **GET),
    ("get", PROPOSALS, 403): lambda hr: ask(
        hr, PROPOSALS, token=hr.token(scopes=("changes:write",)), **GET
    ),
    ("get", PROPOSALS, 422): lambda hr: ask(hr, PROPOSALS + "?state=x", **GET),
    ("get", PROPOSAL, 200): lambda hr: ask(hr, f"{PROPOSALS}/{proposed(hr)['id']}", **GET),
    ("get", PROPOSAL, 401): lambda hr: ask(hr, f"{PROPOSALS}/x", token="made.up", **GET),
    ("get", PROPOSAL, 403): lambda hr: ask(
        hr, f"{PROPOSALS}/x", token=hr.token(scopes=("changes:write",)), **GET
    ),
    ("get", PROPOSAL, 404): lambda hr: ask(hr, f"{PROPOSALS}/x", **GET),
    ("post", APPROVE, 201): lambda hr: deciding(hr, "approve"),
    ("post", APPROVE, 404): lambda hr: ask(hr, f"{PROPOSALS}/x/approve", {"fingerprint": ZERO}),
    ("post", APPROVE, 409): lambda hr: withdrawing(hr, "approve"),
    ("post", DECLINE, 200): lambda hr: deciding(hr, "decline", {"reason": "Chưa có quyết định"}),
    ("post", DECLINE, 404): lambda hr: ask(hr, f"{PROPOSALS}/x/decline", {"reason": "Không"}),
    ("post", DECLINE, 409): lambda hr: withdrawing(hr, "decline"),
    ("post", WITHDRAW, 200): withdrawing,
    ("post", WITHDRAW, 401): bad(f"{PROPOSALS}/x/withdraw", 401),
    ("post", WITHDRAW, 403): lambda hr: deciding(hr, "withdraw"),
    ("post", WITHDRAW, 404): lambda hr: ask(hr, f"{PROPOSALS}/x/withdraw"),
    ("post", WITHDRAW, 409): withdrawn_after_approval,
    ("post", PROPOSE_UNDO, 201): undo_proposed,
    ("post", PROPOSE_UNDO, 404): lambda hr: ask(
        hr, "/api/v1/changes/x/undo/propose", {"fingerprint": ZERO}
    ),
    ("post", PROPOSE_UNDO, 409): lambda hr: ask(
        hr, f"/api/v1/changes/{done(hr)}/undo/propose", {"fingerprint": ZERO}
    ),
    **{("post", PROPOSALS, s): bad(PROPOSALS, s) for s in (400, 401, 403, 413, 415, 422)},
    **{("post", APPROVE, s): bad(f"{PROPOSALS}/x/approve", s) for s in _BAD},
    **{("post", DECLINE, s): bad(f"{PROPOSALS}/x/decline", s) for s in _BAD},
    **{("post", PROPOSE_UNDO, s): bad("/api/v1/changes/x/undo/propose", s) for s in _BAD},
    **{("post", PREVIEW, s): bad(PREVIEW, s) for s in (400, 401, 403, 413, 415, 422)},
    **{("post", COMMIT, s): bad(COMMIT, s) for s in (400, 401, 403, 413, 415, 422)},
    **{("post", UNDO, s): bad("/api/v1/changes/x/undo", s) for s in (400, 401, 403, 413, 415, 422)},
}
DOCUMENTED = [
    (method, path, int(status))
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    for status in operation["responses"]
]


def test_the_document_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_every_documented_response_has_a_way_to_be_produced() -> None:
    assert set(WAYS) == set(DOCUMENTED)


def test_every_route_of_the_api_is_documented(app: Flask) -> None:
    routes = {
        (method.lower(), re.sub("<[a-z_]+>", "{id}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert routes == {(method, path) for method, path, _ in DOCUMENTED}


@pytest.mark.parametrize(
    ("method", "path", "status"), DOCUMENTED, ids=lambda v: str(v).replace("/", ".")
)
def test_a_response_is_given_as_documented(hr: Hr, method: str, path: str, status: int) -> None:
    answer = WAYS[method, path, status](hr)
    assert answer.status_code == status, answer.text
    promised = DOCUMENT["paths"][path][method]["responses"][str(status)]
    [(content_type, content)] = promised["content"].items()
    assert answer.mimetype == content_type
    schema = content["schema"] | {"components": DOCUMENT["components"]}
    errors = [e.message for e in Draft202012Validator(schema).iter_errors(answer.json)]
    assert not errors
    for header in promised.get("headers", {}):
        assert header in answer.headers


def test_the_document_is_served(client: Any) -> None:
    answer = client.get("/api/openapi.json")
    assert (answer.status_code, answer.json["openapi"]) == (200, "3.1.0")
