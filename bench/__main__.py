"""python -m bench [--runs N] [--clients N] [--only NAME] [--database sqlite|postgresql]."""

import argparse
import json
import os
import statistics
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench import http, meter, report
from bench.operations import OPERATIONS, Operation, Unexpected, User, register
from dinhdanh import testing
from dinhdanh.testing import Provider
from idp.run.app import create_app

RESULTS = Path(__file__).parent / "results.json"


def measure(users: list[User], operation: Operation, runs: int, server: set[int]) -> dict[str, Any]:
    """Every user runs it, each on a connection of her own, at the same time."""
    each = max(4, int(runs * operation.share) // len(users))
    used = {id(u): _prepared(u, operation, each) for u in users}
    times: list[float] = []
    errors: list[str] = []
    lock = threading.Lock()

    def work(user: User) -> None:
        own, failed, given = [], [], used[id(user)]
        value = given[0]
        for n in range(each):
            value = value if operation.chained else given[n]
            began = time.perf_counter()
            try:
                value = operation.run(user, value)
            except Unexpected as error:
                failed.append(str(error)[:120])
            own.append(time.perf_counter() - began)
        with lock:
            times.extend(own)
            errors.extend(failed)

    database = meter.named("postgres")
    before = meter.spent(server), meter.spent(database)
    began = time.perf_counter()
    threads = [threading.Thread(target=work, args=(user,)) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - began
    database |= meter.named("postgres")
    after = meter.spent(server), meter.spent(database)
    times.sort()
    return {
        "runs": len(times),
        "server_ms": round((after[0] - before[0]) / len(times), 3),
        "database_ms": round((after[1] - before[1]) / len(times), 3),
        "per_second": round(len(times) / elapsed, 1),
        "p50_ms": round(statistics.median(times) * 1000, 2),
        "p99_ms": round(times[min(len(times) - 1, int(len(times) * 0.99))] * 1000, 2),
        "errors": dict(Counter(errors)),
    }


def _prepared(user: User, operation: Operation, each: int) -> list[Any]:
    """What the runs use up; a session first, and one run so that nothing is done a first time."""
    user.sign_in(user.parties.web)
    value = operation.run(user, operation.ready(user))
    if operation.chained:
        return [value]
    return [operation.ready(user) for _ in range(each)]


def statements(provider: Provider, user: User, operation: Operation) -> str:
    """The SQL of one run, counted inside the application: ``2 SELECT, 1 UPDATE``."""
    app = create_app(provider.services)
    inside = User(user.parties, user.person, http.InProcess(app.test_client()), user.key)
    value = _prepared(inside, operation, 1)[0]
    with http.counted(provider.services) as words:
        operation.run(inside, value)
    return ", ".join(f"{n} {word}" for word, n in Counter(words).items()) or "none"


def run(kind: str, url: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """All operations on one database."""
    found = {}
    settings: dict[str, Any] = {"database_url": url} if url else {}
    with testing.provider(**settings) as provider:
        parties = register(provider)
        people = [provider.join("Lê Thị Lan") for _ in range(arguments.clients)]
        users = [User(parties, p, http.Connection(provider.issuer)) for p in people]
        server = meter.tree(provider.pid)
        for operation in OPERATIONS:
            if arguments.only and arguments.only not in operation.name:
                continue
            result = measure(users, operation, arguments.runs, server)
            result["statements"] = statements(provider, users[0], operation)
            found[operation.name] = result
            print(f"{kind:11} {operation.name:24} {json.dumps(result)}", flush=True)
    return found


def main() -> None:
    """Measure, write results.json and docs/performance.md."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default=None)
    arguments = parser.parse_args()
    urls = {"sqlite": "", "postgresql": os.environ.get("TEST_DATABASE_URL", "")}
    measured = {}
    for kind, url in urls.items():
        if arguments.database in (None, kind) and (url or kind == "sqlite"):
            measured[kind] = run(kind, report.fresh_database(url), arguments)
    if not arguments.only and arguments.database is None:
        results = report.described(measured, runs=arguments.runs, clients=arguments.clients)
        RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
        report.write(results)


if __name__ == "__main__":
    main()
