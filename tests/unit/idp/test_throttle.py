"""Guessing is slowed down per source, then per account."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from directory.base.audit import Actor, AuditEntry, Tag
from directory.base.errors import Locked
from idp.factors import throttle

ANYBODY = Actor("anonymous", None, "", "203.0.113.9", 4711)


def _fail(database: Any, settings: Any, now: Any, key: str = "user:1") -> Any:
    with database.write() as session:
        attempt = throttle.claim(session, key, now=now, settings=settings)
    with database.write() as session:
        return throttle.failed(
            session,
            attempt,
            now=now,
            settings=settings,
            user_id=1,
            actor=ANYBODY,
            factor="password",
        )


@pytest.mark.both_databases
def test_the_fifth_failure_locks_for_twelve_hours(database: Any, settings: Any, clock: Any) -> None:
    outcomes = [_fail(database, settings, clock()) for _ in range(5)]
    assert outcomes == [None] * 4 + [clock() + timedelta(hours=12)]
    with pytest.raises(Locked) as locked:
        _fail(database, settings, clock.advance(hours=11))
    assert locked.value.until == outcomes[4]
    assert _fail(database, settings, clock.advance(hours=2)) is None


def test_success_forgets_earlier_failures(database: Any, settings: Any, clock: Any) -> None:
    for _ in range(4):
        _fail(database, settings, clock())
    with database.write() as session:
        throttle.succeeded(
            session, throttle.claim(session, "user:1", now=clock(), settings=settings)
        )
    assert [_fail(database, settings, clock()) for _ in range(4)] == [None] * 4


@pytest.mark.both_databases
def test_a_hundred_guesses_at_once_are_five_guesses(
    database: Any, settings: Any, clock: Any
) -> None:
    def admitted(_n: int) -> bool:
        try:
            with database.write() as session:
                throttle.claim(session, "user:1", now=clock(), settings=settings)
        except Locked:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(admitted, range(100))) == settings.lock_after


@pytest.mark.both_databases
def test_a_source_is_refused_after_too_many_failures_for_ten_minutes(
    database: Any, make_settings: Any, clock: Any
) -> None:
    settings = make_settings(source_failures=3)
    start = clock()
    for _ in range(3):
        with database.write() as session:
            throttle.check_source(session, "203.0.113.9", now=clock(), settings=settings)
            throttle.count_source(session, "203.0.113.9", now=clock.advance(minutes=1))
    with database.hot() as connection:
        throttle.check_source(connection, "203.0.113.10", now=clock(), settings=settings)
        with pytest.raises(Locked) as refused:
            throttle.check_source(connection, "203.0.113.9", now=clock(), settings=settings)
        assert refused.value.until == start + timedelta(minutes=11)
        throttle.check_source(connection, "203.0.113.9", now=refused.value.until, settings=settings)


def test_an_administrator_unlocks_and_both_are_audited(
    database: Any, settings: Any, clock: Any
) -> None:
    for _ in range(5):
        _fail(database, settings, clock())
    with database.write() as session:
        assert throttle.locked_until(session, 1, now=clock()) is not None
        assert throttle.unlock(session, 1, now=clock(), actor=Actor("user", 2, "quantri"))
        assert throttle.locked_until(session, 1, now=clock()) is None
        assert not throttle.unlock(session, 1, now=clock(), actor=Actor("user", 2, "quantri"))
    assert _fail(database, settings, clock()) is None
    with database.read() as session:
        tags = list(session.scalars(select(AuditEntry.tag).order_by(AuditEntry.id)))
    assert tags.count(Tag.LOGIN_LOCK) == 1
    assert tags.count(Tag.LOGIN_UNLOCK) == 1
    assert tags.count(Tag.LOGIN_FAIL) == 6


def test_what_was_typed_is_never_stored(
    database: Any, settings: Any, keyring: Any, clock: Any
) -> None:
    typed = "Mật khẩu gõ nhầm ô"
    key = throttle.account_key(keyring, typed, None)
    with database.write() as session:
        throttle.claim(session, key, now=clock(), settings=settings)
    with database.read() as session:
        stored = session.scalars(select(throttle.Throttle.key)).one()
    assert typed.lower() not in stored.lower()
    assert key == throttle.account_key(keyring, typed.upper(), None)


def test_what_no_longer_counts_is_purged(database: Any, settings: Any, clock: Any) -> None:
    _fail(database, settings, clock())
    with database.write() as session:
        throttle.purge(session, now=clock.advance(hours=13), settings=settings)
        assert session.scalars(select(throttle.Throttle)).all() == []
