"""Rules of the house that no other tool checks."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from directory.base.outbox import JobKind
from idp.run.performing import HANDLERS

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


PLANNERS = {
    f"directory/changes/{name}.py"
    for name in ("drafting", "joining", "posts", "promises", "roles", "undo", "write")
}
PLANNERS |= {f"directory/changes/kinds/{name}.py" for name in ("transfer", "leave")}
"""They work out where rows begin and end, and so look at both."""
SAID_ONCE = {"directory/base/rows.py", "idp/console/timeline.py", *PLANNERS}
"""And where a picture is drawn."""


@pytest.mark.parametrize("file", SOURCES, ids=lambda f: str(f.relative_to(ROOT)))
def test_whether_a_dated_row_counts_is_asked_in_one_place(file: Path) -> None:
    """A comparison by hand forgets the rows that were taken back before they began."""
    if str(file.relative_to(ROOT)) in SAID_ONCE:
        return
    by_hand = []
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if not any(isinstance(side, ast.Constant) and side.value is None for side in sides):
                by_hand += [side for side in sides if _is_dated(side, "Assignment", "held", "h")]
        elif isinstance(node, ast.Attribute) and node.attr in ("is_", "is_not"):
            by_hand += [node.value] if _is_dated(node.value, "Assignment") else []
    assert [ast.unparse(each) for each in by_hand] == []


def _is_dated(node: ast.AST, *owners: str) -> bool:
    dated = isinstance(node, ast.Attribute) and node.attr in ("valid_from", "valid_to")
    return dated and isinstance(node.value, ast.Name) and node.value.id in owners


def test_every_room_has_an_order_of_its_own() -> None:
    """What a contract does not speak of may grow into a circle again."""
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    assert linter["exclude_type_checking_imports"] is False
    ordered: set[str] = set()
    for contract in linter["contracts"]:
        if contract.get("exhaustive"):
            ordered.update(contract["containers"])
        elif contract["type"] == "independence":
            ordered.update(each.removesuffix(".*") for each in contract["modules"])
    rooms = {
        ".".join(file.parent.relative_to(ROOT).parts)
        for part in ("directory", "connectors", "idp", "dinhdanh")
        for file in (ROOT / part).rglob("__init__.py")
        if "migrations" not in file.parts
    }
    tops = {"directory", "connectors", "idp", "dinhdanh"}
    assert tops < rooms
    assert rooms - ordered == set()


@pytest.mark.parametrize(
    "name", ["Held", "Person", "Found", "Wanted", "Refused", "Profile", "Standing"]
)
def test_a_name_in_which_readers_were_lost_means_one_thing(name: str) -> None:
    bearers = [
        str(file.relative_to(ROOT))
        for file in SOURCES
        if re.search(rf"^class {name}\b", file.read_text("utf-8"), re.MULTILINE)
    ]
    assert len(bearers) <= 1, bearers
