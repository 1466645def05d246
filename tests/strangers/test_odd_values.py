"""A value of the wrong kind in any field of a request is refused by name, and is never our fault."""

from typing import Any

import pytest
from flask import Flask

from tests import hr_world
from tests.hr_world import Hr

PREVIEW = "/api/v1/changes/preview"
ODD: list[Any] = [
    ["retire"],
    {"a": 1},
    [],
    {},
    1.5,
    True,
    -1,
    10**30,
    [[1]],
    "",
    "x" * 5000,
    "\ud800",
]


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def _bodies(hr: Hr) -> dict[str, dict[str, Any]]:
    decision = {"number": "1/QĐ", "issued_on": "2026-03-01", "issuer": "Ủy ban"}
    common = {"user": hr.names["lan"], "effective_on": "2026-03-10", "decision": decision}
    return {
        "leave": common | {"kind": "leave", "reason": "retire"},
        "transfer": common
        | {"kind": "transfer", "to_unit": "gso:14797", "position": "KT", "keep": []},
        "join": {
            "kind": "join",
            "to_unit": "gso:14797",
            "position": "KT",
            "effective_on": "2026-03-10",
            "decision": decision,
            "person": {
                "full_name": "Cao Thị Sen",
                "birth_date": "1990-01-01",
                "gender": "female",
                "citizen_number": "038190123456",
                "email": "sen@hatrung.gov.vn",
                "phone": "0912345678",
                "username": "senct",
                "source_key": "k1",
            },
        },
    }


@pytest.mark.parametrize("kind", ["leave", "transfer", "join"])
def test_odd_values_are_refused(hr: Hr, kind: str) -> None:
    api, body = hr.api(hr.token()), _bodies(hr)[kind]
    assert api.post(PREVIEW, body).status_code == 200
    for odd in ODD:
        for name, whole in body.items():
            asked = [body | {name: odd}]
            if isinstance(whole, dict):
                asked += [body | {name: whole | {inner: odd}} for inner in whole]
            for each in asked:
                answer = api.post(PREVIEW, each)
                assert answer.status_code < 500, (name, odd, answer.text)


@pytest.mark.parametrize(
    "way", ['"' * 1990, "é" * 995, "x" * 1990, "x?q=" + '"' * 1000, "%22" * 660]
)
def test_whatever_the_way_back_the_sign_in_page_is_shown(hr: Hr, way: str) -> None:
    browser = hr.app.test_client()
    page = browser.get("/login", query_string={"return_to": f"/{way}"}, follow_redirects=True)
    assert page.status_code == 200
    assert 'name="password"' in page.text
