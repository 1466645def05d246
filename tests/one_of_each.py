"""``--one-of-each``: of each table of cases one row, and every run another (``make test-quick``).

Which one follows from the seed of the random order, so that all processes of a run choose alike; a
failure names its row, and naming it runs it again.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Off, unless it is asked for."""
    parser.addoption("--one-of-each", action="store_true", help="of each table of cases one row")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the other rows out."""
    if not config.getoption("--one-of-each"):
        return
    kept = chosen(items, seed=int(getattr(config.option, "randomly_seed", 0)))
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


def chosen(items: Sequence[Any], *, seed: int) -> set[Any]:
    """One item of each test, by what their names have before the bracket."""
    rows: dict[str, list[Any]] = defaultdict(list)
    for item in items:
        rows[item.nodeid.partition("[")[0]].append(item)
    return {cases[seed % len(cases)] for cases in rows.values()}
