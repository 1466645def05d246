"""Tabs that wait: what was filled in survives a new sign-in, and a sign-in carries the others on."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from tests import hr_world
from tests.browser_client import hidden_fields, open_login, sign_in, submit
from tests.hr_world import PASSWORD, Hr, text_of
from tests.relying_party import REDIRECT, Flow, World

UNWRITTEN = "Chưa có gì được ghi"


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


@pytest.fixture
def flow(hr: Hr) -> Flow:
    world = World(hr.services, hr.clock, hr.people["lan"], hr.posts["lan"], 0, 0)
    return Flow(hr.app.test_client(), world.register())


def follow(browser: FlaskClient, answer: Any) -> Any:
    """The page that redirects lead to."""
    for _ in range(10):
        where = answer.headers.get("Location", "")
        if not where or where.startswith("http"):
            return answer
        answer = browser.get(where)
    raise AssertionError("redirects without end")


def again(hr: Hr, browser: FlaskClient, answer: Any, who: str) -> Any:
    """Sign in where an answer leads, and go on to where that leads."""
    page = follow(browser, answer)
    assert 'name="username"' in page.text
    answer = submit(browser, page, username=hr.names[who], password=PASSWORD)
    return follow(browser, answer)


def idle(hr: Hr) -> None:
    hr.clock.advance(seconds=hr.services.settings.admin_idle + 60)


def idle_out(hr: Hr) -> None:
    hr.clock.advance(seconds=hr.services.settings.session_idle + 60)


@pytest.mark.parametrize("wait", [idle, idle_out], ids=["idle in the console", "signed out"])
@pytest.mark.both_databases
def test_a_preview_left_alone_comes_back_after_the_sign_in_and_says_nothing_was_written(
    hr: Hr, wait: Any
) -> None:
    officer = hr.browser("officer")
    preview = hr.preview(
        officer,
        "lan",
        "transfer",
        to_unit=hr.units["b"],
        number="12/QĐ",
        issuer="Ủy ban",
        issued_on="01/03/2026",
    )
    wait(hr)
    answer = hr.confirm(officer, preview)
    assert answer.status_code == 303
    page = again(hr, officer, answer, "officer")
    words = text_of(page.text)
    assert UNWRITTEN in words
    assert "12/QĐ" in page.text
    assert "Ủy ban nhân dân xã Nga Sơn" in words
    with hr.services.db.read() as session:
        assert session.scalar(text("SELECT count(*) FROM change")) == 0
    assert hr.confirm(officer, page).status_code == 303
    with hr.services.db.read() as session:
        assert session.scalar(text("SELECT count(*) FROM change")) == 1
    assert UNWRITTEN not in text_of(officer.get("/console/").text)


@pytest.mark.parametrize("wait", [idle, idle_out], ids=["idle in the console", "signed out"])
def test_a_long_form_comes_back_filled_in_and_without_the_password(hr: Hr, wait: Any) -> None:
    admin = hr.browser("admin")
    page = admin.get("/console/clients/new")
    wait(hr)
    answer = submit(
        admin,
        page,
        name="Một cửa liên thông",
        use="flask",
        redirect_uris="https://motcua.example/cb",
        scopes=["openid", "email"],
        password=PASSWORD,
    )
    page = again(hr, admin, answer, "admin")
    assert UNWRITTEN in text_of(page.text)
    assert PASSWORD not in page.text
    action = re.search(r'<form[^>]*class="sheet"[^>]*action="([^"]+)"', page.text)
    assert action
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text)
    data: dict[str, Any] = {}
    for name, value in fields:
        data.setdefault(name, []).append(value)
    form = admin.post(action[1], data=data)
    assert "Một cửa liên thông" in form.text
    assert "https://motcua.example/cb" in form.text
    assert UNWRITTEN in text_of(form.text)
    with hr.services.db.read() as session:
        count = text("SELECT count(*) FROM client WHERE name LIKE 'Một cửa%'")
        assert session.scalar(count) == 0
    sent = admin.post(
        action[1], data=data | hidden_fields(form.text) | {"resumed": "", "password": PASSWORD}
    )
    assert sent.status_code == 303
    with hr.services.db.read() as session:
        assert session.scalar(count) == 1


def test_nobody_else_is_given_what_was_filled_in(hr: Hr) -> None:
    admin = hr.browser("admin")
    page = admin.get("/console/clients/new")
    idle_out(hr)
    answer = submit(admin, page, name="Một cửa liên thông", redirect_uris="https://m.example/cb")
    page = again(hr, admin, answer, "owner")
    assert "Một cửa liên thông" not in page.text
    assert UNWRITTEN not in text_of(page.text)


def test_without_ever_having_signed_in_nothing_is_kept(hr: Hr) -> None:
    stranger = hr.app.test_client()
    page = open_login(stranger)
    before = hr.dump()
    answer = submit(stranger, page, "/console/clients/new", name="x" * 10_000)
    assert answer.status_code in (303, 400)
    with hr.services.db.read() as session:
        assert session.scalar(text("SELECT count(*) FROM form_answer")) == 0
    assert {t for t, rows in hr.dump().items() if rows != before[t]} <= {"login_flow"}


def test_a_session_that_is_over_keeps_one_form_and_no_more(hr: Hr) -> None:
    browser = hr.browser("lan")
    idle_out(hr)
    for n in range(3):
        browser.set_cookie(
            "dinhdanh-answers", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" + "AEI"[n]
        )
        page = browser.get("/login", follow_redirects=True)
        for size in (100, 500_000):
            answer = submit(browser, page, "/portal/certificates", csr="x" * size)
            assert answer.status_code == 303
    with hr.services.db.read() as session:
        waiting = session.scalars(
            text("SELECT length(sealed) FROM form_answer WHERE status = 409")
        ).all()
    assert len(waiting) == 1
    assert waiting[0] < 200_000


def test_a_request_for_a_certificate_comes_back_with_what_was_pasted(hr: Hr) -> None:
    browser = hr.browser("lan")
    submit(browser, browser.get("/portal/certificates"), "/portal/certificates/request")
    page = browser.get("/portal/certificates")
    idle_out(hr)
    answer = submit(browser, page, csr="-----BEGIN CERTIFICATE REQUEST-----\nMIIB")
    page = again(hr, browser, answer, "lan")
    assert UNWRITTEN in text_of(page.text)
    assert "BEGIN CERTIFICATE REQUEST" in page.text


def test_the_password_asked_again_says_that_nothing_was_written(hr: Hr) -> None:
    officer = hr.browser("officer")
    hr.confirm(officer, hr.preview(officer, "hien", "suspend"))
    preview = hr.preview(
        officer, "lan", "suspend", number="12/QĐ", issuer="Ủy ban", issued_on="01/03/2026"
    )
    assert 'type="password"' not in preview.text
    for _ in range(4):
        hr.clock.advance(seconds=hr.services.settings.sudo_window / 4 + 1)
        officer.get("/console/")
    answer = officer.post(
        preview.request.path, data=hidden_fields(preview.text) | {"decision": "allow"}
    )
    assert answer.status_code == 422
    assert UNWRITTEN in text_of(answer.text)
    assert "12/QĐ" in answer.text
    assert hr.user("lan").status == "active"


# ---- tabs --------------------------------------------------------------------------------------


def test_a_sign_in_in_one_tab_carries_the_other_on(hr: Hr) -> None:
    browser = hr.app.test_client()
    first, second = open_login(browser, "/portal/sessions"), open_login(browser, "/portal/profile")
    hr.clock.advance(seconds=5)
    done = submit(browser, first, username=hr.names["lan"], password=PASSWORD)
    assert follow(browser, done).request.path == "/portal/sessions"
    assert follow(browser, browser.get(second.request.path)).request.path == "/portal/profile"
    sent = submit(browser, second, username=hr.names["lan"], password=PASSWORD)
    assert follow(browser, sent).request.path == "/portal/profile"


def test_the_second_tab_goes_on_to_its_application(hr: Hr, flow: Flow) -> None:
    page = flow.browser.get(flow.ask().headers["Location"])
    hr.clock.advance(seconds=5)
    sign_in(flow.browser, hr.names["lan"], PASSWORD)
    back = follow(flow.browser, flow.browser.get(page.request.path))
    assert flow.told(back)["state"] == flow.state
    assert "code" in flow.told(back)


def test_a_tab_that_asks_for_a_sign_in_of_its_own_still_does(hr: Hr, flow: Flow) -> None:
    page = flow.browser.get(flow.ask(prompt="login").headers["Location"])
    hr.clock.advance(seconds=5)
    sign_in(flow.browser, hr.names["lan"], PASSWORD)
    assert 'name="password"' in flow.browser.get(page.request.path).text


def test_a_form_in_a_waiting_tab_is_good_after_the_same_person_has_signed_in_again(hr: Hr) -> None:
    browser = hr.browser("lan")
    waiting = browser.get("/portal/profile")
    idle_out(hr)
    sign_in(browser, hr.names["lan"], PASSWORD)
    new = "con trâu đội nón lá"
    fields = {"current": PASSWORD, "password": new, "again": new}
    assert submit(browser, waiting, "/portal/profile/password", **fields).status_code == 303
    sign_in(hr.app.test_client(), hr.names["lan"], new)


def test_a_form_in_a_waiting_tab_is_not_good_for_the_next_person(hr: Hr) -> None:
    browser = hr.browser("lan")
    waiting = browser.get("/portal/profile")
    idle_out(hr)
    sign_in(browser, hr.names["hien"], PASSWORD)
    new = "con trâu đội nón lá"
    fields = {"current": PASSWORD, "password": new, "again": new}
    assert submit(browser, waiting, "/portal/profile/password", **fields).status_code == 400


# ---- old pages ---------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [16, 240])
def test_an_old_sign_in_page_begins_the_same_request_again(
    hr: Hr, flow: Flow, minutes: int
) -> None:
    page = flow.browser.get(flow.ask().headers["Location"])
    hr.clock.advance(minutes=minutes)
    if minutes > 60:
        sweep(hr)
    sent = submit(flow.browser, page, username=hr.names["lan"], password=PASSWORD)
    anew = follow(flow.browser, sent)
    assert 'name="password"' in anew.text
    assert anew.request.path != page.request.path
    sent = submit(flow.browser, anew, username=hr.names["lan"], password=PASSWORD)
    back = follow(flow.browser, sent)
    assert flow.told(back)["state"] == flow.state
    assert flow.redeem(flow.told(back)["code"]).status_code == 200


def sweep(hr: Hr) -> None:
    with hr.services.db.write() as session:
        session.execute(text("DELETE FROM login_flow"))


def test_an_old_sign_in_page_looked_at_begins_anew(hr: Hr, flow: Flow) -> None:
    page = flow.browser.get(flow.ask().headers["Location"])
    hr.clock.advance(minutes=16)
    anew = follow(flow.browser, flow.browser.get(page.request.path))
    assert 'name="password"' in anew.text
    sent = submit(flow.browser, anew, username=hr.names["lan"], password=PASSWORD)
    assert flow.told(follow(flow.browser, sent))["state"] == flow.state


def test_an_old_page_of_a_pushed_request_begins_it_again(hr: Hr, flow: Flow) -> None:
    from base64 import b64encode

    pair = b64encode(f"{flow.party.client_id}:{flow.party.secret}".encode()).decode()
    pushed = flow.browser.post(
        "/oauth2/par", data=flow.query, headers={"Authorization": f"Basic {pair}"}
    )
    assert pushed.status_code == 201, pushed.text
    query = {"client_id": flow.party.client_id, "request_uri": pushed.json["request_uri"]}
    answer = flow.browser.get("/oauth2/authorize", query_string=query)
    page = flow.browser.get(answer.headers["Location"])
    hr.clock.advance(minutes=16)
    sent = submit(flow.browser, page, username=hr.names["lan"], password=PASSWORD)
    anew = follow(flow.browser, sent)
    assert 'name="password"' in anew.text
    sent = submit(flow.browser, anew, username=hr.names["lan"], password=PASSWORD)
    assert flow.told(follow(flow.browser, sent))["state"] == flow.state


def test_nobody_elses_old_page_is_begun_again(hr: Hr, flow: Flow) -> None:
    page = flow.browser.get(flow.ask().headers["Location"])
    hr.clock.advance(minutes=16)
    other = hr.app.test_client()
    assert other.get(page.request.path).status_code == 404
    answer = other.post(
        page.request.path,
        data=hidden_fields(page.text)
        | hidden_fields(open_login(other).text)
        | {"again": hidden_fields(page.text).get("again", "")},
    )
    assert answer.status_code == 404
    assert REDIRECT not in answer.text


def test_a_sign_in_that_was_given_up_is_not_begun_again(hr: Hr, flow: Flow) -> None:
    page = flow.browser.get(flow.ask().headers["Location"])
    flow_id = page.request.path.rpartition("/")[2]
    submit(flow.browser, page, f"/oauth2/cancel/{flow_id}")
    assert flow.browser.get(page.request.path).status_code == 404
