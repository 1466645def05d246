"""Sends the requests of an operation, many people at the same time, and says what they cost."""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench import http, meter
from bench.database import Database
from bench.operations import Operation, Parties, Person, Unexpected, User


@dataclass(frozen=True)
class Served:
    """A provider that answers, and what must be known to load it and to read its costs."""

    label: str
    parties: Parties
    people: list[Person]
    pid: int
    """The process everything else of it hangs on."""
    database: Database | None
    """None where the database is inside the provider's own processes."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    """Operations that mean nothing here, each with the reason."""
    warming: int = 200
    """Runs after which an operation costs what it will cost always."""

    @contextmanager
    def users(self) -> Iterator[list[User]]:
        """Everybody at a browser of her own, for as long as the block lasts."""
        with ExitStack() as stack:
            browsers = [
                stack.enter_context(http.Connection(self.parties.issuer)) for _ in self.people
            ]
            yield [User(self.parties, *each) for each in zip(self.people, browsers, strict=True)]

    def spent(self) -> tuple[dict[int, float], dict[int, float]]:
        """Processor time so far of the provider's processes, and of the database's."""
        database = self.database.processes() if self.database else set()
        return meter.spent(meter.tree(self.pid)), meter.spent(database)


@dataclass(frozen=True)
class Cost:
    """Of one run, in milliseconds of processor time; and how it went."""

    server: float
    database: float
    runs: int
    seconds: float
    """Of all runs together, by the clock."""
    times: list[float]
    """Seconds of each run, ordered."""
    errors: list[str]

    @property
    def whole(self) -> float:
        """Of server and database together."""
        return self.server + self.database


def measure(served: Served, users: list[User], operation: Operation, runs: int) -> Cost:
    """Every user runs it, each on a connection of her own, at the same time.

    Raises Unexpected when what the runs need can not be made ready.
    """
    each = max(4, int(runs * operation.share) // len(users))
    with ThreadPoolExecutor(len(users)) as threads:
        given = list(threads.map(lambda user: _ready(user, operation, each), users))
        before, began = served.spent(), time.perf_counter()
        done = list(threads.map(lambda user, used: _run(user, operation, used, each), users, given))
        seconds = time.perf_counter() - began
        server, database = map(meter.between, before, served.spent())
    times = sorted(one for own, _ in done for one in own)
    errors = [error for _, failed in done for error in failed]
    return Cost(server / len(times), database / len(times), len(times), seconds, times, errors)


def _ready(user: User, operation: Operation, each: int) -> list[Any]:
    user.caller.renew()
    return prepared(user, operation, each)


def prepared(user: User, operation: Operation, each: int) -> list[Any]:
    """What the runs use up; a session first, and one run so that nothing is done a first time."""
    if not user.signed_in:
        user.sign_in(user.parties.web)
    value = operation.run(user, operation.ready(user))
    if operation.chained:
        return [value]
    return [operation.ready(user) for _ in range(each)]


def _run(
    user: User, operation: Operation, given: list[Any], each: int
) -> tuple[list[float], list[str]]:
    """Seconds of each run, and what went wrong."""
    times, errors, value = [], [], given[0]
    for n in range(each):
        value = value if operation.chained else given[n]
        began = time.perf_counter()
        try:
            value = operation.run(user, value)
        except Unexpected as error:
            errors.append(str(error)[:120])
        times.append(time.perf_counter() - began)
    return times, errors
