"""What HR, and the person herself, see of electronic identities."""

from typing import Any

import pytest
from flask import Flask

from connectors.eid import upstreams
from connectors.eid.reviews import EidReview
from directory import eid_links
from directory.base.audit import Actor
from directory.eid_links import Identity
from directory.people import User, citizen_columns
from tests import hr_world
from tests.browser_client import hidden_fields
from tests.eid_world import hold
from tests.hr_world import PASSWORD, Hr
from tests.upstream import CLIENT, NUMBER

ISSUER = "https://dinhdanh.example"


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    made = hr_world.build(services, clock, app)
    with services.db.write() as session:
        row = upstreams.made(
            services.keyring,
            name="vneid",
            title="VNeID",
            profile="standard",
            issuer=ISSUER,
            said={"client_id": CLIENT},
            secret="x",
            key=None,
            now=clock(),
        )
        upstreams.add(session, row, actor=Actor.operator("x"))
        lan = session.get_one(User, made.people["lan"])
        for name, value in citizen_columns(services.keyring, NUMBER).items():
            setattr(lan, name, value)
    return made


def identity(hr: Hr) -> Identity:
    with hr.services.db.read() as session:
        number = session.get_one(User, hr.people["lan"]).citizen_hash
    return Identity("vneid", ISSUER, "dấu", str(number), 2)


def link(hr: Hr) -> None:
    with hr.services.db.write() as session:
        eid_links.make(
            session, hr.people["lan"], identity(hr), now=hr.clock(), actor=Actor.system()
        )


def differ(hr: Hr) -> int:
    return hold(hr.services, hr.people["lan"], hr.clock())


def names(page: Any) -> str:
    return str(page.text.split("<main")[1])


@pytest.mark.both_databases
def test_the_list_is_narrowed_to_whom_nobody_vouches_for(hr: Hr) -> None:
    officer = hr.browser("officer")
    lan = hr.user("lan").full_name
    assert lan in names(officer.get("/console/people?identity=missing"))
    assert lan not in names(officer.get("/console/people?identity=linked"))
    link(hr)
    assert lan not in names(officer.get("/console/people?identity=missing"))
    assert lan in names(officer.get("/console/people?identity=linked"))
    assert hr.names["lan"] not in officer.get("/console/people.csv?identity=missing").text
    # A link of a number that she no longer has is none.
    with hr.services.db.write() as session:
        other = citizen_columns(hr.services.keyring, "038190007777")
        session.get_one(User, hr.people["lan"]).citizen_hash = other["citizen_hash"]
    assert lan in names(officer.get("/console/people?identity=missing"))


def test_her_page_and_her_own_show_it_with_level_and_date(hr: Hr) -> None:
    officer, lan = hr.browser("officer"), hr.browser("lan")
    where = f"/console/people/{hr.people['lan']}"
    assert "Chưa liên kết" in names(officer.get(where))
    assert "Chưa liên kết" in names(lan.get("/portal/profile"))
    link(hr)
    for page in (officer.get(where), lan.get("/portal/profile")):
        assert "VNeID, mức độ 2" in names(page)
        assert "liên kết ngày" in names(page)
        assert NUMBER not in page.text


def post(browser: Any, review: int, decision: str) -> Any:
    form = hidden_fields(browser.get("/console/identities").text)
    kept = {name: form[name] for name in ("csrf_token",)}
    said = kept | {"decision": decision, "password": PASSWORD}
    return browser.post(f"/console/identities/{review}", data=said, follow_redirects=True)


@pytest.mark.parametrize("decision", ["accepted", "declined"])
def test_a_difference_is_decided_on_its_page(hr: Hr, decision: str) -> None:
    review = differ(hr)
    officer = hr.browser("officer")
    page = officer.get("/console/identities")
    assert "<b>Lê Thị Loan</b>" in page.text
    assert NUMBER not in page.text
    assert "Đã ghi nhận" in post(officer, review, decision).text
    with hr.services.db.read() as session:
        row = session.get_one(EidReview, review)
        assert (row.decision, row.decided_by) == (decision, hr.people["officer"])
        assert session.query(eid_links.EidLink).count() == 0  # she links it herself
    assert "Lê Thị Loan" not in officer.get("/console/identities").text


def test_a_record_that_was_corrected_waits_for_nobody(hr: Hr) -> None:
    differ(hr)
    with hr.services.db.write() as session:
        lan = session.get_one(User, hr.people["lan"])
        lan.full_name, lan.birth_date = "LÊ THỊ LOAN", "1990"
    assert "Không có gì cần xem lại" in hr.browser("officer").get("/console/identities").text


@pytest.mark.parametrize("who", ["auditor", "owner", "lan"])
def test_nobody_decides_about_people_she_may_not_change(hr: Hr, who: str) -> None:
    review = differ(hr)
    browser = hr.browser(who)
    answer = browser.post(
        f"/console/identities/{review}",
        data=hidden_fields(browser.get("/console/").text)
        | {"decision": "accepted", "password": PASSWORD},
        follow_redirects=True,
    )
    assert answer.status_code in (200, 400, 403, 404)
    with hr.services.db.read() as session:
        assert session.get_one(EidReview, review).decision is None
