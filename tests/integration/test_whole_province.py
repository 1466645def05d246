"""The whole sample province through the feed: everybody is there once, and where the files say.

``TEST_PEOPLE`` (20000, as the sample has) says how many people are loaded.
"""

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from directory import permissions, search
from directory import units as tree
from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.feeds.load import load
from directory.feeds.run import Feed
from directory.feeds.source_rows import Report
from directory.people import User
from directory.permissions import Role
from directory.search import SearchFilter
from directory.units import UnitCode
from tests.factories import make_role, make_user

PEOPLE = int(os.environ.get("TEST_PEOPLE", "20000"))
SAMPLE = Path(__file__).parents[2] / "examples" / "thanh-hoa"
OPERATOR = Actor.operator("kiểm thử")

pytestmark = [pytest.mark.long, pytest.mark.both_databases, pytest.mark.timeout(7200)]


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("province")
    for name in ("positions.csv", "units.csv", "posts.csv"):
        shutil.copyfile(SAMPLE / name, folder / name)
    command = [sys.executable, str(SAMPLE / "generate.py"), "--people", str(PEOPLE)]
    subprocess.run([*command, "--out", str(folder)], check=True, stdout=subprocess.DEVNULL)
    return folder


def _load(services: Any, folder: Path) -> Report:
    report = Report()
    feed = Feed(services.db, services.door, OPERATOR, services.clock, lambda *_: None, report)
    load(feed, folder)
    assert not report.errors, report.errors[:3]
    return report


def _listed(services: Any, actor: Actor) -> Iterator[int]:
    """Everybody whom the actor's list shows, page by page."""
    on, after = local_day(services.clock()), None
    while True:
        with services.db.read() as session:
            granted = permissions.rights(session, actor, on)
            page = search.people(
                session, granted, SearchFilter(), on=on, keyring=services.keyring, after=after
            )
        yield from (row.id for row in page.rows)
        if (after := page.after) is None:
            return


def _below(unit: str, parents: dict[str, str]) -> Iterator[str]:
    """A unit and all above it."""
    while unit:
        yield unit
        unit = parents[unit]


def test_everybody_is_there_once_and_where_the_files_say(services: Any, files: Path) -> None:
    people, held = _rows(files / "people.csv"), _rows(files / "assignments.csv")
    assert len(people) == PEOPLE
    _load(services, files)
    with services.db.read() as session:
        ids = dict(session.execute(select(User.source_key, User.id)).all())
        units = dict(session.execute(select(UnitCode.value, UnitCode.unit_id)).all())
    assert ids.keys() == {row["source_key"] for row in people}

    listed = list(_listed(services, OPERATOR))
    assert len(listed) == len(set(listed))
    assert set(listed) == set(ids.values())

    parents = {row["code"]: row["parent"] for row in _rows(files / "units.csv")}
    top = next(code for code, parent in parents.items() if not parent)
    own = [code for code, parent in parents.items() if parent == top][:3]
    on = local_day(services.clock()).isoformat()
    for code in own:
        with services.db.write() as session:
            officer = make_user(session, "Cán bộ tổ chức")
            make_role(session, officer, Role.HR_OFFICER, tree.get(session, units[code]))
        hers = {
            ids[row["person"]]
            for row in held
            if code in _below(row["unit"], parents)
            if not row["valid_to"] or row["valid_to"] > on
        }
        assert hers
        assert set(_listed(services, Actor("user", officer.id))) == hers

    again = _load(services, files)
    assert not any(again.added.values())
    assert again.unchanged["people.csv"] == PEOPLE
