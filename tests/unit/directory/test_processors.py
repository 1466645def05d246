"""How many processors a process may use (sched(7), cgroups(7), cpu.max of cgroup-v2.rst)."""

import os
from pathlib import Path
from typing import Any

import pytest

from directory.base import processors


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A machine of sixteen processors, in a folder: files by their paths."""

    def build(bound: int = 16, **files: str) -> Path:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(bound)))
        for path, text in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path

    return build


SECOND = {"proc/self/cgroup": "0::/system.slice/dinhdanh.service\n"}
FIRST = {
    "proc/self/cgroup": "9:name=systemd:/\n4:cpu,cpuacct:/docker/ab12\n3:cpuset:/docker/ab12\n"
}
GROUP = "sys/fs/cgroup/system.slice/dinhdanh.service/cpu.max"


def of_first(folder: str, quota: str) -> dict[str, str]:
    return {
        f"sys/fs/cgroup/{folder}/cpu.cfs_quota_us": quota,
        f"sys/fs/cgroup/{folder}/cpu.cfs_period_us": "100000\n",
    }


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({}, 16, id="no cgroups"),
        pytest.param(SECOND, 16, id="v2, nothing said"),
        pytest.param(SECOND | {GROUP: "max 100000\n"}, 16, id="v2, no limit"),
        pytest.param(SECOND | {GROUP: "150000 100000\n"}, 1.5, id="v2, one and a half"),
        pytest.param(SECOND | {GROUP: "6400000 100000\n"}, 16, id="v2, more than there are"),
        pytest.param(
            SECOND
            | {GROUP: "max 100000\n", "sys/fs/cgroup/system.slice/cpu.max": "400000 100000\n"},
            4,
            id="v2, the slice above",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"},
            2,
            id="v2, in a container",
        ),
        pytest.param(SECOND | {GROUP: "ngàn\n"}, 16, id="v2, unreadable"),
        pytest.param(FIRST | of_first("cpu,cpuacct/docker/ab12", "300000\n"), 3, id="v1"),
        pytest.param(FIRST | of_first("cpu,cpuacct/docker/ab12", "-1\n"), 16, id="v1, no limit"),
        pytest.param(FIRST | of_first("cpu", "250000\n"), 2.5, id="v1, in a container"),
        pytest.param(
            FIRST | of_first("cpu/docker/ab12", "800000\n") | of_first("cpu/docker", "50000\n"),
            0.5,
            id="v1, the group above",
        ),
    ],
)
def test_what_a_process_may_use(machine: Any, files: dict[str, str], expected: float) -> None:
    assert processors.available(machine(**files)) == expected


def test_it_is_bound_to_fewer_than_its_group_may_use(machine: Any) -> None:
    root = machine(bound=3, **SECOND, **{GROUP: "800000 100000\n"})
    assert processors.available(root) == 3


@pytest.mark.parametrize(
    ("bound", "of", "expected"),
    [(1, 1, 1), (2, 1, 2), (2, 2, 1), (2, 3, 1), (16, 4, 4), (16, 5, 3), (1, 64, 1)],
)
def test_they_are_shared_out_and_everybody_has_one(
    machine: Any, bound: int, of: int, expected: int
) -> None:
    assert processors.share(of, machine(bound=bound)) == expected


def test_part_of_a_processor_is_one_piece_of_work_at_once(machine: Any) -> None:
    assert processors.share(1, machine(**SECOND, **{GROUP: "50000 100000\n"})) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model name\t: Xeon\nflags\t\t: fpu avx avx2 bmi1\n", True),
        ("flags\t\t: fpu avx\n", False),
        ("flags\t\t: fpu avx2x\n", False),
        ("Features\t: fp asimd\n", False),
    ],
)
def test_what_a_processor_can(machine: Any, text: str, expected: bool) -> None:
    assert processors.can("avx2", machine(**{"proc/cpuinfo": text})) is expected


def test_a_processor_that_says_nothing_can_nothing(tmp_path: Path) -> None:
    assert not processors.can("avx2", tmp_path)
