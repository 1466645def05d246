"""Guesses are counted before they are looked at, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from directory.base.audit import Actor, AuditEntry, Tag
from directory.base.errors import Locked
from idp.factors import limits, throttle
from idp.factors.counts import Throttle

ANYBODY = Actor("anonymous", None, "", "203.0.113.9", 4711)
WHO = "user:1"


def _claim(database: Any, of: Any, now: Any) -> Any:
    with database.write() as session:
        return throttle.claim(session, of, now=now)


def _fail(database: Any, settings: Any, now: Any, ip: str = "203.0.113.9") -> Any:
    attempt = _claim(database, limits.of_name(WHO, ip, settings), now)
    with database.write() as session:
        return throttle.failed(
            session, attempt, now=now, user_id=1, actor=ANYBODY, factor="password"
        )


@pytest.mark.both_databases
def test_the_fifth_failure_locks_there_for_twelve_hours(
    database: Any, settings: Any, clock: Any
) -> None:
    outcomes = [_fail(database, settings, clock()) for _ in range(5)]
    assert outcomes[:4] == [None] * 4
    assert outcomes[4].until == clock() + timedelta(hours=12)
    with pytest.raises(Locked) as locked:
        _fail(database, settings, clock.advance(hours=11))
    assert locked.value.until == outcomes[4].until
    assert _fail(database, settings, clock(), "198.51.100.7") is None
    assert _fail(database, settings, clock.advance(hours=2)) is None


@pytest.mark.both_databases
def test_over_all_sources_twenty_a_day_are_looked_at(
    database: Any, settings: Any, clock: Any
) -> None:
    began, looked, untils = clock(), 0, set()
    for n in range(40):
        clock.advance(minutes=1)
        try:
            _fail(database, settings, clock(), f"198.51.100.{n}")
            looked += 1
        except Locked as refused:
            untils.add(refused.until)
    assert looked == 20
    assert untils == {began + timedelta(days=1, minutes=1)}
    clock.advance(days=1)
    assert _fail(database, settings, clock()) is None


@pytest.mark.both_databases
def test_success_forgets_earlier_failures_there_and_at_its_source(
    database: Any, settings: Any, clock: Any
) -> None:
    for _ in range(4):
        _fail(database, settings, clock())
    attempt = _claim(database, limits.of_name(WHO, "203.0.113.9", settings), clock())
    with database.write() as session:
        throttle.succeeded(session, attempt, now=clock())
    with database.read() as session:
        rows = session.execute(select(Throttle.key, Throttle.failures, Throttle.reserved))
        assert sorted(tuple(row) for row in rows) == [
            ("source:203.0.113.9", 0, 0),
            ("user:1", 4, 0),
            ("user:1@203.0.113.9", 0, 0),
        ]
    assert [_fail(database, settings, clock()) for _ in range(4)] == [None] * 4


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("of", "most"),
    [
        (lambda settings: limits.of_name(WHO, "203.0.113.9", settings), 5),
        (lambda settings: limits.of_browser(WHO, "b", settings), 10),
        (lambda settings: limits.of_codes("totp", 1, settings), 5),
    ],
    ids=["unknown browser", "known browser", "codes"],
)
def test_a_hundred_guesses_at_once_are_as_many_as_the_policy_says(
    database: Any, settings: Any, clock: Any, of: Any, most: int
) -> None:
    def admitted(_n: int) -> bool:
        try:
            _claim(database, of(settings), clock())
        except Locked:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(admitted, range(100))) == most


@pytest.mark.both_databases
def test_guesses_and_outcomes_at_once_wait_for_each_other_and_never_both(
    database: Any, make_settings: Any, clock: Any
) -> None:
    """Of one name and one source, of several names there, of one name from several sources."""
    settings = make_settings(lock_after=1000, name_failures=1000, source_failures=1000)

    def once(n: int) -> None:
        of = limits.of_name(f"user:{n % 3}", f"203.0.113.{n % 4}", settings)
        attempt = _claim(database, of, clock())
        with database.write() as session:
            if n % 2:
                throttle.succeeded(session, attempt, now=clock())
            else:
                throttle.wrong(session, attempt, now=clock())
        if n % 10 == 0:
            with database.write() as session:
                throttle.unlock(session, n % 3, now=clock(), actor=ANYBODY)
                throttle.purge(session, now=clock())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(once, range(120)))
    with database.read() as session:
        left = session.scalars(select(Throttle.reserved + Throttle.reserved_before)).all()
    assert not any(left)


def test_what_died_under_way_comes_back(database: Any, settings: Any, clock: Any) -> None:
    of = limits.of_name(WHO, "203.0.113.9", settings)
    for _ in range(5):
        _claim(database, of, clock())
    with pytest.raises(Locked) as locked:
        _claim(database, of, clock())
    assert locked.value.why == "unsettled"
    assert locked.value.until - clock() <= timedelta(seconds=60)
    clock.advance(seconds=60)
    _claim(database, of, clock())


def test_an_administrator_unlocks_everything_and_both_are_audited(
    database: Any, make_settings: Any, clock: Any
) -> None:
    settings = make_settings(name_failures=7)
    for _ in range(5):
        _fail(database, settings, clock())
    for n in range(2):
        _fail(database, settings, clock(), f"198.51.100.{n}")
    with database.write() as session:
        found = throttle.locks(session, 1, now=clock())
        assert [(one.of, one.source) for one in found] == [("name", ""), ("here", "203.0.113.9")]
        assert throttle.locked_until(session, 1, now=clock()) == clock() + timedelta(days=1)
        assert throttle.unlock(session, 1, now=clock(), actor=Actor("user", 2, "quantri"))
        assert throttle.locked_until(session, 1, now=clock()) is None
        assert not throttle.unlock(session, 1, now=clock(), actor=Actor("user", 2, "quantri"))
    assert _fail(database, settings, clock()) is None
    with database.read() as session:
        tags = list(session.scalars(select(AuditEntry.tag).order_by(AuditEntry.id)))
    assert tags.count(Tag.LOGIN_LOCK) == 2
    assert tags.count(Tag.LOGIN_UNLOCK) == 1
    assert tags.count(Tag.LOGIN_FAIL) == 8


def test_a_lock_of_the_release_before_holds_and_is_unlocked(
    database: Any, settings: Any, clock: Any
) -> None:
    """While nodes are replaced both write to one table."""
    row = Throttle(
        key="user:1",
        window_start=clock(),
        failures=5,
        locked_until=clock() + timedelta(hours=12),
    )
    with database.write() as session:
        session.add(row)
    with pytest.raises(Locked):
        _fail(database, settings, clock())
    with database.write() as session:
        assert throttle.locked_until(session, 1, now=clock()) is not None
        assert throttle.unlock(session, 1, now=clock(), actor=ANYBODY)
    assert _fail(database, settings, clock()) is None


@pytest.mark.parametrize("typed", ["Mật khẩu gõ nhầm ô", "bob@thanhhoa.vn", "x" * 3000])
def test_what_was_typed_is_never_stored(
    database: Any, settings: Any, keyring: Any, clock: Any, typed: str
) -> None:
    who = throttle.who(keyring, typed, None)
    _claim(database, limits.of_name(who, "203.0.113.9", settings), clock())
    with database.read() as session:
        stored = session.scalars(select(Throttle.key)).all()
    assert len(stored) == 3
    assert not any(typed[:10].lower() in one.lower() for one in stored)
    assert who == throttle.who(keyring, f" {typed.upper()} ", None)


def test_what_no_longer_counts_is_purged(database: Any, settings: Any, clock: Any) -> None:
    _fail(database, settings, clock())
    attempt = _claim(database, limits.of_browser(WHO, "b", settings), clock())
    with database.write() as session:
        throttle.wrong(session, attempt, now=clock())
    kept = []
    for hours in (1, 12, 12, 24 * 90):
        with database.write() as session:
            throttle.purge(session, now=clock.advance(hours=hours))
            kept.append(sorted(session.scalars(select(Throttle.key))))
    assert kept == [
        ["user:1", "user:1#b", "user:1@203.0.113.9"],
        ["user:1", "user:1#b"],
        ["user:1#b"],
        [],
    ]
