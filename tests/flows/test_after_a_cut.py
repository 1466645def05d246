"""Whose session was cut is told why, where she serves now, whom to ask and how to come back: in that
browser, and nowhere else.
"""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from directory.base import signed_values
from directory.base.clock import local_day
from directory.changes import kind as kinds
from idp.sessions import SsoSession
from tests import hr_world
from tests.browser_client import hidden_fields, sign_in, submit
from tests.hr_world import PASSWORD, Hr, text_of
from tests.relying_party import Flow, World

DECISION = {"number": "125/QĐ-UBND", "issued_on": "2026-03-01", "issuer": "Ủy ban nhân dân tỉnh"}
ENDED = "Phiên đăng nhập trước đã kết thúc"
TOLD = "Vì sao phiên trước kết thúc"


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def next_page(browser: FlaskClient, path: str = "/", **options: Any) -> str:
    page = browser.get(path, follow_redirects=True, **options)
    assert 'name="username"' in page.text
    return text_of(page.text)


def transfer(hr: Hr, who: str = "lan", **more: Any) -> None:
    body = {"kind": "transfer", "user": hr.names[who], "to_unit": hr.units["b"]} | more
    answer = hr.api(hr.token()).commit(decision=DECISION, **body)
    assert answer.status_code == 201, answer.text


@pytest.mark.both_databases
def test_a_decision_is_told_with_what_is_hers_now(hr: Hr) -> None:
    lan = hr.browser("lan")
    transfer(hr)
    said = next_page(lan)
    for words in (
        TOLD,
        "Quyết định số 125/QĐ-UBND ngày 01/03/2026 của Ủy ban nhân dân tỉnh: Điều động",
        "Chuyên viên, Ủy ban nhân dân xã Nga Sơn",
        "Quản lý văn bản",
        "bộ phận tổ chức cán bộ của Ủy ban nhân dân xã Nga Sơn",
        "đăng nhập lại ngay dưới đây",
    ):
        assert words in said
    assert "Một cửa Hà Trung" not in said  # lost
    assert ENDED not in said
    assert "Lê Thị Lan" not in said
    assert hr.names["lan"] not in said
    english = next_page(lan, headers={"Accept-Language": "en"})
    assert "Decision no. 125/QĐ-UBND of 01/03/2026" in english
    # Once she is in, it is over.
    assert sign_in(lan, hr.names["lan"], PASSWORD).status_code == 303
    assert lan.get("/").status_code == 200


def test_on_the_way_to_an_application_it_is_told_too(hr: Hr) -> None:
    world = World(hr.services, hr.clock, hr.people["lan"], hr.posts["lan"], 0, 0)
    flow = Flow(hr.browser("lan"), world.register())
    transfer(hr)
    assert "125/QĐ-UBND" in text_of(shown(flow))


def shown(flow: Flow) -> str:
    answer = flow.ask()
    page = flow.browser.get(answer.headers["Location"], follow_redirects=True)
    return str(page.text)


def test_nobody_else_is_told(hr: Hr) -> None:
    """Not another browser, not one of another person, not a cookie of one's own making."""
    lan, mai = hr.browser("lan"), hr.browser("mai")
    world = World(hr.services, hr.clock, hr.people["lan"], hr.posts["lan"], 0, 0)
    [row] = [one for one in world.all(SsoSession) if one.user_id == hr.people["lan"]]
    mai.post("/logout", data=hidden_fields(mai.get("/portal/profile").text))
    transfer(hr)
    stranger = hr.app.test_client()
    forged = [
        f"{row.id}.1",
        f"{row.id}.1.AAAAAAAAAAAAAAAAAAAAAA",
        signed_values.seal(hr.services.keyring, "browser", f"{row.id}.1"),
        signed_values.seal(hr.services.keyring, "session", f"{row.id}.2"),
        signed_values.seal(hr.services.keyring, "session", "A" * 22 + ".1"),
    ]
    for browser in (stranger, mai):
        assert "125/QĐ-UBND" not in next_page(browser)
    for value in forged:
        stranger.set_cookie("dinhdanh", value, domain="localhost")
        assert "125/QĐ-UBND" not in next_page(stranger)
    assert "125/QĐ-UBND" in next_page(lan)


def test_another_who_types_her_name_in_that_browser_is_told_no_more_of_it(hr: Hr) -> None:
    lan = hr.browser("lan")
    transfer(hr)
    lan.get("/", follow_redirects=True)
    assert sign_in(lan, hr.names["mai"], PASSWORD).status_code == 303
    lan.post("/logout", data=hidden_fields(lan.get("/portal/profile").text))
    assert "125/QĐ-UBND" not in next_page(lan)


def test_it_is_told_for_a_day(hr: Hr) -> None:
    lan = hr.browser("lan")
    transfer(hr)
    hr.clock.advance(hours=23)
    assert "125/QĐ-UBND" in next_page(lan)
    hr.clock.advance(hours=2)
    said = next_page(lan)
    assert "125/QĐ-UBND" not in said
    assert ENDED in said


def test_what_was_decided_for_a_day_is_told_before_any_worker_has_run(hr: Hr) -> None:
    day = local_day(hr.clock()) + timedelta(days=1)
    transfer(hr, effective_on=day.isoformat())
    hr.clock.advance(hours=11)
    while local_day(hr.clock()) < day - timedelta(days=1):
        hr.clock.advance(hours=1)
    hr.services.settings.session_idle = hr.services.settings.session_lifetime = 2 * 86400
    lan = hr.browser("lan")
    while local_day(hr.clock()) < day:
        hr.clock.advance(hours=1)
    assert "125/QĐ-UBND" in next_page(lan)


def test_whoever_may_not_come_back_is_told_so_and_nothing_of_applications(hr: Hr) -> None:
    lan = hr.browser("lan")
    answer = hr.api(hr.token()).commit(kind="suspend", user=hr.names["lan"], decision=DECISION)
    assert answer.status_code == 201
    said = next_page(lan)
    assert "Tạm đình chỉ công tác" in said
    assert "hiện không đăng nhập được" in said
    assert "Quản lý văn bản" not in said


def test_sessions_ended_by_an_officer_name_no_officer(hr: Hr) -> None:
    lan = hr.browser("lan")
    assert hr.api(hr.token()).commit(kind="sessions.end", user=hr.names["lan"]).status_code == 201
    said = next_page(lan)
    assert "Cán bộ phụ trách đã kết thúc các phiên đăng nhập của bạn" in said
    assert "Phạm Thị Hương" not in said


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("others", "kết thúc từ một thiết bị khác"),
        ("everywhere", "đăng xuất khỏi mọi nơi"),
    ],
)
def test_what_she_did_elsewhere_is_told(hr: Hr, how: str, words: str) -> None:
    here, there = hr.browser("lan"), hr.browser("lan")
    if how == "others":
        submit(there, there.get("/portal/sessions"), "/portal/sessions/end", session="others")
    else:
        submit(there, there.get("/portal/everywhere"), decision="logout")
    assert words in next_page(here)
    if how == "everywhere":  # whoever did it knows
        assert TOLD not in next_page(there)


def test_who_signed_out_or_was_idle_is_told_nothing_new(hr: Hr) -> None:
    out, idle = hr.browser("lan"), hr.browser("lan")
    out.post("/logout", data=hidden_fields(out.get("/portal/profile").text))
    hr.clock.advance(seconds=hr.services.settings.session_idle + 1)
    assert TOLD not in next_page(out)
    said = next_page(idle)
    assert TOLD not in said
    assert ENDED in said


def test_every_kind_that_may_cut_has_words(hr: Hr) -> None:
    from idp.web.labels import LABELS

    assert {one.code for one in kinds.every()} <= set(LABELS["change"])
