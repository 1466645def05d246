"""Only a check that said "wrong" counts against anybody, and a lock is the same wherever one looks.

Outages are played by a hasher that dies, and by triggers that refuse what would be written next.
"""

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from tests import hr_world
from tests.browser_client import Page, hidden_fields, open_login, sign_in, submit
from tests.hr_world import PASSWORD, Hr, text_of


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    app.testing = False  # a fault is a page, as in production
    return hr_world.build(services, clock, app)


class Killed(BaseException):
    """What a killed process leaves behind: nothing after it runs."""


def attempt(hr: Hr, who: str = "lan", password: str = PASSWORD) -> Any:
    browser = hr.app.test_client()
    page = open_login(browser)
    return submit(browser, page, username=hr.names.get(who, who), password=password)


def die(hr: Hr, monkeypatch: pytest.MonkeyPatch, times: int, act: Callable[[], Any]) -> None:
    """The process dies while it checks a password."""

    def killed(*_: Any, **__: Any) -> bool:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(hr.services.passwords, "verify", killed)
        for _ in range(times):
            with pytest.raises(Killed):
                act()


def trail(hr: Hr, prefix: str) -> list[Any]:
    with hr.services.db.read() as session:
        return list(
            session.execute(
                text("SELECT tag, data FROM audit_entry WHERE tag LIKE :p ORDER BY id"),
                {"p": prefix + "%"},
            )
        )


def signs_in(hr: Hr, who: str = "lan") -> bool:
    try:
        sign_in(hr.app.test_client(), hr.names[who], PASSWORD)
    except Page:
        return False
    return True


@pytest.mark.both_databases
def test_whoever_knows_her_password_gets_in_within_a_minute_of_an_outage(
    hr: Hr, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        die(hr, monkeypatch, hr.services.settings.lock_after, lambda: attempt(hr))
        answer = attempt(hr)
        assert answer.status_code in (429, 503)
        wait = int(answer.headers["Retry-After"])
        assert 0 < wait <= 60
        assert not re.search(r"nhập sai|không đúng|Tạm khóa", text_of(answer.text))
        assert not trail(hr, "login.fail")
        assert not trail(hr, "login.lock")
        page = hr.browser("officer_a").get(f"/console/people/{hr.people['lan']}").text
        assert "đang bị khóa" not in page
        hr.clock.advance(seconds=wait)
        assert signs_in(hr)


def test_checks_that_break_lock_nobody_out(hr: Hr, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> bool:
        raise MemoryError

    with monkeypatch.context() as out_of_memory:
        out_of_memory.setattr(hr.services.passwords, "verify", broken)
        for _ in range(hr.services.settings.lock_after + 2):
            assert attempt(hr).status_code == 500
    assert signs_in(hr)


@pytest.mark.parametrize(
    "refused",
    [
        pytest.param("INSERT ON login_flow", id="the right password cannot be recorded"),
        pytest.param("INSERT ON audit_entry", id="the wrong password cannot be recorded"),
    ],
)
def test_outcomes_that_cannot_be_written_count_for_nothing(hr: Hr, refused: str) -> None:
    def sql(statement: str) -> None:
        with hr.services.db.write() as session:
            session.execute(text(statement))

    password = PASSWORD if "login_flow" in refused else "sai"
    pages = [(b, open_login(b)) for b in (hr.app.test_client() for _ in range(5))]
    sql(f"CREATE TRIGGER away BEFORE {refused} BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    for browser, page in pages:
        answer = submit(browser, page, username=hr.names["lan"], password=password)
        assert answer.status_code >= 500
    sql("DROP TRIGGER away")
    hr.clock.advance(seconds=60)
    assert signs_in(hr)


@pytest.mark.parametrize("where", ["portal", "console"])
def test_the_password_asked_again_locks_nobody_out_in_an_outage(
    hr: Hr, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    browser = hr.browser("admin")
    act = {"portal": change_password, "console": ask_again}[where]
    die(hr, monkeypatch, hr.services.settings.lock_after, lambda: act(hr, browser))
    hr.clock.advance(seconds=60)
    assert act(hr, browser).status_code == 303
    assert not trail(hr, "login.fail")


def change_password(hr: Hr, browser: Any, current: str = PASSWORD) -> Any:
    new = "con trâu đội nón lá"
    return submit(
        browser,
        browser.get("/portal/profile"),
        "/portal/profile/password",
        current=current,
        password=new,
        again=new,
    )


def ask_again(hr: Hr, browser: Any, password: str = PASSWORD) -> Any:
    page = browser.get(f"/console/people/{hr.people['mai']}")
    return browser.post(
        f"/console/people/{hr.people['mai']}/unlock",
        data=hidden_fields(page.text) | {"password": password},
    )


@pytest.mark.both_databases
def test_a_lock_is_the_same_at_the_sign_in_in_the_console_and_in_the_audit(hr: Hr) -> None:
    hr.grant("plain", hr_world.Role.ADMINISTRATOR)
    answers = [attempt(hr, "lan", "sai rồi") for _ in range(hr.services.settings.lock_after)]
    assert answers[-1].status_code == 429
    until = hr.clock() + timedelta(seconds=hr.services.settings.lock_for)
    said = (until + timedelta(hours=7)).strftime("%d/%m/%Y %H:%M")
    assert said in text_of(answers[-1].text)
    assert said in text_of(attempt(hr, "lan").text)
    colleague = hr.browser("plain")
    page = colleague.get(f"/console/people/{hr.people['lan']}")
    assert f"Đăng nhập đang bị khóa đến {said}" in text_of(page.text)
    assert "từ địa chỉ 127.0.0.1, bằng trình duyệt mới" in text_of(page.text)
    (lock,) = trail(hr, "login.lock")
    data = lock.data if isinstance(lock.data, dict) else json.loads(lock.data)
    assert datetime.fromisoformat(data["until"]) == until
    assert len(trail(hr, "login.fail")) == hr.services.settings.lock_after
    assert not signs_in(hr)
    ended = colleague.post(
        f"/console/people/{hr.people['lan']}/unlock",
        data=hidden_fields(page.text) | {"password": PASSWORD},
    )
    assert ended.status_code == 303
    assert signs_in(hr)
    assert len(trail(hr, "login.unlock")) == 1


class TestThePasswordAskedAgain:
    """In a session it has a limit of its own, and the sign-in has another."""

    ACTS = pytest.mark.parametrize("where", ["portal", "console"])

    def act(self, hr: Hr, where: str, browser: Any, password: str = PASSWORD) -> Any:
        return {"portal": change_password, "console": ask_again}[where](hr, browser, password)

    @ACTS
    @pytest.mark.both_databases
    def test_wrong_ones_close_it_for_that_sign_in_and_say_how_to_go_on(
        self, hr: Hr, where: str
    ) -> None:
        browser = hr.browser("admin")
        wrong = [self.act(hr, where, browser, "sai rồi") for _ in range(6)]
        told = {"portal": 422, "console": 303}[where]
        assert [one.status_code for one in wrong] == [told] * 4 + [429] * 2
        assert "đăng nhập lại để tiếp tục" in text_of(wrong[-1].text)
        assert self.act(hr, where, browser).status_code == 429
        assert len(trail(hr, "login.lock")) == 1
        hr.clock.advance(seconds=1)
        assert signs_in(hr, "admin")
        assert self.act(hr, where, hr.browser("admin")).status_code == 303

    @ACTS
    def test_it_is_asked_while_the_sign_in_is_locked(self, hr: Hr, where: str) -> None:
        browser = hr.browser("admin")
        for _ in range(5):
            attempt(hr, "admin", "sai rồi")
        assert not signs_in(hr, "admin")
        assert self.act(hr, where, browser).status_code == 303

    def test_going_on_in_another_capacity_gives_no_more_guesses(self, hr: Hr) -> None:
        """A session's id is no way around: it changes with the capacity, the sign-in does not."""
        with hr.services.db.write() as session:
            other = hr_world.make_assignment(
                session,
                session.get_one(hr_world.User, hr.people["lan"]),
                session.get_one(hr_world.OrgUnit, hr.units["b"]),
                kind="concurrent",
            )
            post = other.id
        browser = hr.browser("lan", assignment=hr.posts["lan"])
        for _ in range(4):
            assert change_password(hr, browser, "sai rồi").status_code == 422
        submit(browser, browser.get("/portal/capacity"), assignment=str(post))
        assert change_password(hr, browser, "sai rồi").status_code == 429


def test_a_closed_source_is_not_told_that_her_password_is_wrong(hr: Hr) -> None:
    for n in range(hr.services.settings.source_failures):
        attempt(hr, f"ai{n}", "sai")
    answer = attempt(hr)
    assert answer.status_code == 429
    words = text_of(answer.text)
    assert "chưa được kiểm tra" in words
    assert "Đã khóa tạm thời vì nhập sai nhiều lần" not in words


def test_codes_of_devices_that_could_not_be_looked_up_count_for_nothing(hr: Hr) -> None:
    browser = hr.browser("lan")

    def enter() -> Any:
        return submit(browser, browser.get("/device"), user_code="BCDFGHJK")

    with hr.services.db.write() as session:
        session.execute(text("ALTER TABLE device_request RENAME TO device_request_away"))
    for _ in range(hr.services.settings.lock_after + 1):
        assert enter().status_code == 500
    with hr.services.db.write() as session:
        session.execute(text("ALTER TABLE device_request_away RENAME TO device_request"))
    hr.clock.advance(seconds=60)
    assert enter().status_code == 422
