"""Every statement of the hot paths can be made, for each database."""

import pkgutil
from importlib import import_module
from typing import Any

import pytest
from sqlalchemy.dialects import postgresql, sqlite

import connectors
import directory
import idp
from directory.base import hot

DIALECTS = {"postgresql": postgresql.psycopg.dialect, "sqlite": sqlite.pysqlite.dialect}


def _statements() -> list[tuple[str, hot.Statement]]:
    found = []
    for package in (directory, connectors, idp):
        for each in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if ".versions." not in each.name and not each.name.endswith((".env", "__main__")):
                found += _of(import_module(each.name))
    return found


def _of(module: Any) -> list[tuple[str, hot.Statement]]:
    return [
        (f"{module.__name__}.{name}", value)
        for name, value in vars(module).items()
        if isinstance(value, hot.Statement)
    ]


@pytest.mark.parametrize("database", DIALECTS)
def test_each_can_be_made(database: str) -> None:
    statements = _statements()
    assert len(statements) > 15
    for name, statement in statements:
        try:
            assert statement.compiled(DIALECTS[database]()).sql
        except TypeError as error:
            raise AssertionError(name) from error
