"""The ways that docs/architecture.md shows: files there are, few, and read downwards."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text("utf-8")
MOST = {"From a code to tokens": 15, "From a preview to a commit": 20}


def _way(name: str) -> list[str]:
    part = PAGE.split(f"**{name}**")[1].split("\n\n")[1]
    return re.findall(r"^\d+\. `([^`]+)`: .+$", part, re.MULTILINE)


def _imported(file: str) -> set[str]:
    """The modules a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    return found


@pytest.mark.parametrize("name", MOST)
def test_a_way_is_short_and_its_files_are_there(name: str) -> None:
    way = _way(name)
    assert 5 < len(way) <= MOST[name]
    assert len(set(way)) == len(way)
    assert [file for file in way if not (ROOT / file).is_file()] == []


@pytest.mark.parametrize("name", MOST)
def test_a_way_only_goes_down(name: str) -> None:
    way = _way(name)
    modules = [file.removesuffix(".py").replace("/", ".") for file in way]
    back = {
        (file, earlier)
        for place, file in enumerate(way)
        for earlier in modules[:place]
        if earlier in _imported(file)
    }
    assert back == set()


def test_every_room_of_the_page_is_there() -> None:
    table = PAGE.split("## The rooms")[1].split("\n## ")[0]
    rooms = re.findall(r"`([^`]+)`", "".join(re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)))
    assert len(rooms) > 20
    for room in rooms:
        found = ROOT / room
        assert found.is_dir() if room.endswith("/") else found.with_suffix(".py").is_file(), room
