"""rename and contact: name, birth, addresses; at the console, the API and in what follows."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from directory.base.audit import AuditEntry
from directory.changes.effects import Effect
from directory.entitlements import Application
from directory.people import User
from tests import hr_world
from tests.factories import make_user
from tests.hr_world import Hr, text_of

PREVIEW = "/api/v1/changes/preview"


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def connect(hr: Hr) -> None:
    """The application everybody has keeps accounts of its own."""
    with hr.services.db.write() as session:
        app = session.scalars(select(Application).where(Application.code == "vanban")).one()
        app.connector = "scim"


def codes(answer: Any) -> set[str]:
    return {n["code"] for n in [*answer["warnings"], *answer["conflicts"]]}


@pytest.mark.both_databases
def test_a_new_name_is_found_sorted_and_sent_to_accounts_and_ends_nothing(hr: Hr) -> None:
    connect(hr)
    lan = hr.browser("lan")
    api = hr.api(hr.token())
    done = api.commit(kind="rename", user=hr.names["lan"], full_name="  Lê  Thị Lan Anh ")
    assert done.status_code == 201
    user = hr.user("lan")
    assert (user.full_name, user.given_name, user.middle_name) == (
        "Lê Thị Lan Anh",
        "Anh",
        "Thị Lan",
    )
    assert user.username == hr.names["lan"]
    assert lan.get("/portal/profile").status_code == 200
    found = hr.browser("officer").get("/console/people?q=lan+anh")
    assert "Lê Thị Lan Anh" in found.text
    with hr.services.db.read() as session:
        effects = session.scalars(select(Effect).where(Effect.change_id == done.json["id"])).all()
    assert [e.kind for e in effects] == ["account.update"]


def test_a_name_taken_back_is_the_old_one_everywhere(hr: Hr) -> None:
    connect(hr)
    lan = hr.browser("lan")
    before = hr.user("lan")
    api = hr.api(hr.token())
    first = api.commit(kind="rename", user=hr.names["lan"], full_name="Lê Thị Lan Anh").json["id"]
    plan = api.post(f"/api/v1/changes/{first}/undo/preview").json
    assert {e["kind"] for e in plan["effects"]} == {"account.update"}
    api.post(f"/api/v1/changes/{first}/undo", {"fingerprint": plan["fingerprint"]}, key="u")
    after = hr.user("lan")
    for column in ("full_name", "given_name", "search_key", "sort_key", "access_epoch"):
        assert getattr(after, column) == getattr(before, column)
    assert lan.get("/portal/profile").status_code == 200


def test_a_name_that_was_changed_again_is_not_taken_back(hr: Hr) -> None:
    api = hr.api(hr.token())
    first = api.commit(kind="rename", user=hr.names["lan"], full_name="Lê Lan Anh").json["id"]
    api.commit(kind="contact", user=hr.names["lan"], email="lan@thanhhoa.gov.vn")
    plan = api.post(f"/api/v1/changes/{first}/undo/preview").json
    assert plan["committable"]
    api.commit(kind="rename", user=hr.names["lan"], full_name="Lê Thị Lan Chi")
    plan = api.post(f"/api/v1/changes/{first}/undo/preview").json
    assert codes(plan) == {"later_change"}


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"kind": "rename", "full_name": ""}, "invalid", "full_name"),
        ({"kind": "rename", "full_name": "Lê Thị 😀"}, "invalid", "full_name"),
        ({"kind": "rename", "birth_date": "2062-01-01"}, "invalid", "birth_date"),
        ({"kind": "rename", "full_name": 7}, "invalid", "full_name"),
        ({"kind": "contact", "email": "a@b.local"}, "invalid", "email"),
        ({"kind": "contact", "phone": "123"}, "invalid", "phone"),
        ({"kind": "contact", "effective_on": "2030-01-01"}, "not_in_future", "effective_on"),
    ],
)
def test_what_is_no_name_day_or_address_is_refused_at_its_field(
    hr: Hr, body: dict[str, Any], code: str, field: str
) -> None:
    answer = hr.api(hr.token()).post(PREVIEW, body | {"user": hr.names["lan"]})
    assert answer.status_code == 422
    assert (answer.json["code"], answer.json["field"]) == (code, field)


def test_one_name_is_not_given_to_many_and_nothing_is_no_change(hr: Hr) -> None:
    api = hr.api(hr.token())
    many = [hr.names["lan"], hr.names["hien"]]
    answer = api.post(PREVIEW, {"kind": "rename", "users": many, "full_name": "Lê Lan"})
    assert answer.json["code"] == "one_person"
    same = api.plan(kind="rename", user=hr.names["lan"], full_name="Lê Thị Lan")
    assert codes(same) >= {"nothing_changes"}
    assert not same["committable"]
    assert codes(api.plan(kind="contact", user=hr.names["lan"])) == {"nothing_changes"}


def test_an_address_of_somebody_else_is_told_or_refused(hr: Hr) -> None:
    with hr.services.db.write() as session:
        session.get_one(User, hr.people["hien"]).email = "phong@thanhhoa.gov.vn"
        session.get_one(User, hr.people["mai"]).email = "mai@thanhhoa.gov.vn"
    root, mine = hr.api(hr.token()), hr.api(hr.token(unit="a"))
    ask = {"kind": "contact", "user": hr.names["lan"]}
    assert codes(root.plan(**ask, email="phong@thanhhoa.gov.vn")) == {"email_shared"}
    hidden = mine.plan(**ask, email="mai@thanhhoa.gov.vn")
    assert "email_taken" in codes(hidden)
    assert "Thị Mai" not in str(hidden["conflicts"]) + str(hidden["warnings"])


def test_the_form_begins_with_what_is_known_and_an_emptied_field_is_none(hr: Hr) -> None:
    browser = hr.browser("officer")
    form = browser.get(f"/console/people/{hr.people['lan']}/contact").text
    assert 'value="+84912345678"' in form
    page = hr.preview(browser, "lan", "contact", email="lan@thanhhoa.gov.vn", phone="")
    assert "+84912345678 → …" in text_of(page.text)
    assert hr.confirm(browser, page).status_code == 303
    user = hr.user("lan")
    assert (user.email, user.phone) == ("lan@thanhhoa.gov.vn", None)


def test_a_namesake_born_that_day_is_told(hr: Hr) -> None:
    with hr.services.db.write() as session:
        make_user(session, "Lê Lan").birth_date = "1980-02-03"
    plan = hr.api(hr.token()).plan(
        kind="rename", user=hr.names["lan"], full_name="Lê Lan", birth_date="03/02/1980"
    )
    assert "namesake" in codes(plan)
    assert plan["committable"]


def test_the_trail_keeps_what_is_personal_apart(hr: Hr) -> None:
    hr.api(hr.token()).commit(kind="contact", user=hr.names["lan"], email="lan@thanhhoa.gov.vn")
    with hr.services.db.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.tag == "user.update")).one()
        assert entry.data == {"changed": ["email"]}
        assert set(entry.personal) == {"name", "before", "after"}


def test_an_officer_elsewhere_and_she_herself_change_nothing(hr: Hr) -> None:
    answer = hr.api(hr.token(unit="b")).post(
        PREVIEW, {"kind": "rename", "user": hr.names["lan"], "full_name": "Lê Lan"}
    )
    assert (answer.status_code, answer.json["missing"]) == (403, "source")
    hr.grant("officer", hr_world.Role.HR_OFFICER)
    page = hr.preview(hr.browser("officer"), "officer", "contact", email="x@thanhhoa.gov.vn")
    assert page.status_code == 403
