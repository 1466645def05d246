"""Rules of the house that no other tool checks."""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import TypeGuard

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


DRIVERS = re.compile(
    r"driver_connection|dbapi_connection|raw_connection|\.cursor\(|RawCursor|send_query|send_prepare"
)
SPEAK_TO_DRIVERS = {
    "directory/base/hot.py",
    "directory/base/pooled.py",  # for which of the server's processes it was told of
    "directory/base/prepared.py",
    "idp/run/listening.py",  # for what the server says by itself
}


def test_nobody_but_the_hot_statements_speaks_to_a_driver() -> None:
    speaking = {str(f.relative_to(ROOT)) for f in SOURCES if DRIVERS.search(f.read_text("utf-8"))}
    assert speaking == SPEAK_TO_DRIVERS


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


ONCE = {
    "whether an end has come": {"directory/base/rows.py", "idp/console/timeline.py"},
    "as many values as one statement takes": {"directory/base/rows.py"},
    "INSERT … ON CONFLICT": {"directory/base/rows.py", "directory/base/db.py"},
    "unpadded base64url": {"directory/base/base64url.py", "directory/base/crypto.py"},
    "what no database holds": {"directory/base/storable.py"},
}
"""Ideas that are said once, and where (crypto's padded values were stored so from the beginning)."""


@pytest.mark.parametrize("idea", sorted(ONCE))
def test_a_small_idea_is_said_once(idea: str) -> None:
    assert {name: said for name, said in _sayings()[idea].items() if name not in ONCE[idea]} == {}


@cache
def _sayings() -> dict[str, dict[str, list[str]]]:
    """Who says what, by idea and file; each file is read once."""
    found: dict[str, dict[str, list[str]]] = {idea: {} for idea in SAYS}
    for file in (f for f in SOURCES if "migrations" not in f.parts):
        name = str(file.relative_to(ROOT))
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            for idea in (idea for idea, says in SAYS.items() if says(node)):
                found[idea].setdefault(name, []).append(ast.unparse(node))
    return found


def test_who_says_an_idea_is_found() -> None:
    """The test above can fail: those who may say it do."""
    for idea, places in ONCE.items():
        assert places <= _sayings()[idea].keys()


def _asks_for_an_end(node: ast.AST) -> bool:
    """``end > day`` of a row whose end may be none, and ``end IS NULL OR end > day``."""
    if isinstance(node, ast.Compare) and isinstance(
        node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE
    ):
        sides = [node.left, *node.comparators]
        ends = [each for each in sides if isinstance(each, ast.Attribute)]
        return any(end.attr in ("valid_to", "leaves_on") for end in ends)
    either: list[ast.expr] = []
    if _calls(node, "or_"):
        either = node.args
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        either = [node.left, node.right]
    said = [ast.unparse(each) for each in either]
    open_ = [each.removesuffix(".is_(None)") for each in said if each.endswith(".is_(None)")]
    return any(each.startswith(f"{end} > ") for each in said for end in open_)


def _calls(node: ast.AST, name: str) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and getattr(node.func, "id", None) == name


def _counts_in_steps(node: ast.AST) -> bool:
    steps = _calls(node, "range") and len(node.args) == 3
    return steps and ast.unparse(node.args[1]).startswith("len(")  # type: ignore[attr-defined]


def _names_a_dialect(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
        "sqlalchemy.dialects"
    )


def _spells_base64url(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr.startswith("urlsafe_b64")


def _looks_for_nul(node: ast.AST) -> bool:
    if not isinstance(node, ast.Compare):
        return False
    constants = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
    return any(
        isinstance(value, str) and ("\0" in value or "\ud800" in value) for value in constants
    )


SAYS = {
    "whether an end has come": _asks_for_an_end,
    "as many values as one statement takes": _counts_in_steps,
    "INSERT … ON CONFLICT": _names_a_dialect,
    "unpadded base64url": _spells_base64url,
    "what no database holds": _looks_for_nul,
}


BY_NAME = {"directory/changes/kinds", "directory/migrations", "idp/commands"}
"""Packages of which each module is one more of the same, found by its name."""
PACKAGES = sorted(
    str(file.parent.relative_to(ROOT))
    for part in ("directory", "connectors", "idp", "dinhdanh")
    for file in (ROOT / part).rglob("__init__.py")
    if "versions" not in file.parts
)


@pytest.mark.parametrize("package", [each for each in PACKAGES if each not in BY_NAME])
def test_a_package_opens_with_a_map_of_all_that_is_in_it(package: str) -> None:
    folder = ROOT / package
    said = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""
    words = set(re.findall(r"\w+\*?", said))
    modules = {file.stem for file in folder.glob("*.py")} - {"__init__"}
    modules |= {file.parent.name for file in folder.glob("*/__init__.py")}
    families = tuple(word.removesuffix("*") for word in words if word.endswith("_*"))
    left_out = {each for each in modules - words if not each.startswith(families)}
    assert left_out - {"migrations"} == set()


def test_each_decision_has_a_number_of_its_own_and_the_number_it_says() -> None:
    found = sorted((ROOT / "docs/decisions").glob("*.md"))
    numbers = [file.name[:4] for file in found]
    assert numbers == [f"{n:04d}" for n in range(1, len(found) + 1)]
    for file, number in zip(found, numbers, strict=True):
        assert file.read_text("utf-8").startswith(f"# {number} "), file.name


DECISION = re.compile(r"\bdecisions?(?:/| )(\d{4})\b")


def test_a_decision_that_is_named_is_there() -> None:
    texts = [*SOURCES, *(ROOT / "docs").rglob("*.md")]
    named = {n for file in texts for n in DECISION.findall(file.read_text("utf-8"))}
    assert len(named) > 10
    assert named <= {file.name[:4] for file in (ROOT / "docs/decisions").glob("*.md")}


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


def test_in_the_directory_every_name_means_one_thing() -> None:
    """But for ``Asks``, which is in each kind's file what that kind asks for."""
    bearers: dict[str, list[str]] = {}
    for file in (f for f in SOURCES if f.relative_to(ROOT).parts[0] == "directory"):
        name = str(file.relative_to(ROOT))
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                bearers.setdefault(node.name.lstrip("_"), []).append(name)
            elif isinstance(node, ast.ImportFrom):
                for one in node.names:
                    renamed = one.asname not in (None, one.name) and one.name[0].isupper()
                    assert not renamed, f"{name}: {one.name} as {one.asname}"
    assert {n: files for n, files in bearers.items() if len(files) > 1 and n != "Asks"} == {}


@pytest.mark.parametrize(
    "name", ["Held", "Person", "Found", "Wanted", "Refused", "Profile", "Standing", "asked"]
)
def test_a_name_in_which_readers_were_lost_means_one_thing(name: str) -> None:
    bearers = [
        str(file.relative_to(ROOT))
        for file in SOURCES
        if re.search(rf"^(class|def) {name}\b", file.read_text("utf-8"), re.MULTILINE)
    ]
    assert len(bearers) <= 1, bearers
