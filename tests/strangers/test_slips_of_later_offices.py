"""A slip is for a password that lasts: whoever is promised an office is served by who could give it."""

from datetime import date
from typing import Any

import pytest
from flask import Flask

from directory.people import User
from directory.permissions import Role
from directory.units import OrgUnit
from tests import hr_world
from tests.browser_client import hidden_fields
from tests.factories import make_assignment, make_role
from tests.hr_world import PASSWORD, Hr
from tests.paper_slips import link_on
from tests.strangers.test_slips import slip, used


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    made = hr_world.build(services, clock, app)
    made.unactivated("lan")
    return made


def promise(hr: Hr, role: Role = Role.ADMINISTRATOR) -> None:
    """An office in the other commune that comes with a post she begins next week."""
    with hr.services.db.write() as session:
        lan = session.get_one(User, hr.people["lan"])
        there = session.get_one(OrgUnit, hr.units["b"])
        post = make_assignment(session, lan, there, kind="concurrent", valid_from=date(2026, 3, 10))
        given = make_role(session, lan, role, there)
        given.assignment_id = post.id


def asked(hr: Hr, issuer: str) -> str | None:
    browser = hr.browser(issuer)
    page = browser.get(f"/console/people/{hr.people['lan']}")
    answer = browser.post(
        f"/console/people/{hr.people['lan']}/activation",
        data=hidden_fields(page.text) | {"password": PASSWORD},
        follow_redirects=True,
    )
    return link_on(answer.text) if "activation-code" in answer.text else None


@pytest.mark.both_databases
@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.HR_OFFICER, Role.AUDITOR])
def test_no_slip_for_whom_an_office_out_of_reach_awaits(hr: Hr, role: Role) -> None:
    promise(hr, role)
    assert asked(hr, "officer_a") is None
    assert asked(hr, "admin") is not None


def test_nor_is_one_good_that_was_printed_before(hr: Hr) -> None:
    link = slip(hr, "officer_a", "lan")
    promise(hr)
    assert not used(hr, link)
