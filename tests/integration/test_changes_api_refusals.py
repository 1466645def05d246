"""What the changes API refuses: the exact code and status, and nothing in any table changes."""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from directory.permissions import Role
from tests import hr_world
from tests.hr_world import Api, Hr

PREVIEW, COMMIT = "/api/v1/changes/preview", "/api/v1/changes"
ZERO = "0" * 64


@dataclass(frozen=True)
class Case:
    """A request, and what it is answered."""

    id: str
    status: int
    code: str
    body: Any = None
    field: str | None = None
    missing: str | None = None
    commit: bool = False
    """Send it as a commit, with the fingerprint of its own preview where one can be made."""
    raw: bytes | None = None
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    path: str = ""
    method: str = "POST"
    role: Role | None = Role.HR_OFFICER
    unit: str | None = "root"
    scopes: tuple[str, ...] = ("changes:read", "changes:write")
    prepare: Callable[[Hr], Any] | None = None


def transfer(**more: Any) -> dict[str, Any]:
    """A good body with some fields replaced; None takes a field away."""
    body = {"kind": "transfer", "user": "LAN", "to_unit": "gso:14797"} | more
    return {k: v for k, v in body.items() if v is not None}


def committed(hr: Hr, **body: Any) -> None:
    """Commit something first."""
    answer = hr.api(hr.token()).commit(**body)
    assert answer.status_code == 201, answer.text


def deep(levels: int) -> bytes:
    return b'{"kind":' + b"[" * levels + b"]" * levels + b"}"


CASES = [
    # ---- the request itself ----
    Case("no body", 415, "not_json", raw=b""),
    Case(
        "a form",
        415,
        "not_json",
        raw=b"kind=transfer",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    ),
    Case("not JSON", 400, "json_invalid", raw=b"{kind: 1}"),
    Case("half a JSON", 400, "json_invalid", raw=b'{"kind": "transfer"'),
    Case("two values", 400, "json_invalid", raw=b"{} {}"),
    Case("a list", 400, "json_invalid", raw=b"[]"),
    Case("a number", 400, "json_invalid", raw=b"1"),
    Case("a name twice", 400, "json_invalid", raw=b'{"kind":"transfer","kind":"leave"}'),
    Case(
        "a name twice inside",
        400,
        "json_invalid",
        raw=b'{"kind":"transfer","decision":{"number":"1","number":"2"}}',
    ),
    Case("NaN", 400, "json_invalid", raw=b'{"kind": NaN}'),
    Case("not UTF-8", 400, "json_invalid", raw=b'{"kind": "\xff"}'),
    Case("a lone surrogate", 400, "json_invalid", raw=b'{"kind":"transfer","user":"\\ud800"}'),
    Case("a NUL", 400, "json_invalid", raw=b'{"kind":"transfer","user":"a\\u0000b"}'),
    Case("nested too deep", 400, "json_too_deep", raw=deep(20)),
    Case("nested very deep", 400, "json_invalid", raw=deep(100_000)),
    Case("an endless number", 400, "json_invalid", raw=b'{"user": ' + b"9" * 5000 + b"}"),
    Case("too large", 413, "body_too_large", raw=b'{"kind":"' + b"x" * (300 * 1024) + b'"}'),
    Case("far too large", 413, "body_too_large", raw=b" " * (2 * 1024 * 1024)),
    # ---- who asks ----
    Case("no token", 401, "token_missing", transfer(), headers={"Authorization": ""}),
    Case(
        "a made-up token",
        401,
        "invalid_token",
        transfer(),
        headers={"Authorization": "Bearer made.up"},
    ),
    Case(
        "another scheme", 401, "token_missing", transfer(), headers={"Authorization": "Basic YTpi"}
    ),
    Case("a scope too few", 403, "insufficient_scope", transfer(), scopes=("changes:read",)),
    Case("no role", 403, "not_allowed", transfer(), role=None, missing="destination"),
    Case("an auditor", 403, "not_allowed", transfer(), role=Role.AUDITOR, missing="destination"),
    Case(
        "an application owner",
        403,
        "not_allowed",
        transfer(),
        role=Role.APPLICATION_OWNER,
        unit=None,
        missing="destination",
    ),
    Case("destination outside", 403, "not_allowed", transfer(), unit="a", missing="destination"),
    Case("source outside", 403, "not_allowed", transfer(), unit="b", missing="source"),
    Case(
        "suspend outside",
        403,
        "not_allowed",
        {"kind": "suspend", "user": "LAN"},
        unit="b",
        missing="source",
    ),
    Case(
        "commit outside",
        403,
        "not_allowed",
        transfer(fingerprint=ZERO),
        unit="b",
        missing="source",
        path=COMMIT,
        headers={"Idempotency-Key": "k"},
    ),
    # ---- fields ----
    Case("no kind", 422, "invalid", {"user": "LAN"}, field="kind"),
    Case("an unknown kind", 422, "invalid", transfer(kind="promote"), field="kind"),
    Case("a kind not there yet", 422, "kind_not_supported", {"kind": "unit.merge"}, field="kind"),
    Case(
        "a kind of the installation",
        422,
        "kind_not_supported",
        {"kind": "unit.create"},
        field="kind",
    ),
    Case("kind is a list", 422, "invalid", transfer(kind=["transfer"]), field="kind"),
    Case(
        "an unknown field", 422, "invalid", transfer(effectiv_on="2026-03-02"), field="effectiv_on"
    ),
    Case(
        "a field of another kind",
        422,
        "invalid",
        {"kind": "suspend", "user": "LAN", "to_unit": 1},
        field="to_unit",
    ),
    Case("nobody", 422, "users_missing", transfer(user=None), field="user"),
    Case("user and users", 422, "invalid", transfer(users=["LAN"]), field="users"),
    Case("an empty list", 422, "invalid", transfer(user=None, users=[]), field="users"),
    Case(
        "the same person twice",
        422,
        "invalid",
        transfer(user=None, users=["LAN", "LAN"]),
        field="users",
    ),
    Case(
        "too many people", 422, "too_many", transfer(user=None, users=["LAN"] * 2001), field="users"
    ),
    Case("an unknown person", 422, "user_unknown", transfer(user="khong-co"), field="user"),
    Case("a person by true", 422, "invalid", transfer(user=True), field="user"),
    Case("a person by an object", 422, "invalid", transfer(user={"id": 1}), field="user"),
    Case("a person by a huge number", 422, "user_unknown", transfer(user=10**30), field="user"),
    Case("a negative person", 422, "user_unknown", transfer(user=-1), field="user"),
    Case("a number with a fraction", 422, "invalid", transfer(user=1.5), field="user"),
    Case("no destination", 422, "to_unit_missing", transfer(to_unit=None), field="to_unit"),
    Case("an unknown unit", 422, "unit_unknown", transfer(to_unit="gso:00000"), field="to_unit"),
    Case(
        "a unit without a scheme", 422, "unit_unknown", transfer(to_unit="14797x"), field="to_unit"
    ),
    Case(
        "an unknown position", 422, "position_unknown", transfer(position="KHONG"), field="position"
    ),
    Case(
        "a day that is none",
        422,
        "invalid",
        transfer(effective_on="2026-02-30"),
        field="effective_on",
    ),
    Case(
        "a day written otherwise",
        422,
        "invalid",
        transfer(effective_on="02/03/2026"),
        field="effective_on",
    ),
    Case("a week date", 422, "invalid", transfer(effective_on="2026-W10-1"), field="effective_on"),
    Case(
        "a day far away", 422, "invalid", transfer(effective_on="2099-01-01"), field="effective_on"
    ),
    Case(
        "a decision without its number",
        422,
        "invalid",
        transfer(decision={"issued_on": "2026-01-01", "issuer": "UBND"}),
        field="decision.number",
    ),
    Case(
        "a decision without its day",
        422,
        "invalid",
        transfer(decision={"number": "1", "issuer": "UBND"}),
        field="decision.issued_on",
    ),
    Case(
        "a decision with more",
        422,
        "invalid",
        transfer(decision={"number": "1", "issued_on": "2026-01-01", "issuer": "U", "x": 1}),
        field="decision.x",
    ),
    Case("a decision that is text", 422, "invalid", transfer(decision="123"), field="decision"),
    Case(
        "an endless issuer",
        422,
        "invalid",
        transfer(decision={"number": "1", "issued_on": "2026-01-01", "issuer": "x" * 201}),
        field="decision.issuer",
    ),
    Case("keep is no list of numbers", 422, "invalid", transfer(keep=["1"]), field="keep"),
    Case(
        "leave without a reason", 422, "invalid", {"kind": "leave", "user": "LAN"}, field="reason"
    ),
    Case(
        "suspend tomorrow",
        422,
        "not_in_future",
        {"kind": "suspend", "user": "LAN", "effective_on": "2026-03-09"},
        field="effective_on",
    ),
    # ---- commits ----
    Case(
        "no Idempotency-Key",
        400,
        "idempotency_key_missing",
        transfer(fingerprint=ZERO),
        path=COMMIT,
    ),
    Case(
        "an empty Idempotency-Key",
        400,
        "idempotency_key_invalid",
        transfer(fingerprint=ZERO),
        path=COMMIT,
        headers={"Idempotency-Key": ""},
    ),
    Case(
        "a key with spaces",
        400,
        "idempotency_key_invalid",
        transfer(fingerprint=ZERO),
        path=COMMIT,
        headers={"Idempotency-Key": "a b"},
    ),
    Case(
        "an endless key",
        400,
        "idempotency_key_invalid",
        transfer(fingerprint=ZERO),
        path=COMMIT,
        headers={"Idempotency-Key": "k" * 256},
    ),
    Case(
        "no fingerprint",
        422,
        "fingerprint_missing",
        transfer(),
        path=COMMIT,
        headers={"Idempotency-Key": "k"},
        field="fingerprint",
    ),
    Case(
        "a short fingerprint",
        422,
        "fingerprint_invalid",
        transfer(fingerprint="abc"),
        path=COMMIT,
        headers={"Idempotency-Key": "k"},
        field="fingerprint",
    ),
    Case(
        "a fingerprint that is a number",
        422,
        "fingerprint_invalid",
        transfer(fingerprint=1),
        path=COMMIT,
        headers={"Idempotency-Key": "k"},
        field="fingerprint",
    ),
    Case(
        "an undo that asks for more",
        422,
        "invalid",
        {"fingerprint": ZERO, "effective_on": "2026-03-02"},
        path="/api/v1/changes/none/undo",
        headers={"Idempotency-Key": "k"},
        field="effective_on",
    ),
    Case(
        "an approval that asks for more",
        422,
        "invalid",
        {"fingerprint": ZERO, "kind": "transfer"},
        path="/api/v1/proposals/none/approve",
        field="kind",
    ),
    Case(
        "a refusal without a reason",
        422,
        "invalid",
        {},
        path="/api/v1/proposals/none/decline",
        field="reason",
    ),
    Case(
        "a refusal with two reasons",
        422,
        "invalid",
        {"reason": ["a", "b"]},
        path="/api/v1/proposals/none/decline",
        field="reason",
    ),
    Case(
        "another fingerprint",
        409,
        "plan_stale",
        transfer(fingerprint=ZERO),
        path=COMMIT,
        headers={"Idempotency-Key": "k"},
    ),
    Case("the same post", 409, "no_change", transfer(to_unit="ROOM"), commit=True),
    Case(
        "suspended already",
        409,
        "wrong_status",
        {"kind": "suspend", "user": "LAN"},
        commit=True,
        prepare=lambda hr: committed(hr, kind="suspend", user=hr.names["lan"]),
    ),
    Case(
        "moved while suspended",
        409,
        "not_active",
        transfer(),
        commit=True,
        prepare=lambda hr: committed(hr, kind="suspend", user=hr.names["lan"]),
    ),
    Case(
        "a change waits already",
        409,
        "waiting_change",
        transfer(),
        commit=True,
        prepare=lambda hr: committed(
            hr,
            kind="transfer",
            user=hr.names["lan"],
            to_unit="gso:14797",
            effective_on="2026-03-20",
        ),
    ),
    Case(
        "left already",
        409,
        "already_left",
        {"kind": "leave", "user": "LAN", "reason": "retire"},
        commit=True,
        prepare=lambda hr: committed(hr, kind="leave", user=hr.names["lan"], reason="resign"),
    ),
    Case(
        "a person without a post",
        409,
        "no_primary",
        transfer(user="OFFICER"),
        commit=True,
        unit=None,
    ),
    Case(
        "somebody without a post, for a part",
        403,
        "not_allowed",
        transfer(user="OFFICER"),
        missing="source",
    ),
    # ---- looking and undoing ----
    Case("an unknown change", 404, "change_unknown", method="GET", path="/api/v1/changes/unknown"),
    Case("a change by a NUL", 404, "change_unknown", method="GET", path="/api/v1/changes/%00"),
    Case(
        "undo of an unknown change",
        404,
        "change_unknown",
        path="/api/v1/changes/unknown/undo/preview",
    ),
    Case(
        "undo with more fields",
        422,
        "invalid",
        {"fingerprint": ZERO, "why": 1},
        field="why",
        path="/api/v1/changes/x/undo",
        headers={"Idempotency-Key": "k"},
    ),
    Case(
        "a made-up page mark",
        422,
        "after",
        method="GET",
        path="/api/v1/changes?after=zzz",
        field="after",
    ),
    Case("no rows", 422, "limit", method="GET", path="/api/v1/changes?limit=0", field="limit"),
    Case(
        "too many rows", 422, "limit", method="GET", path="/api/v1/changes?limit=201", field="limit"
    ),
    Case(
        "rows in letters",
        422,
        "limit",
        method="GET",
        path="/api/v1/changes?limit=ten",
        field="limit",
    ),
    Case(
        "reading without the scope",
        403,
        "insufficient_scope",
        method="GET",
        path="/api/v1/changes",
        scopes=("changes:write",),
    ),
    Case("deleting", 405, "http_405", method="DELETE", path="/api/v1/changes"),
]


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def named(hr: Hr, value: Any) -> Any:
    """Put names of the world in the place of its marks."""
    marks = {"LAN": hr.names["lan"], "OFFICER": hr.names["officer"], "ROOM": hr.units["room"]}
    if isinstance(value, dict):
        return {k: named(hr, v) for k, v in value.items()}
    if isinstance(value, list):
        return [named(hr, v) for v in value]
    return marks.get(value, value) if isinstance(value, str) else value


def send(hr: Hr, api: Api, case: Case) -> Any:
    headers = {"Authorization": f"Bearer {api.token}"} | case.headers
    if not headers["Authorization"]:
        del headers["Authorization"]
    options: dict[str, Any] = {"method": case.method, "headers": headers}
    body = named(hr, case.body)
    if case.commit:
        body = body | {"fingerprint": api.plan(**body)["fingerprint"]}
        headers["Idempotency-Key"] = "k"
    if case.raw is not None:
        options["data"] = case.raw
        if case.raw and "Content-Type" not in headers:
            headers["Content-Type"] = "application/json"
    elif body is not None:
        options["json"] = body
    return api.client.open(case.path or (COMMIT if case.commit else PREVIEW), **options)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_a_refused_request_changes_nothing_and_says_why(hr: Hr, case: Case) -> None:
    if case.prepare is not None:
        case.prepare(hr)
    api = hr.api(hr.token(case.role, case.unit, case.scopes))
    before = hr.dump()
    answer = send(hr, api, case)
    assert hr.dump() == before
    problem = answer.json
    assert (answer.status_code, problem["code"]) == (case.status, case.code), answer.text
    assert answer.mimetype == "application/problem+json"
    assert (problem.get("field"), problem.get("missing")) == (case.field, case.missing)
    assert problem["status"] == case.status
    assert problem["request_id"] == answer.headers["X-Request-ID"]
    if case.status != 405:
        assert {"type", "title", "detail"} <= problem.keys()
    assert ("WWW-Authenticate" in answer.headers) == (
        case.status == 401 or case.code == "insufficient_scope"
    )
    assert "Traceback" not in answer.text


def test_a_key_used_with_another_body_is_refused(hr: Hr) -> None:
    api = hr.api(hr.token())
    first = api.commit(kind="suspend", user=hr.names["lan"], key="same")
    assert first.status_code == 201
    before = hr.dump()
    body = {"kind": "suspend", "user": hr.names["hien"]}
    body["fingerprint"] = api.plan(**body)["fingerprint"]
    answer = api.post(COMMIT, body, key="same")
    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key")
    assert hr.dump() == before


def test_two_callers_may_use_the_same_key(hr: Hr) -> None:
    first = hr.api(hr.token()).commit(kind="suspend", user=hr.names["lan"], key="same")
    second = hr.api(hr.token()).commit(kind="suspend", user=hr.names["hien"], key="same")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json["id"] != second.json["id"]


def test_a_refused_commit_does_not_use_its_key_up(hr: Hr) -> None:
    api = hr.api(hr.token())
    body = {"kind": "suspend", "user": hr.names["lan"]}
    assert api.post(COMMIT, body | {"fingerprint": ZERO}, key="k").status_code == 409
    assert api.commit(**body, key="k").status_code == 201


def test_what_a_later_change_has_touched_is_not_undone(hr: Hr) -> None:
    api = hr.api(hr.token())
    first = api.commit(kind="transfer", user=hr.names["lan"], to_unit="gso:14797").json["id"]
    hr.clock.advance(days=1)
    api = hr.api(hr.token())
    assert api.commit(kind="transfer", user=hr.names["lan"], to_unit="gso:14758").status_code == 201
    plan = api.post(f"/api/v1/changes/{first}/undo/preview").json
    assert [c["code"] for c in plan["conflicts"]] == ["later_change"] * len(plan["conflicts"])
    before = hr.dump()
    answer = api.post(
        f"/api/v1/changes/{first}/undo", {"fingerprint": plan["fingerprint"]}, key="u"
    )
    assert (answer.status_code, answer.json["code"]) == (409, "later_change")
    assert hr.dump() == before


def test_refusals_speak_the_language_asked_for(hr: Hr) -> None:
    api = hr.api(hr.token())
    said = {
        language: api.client.post(
            PREVIEW,
            data=json.dumps({"kind": "transfer", "user": "x"}),
            content_type="application/json",
            headers={"Authorization": f"Bearer {api.token}", "Accept-Language": language},
        ).json["detail"]
        for language in ("vi", "en")
    }
    assert said["vi"] != said["en"]
    assert said["vi"] == "Thiếu đơn vị đến."
