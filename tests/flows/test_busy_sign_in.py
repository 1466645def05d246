"""So many sign in at once that not every password can be looked at: what each of them sees, and
what everybody else does (RFC 9110 §15.6.4, §10.2.3).
"""

import threading
import unicodedata
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from directory.base.errors import Busy
from directory.base.workers import Workers
from idp.run.admission import Gate
from tests import hr_world
from tests.browser_client import hidden_fields, open_login, sign_in, submit
from tests.hr_world import PASSWORD, Hr

SOON = 60.0
"""Seconds within which all this is over, however busy the machine is; nothing waits so long."""
NEW = "bếp củi reo vui 36"


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


class Rush:
    """Everything that hashes is at work on something else, until it is let go."""

    def __init__(self, workers: Workers, people: ThreadPoolExecutor) -> None:
        self._workers, self._people = workers, people
        self._over = threading.Event()
        self.ahead = people.submit(workers.run, self._work, first=True)
        self.until(hashing=1)

    def _work(self) -> bool:
        return self._over.wait(SOON)

    def stranger(self) -> "Future[bool]":
        """Somebody whose browser is not known waits."""
        waiting = self._people.submit(self._workers.run, self._work)
        self.until(waiting_for_hash=1)
        return waiting

    def until(self, **so: int) -> None:
        pause = threading.Event()
        for _ in range(int(SOON * 100)):
            if self._workers.counts().items() >= so.items():
                return
            pause.wait(0.01)
        raise AssertionError(self._workers.counts())

    def over(self) -> None:
        self._over.set()
        self.ahead.result(SOON)


@contextmanager
def rush(hr: Hr, monkeypatch: pytest.MonkeyPatch, *, waiting: int = 0) -> Iterator[Rush]:
    """One may hash and does, and so many may wait."""
    workers = Workers(1, waiting=waiting, patience=SOON)
    with monkeypatch.context() as patched, ThreadPoolExecutor(8) as people:
        patched.setattr(hr.services.passwords, "workers", workers)
        made = Rush(workers, people)
        try:
            yield made
        finally:
            made.over()


def answered(hr: Hr, browser: FlaskClient, page: Any, password: str = PASSWORD) -> Any:
    return submit(browser, page, username=hr.names["lan"], password=password)


def known_browser(hr: Hr) -> FlaskClient:
    """A browser in which she has signed in before and out again."""
    made = hr.app.test_client()
    sign_in(made, hr.names["lan"], PASSWORD)
    made.delete_cookie("dinhdanh")
    return made


def test_who_is_refused_keeps_her_form_and_gets_in_on_the_next_try(
    hr: Hr, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = hr.app.test_client()
    page = open_login(browser)
    with rush(hr, monkeypatch):
        refused = answered(hr, browser, page)
    assert refused.status_code == 503
    assert 0 < int(refused.headers["Retry-After"]) <= 10
    assert "Hệ thống đang bận" in refused.text
    assert f'value="{hr.names["lan"]}"' in refused.text
    assert PASSWORD not in refused.text
    fields = hidden_fields(refused.text) | {"username": hr.names["lan"], "password": PASSWORD}
    assert browser.post(page.request.path, data=fields).status_code == 303


def test_it_is_said_in_her_language(hr: Hr, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = hr.app.test_client()
    browser.set_cookie("lang", "en", domain="localhost")
    page = browser.get(
        "/login?ui_locales=en", follow_redirects=True, headers={"Accept-Language": "en"}
    )
    with rush(hr, monkeypatch):
        fields = hidden_fields(page.text) | {"username": hr.names["lan"], "password": PASSWORD}
        refused = browser.post(page.request.path, data=fields, headers={"Accept-Language": "en"})
    assert "busy" in refused.text


@pytest.mark.both_databases
def test_an_attempt_that_found_no_room_was_none(hr: Hr, monkeypatch: pytest.MonkeyPatch) -> None:
    """CWE-645: neither a lock nor a slower next attempt comes of it."""
    settings, browser = hr.services.settings, hr.app.test_client()
    with rush(hr, monkeypatch):
        for _ in range(max(settings.lock_after, settings.source_failures) + 2):
            assert answered(hr, browser, open_login(browser), "sai rồi").status_code == 503
    for _ in range(settings.lock_after - 1):
        assert answered(hr, browser, open_login(browser), "sai rồi").status_code == 422
    assert answered(hr, browser, open_login(browser)).status_code == 303


class OneRoom(Workers):
    """Between one piece of work of a request and its next, others have come."""

    def __init__(self) -> None:
        super().__init__(1)
        self.taken = 0

    def _take(self, piece: Any, *, first: bool) -> None:
        self.taken += 1
        if self.taken > 1:
            raise Busy("busy", "busy")
        super()._take(piece, first=first)


SPELLED_TWICE = unicodedata.normalize("NFD", "sai rồi thanh hòa")


@pytest.mark.both_databases
def test_a_guess_of_which_one_spelling_was_looked_at_counts(
    hr: Hr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else whoever keeps the queue full guesses for ever."""
    browser, answers = hr.app.test_client(), []
    for _ in range(hr.services.settings.lock_after + 1):
        monkeypatch.setattr(hr.services.passwords, "workers", OneRoom())
        answers.append(answered(hr, browser, open_login(browser), SPELLED_TWICE).status_code)
    assert 503 not in answers
    assert answers[-1] == 429


def test_in_a_browser_that_knows_her_she_does_not_wait_for_strangers(
    hr: Hr, monkeypatch: pytest.MonkeyPatch
) -> None:
    hers, other = known_browser(hr), hr.app.test_client()
    with rush(hr, monkeypatch, waiting=1) as crowd, ThreadPoolExecutor(1) as at_once:
        stranger = crowd.stranger()
        assert answered(hr, other, open_login(other)).status_code == 503
        answer = at_once.submit(lambda: answered(hr, hers, open_login(hers)))
        with pytest.raises(Busy):  # the last of the strangers makes room
            stranger.result(SOON)
        crowd.over()
        assert answer.result(SOON).status_code == 303


def test_a_browser_that_was_wrong_too_often_is_like_any_other(
    hr: Hr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An insider's cookie buys her no place in front of others."""
    hers = known_browser(hr)
    for _ in range(hr.services.settings.browser_failures):
        answered(hr, hers, open_login(hers), "sai rồi")
    with rush(hr, monkeypatch, waiting=1) as crowd:
        crowd.stranger()
        assert answered(hr, hers, open_login(hers)).status_code == 503


def test_anothers_browser_is_none_of_hers(hr: Hr, monkeypatch: pytest.MonkeyPatch) -> None:
    hers = known_browser(hr)
    with rush(hr, monkeypatch, waiting=1) as crowd:
        crowd.stranger()
        name = hr.names["admin"]
        refused = submit(hers, open_login(hers), username=name, password=PASSWORD)
        assert refused.status_code == 503


# ---- other pages that hash ---------------------------------------------------------------------


def test_who_changes_her_password_keeps_her_form_too(
    hr: Hr, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = hr.browser("lan")
    page = browser.get("/portal/profile")
    fields = {"current": PASSWORD, "password": NEW, "again": NEW}
    with rush(hr, monkeypatch):
        refused = submit(browser, page, "/portal/profile/password", **fields)
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert 'name="current"' in refused.text
    changed = submit(browser, refused, "/portal/profile/password", **fields)
    assert changed.status_code == 303


def test_the_console_says_so_in_the_form_that_asks_for_the_password(
    hr: Hr, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = hr.browser("admin")
    person = f"/console/people/{hr.people['lan']}"
    hr.clock.advance(minutes=11)  # her sign-in no longer serves
    with rush(hr, monkeypatch):
        refused = submit(browser, browser.get(person), f"{person}/unlock", password=PASSWORD)
        page = browser.get(person) if refused.status_code == 303 else refused
    assert "Hệ thống đang bận" in page.text


# ---- nothing else waits ------------------------------------------------------------------------


def test_a_hash_that_is_waited_for_holds_no_place_among_the_requests(
    hr: Hr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one place for all requests, every other one is answered while she waits."""
    browser, app = hr.app.test_client(), hr.app
    page, whole = open_login(browser), app.wsgi_app
    gate = Gate(whole, places=1, secure=False, count=lambda *_: None)
    with rush(hr, monkeypatch, waiting=4) as crowd, ThreadPoolExecutor(1) as at_once:
        monkeypatch.setattr(app, "wsgi_app", gate)
        hr.services.passwords.workers.aside = gate.aside
        waiting = at_once.submit(answered, hr, browser, page)
        crowd.until(waiting_for_hash=1)
        others = [app.test_client().get(path) for path in ("/portal/profile", "/oauth2/userinfo")]
        assert [answer.status_code for answer in others] == [303, 401]
        assert not waiting.done()
        crowd.over()
        assert waiting.result(SOON).status_code == 303
        assert gate.counts() == {"arriving": 0, "waiting": 0, "taken": 0}
        assert app.test_client().get("/oauth2/userinfo").status_code == 401
