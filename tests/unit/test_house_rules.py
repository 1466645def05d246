"""Rules of the house that no other tool checks."""

import ast
from pathlib import Path

import pytest

from directory.base.outbox import JobKind
from idp.worker import HANDLERS

ROOT = Path(__file__).parents[2]
LIMIT = 400
SOURCES = sorted(
    file
    for part in ("directory", "connectors", "idp")
    for file in (ROOT / part).rglob("*.py")
    if "versions" not in file.parts
)


def test_every_job_kind_has_a_handler() -> None:
    assert set(HANDLERS) == set(JobKind)


@pytest.mark.parametrize("file", SOURCES, ids=lambda f: str(f.relative_to(ROOT)))
def test_a_file_is_no_longer_than_its_limit_or_says_why(file: Path) -> None:
    source = file.read_text("utf-8")
    if len(source.splitlines()) <= LIMIT:
        return
    docstring = ast.get_docstring(ast.parse(source)) or ""
    assert "longer than others because" in " ".join(docstring.lower().split())
