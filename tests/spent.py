"""What each top folder of the tests cost: processor time and tests, printed at the end.

Counted is the process that ran a test and every process it started and waited for; what a
server beside the tests did (PostgreSQL) is not in it. Of a fixture that many share, the first
test pays. ``--durations`` tells the wall time of single tests.
"""

import os
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parent
_begun = pytest.StashKey[float]()


def _processor() -> float:
    return sum(os.times()[:4])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """One test, its fixtures included."""
    item.stash[_begun] = _processor()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A report travels from xdist's processes with the attributes it has."""
    report = yield
    if call.when == "teardown":
        vars(report)["processor"] = _processor() - item.stash[_begun]
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The folders, the dearest first."""
    seconds: dict[str, float] = defaultdict(float)
    tests: dict[str, int] = defaultdict(int)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if hasattr(report, "processor"):
                folder = report.nodeid.removeprefix(f"{TESTS.name}/").partition("/")[0]
                seconds[folder] += report.processor
                tests[folder] += 1
    if len(tests) < 2:
        return
    terminalreporter.section("processor time", sep="-")
    for folder in sorted(seconds, key=seconds.__getitem__, reverse=True):
        terminalreporter.write_line(f"{seconds[folder]:7.1f} s  {tests[folder]:5d}  {folder}")
    terminalreporter.write_line(f"{sum(seconds.values()):7.1f} s  {sum(tests.values()):5d}")
