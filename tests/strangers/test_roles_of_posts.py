"""A role that comes with a post counts while its holder acts in that post, and in no other."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from directory.people import User
from directory.permissions import Role
from directory.units import OrgUnit
from tests import hr_world
from tests.browser_client import submit
from tests.factories import make_assignment, make_role
from tests.hr_world import Hr, text_of


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    """Hiển is HR officer of commune A by his post there, and sits in commune B as well."""
    made = hr_world.build(services, clock, app)
    with services.db.write() as session:
        hien = session.get_one(User, made.people["hien"])
        make_role(
            session,
            hien,
            Role.HR_OFFICER,
            session.get_one(OrgUnit, made.units["a"]),
            assignment_id=made.posts["hien"],
        )
        second = make_assignment(
            session, hien, session.get_one(OrgUnit, made.units["b"]), kind="concurrent"
        )
        made.posts["hien in b"] = second.id
    return made


@pytest.mark.both_databases
def test_it_does_not_count_in_another_post_and_does_again_after_switching(hr: Hr) -> None:
    browser = hr.browser("hien", assignment=hr.posts["hien in b"])
    refused = browser.get("/console/people")
    assert refused.status_code == 303
    assert refused.headers["Location"].endswith("/portal/capacity")
    page = browser.get("/portal/capacity")
    assert "thuộc về một vị trí công tác khác" in text_of(page.text)
    assert 'href="/console/"' not in page.text
    submit(browser, page, assignment=str(hr.posts["hien"]))
    assert browser.get("/console/people").status_code == 200
    assert 'href="/console/"' in browser.get("/portal/capacity").text


def test_a_preview_cannot_be_committed_after_switching_away(hr: Hr) -> None:
    browser = hr.browser("hien", assignment=hr.posts["hien"])
    preview = hr.preview(browser, "lan", "suspend")
    assert preview.status_code == 200
    submit(browser, browser.get("/portal/capacity"), assignment=str(hr.posts["hien in b"]))
    assert hr.confirm(browser, preview).status_code in (303, 400, 403)
    assert hr.user("lan").status == "active"


def test_in_her_own_post_she_does_what_the_role_gives(hr: Hr) -> None:
    browser = hr.browser("hien", assignment=hr.posts["hien"])
    assert hr.confirm(browser, hr.preview(browser, "lan", "suspend")).status_code == 303
    assert hr.user("lan").status == "suspended"


def test_a_role_without_a_post_counts_whatever_she_acts_as(hr: Hr) -> None:
    hr.grant("hien", Role.AUDITOR)
    browser = hr.browser("hien", assignment=hr.posts["hien in b"])
    assert browser.get("/console/people").status_code == 200


def test_with_one_role_here_the_other_posts_role_adds_nothing(hr: Hr) -> None:
    with hr.services.db.write() as session:
        make_role(
            session,
            session.get_one(User, hr.people["hien"]),
            Role.HR_OFFICER,
            session.get_one(OrgUnit, hr.units["b"]),
            assignment_id=hr.posts["hien in b"],
        )
    browser = hr.browser("hien", assignment=hr.posts["hien in b"])
    assert hr.preview(browser, "mai", "suspend").status_code == 200
    assert hr.preview(browser, "lan", "suspend").status_code in (403, 404)


def test_a_role_ends_with_its_post(hr: Hr) -> None:
    browser = hr.browser("hien", assignment=hr.posts["hien"])
    with hr.services.db.write() as session:
        session.execute(
            text("UPDATE assignment SET valid_to = '2026-03-02' WHERE id = :a"),
            {"a": hr.posts["hien"]},
        )
    assert browser.get("/console/people").status_code == 303
