"""What an operation costs: ``make bench`` for this tree alone, or beside others in alternation.

    python -m bench                                    both databases, costs and statements
    python -m bench --against 9ba8525 --peer node      ratios on PostgreSQL, A B C C B A

Without --only and --database the results go to bench/results.json and docs/performance.md.
"""

import argparse
import os
import signal
import sys

from bench import alone, paired, peer, report
from bench.operations import OPERATIONS, Operation


def main() -> None:
    """Measure; write down what is whole."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--against", action="append", default=[], metavar="REV")
    parser.add_argument("--peer", action="append", default=[], choices=["node", "node-stored"])
    parser.add_argument("--rounds", type=int, default=20, help="of a comparison (default 20)")
    parser.add_argument("--runs", type=int, help="of an operation: 1000, or 80 a turn")
    parser.add_argument("--clients", type=int, help="at the same time: 2, or 8 in a comparison")
    parser.add_argument("--only", default="", help="operations with this in their name")
    parser.add_argument("--database", choices=["sqlite", "postgresql"])
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers and trees are put away
    operations = [each for each in OPERATIONS if asked.only in each.name]
    if asked.against or asked.peer:
        _compare(asked, operations)
    else:
        _measure(asked, operations)


def _measure(asked: argparse.Namespace, operations: list[Operation]) -> None:
    runs, clients = asked.runs or 1000, asked.clients or 2
    servers = {"sqlite": "", "postgresql": os.environ.get("TEST_DATABASE_URL", "")}
    measured = {
        kind: alone.run(kind, server, operations, runs=runs, clients=clients)
        for kind, server in servers.items()
        if asked.database in (None, kind) and (server or kind == "sqlite")
    }
    if not asked.only and asked.database is None:
        report.keep(report.costs(measured, runs=runs, clients=clients))


def _compare(asked: argparse.Namespace, operations: list[Operation]) -> None:
    runs, clients = asked.runs or 80, asked.clients or 8
    on_sqlite = asked.database == "sqlite"
    server = "" if on_sqlite else os.environ.get("TEST_DATABASE_URL", "")
    if not on_sqlite and not server:
        sys.exit("TEST_DATABASE_URL is not set: scripts/with-postgresql brings a server.")
    if on_sqlite and asked.peer:
        sys.exit("--peer node keeps its data in PostgreSQL: leave --database out.")
    compared = {}
    try:
        with paired.states(server, asked.against, asked.peer, clients) as served:
            labels = [each.label for each in served]
            for operation, found in paired.compare(
                served, operations, rounds=asked.rounds, runs=runs
            ):
                compared[operation.name] = found
                print(report.told(operation.name, found, labels), flush=True)
    except (LookupError, peer.Absent) as error:
        sys.exit(str(error))
    if not asked.only and asked.database is None:
        report.keep(
            report.ratios(compared, labels, rounds=asked.rounds, runs=runs, clients=clients)
        )


if __name__ == "__main__":
    main()
