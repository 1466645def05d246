"""How many processors this process may use: what it is bound to, and what its cgroup grants.

A container on a large machine often has two processors of sixty-four: whoever counts the machine's
starts far too much at once, and is throttled for it.

    sched_getaffinity          taskset, cpuset, Docker's --cpuset-cpus
    cgroup v2  cpu.max         "150000 100000": one and a half; "max": no limit
    cgroup v1  cpu.cfs_*_us    the same in two files; -1: no limit

Each group above ours may be narrower than it; in a container those above are out of sight.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

ROOT = Path("/")
_MOUNTS = "sys/fs/cgroup"


def available(root: Path = ROOT) -> float:
    """Processors for this process, and parts of one. ``root`` is where ``proc`` and ``sys`` are."""
    return min([float(len(os.sched_getaffinity(0))), *_granted(root)])


def share(of: int, root: Path = ROOT) -> int:
    """How many of them each of so many processes may keep busy, at least one."""
    return max(1, int(available(root) / of))


def can(feature: str, root: Path = ROOT) -> bool:
    """Whether the processor has a feature, by the name that Linux gives it (``avx2``)."""
    with suppress(OSError):
        for line in (root / "proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("flags"):
                return feature in line.partition(":")[2].split()
    return False


def _granted(root: Path) -> Iterator[float]:
    for folder in _groups(root):
        for read in (_second, _first):
            with suppress(OSError, ValueError, IndexError):
                quota, period = read(folder)
                if quota > 0 and period > 0:
                    yield quota / period


def _second(folder: Path) -> tuple[int, int]:
    quota, period = (folder / "cpu.max").read_text("ascii").split()
    return (-1 if quota == "max" else int(quota)), int(period)


def _first(folder: Path) -> tuple[int, int]:
    quota = (folder / "cpu.cfs_quota_us").read_text("ascii")
    return int(quota), int((folder / "cpu.cfs_period_us").read_text("ascii"))


def _groups(root: Path) -> Iterator[Path]:
    """The folders of our groups and of all above them, as far as they can be seen (cgroups(7))."""
    try:
        lines = (root / "proc/self/cgroup").read_text("utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":
            mounts = [_MOUNTS, f"{_MOUNTS}/unified"]
        elif "cpu" in controllers.split(","):
            mounts = [f"{_MOUNTS}/{controllers}", f"{_MOUNTS}/cpu"]
        else:
            continue
        inside = [part for part in path.split("/") if part not in ("", "..")]
        for mount in mounts:
            for depth in range(len(inside) + 1):
                yield root.joinpath(mount, *inside[:depth])
