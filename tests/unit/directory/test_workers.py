"""Bounded work, whose turn it is, and who hears that there is no room."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from directory.base import workers as subject
from directory.base.errors import Busy
from directory.base.workers import Workers

SOON = 60.0


class Work:
    """Pieces of work that run until they are let go, in the order in which they begin."""

    def __init__(self, workers: Workers, people: ThreadPoolExecutor) -> None:
        self.workers, self._people = workers, people
        self.begun: list[str] = []
        self.outcomes: list[Future[str]] = []
        self._begins = threading.Condition()
        self._gates: dict[str, threading.Event] = {}

    def come(self, name: str, *, first: bool = False) -> "Future[str]":
        """Somebody comes with a piece of work, and it is known where she stands."""
        gate = self._gates[name] = threading.Event()

        def work() -> str:
            with self._begins:
                self.begun.append(name)
                self._begins.notify_all()
            assert gate.wait(SOON)
            return name

        before = self._seen()
        self.outcomes.append(self._people.submit(self.workers.run, work, first=first))
        until(lambda: self._seen() != before)
        return self.outcomes[-1]

    def _seen(self) -> tuple[int, int]:
        done = sum(outcome.done() for outcome in self.outcomes)
        return sum(self.workers.counts().values()), done

    def let_go(self, name: str) -> None:
        self._gates[name].set()

    def until_begun(self, *names: str) -> None:
        with self._begins:
            assert self._begins.wait_for(lambda: set(names) <= set(self.begun), SOON)

    def finish(self, *names: str) -> None:
        """One after the other, each after it has begun."""
        for name in names:
            self.until_begun(name)
            self.let_go(name)


def until(so: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(SOON * 200)):
        if so():
            return
        pause.wait(0.005)
    raise AssertionError("not in time")


@pytest.fixture
def people() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(20) as pool:
        yield pool


@pytest.fixture
def one(people: ThreadPoolExecutor) -> Work:
    """One at once; three wait."""
    return Work(Workers(1, waiting=3), people)


def test_it_gives_what_the_work_gives() -> None:
    assert Workers(2).run(lambda: 5) == 5


def test_no_more_run_at_once_than_there_are_threads(people: ThreadPoolExecutor) -> None:
    work = Work(Workers(2, waiting=3), people)
    for name in "abc":
        work.come(name)
    work.until_begun("a", "b")
    assert work.workers.counts() == {"hashing": 2, "waiting_for_hash": 1}
    work.let_go("b")
    work.until_begun("c")
    work.finish("a", "c")


def test_all_of_it_runs_in_as_many_threads_as_may_run_at_once(people: ThreadPoolExecutor) -> None:
    """What an allocator keeps for a thread is kept so often, and no more."""
    workers = Workers(2, waiting=60)
    inside = {people.submit(workers.run, threading.get_ident).result() for _ in range(60)}
    assert len(inside) <= 2


def test_who_is_known_goes_before_strangers_and_within_each_the_order_holds(one: Work) -> None:
    one.come("a")
    one.until_begun("a")
    one.come("stranger 1")
    one.come("known 1", first=True)
    one.come("known 2", first=True)
    one.let_go("a")
    one.finish("known 1", "known 2", "stranger 1")
    assert one.begun == ["a", "known 1", "known 2", "stranger 1"]


def test_at_the_end_of_the_queue_stands_busy(one: Work) -> None:
    waiting = [one.come(name) for name in "abcd"]
    with pytest.raises(Busy):
        one.workers.run(lambda: "e")
    one.finish(*"abcd")
    assert [each.result(SOON) for each in waiting] == [*"abcd"]


def test_strangers_cannot_fill_the_queue_for_who_is_known(one: Work) -> None:
    outcomes = {"a": one.come("a")}
    one.until_begun("a")
    outcomes |= {name: one.come(name) for name in ("s1", "s2", "s3")}
    known = one.come("known", first=True)
    with pytest.raises(Busy):  # who came last of the strangers
        outcomes["s3"].result(SOON)
    one.finish("a", "known", "s1", "s2")
    assert known.result(SOON) == "known"
    assert [outcomes[name].result(SOON) for name in ("a", "s1", "s2")] == ["a", "s1", "s2"]


def test_among_those_who_are_known_the_queue_ends_too(one: Work) -> None:
    for name in "abcd":
        one.come(name, first=True)
    with pytest.raises(Busy):
        one.workers.run(lambda: "e", first=True)
    one.finish(*"abcd")


def test_what_raises_gives_its_place_back_and_raises_for_who_asked(one: Work) -> None:
    for _ in range(10):
        with pytest.raises(ZeroDivisionError):
            one.workers.run(lambda: 1 // 0)
    assert one.workers.run(lambda: 5) == 5
    assert one.workers.counts() == {"hashing": 0, "waiting_for_hash": 0}


def test_even_what_ends_a_thread_elsewhere_does_not_end_these(one: Work) -> None:
    def ends() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        one.workers.run(ends)
    assert one.workers.run(lambda: 5) == 5


@pytest.fixture
def not_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> Callable[[Work, str], None]:
    """Nobody's patience counts before this piece of work has begun, however slow the machine is."""

    def held(work: Work, name: str) -> None:
        waits = subject.wait

        def after(*given: Any) -> Any:
            work.until_begun(name)
            return waits(*given)

        monkeypatch.setattr(subject, "wait", after)

    return held


def test_who_waits_too_long_hears_busy_and_nobody_works_for_her(
    people: ThreadPoolExecutor, not_before_it_begins: Callable[[Work, str], None]
) -> None:
    work = Work(Workers(1, waiting=3, patience=0.2), people)
    not_before_it_begins(work, "a")
    work.come("a")
    work.until_begun("a")
    gone = work.come("gone")
    with pytest.raises(Busy):
        gone.result(SOON)
    assert work.workers.counts() == {"hashing": 1, "waiting_for_hash": 0}
    work.finish("a")
    assert work.workers.run(lambda: 5) == 5
    assert work.begun == ["a"]


def test_what_has_begun_is_waited_for_however_long_it_takes(
    people: ThreadPoolExecutor, not_before_it_begins: Callable[[Work, str], None]
) -> None:
    work = Work(Workers(1, waiting=3, patience=0.05), people)
    not_before_it_begins(work, "a")
    outcome = work.come("a")
    work.until_begun("a")
    threading.Event().wait(0.2)
    work.let_go("a")
    assert outcome.result(SOON) == "a"


def test_nobody_works_for_who_is_gone(one: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C at a command."""
    one.come("a")
    one.until_begun("a")

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(subject, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            one.workers.run(lambda: one.begun.append("gone"))
    assert one.workers.counts() == {"hashing": 1, "waiting_for_hash": 0}
    one.finish("a")
    assert one.workers.run(lambda: 5) == 5
    assert one.begun == ["a"]


def test_who_waits_stands_aside_and_comes_back_whatever_happens(one: Work) -> None:
    told: list[str] = []

    @contextmanager
    def aside() -> Iterator[None]:
        told.append("aside")
        try:
            yield
        finally:
            told.append("back")

    one.workers.aside = aside
    assert one.workers.run(lambda: told.append("work")) is None
    with pytest.raises(ZeroDivisionError):
        one.workers.run(lambda: 1 // 0)
    assert told == ["aside", "work", "back", "aside", "back"]


def test_threads_end_where_there_is_nothing_to_do(
    one: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "IDLE", 0.05)
    inside: list[threading.Thread] = []
    one.workers.run(lambda: inside.append(threading.current_thread()))
    inside[0].join(SOON)
    assert not inside[0].is_alive()
    assert one.workers.run(lambda: 5) == 5
