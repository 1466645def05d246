"""Processor time and memory of processes, from /proc (Linux)."""

import os
import re
from pathlib import Path

_TICK = 1000 / os.sysconf("SC_CLK_TCK")
"""Milliseconds of one unit in /proc/<pid>/stat."""


def tree(root: int) -> set[int]:
    """The process and all its descendants."""
    parents = {pid: int(stat[1]) for pid, stat in _all().items()}
    found, more = set(), {root}
    while more:
        found |= more
        more = {pid for pid, parent in parents.items() if parent in more} - found
    return found


def parent(pid: int) -> int | None:
    """The process that started this one; None when it is not of this machine."""
    stat = _stat(pid)
    return int(stat[1]) if stat else None


def spent(pids: set[int]) -> dict[int, float]:
    """Milliseconds of processor time, user and system, of each of these processes so far.

    /proc counts in hundredths of a second; schedstat, where the kernel keeps it, in nanoseconds.
    """
    return {pid: _spent(pid) for pid in pids}


def memory(pid: int) -> float:
    """Megabytes: pages it has alone, and its share of those that it has with others."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss: +(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def between(before: dict[int, float], after: dict[int, float]) -> float:
    """Milliseconds spent meanwhile; whoever was not there before began with none."""
    return sum(max(ms - before.get(pid, 0.0), 0.0) for pid, ms in after.items())


def _spent(pid: int) -> float:
    try:
        return sum(
            int((task / "schedstat").read_text().split()[0]) / 1e6
            for task in Path(f"/proc/{pid}/task").iterdir()
        )
    except OSError:
        stat = _stat(pid)
        return (int(stat[11]) + int(stat[12])) * _TICK if stat else 0.0


def _stat(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _all() -> dict[int, list[str]]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (stat := _stat(int(entry.name))):
            found[int(entry.name)] = stat
    return found
