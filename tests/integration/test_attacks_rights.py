"""Rights that reached too far: each test is an attack that once worked, or nearly did."""

from typing import Any

import pytest
from flask import Flask

from directory.people import User
from directory.permissions import Role
from directory.units import OrgUnit
from tests import hr_world
from tests.factories import make_role
from tests.hr_world import Hr

PREVIEW = "/api/v1/changes/preview"


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def refused(answer: Any, missing: str) -> None:
    problem = answer.json
    assert (answer.status_code, problem.get("code"), problem.get("missing")) == (
        403,
        "not_allowed",
        missing,
    ), answer.text


@pytest.mark.parametrize("kind", ["suspend", "resume"])
def test_a_back_dated_status_does_not_give_a_former_officer_her_people_back(
    hr: Hr, kind: str
) -> None:
    """CWE-639: the day of the decision chose whose right was asked for, the effect was today's."""
    everywhere = hr.api(hr.token())
    assert everywhere.commit(kind="transfer", user=hr.names["lan"], to_unit="gso:14797").json["id"]
    hr.clock.advance(days=10)
    if kind == "resume":
        hr.api(hr.token()).commit(kind="suspend", user=hr.names["lan"])
    former = hr.api(hr.token(unit="a"))
    before = hr.dump()
    body = {"kind": kind, "user": hr.names["lan"], "effective_on": "2026-02-01"}
    refused(former.post(PREVIEW, body), "source")
    refused(
        former.post("/api/v1/changes", body | {"fingerprint": "0" * 64}, key="k"),
        "source",
    )
    assert hr.dump() == before


def test_a_suspension_is_not_undone_from_the_unit_of_a_further_post(hr: Hr) -> None:
    """CWE-863: who may not resume may not undo the suspension either."""
    hr.also("lan", "b")
    done = hr.api(hr.token(unit="a")).commit(kind="suspend", user=hr.names["lan"]).json
    other = hr.api(hr.token(unit="b"))
    assert other.get(f"/api/v1/changes/{done['id']}").status_code == 200
    before = hr.dump()
    refused(other.post(PREVIEW, {"kind": "resume", "user": hr.names["lan"]}), "source")
    refused(other.post(f"/api/v1/changes/{done['id']}/undo/preview"), "source")
    assert hr.dump() == before


def test_a_conflict_names_nobody_out_of_reach(hr: Hr) -> None:
    """CWE-200: somebody without a post used to be named to whoever asked to move her."""
    answer = hr.api(hr.token(unit="a")).post(
        PREVIEW, {"kind": "transfer", "user": hr.names["admin"], "to_unit": "gso:14758"}
    )
    refused(answer, "source")
    assert "Hoàng Văn Dũng" not in answer.json["detail"]


def test_a_citizen_number_is_no_way_to_a_name(hr: Hr) -> None:
    """CWE-203: a join with somebody's number tells her name only to those who may see her."""
    secret = {"full_name": "Vũ Thị Kín", "citizen_number": "038123456789"}
    join = {"kind": "join", "position": "CV"}
    assert hr.api(hr.token(unit="b")).commit(**join, to_unit="gso:14797", person=secret).json["id"]
    guess = {"full_name": "Ai Đó", "citizen_number": "038123456789"}
    for unit, told in (("a", False), ("root", True)):
        plan = hr.api(hr.token(unit=unit)).plan(**join, to_unit="gso:14758", person=guess)
        (conflict,) = plan["conflicts"]
        assert conflict["code"] == "known_person"
        assert ("Vũ Thị Kín" in conflict["message"]) is told
        assert (conflict["user"] is not None) is told


def test_of_a_change_about_many_an_officer_sees_her_own_people(hr: Hr) -> None:
    """CWE-200: one of mine in a list of five hundred opened all five hundred."""
    hr.browser("lan")
    hr.browser("mai")
    change = hr.api(hr.token()).commit(
        kind="leave", reason="retire", users=[hr.names["lan"], hr.names["mai"]]
    )
    path = f"/api/v1/changes/{change.json['id']}"
    whole, mine = hr.api(hr.token()).get(path).json, hr.api(hr.token(unit="a")).get(path).json
    everyone = {hr.people["lan"], hr.people["mai"]}
    for part in ("lines", "effects"):
        assert {row["user"] for row in whole[part]} - {None} == everyone
        assert {row["user"] for row in mine[part]} - {None} == {hr.people["lan"]}
    page = hr.browser("officer_a").get(f"/console/changes/{change.json['id']}").text
    assert "Lê Thị Lan" in page
    assert "Đỗ Thị Mai" not in page


def test_a_client_without_a_role_does_not_learn_who_exists(hr: Hr) -> None:
    """CWE-204: the same answer for names that exist and names that do not."""
    nobody = hr.api(hr.token(role=None))
    bodies = [
        {"kind": "suspend", "user": "nobody"},
        {"kind": "transfer", "user": hr.names["lan"], "to_unit": "gso:99999"},
        {"kind": "transfer", "user": "nobody", "to_unit": "gso:14758"},
    ]
    for body in bodies:
        refused(nobody.post(PREVIEW, body), "role")
        refused(nobody.post("/api/v1/changes", body | {"fingerprint": "0" * 64}, key="k"), "role")


def test_an_administrator_of_a_subtree_manages_no_application(hr: Hr) -> None:
    """CWE-269: applications serve the whole installation; so must the role that manages them."""
    with hr.services.db.write() as session:
        commune = session.get_one(OrgUnit, hr.units["a"])
        make_role(session, session.get_one(User, hr.people["plain"]), Role.ADMINISTRATOR, commune)
    browser = hr.browser("plain")
    before = hr.dump()
    for path in ("applications", "clients", "clients/new"):
        assert browser.get(f"/console/{path}").status_code == 403
    assert browser.get("/console/applications/1").status_code == 404
    page = browser.get("/console/people")
    assert page.status_code == 200
    form = hr_world.hidden_fields(page.text) | {"password": hr_world.PASSWORD}
    form["csrf_token"] = hr_world.hidden_fields(browser.get("/portal/profile").text)["csrf_token"]
    rule = form | {"role": "admin", "priority": "1"}
    assert browser.post("/console/applications/1/rules", data=rule).status_code in (403, 404)
    assert browser.post("/console/rules/1/remove", data=form).status_code in (403, 404)
    client = form | {"name": "x", "application_id": "1", "redirect_uris": "https://x.example/cb"}
    assert browser.post("/console/clients/new", data=client).status_code == 403
    assert {t: rows for t, rows in hr.dump().items() if t != "throttle"} == {
        t: rows for t, rows in before.items() if t != "throttle"
    }
