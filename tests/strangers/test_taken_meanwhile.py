"""What a new person is to be called by is taken already, or is taken while she is being entered.

A username that was asked for is somebody's: a free one is given, as where none was asked for. A load
of many meets a colleague's commit: it goes on, and says of single rows what became of them.
"""

import csv
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from directory.base.audit import Actor
from directory.feeds.load import load
from directory.feeds.run import Feed
from directory.feeds.source_rows import Report
from tests import hr_world
from tests.hr_world import Hr
from tests.properties.stepping import Stepper, install

pytestmark = pytest.mark.both_databases

A_MOMENT = 0.4
"""On SQLite the colleague waits for the load's transaction."""
PLANNED = "commit.begin"
"""A batch has been planned and is about to be committed."""
NUMBER, OTHER = "038123456780", "038123456781"
HEADS = {
    "people": "source_key full_name birth_date gender citizen_number email phone username",
    "assignments": "source_key person unit position kind valid_from valid_to planned_end",
}


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask, monkeypatch: pytest.MonkeyPatch) -> Hr:
    install(monkeypatch)
    return hr_world.build(services, clock, app)


def join(hr: Hr, name: str, number: str, **person: str) -> Any:
    """Somebody enters a person."""
    return hr.api(hr.token(unit=None)).commit(
        kind="join",
        to_unit=hr.units["room2"],
        position="KT",
        person={"full_name": name, "citizen_number": number, **person},
    )


def folder(tmp_path: Path, *people: dict[str, str]) -> Path:
    """The two tables of a load, each person with one post."""
    posts = [
        {"source_key": f"a{row['source_key']}", "person": row["source_key"], "unit": "GSO:14758"}
        | {"position": "CV", "kind": "primary", "valid_from": "2026-03-01"}
        for row in people
    ]
    for name, rows in (("people", list(people)), ("assignments", posts)):
        with (tmp_path / f"{name}.csv").open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, HEADS[name].split(), restval="")
            writer.writeheader()
            writer.writerows(rows)
    return tmp_path


def loading(hr: Hr, files: Path) -> Any:
    def act() -> Report:
        has = hr.services
        actor = Actor.operator("kiểm thử")
        return load(Feed(has.db, has.door, actor, has.clock, lambda *_: None, Report()), files)

    return act


def names(hr: Hr) -> dict[str, str]:
    """Usernames by name, of everybody who was entered here."""
    with hr.services.db.read() as session:
        rows = session.execute(
            text("SELECT username, full_name FROM users WHERE citizen_hash IS NOT NULL")
        )
        return {row.username: row.full_name for row in rows}


def row(key: str, name: str, number: str, **more: str) -> dict[str, str]:
    return {"source_key": key, "full_name": name, "citizen_number": number, **more}


# ---- a username that is asked for ------------------------------------------------------------


@pytest.mark.parametrize("wanted", ["senct", "senct2"])
def test_a_username_that_is_taken_gives_the_next_free_one(hr: Hr, wanted: str) -> None:
    assert join(hr, "Cao Thị Sen", NUMBER, username=wanted).status_code == 201
    second = join(hr, "Cung Thị Sen", OTHER, username=wanted)
    assert second.status_code == 201, second.text
    assert len(names(hr)) == 2
    assert wanted in names(hr)
    assert join(hr, "Chu Thị Sen", "038123456782").status_code == 201
    assert len(names(hr)) == 3


def test_two_rows_of_a_load_may_ask_for_one(hr: Hr, tmp_path: Path) -> None:
    asked = [
        row("k1", "Cao Thị Sen", NUMBER, username="sen7"),
        row("k2", "Cung Thị Sen", OTHER, username="sen7"),
    ]
    report = loading(hr, folder(tmp_path, *asked))()
    assert (report.added["people.csv"], report.errors) == (2, [])
    assert len(names(hr)) == 2


# ---- a load, and somebody else ---------------------------------------------------------------


def meanwhile(hr: Hr, files: Path, other: Any) -> tuple[Report, Any]:
    """The load has planned its batch; a colleague commits; the load goes on."""
    ahead = Stepper(loading(hr, files), stops=(PLANNED,)).start()
    behind = Stepper(other, stops=())
    if hr.services.db.is_sqlite:
        behind.start(within=A_MOMENT)
    else:
        behind.start()
    return ahead.finish(), behind.finish()


def test_a_load_goes_on_when_a_namesake_is_entered_meanwhile(hr: Hr, tmp_path: Path) -> None:
    files = folder(
        tmp_path, row("k1", "Cao Thị Sen", NUMBER), row("k2", "Tạ Văn Gió", "038123456783")
    )
    report, other = meanwhile(hr, files, lambda: join(hr, "Cao Thị Sen", OTHER))
    assert report.errors == []
    assert report.added["people.csv"] == 2
    assert "Tạ Văn Gió" in names(hr).values()
    if not hr.services.db.is_sqlite:
        assert other.status_code == 201, other.text
        assert sorted(names(hr)) == ["giotv", "senct", "senct2"]


def test_a_load_refuses_the_row_of_whoever_is_entered_meanwhile(hr: Hr, tmp_path: Path) -> None:
    files = folder(
        tmp_path, row("k1", "Cao Thị Sen", NUMBER), row("k2", "Tạ Văn Gió", "038123456783")
    )
    report, other = meanwhile(hr, files, lambda: join(hr, "Cao Thị Sen", NUMBER))
    assert sorted(names(hr).values()) == ["Cao Thị Sen", "Tạ Văn Gió"]
    if other.status_code == 201:
        assert report.added["people.csv"] == 1
        [refused] = report.errors
        assert (refused.file, refused.row) == ("people.csv", 2)
    else:
        assert (report.added["people.csv"], report.errors) == (2, [])
