"""When the next guess is looked at: the table of decision 0041, and a model of an office behind one address.

The numbers come from the decision (and level 3), not from the code.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from idp.factors import limits
from idp.factors.limits import Counted, Kind

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
ENDS = NOW + timedelta(minutes=7)
LATER = NOW + timedelta(hours=3)
FRESH = Counted(failures=0, unsettled=1, slot=int(NOW.timestamp()) // 30, ends=ENDS)


def _limit(settings: Any, kind: Kind) -> limits.Limit:
    name = limits.of_name("user:7", "192.0.2.7", settings)
    others = (
        *limits.of_browser("user:7", "b", settings),
        *limits.of_confirming(7, NOW, settings),
        *limits.of_codes("totp", 7, settings),
        *limits.of_devices(7, "192.0.2.7", settings),
        *limits.of_slips("192.0.2.7", settings),
        *limits.of_visits("192.0.2.7", None, settings),
    )
    return next(one for one in (*name, *others) if one.kind is kind)


@pytest.mark.parametrize(
    ("kind", "wrong", "why"),
    [
        (Kind.HERE, 4, None),
        (Kind.HERE, 5, "account"),
        (Kind.NAME, 19, None),
        (Kind.NAME, 20, "account"),
        (Kind.BROWSER, 9, None),
        (Kind.BROWSER, 10, "browser"),
        (Kind.AGAIN, 4, None),
        (Kind.AGAIN, 5, "again"),
        (Kind.CODE, 4, None),
        (Kind.CODE, 5, "code"),
        (Kind.DEVICE, 4, None),
        (Kind.DEVICE, 5, "account"),
        (Kind.SOURCE, 29, None),
        (Kind.SOURCE, 30, "source"),
    ],
)
def test_so_many_wrong_ones_close_it(
    settings: Any, kind: Kind, wrong: int, why: str | None
) -> None:
    refused = limits.refusal(_limit(settings, kind), NOW, replace(FRESH, failures=wrong))
    assert (refused.why if refused else None) == why
    assert refused is None or refused.until == ENDS


@pytest.mark.parametrize("kind", list(Kind))
def test_a_lock_holds_until_it_is_over(settings: Any, kind: Kind) -> None:
    limit = _limit(settings, kind)
    refused = limits.refusal(limit, NOW, replace(FRESH, locked_until=LATER))
    assert refused is not None
    assert refused.until == LATER
    assert limits.refusal(limit, LATER, replace(FRESH, locked_until=LATER)) is None


@pytest.mark.parametrize(
    ("wrong", "seconds_ago", "wait"),
    [
        (0, 0, 0),
        (14, 0, 0),
        (15, 0, 1),
        (15, 1, 0),
        (16, 0, 2),
        (17, 1, 3),
        (19, 0, 16),
        (20, 0, 30),
        (29, 0, 30),
        (29, 29, 1),
        (29, 30, 0),
    ],
)
def test_a_source_waits_longer_and_longer(
    settings: Any, wrong: int, seconds_ago: int, wait: int
) -> None:
    last = NOW - timedelta(seconds=seconds_ago)
    counted = replace(FRESH, failures=wrong, last_at=last)
    refused = limits.refusal(_limit(settings, Kind.SOURCE), NOW, counted)
    assert (refused is None) == (wait == 0)
    if refused is not None:
        assert (refused.why, refused.until) == ("slowed", NOW + timedelta(seconds=wait))


@pytest.mark.parametrize(
    ("kind", "wrong", "under_way", "why"),
    [
        (Kind.HERE, 0, 5, None),
        (Kind.HERE, 0, 6, "unsettled"),
        (Kind.HERE, 4, 1, None),
        (Kind.HERE, 4, 2, "unsettled"),
        (Kind.NAME, 15, 5, None),
        (Kind.NAME, 15, 6, "unsettled"),
        (Kind.SOURCE, 14, 200, None),
        (Kind.SOURCE, 15, 1, None),
        (Kind.SOURCE, 15, 2, "slowed"),
    ],
)
def test_what_is_under_way_may_all_be_wrong(
    settings: Any, kind: Kind, wrong: int, under_way: int, why: str | None
) -> None:
    counted = replace(FRESH, failures=wrong, unsettled=under_way)
    refused = limits.refusal(_limit(settings, kind), NOW, counted)
    assert (refused.why if refused else None) == why


@pytest.mark.parametrize(
    ("address", "name_there", "sources"),
    [
        ("192.0.2.7", "user:7@192.0.2.7", ["192.0.2.7"]),
        ("::ffff:192.0.2.7", "user:7@192.0.2.7", ["192.0.2.7"]),
        (
            "2001:db8:0:12ab:1::9",
            "user:7@2001:db8:0:1200::/56",
            ["2001:db8:0:12ab::/64", "2001:db8:0:1200::/56"],
        ),
        ("unknown", "user:7@unknown", ["unknown"]),
    ],
)
def test_a_source_is_what_a_subscriber_has(
    settings: Any, address: str, name_there: str, sources: list[str]
) -> None:
    here, name, *there = limits.of_name("user:7", address, settings)
    assert (here.key, name.key) == (name_there, "user:7")
    assert [one.key for one in there] == [f"source:{each}" for each in sources]
    assert [one.most for one in there] == [30, 120][: len(there)]


def test_nothing_but_her_own_mistakes_counts_against_her_own_browser(settings: Any) -> None:
    hers = {one.key for one in limits.of_browser("user:7", "b", settings)}
    assert hers.isdisjoint(one.key for one in limits.of_name("user:7", "192.0.2.7", settings))
    assert hers.isdisjoint(one.key for one in limits.of_browser("user:7", "other", settings))
    assert hers.isdisjoint(one.key for one in limits.of_browser("user:8", "b", settings))


def _office(settings: Any, *tries: str) -> list[str | None]:
    """What each of these meets in unknown browsers behind one address, a second apart: ``ai lan`` is wrong
    for the name lan, ``lan`` right. A model of its own: counters in dictionaries.
    """
    source, names, told, last = 0, dict[str, int](), [], None
    limit = limits.of_source("192.0.2.7", settings)[0]
    for n, who in enumerate(tries):
        now = NOW + timedelta(seconds=n)
        refused = limits.refusal(limit, now, replace(FRESH, failures=source, last_at=last))
        told.append(refused.why if refused else None)
        wrong, _, name = who.rpartition(" ")
        if refused is None and wrong:
            names[name] = names.get(name, 0) + 1
            added = limits.weight(names[name])
            source, last = source + added, now if added else last
        elif refused is None:
            source -= limits.weights(names.pop(name, 0))
    return told


def test_ten_people_with_three_typing_errors_each_are_let_in(settings: Any) -> None:
    people = [f"người{n}" for n in range(10)]
    wrong = [f"ai {who}" for who in people]
    one_after_the_other = [each for who in people for each in (f"ai {who}",) * 3 + (who,)]
    assert set(_office(settings, *one_after_the_other)) == {None}
    assert set(_office(settings, *wrong * 3, *people)) == {None}


def test_names_tried_once_each_slow_their_source_and_close_it(settings: Any) -> None:
    told = _office(settings, *(f"ai tên{n}" for n in range(600)))
    assert told[:15] == [None] * 15
    assert told.count(None) <= 30
    assert told[-1] == "source"
