"""The account store of the demonstration applications, and its SCIM endpoint."""

import itertools
import json
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from scim2_client.engines.wsgi import WSGISCIMClient
from scim2_models import EnterpriseUser, Group, ResourceType, ScimProvider, User
from scim2_server.testing import ScimStorageContract
from scim2_tester import Status, check_server
from werkzeug.test import TestResponse

from examples.apps.accounts import AccountStorage
from examples.apps.database import Database
from examples.apps.relying_party import create_app
from examples.apps.scim import describe
from examples.apps.settings import Settings

TOKEN = "scim-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


class TestAccountStorage(ScimStorageContract):
    """The contract that ``scim2_server`` ships for every storage."""

    @pytest.fixture
    def provider(self) -> ScimProvider:
        served = describe()
        return ScimProvider(
            models=[User, EnterpriseUser, Group],
            resource_types=[*served.resource_types, ResourceType.from_resource(Group)],
            config=served.config,
        )

    @pytest.fixture
    def storage(self, tmp_path: Path) -> Iterator[AccountStorage]:
        database = Database(tmp_path / "store.sqlite")
        yield AccountStorage(database)
        database.close()

    @pytest.fixture
    def group_model(self) -> None:
        pytest.skip("These applications keep accounts and no groups")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        profile="qlvb",
        base_url="http://localhost",
        issuer="http://op.invalid",
        client_id="qlvb",
        client_secret="secret",
        scim_token=TOKEN,
        store=tmp_path / "store.sqlite",
    )


@pytest.fixture
def client(settings: Settings) -> FlaskClient:
    return create_app(settings).test_client()


def account(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "schemas": [USER, ENTERPRISE],
        "userName": f"hiennv{number}",
        "externalId": f"sub-{number}",
        "displayName": f"Nguyễn Văn Hiền {number}",
        "active": True,
        "roles": [{"value": "chuyen_vien", "primary": True}],
        ENTERPRISE: {"department": "Sở Nội vụ", "employeeNumber": str(number)},
    } | changes


def push(client: FlaskClient, number: int = 1, **changes: Any) -> dict[str, Any]:
    response = client.post("/scim/v2/Users", json=account(number, **changes), headers=BEARER)
    assert response.status_code == 201, response.text
    return response.get_json(force=True)


def patch(client: FlaskClient, account_id: str, *operations: dict[str, Any]) -> TestResponse:
    body = {"schemas": [PATCH], "Operations": operations}
    return client.patch(f"/scim/v2/Users/{account_id}", json=body, headers=BEARER)


def test_an_account_is_found_by_external_id_by_user_name_and_by_id(client: FlaskClient) -> None:
    made = push(client)

    for expression in (
        'externalId eq "sub-1"',
        'userName eq "HIENNV1"',
        f'id eq "{made["id"]}"',
        f'{USER}:externalId eq "sub-1"',
    ):
        found = client.get(
            "/scim/v2/Users", query_string={"filter": expression}, headers=BEARER
        ).get_json(force=True)
        assert [r["id"] for r in found["Resources"]] == [made["id"]], expression


def test_an_external_id_is_compared_exactly(client: FlaskClient) -> None:
    push(client)

    found = client.get(
        "/scim/v2/Users", query_string={"filter": 'externalId eq "SUB-1"'}, headers=BEARER
    ).get_json(force=True)

    assert found["totalResults"] == 0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"userName": "somebody.else"}, "externalId"),
        ({"externalId": "sub-other"}, "userName"),
        ({"externalId": "sub-other", "userName": "HienNV1"}, "userName"),
    ],
)
def test_a_taken_external_id_or_user_name_is_a_conflict(
    client: FlaskClient, changes: dict[str, str], named: str
) -> None:
    push(client)

    response = client.post("/scim/v2/Users", json=account(1, **changes), headers=BEARER)

    assert response.status_code == 409
    assert response.get_json(force=True)["scimType"] == "uniqueness"
    assert named in response.get_json(force=True)["detail"]


def test_a_patch_disables_moves_and_changes_the_role(client: FlaskClient) -> None:
    made = push(client)

    response = patch(
        client,
        made["id"],
        {"op": "replace", "path": "active", "value": False},
        {"op": "replace", "path": f"{ENTERPRISE}:department", "value": "Sở Tài chính"},
        {"op": "replace", "path": "roles", "value": [{"value": "lanh_dao"}]},
    )

    assert response.status_code == 204
    changed = client.get(f"/scim/v2/Users/{made['id']}", headers=BEARER).get_json(force=True)
    assert changed["active"] is False
    assert changed[ENTERPRISE]["department"] == "Sở Tài chính"
    assert [role["value"] for role in changed["roles"]] == ["lanh_dao"]
    assert changed["meta"]["version"] != made["meta"]["version"]
    assert changed["meta"]["created"] == made["meta"]["created"]


def test_a_put_replaces_the_whole_account(client: FlaskClient) -> None:
    made = push(client)

    response = client.put(
        f"/scim/v2/Users/{made['id']}",
        json=account(1, active=False, displayName=None),
        headers=BEARER,
    )

    assert response.status_code == 200
    assert response.get_json(force=True)["active"] is False
    assert "displayName" not in response.get_json(force=True)


def test_a_deleted_account_is_gone_and_its_external_id_free(client: FlaskClient) -> None:
    made = push(client)

    assert client.delete(f"/scim/v2/Users/{made['id']}", headers=BEARER).status_code == 204
    assert client.get(f"/scim/v2/Users/{made['id']}", headers=BEARER).status_code == 404
    push(client)


def test_a_write_against_an_outdated_version_is_refused(client: FlaskClient) -> None:
    made = push(client)
    patch(client, made["id"], {"op": "replace", "path": "active", "value": False})

    response = client.put(
        f"/scim/v2/Users/{made['id']}",
        json=account(1),
        headers={**BEARER, "If-Match": made["meta"]["version"]},
    )

    assert response.status_code == 412


def test_a_password_is_not_kept(client: FlaskClient, settings: Settings) -> None:
    made = push(client, password="t1me-Flies")
    patch(client, made["id"], {"op": "replace", "path": "password", "value": "t1me-Flies"})

    stored = sqlite3.connect(settings.store).execute("SELECT resource FROM account").fetchone()[0]
    assert "t1me-Flies" not in stored


@pytest.mark.parametrize("path", ["/scim/v2/Users", "/scim/v2/Schemas", "/scim/v2/x", "/activity"])
@pytest.mark.parametrize("header", [None, "Bearer wrong", "Bearer ", "Basic c2NpbS10b2tlbg=="])
def test_without_the_token_nothing_is_answered(
    client: FlaskClient, path: str, header: str | None
) -> None:
    response = client.get(path, headers={"Authorization": header} if header else {})

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_activity_list_tells_what_arrived_and_with_what_result(client: FlaskClient) -> None:
    push(client)
    client.post("/scim/v2/Users", json=account(1), headers=BEARER)

    first, second = client.get("/activity", headers=BEARER).get_json()

    assert first["kind"] == "scim"
    assert (first["method"], first["path"], first["status"]) == ("POST", "/scim/v2/Users", 201)
    assert first["at"].endswith("Z")
    assert first["detail"]["externalId"] == "sub-1"
    assert first["detail"]["department"] == "Sở Nội vụ"
    assert (second["status"], second["detail"]["scimType"]) == (409, "uniqueness")


def test_the_activity_list_tells_the_account_after_a_patch(client: FlaskClient) -> None:
    made = push(client)
    patch(client, made["id"], {"op": "replace", "path": "active", "value": False})

    last = client.get("/activity", headers=BEARER).get_json()[-1]

    assert (last["method"], last["status"]) == ("PATCH", 204)
    assert (last["detail"]["externalId"], last["detail"]["active"]) == ("sub-1", False)


def test_the_activity_list_keeps_the_last_thousand(tmp_path: Path) -> None:
    moment = (datetime(2026, 7, 1, tzinfo=UTC) + timedelta(seconds=i) for i in itertools.count())
    database = Database(tmp_path / "store.sqlite", clock=lambda: next(moment))
    for number in range(1005):
        database.record("scim", method="GET", path=str(number), status=200, detail={})

    kept = [entry["path"] for entry in database.activity()]

    assert (len(kept), kept[0], kept[-1]) == (1000, "5", "1004")


def test_indexed_look_ups_use_their_index(settings: Settings) -> None:
    create_app(settings)
    connection = sqlite3.connect(settings.store)

    for column in ("id", "external_id", "user_name_key"):
        plan = connection.execute(
            f"EXPLAIN QUERY PLAN SELECT resource FROM account WHERE {column} = 'x'"
        ).fetchone()
        assert "USING INDEX" in plan[3], plan[3]


def test_creating_and_finding_among_twenty_thousand_takes_milliseconds(
    client: FlaskClient, settings: Settings
) -> None:
    with sqlite3.connect(settings.store) as connection:
        connection.executemany(
            "INSERT INTO account VALUES (?, ?, ?, 1, ?)",
            (
                (f"i{n}", f"e{n}", f"u{n}", json.dumps({"schemas": [USER], "userName": f"u{n}"}))
                for n in range(20_000)
            ),
        )

    started = time.perf_counter()
    for number in range(50):
        push(client, number)
        client.get(
            "/scim/v2/Users",
            query_string={"filter": f'externalId eq "sub-{number}"'},
            headers=BEARER,
        )
    each = (time.perf_counter() - started) / 100

    assert each < 0.3  # about 0.003 on a quiet machine; a walk of the table takes seconds


def test_scim2_tester_finds_no_fault(client: FlaskClient) -> None:
    scim = WSGISCIMClient(
        client.application.wsgi_app, base_url="http://localhost/scim/v2", headers=BEARER
    )

    results = check_server(scim)

    faults = [r for r in results if r.status in (Status.ERROR, Status.CRITICAL)]
    assert [(r.title, r.reason) for r in faults] == []
    assert any(r.status == Status.SUCCESS for r in results)
