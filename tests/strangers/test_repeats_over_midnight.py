"""A request that is sent again is the same request, whatever the clock says by then.

A program that heard nothing sends again what it sent, with the key it had (the contract of the changes
API). What it left out, it leaves out again: a day that means "today" is no other request because
midnight in Viet Nam lies in between.
"""

from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask

from tests import hr_world
from tests.hr_world import Api, Hr

pytestmark = pytest.mark.both_databases

BEFORE = datetime(2026, 3, 2, 16, 59, 59, tzinfo=UTC)
"""23:59:59 in Viet Nam."""
AFTER = datetime(2026, 3, 2, 17, 0, 1, tzinfo=UTC)


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    clock.set(BEFORE)
    return hr_world.build(services, clock, app)


def committed(api: Api, key: str, **body: Any) -> tuple[dict[str, Any], Any]:
    """What was sent, and what was answered."""
    sent = body | {"fingerprint": api.plan(**body)["fingerprint"]}
    return sent, api.post("/api/v1/changes", sent, key=key)


def bodies(hr: Hr) -> dict[str, dict[str, Any]]:
    lan, room = hr.names["lan"], hr.units["room2"]
    sen = {"full_name": "Cao Thị Sen", "citizen_number": "038123456789"}
    return {
        "suspend": {"user": lan},
        "transfer": {"user": lan, "to_unit": room},
        "leave": {"user": lan, "reason": "retire"},
        "join": {"to_unit": room, "position": "KT", "person": sen},
    }


@pytest.mark.parametrize("kind", ["suspend", "transfer", "leave", "join"])
def test_sent_again_after_midnight_it_is_told_of_the_change_it_made(hr: Hr, kind: str) -> None:
    api = hr.api(hr.token())
    sent, first = committed(api, "k", kind=kind, **bodies(hr)[kind])
    assert first.status_code == 201, first.text
    before = hr.dump()
    hr.clock.set(AFTER)
    again = api.post("/api/v1/changes", sent, key="k")
    assert (again.status_code, again.json["id"]) == (201, first.json["id"])
    assert hr.dump()["change"] == before["change"]


def test_the_undoing_of_a_change_is_sent_again_as_well(hr: Hr) -> None:
    api = hr.api(hr.token())
    _, made = committed(api, "k", kind="suspend", user=hr.names["lan"])
    where = f"/api/v1/changes/{made.json['id']}/undo"
    sent = {"fingerprint": api.post(f"{where}/preview").json["fingerprint"]}
    first = api.post(where, sent, key="u")
    hr.clock.set(AFTER)
    again = api.post(where, sent, key="u")
    assert (again.status_code, again.json["id"]) == (201, first.json["id"])


@pytest.mark.parametrize("other", [{"effective_on": "2026-03-03"}, {"user": "hien"}])
def test_another_request_under_the_same_key_is_refused_also_then(
    hr: Hr, other: dict[str, str]
) -> None:
    api = hr.api(hr.token())
    sent, _ = committed(api, "k", kind="transfer", **bodies(hr)["transfer"])
    hr.clock.set(AFTER)
    changed = {name: hr.names.get(value, value) for name, value in other.items()}
    answer = api.post("/api/v1/changes", sent | changed, key="k")
    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key")


def test_a_day_that_was_named_stays_the_day_that_was_named(hr: Hr) -> None:
    api = hr.api(hr.token())
    sent, first = committed(
        api, "k", kind="suspend", user=hr.names["lan"], effective_on="2026-03-02"
    )
    hr.clock.set(AFTER)
    again = api.post("/api/v1/changes", sent, key="k")
    assert (again.status_code, again.json["id"]) == (201, first.json["id"])
