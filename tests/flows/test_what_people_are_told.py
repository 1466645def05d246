"""Whatever happens to somebody's ways to sign in, she is told: once, of this, by whom and from where."""

import ast
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from connectors.notices.told import NoticeRow
from directory.people import User
from idp.run import housekeeping, performing
from tests import eid_world, hr_world
from tests.browser_client import open_login, submit
from tests.command_line import Operator, operator
from tests.flows.test_citizen_numbers import ask, by_two
from tests.flows.test_my_ways import WAYS, _reset, _second_app, way
from tests.hr_world import PASSWORD, Hr, text_of
from tests.paper_slips import opened
from tests.someone import INSIDE, Someone

__all__ = ["operator"]
NEW = "con trâu đội nón lá"


@pytest.fixture
def settings(make_settings: Any) -> Any:
    return make_settings(second_factor="outside", inside_networks=["10.0.0.0/8"])


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


@pytest.fixture
def lan(hr: Hr) -> Someone:
    lan = Someone(hr, "lan")
    lan.password()
    return lan


def rows(hr: Hr, who: str = "lan") -> list[NoticeRow]:
    with hr.services.db.read() as session:
        mine = NoticeRow.user_id == hr.people[who]
        return list(session.scalars(select(NoticeRow).where(mine).order_by(NoticeRow.id)))


def told(hr: Hr, who: str = "lan") -> list[tuple[str, str | None, str | None]]:
    """What she was told, of which factors, and whether by herself (None) or by whom."""
    herself = f"user:{hr.people[who]}"
    return [
        (row.what, row.facts.get("factor"), by if (by := row.facts.get("by")) != herself else None)
        for row in rows(hr, who)
    ]


@pytest.mark.both_databases
def test_of_each_of_her_factors_from_its_first_day_to_its_last(
    lan: Someone, hr: Hr, clock: Any
) -> None:
    lan.app = _second_app(lan)
    enrolled = [("factor.added", "totp", None), ("codes.printed", "recovery_code", None)]
    assert told(hr) == enrolled
    assert {row.facts["ip"] for row in rows(hr)} == {INSIDE["REMOTE_ADDR"]}
    assert lan.app.secret not in str([row.facts for row in rows(hr)])
    clock.advance(minutes=1)
    lan.step_up(f"{WAYS}/app")
    lan.act(f"{WAYS}/{way(hr, 'lan')}/rename", name="http://ke-gian.vn")
    lan.act(f"{WAYS}/codes")
    lan.act(f"{WAYS}/{way(hr, 'lan')}/remove")
    assert told(hr)[2:] == [
        ("factor.renamed", "totp", None),
        ("codes.printed", "recovery_code", None),
        ("factor.removed", "recovery_code,totp", None),
    ]
    assert "ke-gian" not in str([row.facts for row in rows(hr)])


def test_of_a_loss_and_of_an_officers_reset_and_slip(lan: Someone, hr: Hr) -> None:
    _second_app(lan)
    lan.act(f"{WAYS}/{way(hr, 'lan', 'recovery_code')}/lost")
    for who, act in (("officer", "second-factor"), ("officer_a", "activation")):
        officer = Someone(hr, who)
        officer.whole("/console/")
        _reset(officer, "lan", act)
    by = [f"user:{hr.people[who]}" for who in ("officer", "officer_a")]
    assert told(hr)[2:] == [
        ("loss.reported", "recovery_code", None),
        ("reset", None, by[0]),
        ("slip.issued", None, by[1]),
    ]


def test_of_a_new_password_by_whichever_way(lan: Someone, hr: Hr, operator: Operator) -> None:
    page = lan.client.get("/portal/profile")
    where = "/portal/profile/password"
    submit(lan.client, page, where, current=PASSWORD, password=NEW, again=NEW)
    assert told(hr) == [("password.changed", None, None)]
    said = operator("user", "slip", hr.names["hien"]).out
    code = re.search(r"(?:\d{4} ){3}\d{4}", said)[0].replace(" ", "")
    other = hr.app.test_client()
    submit(other, opened(other, f"/activate/{code}"), password=NEW, again=NEW)
    assert [what for what, _, _ in told(hr, "hien")] == ["slip.issued", "password.changed"]


@pytest.mark.both_databases
def test_of_another_address_at_both(hr: Hr) -> None:
    before = hr.user("lan")
    api = hr.api(hr.token())
    api.commit(kind="contact", user=hr.names["lan"], email="lan.moi@thanhhoa.gov.vn")
    [row] = rows(hr)
    assert row.what == "contact.changed"
    assert row.facts["by"].startswith("client:")
    assert row.addresses == {
        "mail": [before.email, "lan.moi@thanhhoa.gov.vn"],
        "text": [before.phone],
    }
    api.commit(kind="rename", user=hr.names["lan"], full_name="Lê Lan Anh")
    assert len(rows(hr)) == 1


def test_of_an_address_that_was_taken_away_and_of_the_change_undone(hr: Hr) -> None:
    before = hr.user("lan").phone
    api = hr.api(hr.token())
    made = api.commit(kind="contact", user=hr.names["lan"], phone="").json["id"]
    plan = api.post(f"/api/v1/changes/{made}/undo/preview").json
    api.post(f"/api/v1/changes/{made}/undo", {"fingerprint": plan["fingerprint"]}, key="u")
    assert [(row.what, row.addresses["text"]) for row in rows(hr)] == [
        ("contact.changed", [before])
    ] * 2


def test_of_another_number_but_not_of_the_first(hr: Hr) -> None:
    by_two(hr, **ask(hr, "lan", "038180001111"))
    assert told(hr) == []
    by_two(hr, **ask(hr, "lan", "038180002222"))
    assert [what for what, _, _ in told(hr)] == ["number.changed"]


def test_of_a_link_made_and_taken_away(
    services: Any, clock: Any, app: Flask, operator: Operator
) -> None:
    eid = eid_world.build(services, clock, app)
    eid.link()
    eid.visit(eid.browser())  # the next visits make none
    with services.db.read() as session:
        username = session.get_one(User, eid.user_id).username
    operator("eid", "unlink", username)
    with services.db.read() as session:
        made, gone = session.scalars(select(NoticeRow).order_by(NoticeRow.id))
    assert (made.what, gone.what) == ("identity.linked", "identity.unlinked")
    assert made.facts["upstream"]
    assert made.user_id == gone.user_id == eid.user_id


@pytest.mark.both_databases
def test_of_a_lock_once_a_day_and_not_by_the_attempt_itself(hr: Hr, clock: Any) -> None:
    """What is done for a name that somebody has must be what is done for one that nobody has."""
    browser = hr.app.test_client()
    for _ in range(hr.services.settings.lock_after):
        submit(browser, open_login(browser), username=hr.names["lan"], password="sai")
        submit(browser, open_login(browser), username="khong-co-ai", password="sai")
    assert rows(hr) == []
    for _ in range(2):
        housekeeping.tell_of_locks(hr.services, clock())
    [row] = rows(hr)
    assert row.what == "locked"
    assert row.facts["until"] > clock().isoformat()
    clock.advance(hours=25)
    housekeeping.tell_of_locks(hr.services, clock())
    assert len(rows(hr)) == 1


def test_nobody_sets_a_password_without_telling() -> None:
    root = Path(__file__).parents[2]
    silent = [
        str(file.relative_to(root))
        for file in sorted((root / "idp").rglob("*.py"))
        if "passwords.store" in {ast.unparse(n) for n in ast.walk(ast.parse(file.read_text()))}
        and "Notice.PASSWORD_CHANGED" not in file.read_text()
    ]
    assert silent == []


# ---- what administrators see ---------------------------------------------------------------------


def test_her_own_page_shows_where_she_was_told_what(lan: Someone, hr: Hr) -> None:
    assert "Đã báo cho bạn" not in lan.client.get(WAYS).text
    _second_app(lan)
    page = text_of(lan.client.get(WAYS).text)
    assert "Tài khoản của bạn có thêm một cách đăng nhập" in page
    assert f"{hr.user('lan').email}" in page.replace(" ", "")


def test_the_persons_page_shows_what_she_was_told_and_whether_it_went_out(
    hr: Hr, tmp_path: Path
) -> None:
    hr.services.settings.second_factor = "nobody"
    api = hr.api(hr.token())
    api.commit(kind="contact", user=hr.names["lan"], email="lan.moi@thanhhoa.gov.vn")
    officer = hr.browser("officer")
    page = text_of(officer.get(f"/console/people/{hr.people['lan']}").text)
    assert "Thông tin liên hệ của bạn đã thay đổi" in page
    assert "Đang chờ gửi" in page
    with_drop = hr.services.settings.model_copy(update={"mail_drop": tmp_path / "nowhere"})
    performing.drain(replace(hr.services, settings=with_drop))
    page = text_of(officer.get(f"/console/people/{hr.people['lan']}").text)
    assert "Không ghi được vào thư mục thông báo" in page
    jobs = text_of(hr.browser("admin").get("/console/jobs?state=parked").text)
    assert "Gửi thông báo cho người dùng" in jobs
    assert "Lê Thị Lan · Thông tin liên hệ của bạn đã thay đổi" in jobs
    assert "Không ghi được vào thư mục thông báo" in jobs
    seen = hr.browser("officer_b").get(f"/console/people/{hr.people['lan']}")
    assert "Thông tin liên hệ" not in seen.text
