"""What a sign-in that began with a slip is worth: one factor, until a second one is enrolled."""

import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from directory.permissions import Role
from idp.factors import slips
from idp.oidc.clients import Options
from idp.oidc.grants import Grant
from idp.sessions import SsoSession
from tests import hr_world
from tests.authenticator import Authenticator
from tests.browser_client import shown, submit
from tests.hr_world import OPERATOR, Hr, text_of
from tests.paper_slips import chosen
from tests.relying_party import Flow, World
from tests.someone import INSIDE

AAL1, AAL2 = "urn:vn:aal:1", "urn:vn:aal:2"
NEW = "con trâu đội nón lá"


@pytest.fixture
def settings(make_settings: Any) -> Any:
    return make_settings(second_factor="outside", inside_networks=["10.0.0.0/8"])


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def by_slip(hr: Hr, who: str) -> tuple[Any, Any]:
    """Her browser, inside, and the page after the password that a slip has set."""
    with hr.services.db.write() as session:
        code = slips.issue(
            session,
            hr.services.keyring,
            hr.people[who],
            now=hr.clock(),
            lifetime=3600,
            actor=OPERATOR,
        )
    browser = hr.app.test_client()
    browser.environ_base |= INSIDE
    answer = chosen(browser, f"/activate/{code}", NEW)
    return browser, browser.get(answer.headers["Location"])


def levels(hr: Hr, who: str) -> list[str]:
    with hr.services.db.read() as session:
        hers = SsoSession.user_id == hr.people[who]
        return list(session.scalars(select(SsoSession.acr).where(hers)))


def enrolled(hr: Hr, browser: Any, page: Any) -> Any:
    """The first app, in the sign-in that asks for it; the page at its end."""
    app = Authenticator.scan(page.text)
    form = re.search(r'<form method="post"(?: action="([^"]+)")?>', page.text)
    assert form is not None, page.text
    sheet = shown(browser, submit(browser, page, form[1] or "", code=app.code(hr.clock())))
    [link] = re.findall(r'<a class="btn btn-primary" href="([^"]+)"', sheet.text)
    return browser.get(link)


@pytest.mark.both_databases
def test_where_a_password_is_enough_it_is_one_factor_and_no_more(hr: Hr) -> None:
    browser, _ = by_slip(hr, "lan")
    assert levels(hr, "lan") == [AAL1]
    assert browser.get("/portal/profile").status_code == 200
    # Taken home, the same session is asked for more.
    browser.environ_base |= {"REMOTE_ADDR": "203.0.113.9"}
    assert f"least={AAL2}" in browser.get("/portal/profile").headers["Location"].replace("%3A", ":")


@pytest.mark.both_databases
def test_an_application_that_demands_two_gets_no_code_before_there_are_two(hr: Hr) -> None:
    browser, _ = by_slip(hr, "lan")
    world = World(hr.services, hr.clock, hr.people["lan"], hr.posts["lan"], 0, 0)
    flow = Flow(browser, world.register(options=Options(minimum_acr=AAL2)))
    assert flow.told(flow.ask(prompt="none"))["error"] == "login_required"
    page = browser.get(flow.ask().headers["Location"], follow_redirects=True)
    answer = submit(browser, page, username=hr.names["lan"], password=NEW)
    page = browser.get(answer.headers["Location"], follow_redirects=True)
    assert page.status_code == 403
    assert "cần mức xác thực cao hơn" in text_of(page.text)
    assert '/portal/ways"' in page.text  # where she adds the second
    assert set(levels(hr, "lan")) == {AAL1}
    assert world.all(Grant) == []


@pytest.mark.both_databases
@pytest.mark.parametrize("who", ["admin", "officer"])
def test_who_administers_has_no_session_before_a_second_factor(hr: Hr, who: str) -> None:
    browser, page = by_slip(hr, who)
    assert "otpauth" in page.text
    assert levels(hr, who) == []
    for path in ("/console/", f"/console/people/{hr.people['lan']}"):
        assert browser.get(path).status_code == 303
    enrolled(hr, browser, page)
    assert levels(hr, who) == [AAL2]
    assert browser.get("/console/").status_code == 200


def test_whoever_is_given_a_role_afterwards_is_asked_before_she_commits(hr: Hr) -> None:
    """A session of one factor that a slip began opens no page of the console."""
    browser, _ = by_slip(hr, "lan")
    hr.grant("lan", Role.HR_OFFICER)
    path = f"/console/people/{hr.people['hien']}"
    for answer in (browser.get(path), browser.post(f"{path}/suspend", data={})):
        assert answer.status_code in (303, 400, 403)
        assert "Nguyễn Văn Hiển" not in answer.text
    assert AAL2 in browser.get(path).headers["Location"].replace("%3A", ":")
