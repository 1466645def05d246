"""What everybody else notices while a crowd signs in again and again.

    python -m bench.crowd                                            60 browsers for 60 s, on SQLite
    scripts/with-postgresql .venv/bin/python -m bench.crowd --seconds 20

Each browser signs in with a password, from nobody to tokens, as soon as it has signed in; known, or with
``--strangers`` as if for the first time each time. Beside them, in a process of its own, somebody asks
/healthz and introspects a token in turn. Printed are their times without and with the crowd, how many sign-ins
there were and were refused for want of room, whether each of these got in on the next try, and what the web
process holds of the memory before and after.
"""

import argparse
import os
import signal
import statistics
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import cycle, islice

from bench import database, http, meter
from bench.installation import Installed, Tree, installed
from bench.operations import OPERATIONS, Parties, Person, Unexpected, User

PAUSE = 0.01
"""Seconds between two questions of the one who asks beside."""
ALONE = 5.0
"""Seconds for which she asks before the crowd comes."""
KNOWN = "dinhdanh-known"
"""The cookie by which a browser knows people."""
_INTROSPECTION = next(each for each in OPERATIONS if each.name == "introspection (opaque)")


class Office(http.Connection):
    """A browser that knows who has signed in there, and forgets everything else."""

    def forget(self) -> None:
        self.cookies = {name: value for name, value in self.cookies.items() if name == KNOWN}


def main() -> None:
    """Let them come, and print what the others notice."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.crowd",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--browsers", type=int, default=60)
    parser.add_argument(
        "--people", type=int, default=20, help="who share the browsers (default 20)"
    )
    parser.add_argument("--strangers", action="store_true", help="no browser knows anybody")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    server = os.environ.get("TEST_DATABASE_URL", "")
    with (
        database.fresh(server) as made,
        installed(Tree("this tree"), made, asked.people) as served,
    ):
        run(served, asked.browsers, asked.seconds, strangers=asked.strangers)


def run(served: Installed, browsers: int, seconds: float, *, strangers: bool) -> None:
    """The one beside alone, then with the crowd."""
    parties = served.parties
    browser = http.Connection if strangers else Office
    people = islice(cycle(served.people), browsers)
    users = [User(parties, each, browser(parties.issuer)) for each in people]
    users[0].sign_in(parties.web)
    token = _INTROSPECTION.ready(users[0])
    with ProcessPoolExecutor(1) as beside, ThreadPoolExecutor(browsers) as crowd:
        _tell("alone", beside.submit(ask, parties, token, ALONE).result())
        before = _memory(served)
        asking = beside.submit(ask, parties, token, seconds)
        end = time.monotonic() + seconds
        came = list(crowd.map(lambda user: _sign_in(user, end), users))
        _tell("with the crowd", asking.result())
    done = sum(came, Counter[str]())
    print(f"sign-ins: {done.total()} in {seconds:.0f} s: {dict(done)}")
    print(f"memory of the web process, MB: {before:.1f} before, {_memory(served):.1f} after")


def ask(parties: Parties, token: str, seconds: float) -> dict[str, list[float]]:
    """Seconds of each answer, by what was asked."""
    times: dict[str, list[float]] = {"healthz": [], "introspection": []}
    with http.Connection(parties.issuer) as caller:
        user, end = User(parties, Person("", ""), caller), time.monotonic() + seconds
        while (began := time.monotonic()) < end:
            user.expect(caller.send("GET", "/healthz"), 200)
            asked = time.monotonic()
            _INTROSPECTION.run(user, token)
            times["healthz"].append(asked - began)
            times["introspection"].append(time.monotonic() - asked)
            time.sleep(PAUSE)
    return times


def _sign_in(user: User, end: float) -> "Counter[str]":
    """Again and again until the end; how it went."""
    found, refused = Counter[str](), False
    user.caller.renew()
    while time.monotonic() < end:
        try:
            user.sign_in(user.parties.web)
        except Unexpected as error:
            busy = str(error).startswith("503")
            found["refused" if busy and not refused else str(error)[:60]] += 1
            refused = True
        except ConnectionError:
            found["connection closed"] += 1
            user.caller.renew()
        else:
            found["in on the next try" if refused else "in"] += 1
            refused = False
    return found


def _memory(served: Installed) -> float:
    """Of the server's workers: the processes below its main one."""
    below = meter.tree(served.pid) - {served.pid}
    return sum(meter.memory(pid) for pid in below if meter.parent(pid) != served.pid)


def _tell(when: str, times: dict[str, list[float]]) -> None:
    for what, each in times.items():
        ordered = sorted(each)
        middle, late = statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
        print(
            f"{when}: {what} p50 {middle * 1000:.1f} ms, p99 {late * 1000:.1f} ms,"
            f" longest {ordered[-1] * 1000:.1f} ms of {len(ordered)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
