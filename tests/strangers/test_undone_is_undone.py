"""What was taken back is taken back, once: whatever kind of change it was, it says so, it is not taken
back again, and it stands in the way of nothing that came before it.
"""

import secrets
from typing import Any

import pytest
from flask import Flask

from tests import hr_world
from tests.hr_world import Api, Hr

pytestmark = pytest.mark.both_databases

CHANGES: dict[str, dict[str, Any]] = {
    "transfer": {"to_unit": "gso:14797"},
    "suspend": {},
    "leave": {"reason": "resign"},
    "rename": {"full_name": "Lê Thị Lan Anh"},
    "contact": {"phone": "0987654321"},
}


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def made(api: Api, hr: Hr, kind: str, **body: Any) -> str:
    answer = api.commit(kind=kind, user=hr.names["lan"], **body)
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])


def taken_back(api: Api, change: str) -> Any:
    where = f"/api/v1/changes/{change}/undo"
    plan = api.post(f"{where}/preview")
    if plan.status_code != 200:
        return plan
    return api.post(where, {"fingerprint": plan.json["fingerprint"]}, key=secrets.token_hex(8))


def state(api: Api, change: str) -> str:
    return str(api.get(f"/api/v1/changes/{change}").json["state"])


@pytest.mark.parametrize("kind", CHANGES)
def test_it_says_so_and_is_not_taken_back_twice(hr: Hr, kind: str) -> None:
    api = hr.api(hr.token(unit=None))
    change = made(api, hr, kind, **CHANGES[kind])
    assert taken_back(api, change).status_code == 201
    assert state(api, change) == "undone"
    again = taken_back(api, change)
    assert (again.status_code, again.json["code"]) == (409, "not_undoable")
    assert state(api, change) == "undone"


@pytest.mark.parametrize("kind", ["rename", "contact"])
def test_what_came_before_it_can_be_taken_back_then(hr: Hr, kind: str) -> None:
    api = hr.api(hr.token(unit=None))
    before = hr.user("lan")
    first = made(api, hr, kind, **CHANGES[kind])
    second = made(
        api, hr, kind, **({"full_name": "Lê Lan"} if kind == "rename" else {"phone": "0912345670"})
    )
    assert taken_back(api, first).status_code == 409
    assert taken_back(api, second).status_code == 201
    assert taken_back(api, first).status_code == 201
    after = hr.user("lan")
    assert (after.full_name, after.phone) == (before.full_name, before.phone)
