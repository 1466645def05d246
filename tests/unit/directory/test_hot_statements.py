"""Each statement of the hot paths can be made for each database, also those few requests reach."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from directory.base import hot

ROOT = Path(__file__).parents[3]


def _statements() -> dict[str, hot.Statement]:
    for file in sorted((ROOT / "idp").rglob("*.py")):
        source = file.read_text("utf-8")
        if "hot.read(" in source or "hot.write(" in source:
            import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
    return {
        f"{name}.{attribute}": value
        for name, module in sorted(sys.modules.items())
        if name.startswith(("idp.", "directory."))
        for attribute, value in vars(module).items()
        if isinstance(value, hot.Statement)
    }


STATEMENTS = _statements()


MADE = [
    (name, dialect)
    for name, statement in STATEMENTS.items()
    for dialect in (SQLiteDialect_pysqlite, PGDialect_psycopg)
    if statement.made_for(dialect.name)
]


@pytest.mark.parametrize(("name", "dialect"), MADE)
def test_a_statement_can_be_made(name: str, dialect: Any) -> None:
    assert STATEMENTS[name].compiled(dialect()).sql


def test_there_are_statements() -> None:
    assert len(STATEMENTS) > 20
