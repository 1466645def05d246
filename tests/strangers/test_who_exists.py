"""Nobody learns at the sign-in who exists: the same statements and hashes, the same answer, for everybody.

Each name is tried as often as it takes to close it, and once more. What is compared is all that leaves the
server, and all that takes it time.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, text

from directory.people import UserStatus
from tests import hr_world
from tests.browser_client import open_login, submit
from tests.hr_world import Hr

pytestmark = pytest.mark.both_databases

TRIES = 7
UNKNOWN = "không ai tên vậy"


@dataclass(frozen=True)
class Seen:
    """One answer, and what it took."""

    status: int
    headers: tuple[tuple[str, str], ...]
    text: str
    statements: tuple[str, ...]
    hashes: int


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def change(hr: Hr, sql: str, who: str = "lan") -> None:
    with hr.services.db.write() as session:
        session.execute(text(sql), {"u": hr.people[who]})


def without_password(hr: Hr) -> str:
    change(hr, "DELETE FROM password_credential WHERE user_id = :u")
    return hr.names["lan"]


def suspended(hr: Hr) -> str:
    change(hr, f"UPDATE users SET status = '{UserStatus.SUSPENDED.value}' WHERE id = :u")
    return hr.names["lan"]


def gone(hr: Hr) -> str:
    change(hr, f"UPDATE users SET status = '{UserStatus.LEFT.value}' WHERE id = :u")
    return hr.names["lan"]


def about_to_change_it(hr: Hr) -> str:
    change(hr, "UPDATE password_credential SET must_change = true WHERE user_id = :u")
    return hr.names["lan"]


def asked(hr: Hr, name: str, address: str, monkeypatch: pytest.MonkeyPatch) -> list[Seen]:
    """What somebody sees who tries a name from a new browser."""
    browser = hr.app.test_client()
    browser.environ_base["REMOTE_ADDR"] = address
    verify: Callable[..., bool] = hr.services.passwords.verify
    sent: list[str] = []
    hashed: list[int] = []

    def heard(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    def counted(*given: Any, **more: Any) -> bool:
        hashed.append(1)
        return verify(*given, **more)

    found = []
    with monkeypatch.context() as watching:
        watching.setattr(hr.services.passwords, "verify", counted)
        for _ in range(TRIES):
            page = open_login(browser)
            for engine in hr.services.db.engines:
                event.listen(engine, "before_cursor_execute", heard)
            try:
                answer = submit(browser, page, username=name, password="sai mật khẩu")
            finally:
                for engine in hr.services.db.engines:
                    event.remove(engine, "before_cursor_execute", heard)
            found.append(
                Seen(
                    answer.status_code,
                    tuple(_alike(answer.headers.items())),
                    _same(answer.text, name),
                    tuple(sent),
                    len(hashed),
                )
            )
            sent.clear()
            hashed.clear()
    return found


def _alike(headers: Any) -> list[tuple[str, str]]:
    return sorted(
        (name, re.sub(r"nonce-[\w-]+|=[\w.-]{20,}", "", value))
        for name, value in headers
        if name not in ("X-Request-ID", "Content-Length", "Location")
    )


def _same(page: str, name: str) -> str:
    """A page without what is another at each look: tokens, nonces, challenges, names of sign-ins, the typed name."""
    page = page.replace(name, "").replace(name.upper(), "")
    return re.sub(r'(value|nonce|data-asks)="[^"]*"|/login/[\w./%-]+', "", page)


@pytest.mark.parametrize(
    "known",
    [
        pytest.param(lambda hr: hr.names["lan"], id="an official"),
        pytest.param(lambda hr: hr.names["admin"], id="an administrator"),
        pytest.param(lambda hr: f" {hr.names['lan'].upper()} ", id="in capitals"),
        without_password,
        suspended,
        gone,
        about_to_change_it,
    ],
)
def test_a_known_name_and_an_unknown_one_are_the_same_to_whoever_guesses(
    hr: Hr, monkeypatch: pytest.MonkeyPatch, known: Callable[[Hr], str]
) -> None:
    asked(hr, "để chuẩn bị câu lệnh", "192.0.2.1", monkeypatch)
    found = asked(hr, known(hr), "192.0.2.7", monkeypatch)
    unknown = asked(hr, UNKNOWN, "192.0.2.8", monkeypatch)
    for one, other in zip(found, unknown, strict=True):
        assert one == other
    assert [one.status for one in found] == [422] * 4 + [429] * 3
    assert [one.hashes for one in found] == [1] * 5 + [0] * 2
    assert all(one.statements for one in found)


def test_what_is_kept_of_an_unknown_name_is_a_digest_under_our_key(
    hr: Hr, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(hr, UNKNOWN, "192.0.2.8", monkeypatch)
    with hr.services.db.read() as session:
        keys = [row[0] for row in session.execute(text("SELECT key FROM throttle"))]
        about = session.execute(
            text("SELECT subject_id, personal, data FROM audit_entry WHERE tag = 'login.fail'")
        ).all()
    digest = hr.services.keyring.keyed_hash("throttle", UNKNOWN)
    assert sorted(keys) == sorted(
        [f"name:{digest}", f"name:{digest}@192.0.2.8", "source:192.0.2.8"]
    )
    assert len(about) == 5
    assert {row.subject_id for row in about} == {"unknown"}
    assert all(UNKNOWN not in str(tuple(row)) for row in about)
