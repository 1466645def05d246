"""Somebody who holds two roles may do what each of them gives, where it gives it.

An officer of the province who audits one commune reads the trail of that commune. What she sees as an
officer is no reach of the auditor's.
"""

from typing import Any

import pytest
from flask import Flask

from directory.permissions import Role
from directory.units import OrgUnit
from idp.factors import passwords
from tests import hr_world
from tests.browser_client import hidden_fields
from tests.factories import make_role, make_user
from tests.hr_world import OPERATOR, PASSWORD, Hr

pytestmark = pytest.mark.both_databases


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def holder(hr: Hr, *roles: tuple[Role, str]) -> None:
    """Somebody without a post who holds these roles over these units."""
    with hr.services.db.write() as session:
        user = make_user(session, "Tô Thị Hai Vai")
        for role, unit in roles:
            make_role(session, user, role, session.get_one(OrgUnit, hr.units[unit]))
        phc = passwords.hashed(hr.services.passwords, PASSWORD)
        passwords.store(session, user.id, phc, must_change=False, now=hr.clock(), actor=OPERATOR)
        hr.people["both"], hr.names["both"] = user.id, user.username


def suspended(hr: Hr, *who: str) -> None:
    api = hr.api(hr.token(unit=None))
    for name in who:
        assert api.commit(kind="suspend", user=hr.names[name]).status_code == 201


def test_an_officer_audits_only_where_she_is_an_auditor(hr: Hr) -> None:
    suspended(hr, "lan", "mai")
    holder(hr, (Role.HR_OFFICER, "root"), (Role.AUDITOR, "b"))
    browser = hr.browser("both")
    page = browser.get("/console/audit")
    assert page.status_code == 200
    assert "Đỗ Thị Mai" in page.text
    assert "Lê Thị Lan" not in page.text
    asked = browser.get("/console/audit", query_string={"kind": "user", "subject": hr.names["lan"]})
    assert "user.suspend" not in asked.text


def test_an_administrator_of_one_commune_and_officer_of_all_audits_the_commune(hr: Hr) -> None:
    suspended(hr, "lan", "mai")
    holder(hr, (Role.HR_OFFICER, "root"), (Role.ADMINISTRATOR, "b"))
    page = hr.browser("both").get("/console/audit")
    assert "Đỗ Thị Mai" in page.text
    assert "Lê Thị Lan" not in page.text


def test_an_auditor_of_all_audits_all_whatever_else_she_is(hr: Hr) -> None:
    suspended(hr, "lan", "mai")
    holder(hr, (Role.AUDITOR, "root"), (Role.HR_OFFICER, "b"))
    page = hr.browser("both").get("/console/audit")
    assert "Đỗ Thị Mai" in page.text
    assert "Lê Thị Lan" in page.text


@pytest.mark.parametrize("kind", ["suspend", "leave"])
def test_an_auditor_of_all_changes_only_where_she_is_an_officer(hr: Hr, kind: str) -> None:
    holder(hr, (Role.AUDITOR, "root"), (Role.HR_OFFICER, "b"))
    browser = hr.browser("both")
    more = {"reason": "retire"} if kind == "leave" else {}
    assert hr.preview(browser, "mai", kind, **more).status_code == 200
    assert hr.preview(browser, "lan", kind, **more).status_code == 403
    before = hr.dump()["activation"]
    page = browser.get(f"/console/people/{hr.people['lan']}")
    assert page.status_code == 200
    data = hidden_fields(page.text) | {"password": PASSWORD}
    answer = browser.post(f"/console/people/{hr.people['lan']}/activation", data=data)
    assert answer.status_code == 403
    assert hr.dump()["activation"] == before
