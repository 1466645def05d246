"""Slips for everybody of a unit who has never signed in: one list, one print, shown once.

They are issued all or none, and whoever sends the form again, reloads or goes back issues nothing anew.
"""

import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, text

from directory.people import User
from directory.permissions import Role
from directory.units import OrgUnit
from tests import hr_world
from tests.browser_client import hidden_fields
from tests.factories import make_assignment, make_position, make_role, make_user
from tests.hr_world import PASSWORD, Hr, text_of
from tests.paper_slips import chosen

CODE = re.compile(r"<code>((?:\d{4} ){3}\d{4})</code>")
NEW = "con trâu đội nón lá"


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    made = hr_world.build(services, clock, app)
    made.unactivated("lan", "hien")
    return made


def where(hr: Hr, unit: str = "a") -> str:
    return f"/console/units/{hr.units[unit]}/slips"


def form(hr: Hr, browser: Any, *whom: str, unit: str = "a") -> dict[str, Any]:
    page = browser.get(where(hr, unit))
    assert page.status_code == 200, page.text
    users = [str(hr.people[who]) for who in whom]
    return hidden_fields(page.text) | {"password": PASSWORD, "user": users}


def offered(page: Any) -> set[int]:
    return {int(one) for one in re.findall(r'name="user" value="(\d+)"', page.text)}


def count(hr: Hr, of: str = "activation") -> int:
    with hr.services.db.read() as session:
        return int(session.scalar(text(f"SELECT count(*) FROM {of}")) or 0)


def test_a_unit_s_page_leads_to_the_slips_of_its_people(hr: Hr) -> None:
    browser = hr.browser("officer_a")
    assert f'href="{where(hr)}"' in browser.get(f"/console/units/{hr.units['a']}").text
    page = browser.get(where(hr))
    assert offered(page) == {hr.people["lan"], hr.people["hien"]}
    assert "1 người đã từng kích hoạt" in text_of(page.text)  # plain
    assert hr.browser("officer_b").get(where(hr)).status_code == 404
    auditor = hr.browser("auditor")
    assert auditor.get(where(hr)).status_code == 403
    assert f'href="{where(hr)}"' not in auditor.get(f"/console/units/{hr.units['a']}").text


def test_who_is_left_out_is_told_with_the_reason(hr: Hr) -> None:
    with hr.services.db.write() as session:
        hien = session.get_one(User, hr.people["hien"])
        make_role(session, hien, Role.AUDITOR)
        session.get_one(User, hr.people["lan"]).status = "suspended"
    page = hr.browser("officer_a").get(where(hr))
    assert offered(page) == set()
    said = text_of(page.text)
    assert "Lê Thị Lan lanlt" in said
    assert "Đang bị đình chỉ" in said
    assert "cần phê duyệt" in said


@pytest.mark.both_databases
def test_one_print_holds_a_slip_for_each_and_each_works(hr: Hr) -> None:
    browser = hr.browser("officer_a")
    page = browser.post(where(hr), data=form(hr, browser, "lan", "hien"))
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-store"
    codes = CODE.findall(page.text)
    assert len(codes) == 2
    assert page.text.count("<svg viewBox") == 2
    for code in codes:
        link = "/activate/" + code.replace(" ", "")
        assert chosen(hr.app.test_client(), link, NEW).status_code == 303
    with hr.services.db.read() as session:
        trail = session.execute(
            text("SELECT subject_id, actor_id FROM audit_entry WHERE tag = 'activation.issue'")
        ).all()
    assert {int(row[0]) for row in trail} == {hr.people["lan"], hr.people["hien"]}
    assert {row[1] for row in trail} == {hr.people["officer_a"]}
    with hr.services.db.read() as session:
        told = set(session.scalars(text("SELECT user_id FROM notice WHERE what = 'slip.issued'")))
    assert told == {hr.people["lan"], hr.people["hien"]}


@pytest.mark.both_databases
def test_sent_again_reloaded_or_gone_back_to_it_issues_nothing(hr: Hr) -> None:
    browser = hr.browser("officer_a")
    data = form(hr, browser, "lan", "hien")
    first = browser.post(where(hr), data=data)
    before = hr.dump()
    again = browser.post(where(hr), data=data)
    assert again.status_code == 303
    back = browser.get(again.headers["Location"])
    assert "chỉ hiện một lần" in text_of(back.text)
    assert not CODE.search(back.text)
    hr.clock.advance(minutes=5)
    assert browser.post(where(hr), data=data).headers["Location"] == again.headers["Location"]
    assert hr.dump()["activation"] == before["activation"]
    # Nobody who has a slip is chosen again by herself.
    assert "checked" not in back.text
    # Nothing of the print is kept.
    kept = repr(hr.dump())
    with hr.services.db.read() as session:
        kept += repr(session.execute(text("SELECT * FROM form_answer")).all())
    for code in CODE.findall(first.text):
        assert code not in kept
        assert code.replace(" ", "") not in kept
    with hr.services.db.read() as session:
        longest = session.scalar(text("SELECT max(length(sealed)) FROM form_answer"))
    assert longest is None or longest < 4000


@pytest.mark.both_databases
def test_all_or_none(hr: Hr) -> None:
    """Whoever was activated while the list was looked at is told of, and nobody is issued one."""
    browser = hr.browser("officer_a")
    data = form(hr, browser, "lan", "hien")
    with hr.services.db.write() as session:
        hr.linked("hien", session)
    page = browser.post(where(hr), data=data, follow_redirects=True)
    assert page.status_code == 409
    assert "Nguyễn Văn Hiển" in text_of(page.text)
    assert "Chưa cấp phiếu nào" in text_of(page.text)
    assert count(hr) == 0


@pytest.mark.parametrize("whom", [("mai",), ("officer_a",), ("plain",), ("lan", "plain")])
def test_nobody_else_is_slipped_in(hr: Hr, whom: tuple[str, ...]) -> None:
    browser = hr.browser("officer_a")
    page = browser.post(where(hr), data=form(hr, browser, *whom))
    assert page.status_code in (403, 409)
    assert count(hr) == 0


def test_the_password_is_asked_first_and_the_choice_kept(hr: Hr) -> None:
    browser = hr.browser("officer_a")
    data = form(hr, browser, "hien") | {"password": "sai"}
    page = browser.post(where(hr), data=data, follow_redirects=True)
    assert page.status_code == 422
    checked = re.findall(r'value="(\d+)" checked', page.text)
    assert checked == [str(hr.people["hien"])]
    assert count(hr) == 0
    none = browser.post(where(hr), data=form(hr, browser))
    assert none.status_code == 409


@pytest.mark.both_databases
def test_a_print_costs_as_many_statements_for_many_as_for_a_few(hr: Hr, services: Any) -> None:
    """Forty people cost what two do: 500 take no more, for no statement names more than 500."""
    many = 40
    with services.db.write() as session:
        room = session.get_one(OrgUnit, hr.units["room"])
        post = make_position(session, "VT", "Văn thư")
        for n in range(many):
            user = make_user(session, f"Nguyễn Thị Mới {n}")
            make_assignment(session, user, room, post)
            hr.people[f"new{n}"] = user.id
    browser = hr.browser("officer_a")
    seen: list[str] = []
    engine = services.db.engine

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    def cost(*whom: str) -> tuple[int, int]:
        data = form(hr, browser, *whom)
        event.listen(engine, "before_cursor_execute", note)
        try:
            seen.clear()
            page = browser.post(where(hr), data=data)
            printing = len(seen)
            seen.clear()
            browser.get(where(hr))
            return printing, len(seen)
        finally:
            event.remove(engine, "before_cursor_execute", note)
            assert len(CODE.findall(page.text)) == len(whom)

    cost("lan", "hien")  # whatever is read once is read
    few, looking = cost("lan", "hien")
    for_many, looking_at_many = cost(*(f"new{n}" for n in range(many)))
    assert for_many <= few  # two of the few had slips to be voided
    assert looking_at_many == looking
    assert few <= 40
    assert looking <= 25
