"""What a process remembers is kept in one way (docs/decisions/0033)."""

import ast
from collections.abc import Iterator

import pytest

from tests.unit.test_house_rules import ROOT, SOURCES

KEPT = {
    "directory/base/remembered.py": "the way itself",
    "idp/oidc/clients/keyset.py": "what others publish, as old as HTTP lets it be",
    "idp/oidc/clients/refusals.py": "which refusals were noted this minute",
    "connectors/accounts/registry.py": "open connections, by the content they were made from",
}
"""Memories of another kind, each with its own bound and reason."""
FILLED = {
    ("directory/changes/kind.py", "_KINDS"): "at import",
    ("directory/changes/titles.py", "_TITLES"): "at import",
    ("idp/run/housekeeping.py", "_told"): "what the log said a moment ago",
}
STORES = {"OrderedDict", "WeakKeyDictionary", "WeakValueDictionary"}
GIVEN = {"session", "connection", "db", "tools", "services", "now"}
"""What is given one of them is no function of its arguments alone."""


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    """The product's files, read."""
    return {str(file.relative_to(ROOT)): ast.parse(file.read_text("utf-8")) for file in SOURCES}


def _name(node: ast.expr) -> str:
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _empty(node: ast.expr | None) -> bool:
    if isinstance(node, ast.Call):
        return _name(node) in {"dict", "list", "set", "defaultdict"} and not node.args
    return isinstance(node, ast.Dict | ast.List) and not (
        node.keys if isinstance(node, ast.Dict) else node.elts
    )


def _filled_later(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and _empty(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from map(_name, targets)


def test_nothing_is_remembered_in_a_way_of_its_own(trees: dict[str, ast.Module]) -> None:
    stores = {
        where
        for where, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _name(node) in STORES
    }
    assert stores == KEPT.keys()
    later = {(where, name) for where, tree in trees.items() for name in _filled_later(tree)}
    assert later == FILLED.keys()


def test_what_is_worked_out_once_depends_on_its_arguments_alone_and_is_bounded(
    trees: dict[str, ast.Module],
) -> None:
    wrong = []
    for where, tree in trees.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef):
                continue
            once = [d for d in node.decorator_list if _name(d) in ("cache", "lru_cache")]
            named = {argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)}
            for each in once:
                # ``cache`` has no bound: it is for what is asked one thing for ever.
                bounded = isinstance(each, ast.Call) and [k.arg for k in each.keywords] == [
                    "maxsize"
                ]
                if named & GIVEN or not (bounded or named <= {"cost"}):
                    wrong.append((where, node.name))
    assert wrong == []
