"""Calls to clients' servers: one per client, few at once, and a short queue before them."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from idp.oidc.clients.call_limits import Slots

LONG = 20.0


@pytest.fixture
def hold() -> Iterator[Callable[[Slots, int], threading.Event]]:
    """Take a slot in another thread, until the event it gives is set."""
    events, threads = [], []

    def taken(slots: Slots, client_id: int) -> threading.Event:
        there, go_on = threading.Event(), threading.Event()

        def call() -> None:
            with slots.one(client_id) as free:
                assert free
                there.set()
                go_on.wait(LONG)

        events.append(go_on)
        threads.append(threading.Thread(target=call))
        threads[-1].start()
        assert there.wait(LONG)
        return go_on

    yield taken
    for event in events:
        event.set()
    for thread in threads:
        thread.join(LONG)


Hold = Callable[[Slots, int], threading.Event]


def test_a_slot_is_given_back(hold: Hold) -> None:
    slots = Slots(1)
    for _ in range(2):
        with slots.one(1) as free:
            assert free


@pytest.mark.parametrize(("most", "second"), [(1, 2), (2, 1)], ids=["all taken", "its own taken"])
def test_without_patience_nobody_waits(hold: Hold, most: int, second: int) -> None:
    slots = Slots(most)
    hold(slots, 1)
    with slots.one(second) as free:
        assert not free


def test_whoever_waits_is_next(hold: Hold) -> None:
    slots = Slots(1, patience=LONG, most_waiting=1)
    go_on = hold(slots, 1)
    threading.Timer(0.2, go_on.set).start()
    with slots.one(1) as free:
        assert free


def test_patience_ends(hold: Hold) -> None:
    slots = Slots(1, patience=0.2, most_waiting=1)
    hold(slots, 1)
    began = time.monotonic()
    with slots.one(1) as free:
        assert not free
    assert time.monotonic() - began < LONG / 2
    with slots.one(2) as free:
        assert not free  # who gave up has left the queue; the slot is still taken


def test_only_a_few_wait(hold: Hold) -> None:
    """OWASP API4:2023: whoever waits holds a thread."""
    slots = Slots(1, patience=LONG, most_waiting=1)
    go_on, waited = hold(slots, 1), []

    def wait() -> None:
        with slots.one(1) as free:
            waited.append(free)

    thread = threading.Thread(target=wait)
    thread.start()
    while slots.waiting == 0:
        time.sleep(0.01)
    with slots.one(1) as free:
        assert not free
    go_on.set()
    thread.join(LONG)
    assert waited == [True]
