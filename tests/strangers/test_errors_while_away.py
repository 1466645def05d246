"""What is wrong with a request is said as it is, also where the database cannot tell who asks."""

import sqlite3
from typing import Any, NoReturn

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from tests import hr_world
from tests.hr_world import Hr, text_of


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/khong-co-trang-nay", 404),
        ("GET", "/console/khong-co-trang-nay", 404),
        ("PATCH", "/portal/sessions", 405),
        ("POST", "/portal/sessions/end", 400),
        ("POST", "/khong-co-trang-nay", 404),
        ("GET", "/portal/sessions?x=%00", 400),
        ("GET", "/portal/sessions", 503),
        ("POST", "/activate", 400),
    ],
)
def test_errors_keep_their_number_and_their_sentence(
    hr: Hr, monkeypatch: pytest.MonkeyPatch, method: str, path: str, status: int
) -> None:
    browser = hr.browser("plain")
    before = browser.open(path, method=method)
    hr.app.testing = False
    origin = sqlite3.OperationalError("unable to open database file")
    origin.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN

    def away(*_given: Any) -> NoReturn:
        raise OperationalError("SELECT", {}, origin)

    for way in ("hot", "read", "write", "snapshot", "probe"):
        monkeypatch.setattr(hr.services.db, way, away)
    answer = browser.open(path, method=method)
    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    if status != 503:
        assert before.status_code == status
        assert text_of(before.text)[:20] == text_of(answer.text)[:20]
    else:
        assert int(answer.headers["Retry-After"]) >= 1
