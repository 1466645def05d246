"""Input nobody types: refused as such on both databases, never a fault of ours (CWE-20, CWE-248)."""

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from tests import hr_world
from tests.browser_client import hidden_fields
from tests.hr_world import PASSWORD, Hr
from tests.relying_party import World

NUL = quote("ạ\0@")


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    app.testing = False  # a fault is answered with 500 as in production, and seen here
    return hr_world.build(services, clock, app)


def cursor(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


READ = [
    "/console/people?q={}",
    "/console/people?position={}",
    "/console/people.csv?q={}",
    "/console/units?q={}",
    "/console/audit?kind=user&subject={}",
    "/console/changes?state={}",
    "/console/clients/{}",
    "/console/changes/{}",
    "/console/people/1/transfer?step=preview&to_unit=gso:{}",
    "/console/people/1/leave?step=preview&reason=retire&number={}&issued_on=1/3/2026&issuer=x",
    "/login/{}",
    "/login?prompt={}",
    "/activate/{}",
    "/portal/certificates/{}.pem",
    "/oauth2/authorize?client_id={}",
    "/oauth2/logout?client_id={}",
    "/no/such/page/{}",
]


@pytest.mark.both_databases
def test_a_nul_in_an_address_is_the_askers_mistake(hr: Hr) -> None:
    browser, headers = hr.browser("admin"), {"Authorization": f"Bearer {hr.token()}"}
    before = hr.dump()
    for path in READ:
        answer = browser.get(path.format(NUL), headers=headers)
        assert answer.status_code == 400, path
    assert hr.dump() == before


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/console/clients/new", "name"),
        ("/console/applications/1/rules", "unit"),
        ("/console/people/1/transfer", "number"),
        ("/portal/sessions/end", "session"),
        ("/login/abc", "username"),
    ],
)
def test_a_nul_in_a_form_is_the_askers_mistake(hr: Hr, path: str, name: str) -> None:
    browser = hr.browser("admin")
    form = hidden_fields(browser.get("/console/clients/new").text) | {"password": PASSWORD}
    before = hr.dump()
    assert browser.post(path, data=form | {name: "a\0b"}).status_code == 400
    assert hr.dump() == before


@pytest.mark.both_databases
def test_a_nul_in_credentials_is_a_client_nobody_knows(hr: Hr) -> None:
    """RFC 6749 section 2.3.1: the parts are form-encoded inside the base64."""
    world = World(hr.services, hr.clock, 0, 0, 0, 0)
    party = world.machine()
    pairs = ("%00:x", f"{party.client_id}%00:{party.secret}", f"{party.client_id}:%00")
    for pair in pairs:
        answer = hr.app.test_client().post(
            "/oauth2/token",
            data={"grant_type": "client_credentials"},
            headers={"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()},
        )
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_client"), pair


CURSORS = {
    "deep": cursor("[" * 3000),
    "before every moment": cursor(["0001-01-01T00:00:00+14:00", "a" * 22]),
    "after every moment": cursor(["9999-12-31T23:59:59-14:00", "a" * 22]),
    "a number": cursor("1"),
    "a lone surrogate": cursor('[0,"\\udc80",1]'),
    "a number no row has": cursor([0, "a", 2**70]),
    "other digits": "١٢",
    "no base64": "====",
}


@pytest.mark.both_databases
def test_a_page_mark_made_up_is_refused(hr: Hr) -> None:
    browser, api = hr.browser("admin"), hr.api(hr.token())
    paths = ("/console/people", "/console/changes", f"/console/units/{hr.units['a']}")
    for name, value in CURSORS.items():
        for path in paths:
            answer = browser.get(path, query_string={"after": value})
            assert answer.status_code == 422, (path, name)
        answer = api.get("/api/v1/changes", query_string={"after": value})
        assert (answer.status_code, answer.json["code"]) == (422, "after"), name
