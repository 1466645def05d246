"""What a process remembers: bounded, and good only under a stamp."""

import threading
from collections.abc import Hashable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from directory.base.remembered import Remembered

Step = tuple[str, int, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["recall", "write"]), st.integers(0, 5), st.integers(0, 3)),
    max_size=60,
)


def never() -> tuple[Hashable, Any]:
    raise AssertionError("It was known.")


@given(STEPS, st.integers(1, 4))
def test_whoever_has_read_the_stamp_is_never_told_what_was(steps: list[Step], most: int) -> None:
    """The table says something under a stamp, which may come back (a backup) and say the same."""
    table, remembered = dict.fromkeys(range(6), 0), Remembered(most)
    for what, key, stamp in steps:
        if what == "write":
            table[key] = stamp
            continue
        told = remembered.recall(key, table[key], lambda key=key: (table[key], table[key]))
        assert told == table[key]
        assert len(remembered) <= most


def test_what_was_used_last_is_kept() -> None:
    remembered = Remembered(2)
    for key in ("a", "b", "a", "c"):
        remembered.recall(key, 1, lambda key=key: (1, key))
    assert remembered.recall("a", 1, never) == "a"
    assert remembered.recall("c", 1, never) == "c"
    assert remembered.newest("b") is None
    assert len(remembered) == 2


def test_what_is_only_asked_for_its_newest_is_used_too() -> None:
    remembered = Remembered(2)
    for key in ("keys", "a"):
        remembered.keep(key, 1, key)
    assert remembered.newest("keys") == "keys"
    remembered.keep("b", 1, "b")
    assert remembered.newest("keys") == "keys"
    assert remembered.newest("a") is None


def test_a_value_counts_under_the_stamp_it_was_read_with_not_under_the_one_asked_for() -> None:
    remembered = Remembered(2)
    assert remembered.recall("k", "before", lambda: ("after", "new")) == "new"
    assert remembered.recall("k", "after", never) == "new"
    # A backup that is put back brings the first stamp with it.
    assert remembered.recall("k", "before", lambda: ("before", "old")) == "old"
    assert remembered.newest("k") == "old"


def test_what_could_not_be_read_is_not_kept() -> None:
    remembered = Remembered(2)

    def fails() -> tuple[Hashable, Any]:
        raise OSError

    for _ in range(2):
        try:
            remembered.recall("k", 1, fails)
        except OSError:
            continue
        raise AssertionError
    assert len(remembered) == 0


def test_many_threads_are_told_what_belongs_to_their_stamp() -> None:
    remembered, wrong = Remembered(3), []

    def ask(number: int) -> None:
        for turn in range(2000):
            key, stamp = turn % 5, (turn + number) % 4
            told = remembered.recall(key, stamp, lambda at=(key, stamp): (at[1], at))
            if told != (key, stamp):
                wrong.append(told)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(remembered) == 3
