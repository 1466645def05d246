"""Whatever is measured can be: an installation made by the command line alone answers it all."""

import pytest

from bench.installation import Tree, installed
from bench.load import measure
from bench.operations import OPERATIONS

pytestmark = pytest.mark.slow
"""A dozen commands and a server, each a process of its own."""


def test_every_operation_succeeds_and_costs_something() -> None:
    with installed(Tree("this tree"), None, 1) as served, served.users() as users:
        for operation in OPERATIONS:
            cost = measure(served, users, operation, 4)
            assert cost.errors == [], operation.name
            assert cost.runs == 4
            assert cost.server > 0
            assert cost.database == 0
