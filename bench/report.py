"""From results to a page a person reads."""

import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from bench.paired import Compared
from directory.base.clock import system_clock
from directory.base.hashing import PasswordHasher

RESULTS = Path(__file__).parent / "results.json"
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- measured: written by make bench -->", "<!-- end of what was measured -->"


# ---- results -----------------------------------------------------------------------------------


def costs(measured: dict[str, Any], *, runs: int, clients: int) -> dict[str, Any]:
    """Of this tree alone, by database and operation."""
    settings = _settings(runs=runs, clients=clients) | {"sqlite": "WAL, synchronous FULL"}
    return _circumstances() | {"settings": settings, "operations": measured}


def ratios(
    compared: Mapping[str, Compared], labels: list[str], *, rounds: int, runs: int, clients: int
) -> dict[str, Any]:
    """Of this tree, the first of ``labels``, to each of the others, by operation."""
    ours, *others = labels
    settings = {"rounds": rounds} | _settings(runs=runs, clients=clients)
    operations = {}
    for name, found in compared.items():
        told = {each: found.ratio(ours, each) for each in others}
        operations[name] = {
            "ms": {each: _rounded(found.cost(each)) for each in labels},
            "ratio": {
                each: {k: _rounded(v) for k, v in asdict(value).items()} if value else None
                for each, value in told.items()
            },
            "missing": found.missing,
        }
    compared_with = {"this": ours, "others": others, "settings": settings}
    return {"ratios": _circumstances() | compared_with | {"operations": operations}}


def told(name: str, found: Compared, labels: list[str]) -> str:
    """An operation's ratios in one line, for whoever waits."""
    ours, *others = labels
    cost = found.cost(ours)
    parts = [f"{name:24} {'–' if cost is None else f'{cost:.2f} ms'}"]
    for each in others:
        value = found.ratio(ours, each)
        reason = found.missing.get(each) or found.missing.get(ours)
        verdict = "" if value is None or value.differs else ", no difference seen"
        parts.append(f"÷ {each}: {value or reason}{verdict}")
    return "   ".join(parts)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _circumstances() -> dict[str, Any]:
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
        "load": round(os.getloadavg()[2], 1),
        "python": platform.python_version(),
        "yardstick": {
            "argon2id hash ms": _cost(lambda: PasswordHasher().hash("x" * 20), runs=10),
            "RS256 signature ms": _cost(_signing(), runs=50),
        },
    }


def _settings(*, runs: int, clients: int) -> dict[str, Any]:
    return {
        "web_processes": 1,
        "web_threads": 16,
        "runs": runs,
        "clients": clients,
        "load generator": "on the same machine",
        "postgresql": "unix socket, fsync off",
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


# ---- the page ----------------------------------------------------------------------------------


def keep(part: dict[str, Any]) -> None:
    """Write what was measured; what was not, costs or ratios, stays as it was measured before."""
    results = json.loads(RESULTS.read_text("utf-8")) | part
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{tables(results)}\n{END}{after}", "utf-8")


def tables(results: dict[str, Any]) -> str:
    """The page's tables, in Markdown."""
    lines = [*_ratios(results["ratios"])] if "ratios" in results else []
    lines += [_told(results), ""]
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


def _ratios(measured: dict[str, Any]) -> list[str]:
    """This tree's processor time ÷ that of each of the others."""
    others = measured["others"]
    lines = [
        "### beside others (PostgreSQL, server and database together)",
        "",
        f"{_told(measured)} This tree: {measured['this']}.{_trust(measured)}",
        "",
        "| operation | this tree, ms | " + " | ".join(f"÷ {each}" for each in others) + " |",
        "|---|--:" + "|--:" * len(others) + "|",
    ]
    missing = []
    for name, found in measured["operations"].items():
        ms = found["ms"][measured["this"]]
        cells = [
            "–"
            if value is None
            else f"{value['middle']:.2f} ({value['low']:.2f}–{value['high']:.2f})"
            for value in (found["ratio"][each] for each in others)
        ]
        lines.append(f"| {name} | {'–' if ms is None else f'{ms:.2f}'} | {' | '.join(cells)} |")
        missing += [f"{name}, {each}: {why}" for each, why in found["missing"].items()]
    if missing:
        lines += ["", "Not measured: " + "; ".join(missing) + "."]
    return [*lines, ""]


def _trust(measured: dict[str, Any]) -> str:
    """What the brackets are; all have as many rounds."""
    ratios = (one for each in measured["operations"].values() for one in each["ratio"].values())
    sure = next((int(one["confidence"] * 100) for one in ratios if one), None)
    if sure is None:
        return ""
    return f" In brackets, the interval that holds the true ratio in {sure} of 100 such runs."


def _told(results: dict[str, Any]) -> str:
    machine = results["machine"]
    # Results that were kept before it was have none.
    load = f"load of the last 15 minutes {results['load']}, " if "load" in results else ""
    return (
        f"{results['measured_on']}: {machine['processor']}, {machine['cores']} cores, "
        f"{load}Linux {machine['system']}, Python {results['python']}. "
        + "; ".join(f"{name}: {value}" for name, value in results["settings"].items())
        + ". Yardstick: "
        + ", ".join(f"{name} {value}" for name, value in results["yardstick"].items())
        + "."
    )
