"""This tree alone: cost, statements and latency of every operation on one database."""

import json
import statistics
from collections import Counter
from typing import Any

from bench import database, http
from bench.installation import Tree, installed
from bench.load import Cost, measure, prepared
from bench.operations import Operation, User
from directory.base.config import load_settings
from idp.run import wiring
from idp.run.app import create_app
from idp.services import Services


def run(
    kind: str, server: str, operations: list[Operation], *, runs: int, clients: int
) -> dict[str, Any]:
    """The operations on a new database of ``server`` (empty: SQLite), by their names."""
    found = {}
    with (
        database.fresh(server) as made,
        installed(Tree("this tree"), made, clients) as served,
        served.users() as users,
    ):
        services = wiring.build(load_settings(served.config))
        for operation in operations:
            result = _described(measure(served, users, operation, runs))
            result["statements"] = _statements(services, users[0], operation)
            found[operation.name] = result
            print(f"{kind:11} {operation.name:24} {json.dumps(result)}", flush=True)
        services.db.dispose()
    return found


def _described(cost: Cost) -> dict[str, Any]:
    return {
        "runs": cost.runs,
        "server_ms": round(cost.server, 3),
        "database_ms": round(cost.database, 3),
        "per_second": round(cost.runs / cost.seconds, 1),
        "p50_ms": round(statistics.median(cost.times) * 1000, 2),
        "p99_ms": round(cost.times[min(cost.runs - 1, int(cost.runs * 0.99))] * 1000, 2),
        "errors": dict(Counter(cost.errors)),
    }


def _statements(services: Services, user: User, operation: Operation) -> str:
    """The SQL of one run, counted inside the application: ``2 SELECT, 1 UPDATE``."""
    browser = http.InProcess(create_app(services).test_client())
    inside = User(user.parties, user.person, browser, user.key)
    value = prepared(inside, operation, 1)[0]
    with http.counted(services) as words:
        operation.run(inside, value)
    return ", ".join(f"{n} {word}" for word, n in Counter(words).items()) or "none"
