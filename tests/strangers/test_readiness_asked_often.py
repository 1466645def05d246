"""Whoever asks without end whether the installation is ready does not make it unready."""

import threading
from collections import Counter
from typing import Any

import pytest
from flask import Flask

pytestmark = [pytest.mark.both_databases, pytest.mark.serial]

AT_ONCE = 400
EACH = 2


def test_many_who_ask_at_once_are_all_told_the_truth(app: Flask) -> None:
    told: Counter[Any] = Counter()
    barrier, counting = threading.Barrier(AT_ONCE), threading.Lock()

    def ask() -> None:
        client = app.test_client()
        barrier.wait()
        for _ in range(EACH):
            answer = client.get("/readyz")
            # The clock of the tests is not that of a database server.
            wrong = [n for n, v in answer.json["checks"].items() if v != "ok" and n != "clock"]
            with counting:
                told.update(["asked", *wrong])

    threads = [threading.Thread(target=ask) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert told == {"asked": AT_ONCE * EACH}
