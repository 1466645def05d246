"""docs/feed.md: its sample folder loads as the page says, and a second run changes nothing."""

import re
from pathlib import Path
from typing import Any

import pytest

from directory.assignments import HeldAs
from directory.base.audit import Actor
from directory.feeds.load import load
from directory.feeds.run import Feed
from directory.feeds.source_rows import Report
from directory.units import Bloc, Tier

PAGE = (Path(__file__).parents[2] / "docs" / "feed.md").read_text("utf-8")
FILES = dict(re.findall(r"^`(\w+\.csv)`\n\n```csv\n(.+?)^```$", PAGE, re.MULTILINE | re.DOTALL))


def run(services: Any, folder: Path) -> Report:
    actor = Actor.operator("kiểm thử")
    feed = Feed(services.db, services.door, actor, services.clock, lambda *_: None, Report())
    return load(feed, folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "small"
    made.mkdir()
    for name, text in FILES.items():
        (made / name).write_text(text, "utf-8")
    return made


def test_the_sample_folder_of_the_page_loads_as_it_says(services: Any, folder: Path) -> None:
    report = run(services, folder)
    assert report.errors == []
    for name, count in re.findall(r"^(\w+\.csv): \+(\d+), =0$", PAGE, re.MULTILINE):
        assert report.added[name] == int(count)
    again = run(services, folder)
    assert again.errors == []
    assert set(again.added.values()) == {0}


def test_the_page_names_every_column_and_every_value_of_a_closed_set() -> None:
    for text in FILES.values():
        for column in text.splitlines()[0].split(","):
            assert f"`{column}`" in PAGE
    for code in (*Bloc, *Tier, *HeldAs, "username", "qd20"):
        assert f"`{code}`" in PAGE


def test_what_the_page_says_is_refused_is_refused(services: Any, folder: Path) -> None:
    run(services, folder)
    changes = {
        "posts.csv": ("SNV,CV,30", "SNV,CV,31"),
        "units.csv": ("Sở Nội vụ,Sở", "Sở Tư pháp,Sở"),
        "people.csv": ("Lê Thị Lan", "Lê Thị Loan"),
        "assignments.csv": ("PC-002,", "PC-003,"),
    }
    for name, (old, new) in changes.items():
        assert FILES[name].count(old) == 1
        (folder / name).write_text(FILES[name].replace(old, new), "utf-8")
    report = run(services, folder)
    assert report.added["posts.csv"] == 1
    assert {error.file for error in report.errors} == {"units.csv", "people.csv", "assignments.csv"}
