"""The console about people: an end to a lock, names and words instead of codes, long lists."""

import re
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from directory.assignments import Assignment
from directory.base.audit import AuditEntry
from directory.base.outbox import JobKind, Priority, enqueue
from directory.people import User
from directory.permissions import Role
from directory.units import OrgUnit
from idp.console import timeline
from idp.factors.counts import Throttle
from tests import hr_world
from tests.browser_client import Page, hidden_fields, sign_in
from tests.factories import make_application, make_rule, make_unit
from tests.hr_world import PASSWORD, Hr, text_of


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


# ---- a sign-in that is locked ----------------------------------------------------------------


def lock(hr: Hr, who: str) -> None:
    """Guess until nobody is let in any more."""
    for _ in range(hr.services.settings.lock_after):
        with pytest.raises(Page):
            sign_in(hr.app.test_client(), hr.names[who], "sai mật khẩu rồi")
    with pytest.raises(Page):
        sign_in(hr.app.test_client(), hr.names[who], PASSWORD)


def unlock(hr: Hr, browser: Any, who: str, **fields: Any) -> Any:
    token = hidden_fields(browser.get("/portal/profile").text).get("csrf_token", "")
    data = {"csrf_token": token, "password": PASSWORD} | fields
    return browser.post(f"/console/people/{hr.people[who]}/unlock", data=data)


def locks(hr: Hr) -> int:
    with hr.services.db.read() as session:
        return session.scalar(select(func.count()).where(Throttle.locked_until.is_not(None))) or 0


@pytest.mark.both_databases
def test_an_officer_of_the_unit_ends_a_lock_and_it_is_audited(hr: Hr) -> None:
    lock(hr, "lan")
    officer = hr.browser("officer_a")
    page = officer.get(f"/console/people/{hr.people['lan']}").text
    assert "Đăng nhập đang bị khóa đến 02/03/2026 21:00" in page
    assert f'action="/console/people/{hr.people["lan"]}/unlock"' in page
    assert unlock(hr, officer, "lan").status_code == 303
    assert "Đã mở khóa đăng nhập" in officer.get(f"/console/people/{hr.people['lan']}").text
    sign_in(hr.app.test_client(), hr.names["lan"], PASSWORD)
    assert unlock(hr, officer, "lan").status_code == 303
    assert "không bị khóa" in officer.get(f"/console/people/{hr.people['lan']}").text
    with hr.services.db.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.tag == "login.unlock")).one()
    assert (entry.actor_id, entry.subject_id) == (hr.people["officer_a"], str(hr.people["lan"]))


@pytest.mark.parametrize(
    ("who", "whom", "status"),
    [
        pytest.param("officer_b", "lan", 404, id="an officer of another unit"),
        pytest.param("auditor", "lan", 403, id="an auditor"),
        pytest.param("owner", "lan", 404, id="an application owner"),
        pytest.param("officer_a", "hien", 403, id="an officer, of an administrator"),
        pytest.param("plain", "lan", 403, id="somebody without a role"),
    ],
)
def test_nobody_else_ends_a_lock(hr: Hr, who: str, whom: str, status: int) -> None:
    # CWE-862. An end to a lock is more guesses at a password: of an administrator only by
    # somebody who could have made her one.
    hr.grant("hien", Role.ADMINISTRATOR)
    lock(hr, whom)
    browser = hr.browser(who)
    assert unlock(hr, browser, whom).status_code == status
    assert locks(hr) == 1
    assert "/unlock" not in browser.get(f"/console/people/{hr.people[whom]}").text
    assert unlock(hr, hr.browser("admin"), whom).status_code == 303
    assert locks(hr) == 0


def test_nobody_ends_the_lock_on_her_own_sign_in(hr: Hr) -> None:
    # Else whoever holds a stolen session might guess the password for ever (CWE-307).
    browser = hr.browser("admin")
    lock(hr, "admin")
    answer = unlock(hr, browser, "admin", password="")
    assert answer.status_code in (303, 403)
    assert locks(hr) == 1


@pytest.mark.parametrize(
    ("fields", "status"), [({"csrf_token": ""}, 400), ({"password": "sai"}, 303)]
)
def test_a_lock_is_ended_from_the_page_and_with_the_password_only(
    hr: Hr, fields: dict[str, str], status: int
) -> None:
    lock(hr, "lan")  # CWE-352
    assert unlock(hr, hr.browser("officer_a"), "lan", **fields).status_code == status
    assert locks(hr) == 1


# ---- words for codes -------------------------------------------------------------------------


def test_who_did_it_is_called_by_name(hr: Hr) -> None:
    officer = hr.browser("officer")
    preview = hr.preview(officer, "lan", "suspend")
    shown = hr.confirm(officer, preview).headers["Location"]
    for path in ("/console/", "/console/changes", f"/console/people/{hr.people['lan']}", shown):
        assert "Phạm Thị Hương" in text_of(officer.get(path).text).partition("Người thực hiện")[2]
    trail = text_of(hr.browser("admin").get("/console/audit").text)
    assert "Phạm Thị Hương" in trail


def test_operator_client_and_system_are_told_apart(hr: Hr) -> None:
    hr.api(hr.token()).commit(kind="suspend", user=hr.names["lan"])
    trail = hr.browser("admin").get("/console/audit")
    assert "Quản trị viên hệ thống (kiểm thử)" in text_of(trail.text)
    english = hr.browser("admin").get("/console/audit", headers={"Accept-Language": "en"})
    assert "System operator (kiểm thử)" in text_of(english.text)


def test_the_trail_speaks_of_events_subjects_and_details_in_words(hr: Hr) -> None:
    admin = hr.browser("admin")
    api = hr.api(hr.token())
    api.commit(kind="suspend", user=hr.names["lan"])
    moved = api.commit(kind="transfer", user=hr.names["hien"], to_unit=hr.units["b"])
    assert moved.status_code == 201
    text = text_of(admin.get("/console/audit").text)
    for words in (
        "Xác nhận thay đổi",
        "Loại Tạm đình chỉ công tác",
        "Ngày hiệu lực 02/03/2026",
        "Trước Đang công tác",
        "Sau Đang tạm đình chỉ công tác",
        "Sau · Đơn vị Ủy ban nhân dân xã Nga Sơn",
        "Hệ thống nhân sự Ứng dụng khách",
    ):
        assert words in text
    english = text_of(admin.get("/console/audit", headers={"Accept-Language": "en"}).text)
    for words in ("Change committed", "Kind Suspension", "Effective day 02/03/2026"):
        assert words in english


def test_a_rule_names_the_kind_of_unit_in_words(hr: Hr) -> None:
    with hr.services.db.write() as session:
        made = make_application(session, "tiepdan")
        make_rule(session, made, "can_bo", unit_kind="service_centre")
        page = f"/console/applications/{made.id}"
    owner = hr.browser("owner")
    assert "Trung tâm Phục vụ hành chính công" in text_of(owner.get(page).text)
    english = owner.get(page, headers={"Accept-Language": "en"})
    assert "Public service centre" in text_of(english.text)


# ---- what is under way, what was undone ------------------------------------------------------


def test_the_start_page_says_while_accounts_are_made_in_bulk(hr: Hr) -> None:
    officer = hr.browser("officer_a")
    assert "hàng loạt" not in officer.get("/console/").text
    with hr.services.db.write() as session:
        now = hr.clock()
        for n in range(1234):
            enqueue(session, JobKind.ACCOUNT_APPLY, f"{n}:1", now=now, priority=Priority.BULK)
        later = now + timedelta(days=1)
        for n, due in enumerate((now, later)):
            more = {"priority": Priority.URGENT} if due == now else {"priority": Priority.BULK}
            enqueue(session, JobKind.SUBJECT_BOUNDARY, str(n), now=now, run_at=due, **more)
    assert "còn 1.234 việc chạy nền" in officer.get("/console/").text
    english = officer.get("/console/", headers={"Accept-Language": "en"}).text
    assert "1,234 background jobs are left" in english
    assert "background jobs" not in hr.browser("owner").get("/console/").text


def test_an_assignment_that_was_taken_back_is_nowhere_on_her_page(hr: Hr) -> None:
    with hr.services.db.write() as session:
        undone = session.get_one(Assignment, hr.posts["mai"])
        undone.valid_to = undone.valid_from
    hr.also("lan", "room2")
    with hr.services.db.write() as session:
        session.get_one(Assignment, hr.posts["lan"]).valid_to = date(2020, 1, 1)
    admin = hr.browser("admin")
    page = admin.get(f"/console/people/{hr.people['lan']}").text
    assert page.count("<rect") == 1
    assert "Phòng Kinh tế" not in page
    page = admin.get(f"/console/people/{hr.people['mai']}").text
    assert "<rect" not in page
    assert "Ủy ban nhân dân xã Nga Sơn" not in page
    assert timeline.draw([], date(2026, 3, 2)) is None


def test_a_slip_says_until_when_it_can_be_used(hr: Hr) -> None:
    hr.agree("officer_a", "lan")
    officer = hr.browser("officer_a")
    page = f"/console/people/{hr.people['lan']}"
    token = hidden_fields(officer.get(page).text)["csrf_token"]
    data = {"csrf_token": token, "password": PASSWORD}
    shown = text_of(officer.post(f"{page}/activation", data=data, follow_redirects=True).text)
    until = hr.clock() + timedelta(seconds=hr.services.settings.activation_lifetime)
    assert f"chậm nhất lúc {until + timedelta(hours=7):%d/%m/%Y %H:%M}" in shown


# ---- long lists ------------------------------------------------------------------------------


def below(page: str) -> list[str]:
    """The units directly below, as a unit's page lists them."""
    part = page.partition('id="below"')[2].partition("</section>")[0]
    return re.findall(r'<li><a href="/console/units/\d+">([^<]+)</a>', part)


@pytest.mark.both_databases
def test_units_below_come_a_page_at_a_time_and_can_be_searched(hr: Hr) -> None:
    with hr.services.db.write() as session:
        root = session.get_one(OrgUnit, hr.units["root"])
        for n in range(70):
            make_unit(session, f"Xã Quảng số {n:02}", parent=root)
    officer = hr.browser("officer")
    path = f"/console/units/{hr.units['root']}"
    seen: list[str] = []
    while path:
        page = officer.get(path).text
        assert len(below(page)) <= 30
        seen += below(page)
        found = re.search(r'<a rel="next" href="([^"#]+)#below"', page)
        path = found[1].replace("&amp;", "&") if found else ""
    assert len(seen) == len(set(seen)) == 72
    assert "Ủy ban nhân dân xã Nga Sơn" in seen
    narrowed = officer.get(f"/console/units/{hr.units['root']}?q=so+42+quang").text
    assert below(narrowed) == ["Xã Quảng số 42"]
    nothing = officer.get(f"/console/units/{hr.units['root']}?q=khong+co").text
    assert "Không có đơn vị nào" in nothing
    for odd in ("below=999999999999999", "below=-1", "below=x&q=%25"):
        assert officer.get(f"/console/units/{hr.units['root']}?{odd}").status_code == 200


def test_a_short_list_of_units_is_whole_and_asks_nothing(hr: Hr) -> None:
    page = hr.browser("officer").get(f"/console/units/{hr.units['a']}").text
    assert below(page) == ["Phòng Kinh tế", "Phòng Văn hóa"]
    assert 'role="search"' not in page
    assert hr.browser("officer_b").get(f"/console/units/{hr.units['a']}").status_code == 404


def test_english_says_when_an_assignment_ends(hr: Hr) -> None:
    with hr.services.db.write() as session:
        user = session.get_one(User, hr.people["lan"])
        session.get_one(Assignment, hr.posts["lan"]).valid_to = date(2026, 2, 1)
    page = hr.browser("admin").get(f"/console/people/{user.id}", headers={"Accept-Language": "en"})
    assert "Ceases on" in page.text
    assert "ntil before" not in page.text
