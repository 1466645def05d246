"""From results to a page a person reads."""

import os
import platform
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey
from sqlalchemy import make_url, text

from directory.base.clock import system_clock
from directory.base.crypto import PasswordHasher
from directory.base.db import unpooled

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- measured: written by make bench -->", "<!-- end of what was measured -->"


def fresh_database(server: str) -> str:
    """The URL of a new database on this server; empty for SQLite."""
    if not server:
        return ""
    name = f"bench_{secrets.token_hex(4)}"
    engine = unpooled(server)
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def described(measured: dict[str, Any], *, runs: int, clients: int) -> dict[str, Any]:
    """The results with what they were measured on and with."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "measured_on": system_clock().date().isoformat(),
        "machine": {"processor": model, "cores": os.cpu_count(), "system": platform.release()},
        "python": platform.python_version(),
        "yardstick": {
            "argon2id hash ms": _cost(lambda: PasswordHasher().hash("x" * 20), runs=10),
            "RS256 signature ms": _cost(_signing(), runs=50),
        },
        "settings": {
            "web_processes": 1,
            "web_threads": 16,
            "runs": runs,
            "clients": clients,
            "load generator": "on the same machine",
            "postgresql": "unix socket, fsync off",
            "sqlite": "WAL, synchronous FULL",
        },
        "operations": measured,
    }


def _cost(work: Callable[[], object], *, runs: int) -> float:
    """Milliseconds of processor time of one run: how fast this machine is."""
    work()
    began = time.process_time()
    for _ in range(runs):
        work()
    return round((time.process_time() - began) * 1000 / runs, 2)


def _signing() -> Callable[[], object]:
    key = RSAKey.generate_key(2048)
    return lambda: jwt.encode({"alg": "RS256"}, {"sub": "lan"}, key, ["RS256"])


def write(results: dict[str, Any]) -> None:
    """Put the table into docs/performance.md, between its markers."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{_table(results)}\n{END}{after}", "utf-8")


def _table(results: dict[str, Any]) -> str:
    machine = results["machine"]
    lines = [
        f"{results['measured_on']}: {machine['processor']}, {machine['cores']} cores, "
        f"Linux {machine['system']}, Python {results['python']}. "
        + "; ".join(f"{name}: {value}" for name, value in results["settings"].items())
        + ". Yardstick: "
        + ", ".join(f"{name} {value}" for name, value in results["yardstick"].items())
        + ".",
        "",
    ]
    for kind, operations in results["operations"].items():
        lines += [
            f"### {kind}",
            "",
            "| operation | server ms | database ms | SQL | per second | p50 ms | p99 ms | errors |",
            "|---|--:|--:|---|--:|--:|--:|--:|",
        ]
        lines += [
            f"| {name} | {r['server_ms']:.2f} | {r['database_ms']:.2f} | {r['statements']} "
            f"| {r['per_second']:.0f} | {r['p50_ms']:.1f} | {r['p99_ms']:.1f} "
            f"| {sum(r['errors'].values())} |"
            for name, r in operations.items()
        ]
        lines.append("")
    return "\n".join(lines)
