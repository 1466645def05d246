"""Codes come back: at the reorganisation of 1/7/2025 new communes took codes of their predecessors.

The rows are those of the real reorganisation of Thành phố Thanh Hóa (Nghị quyết 1686/NQ-UBTVQH15).
"""

import secrets
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from directory import units
from directory.base.audit import Actor
from directory.base.errors import InvalidInput
from directory.changes.model import Spec
from directory.changes.spec import ChangeKind
from directory.feeds.load import load
from directory.feeds.run import Feed
from directory.feeds.source_rows import Report
from directory.units import OrgUnit, UnitCode, facts
from tests import hr_world
from tests.factories import make_unit
from tests.hr_world import Hr
from tests.properties.stepping import Stepper, install

pytestmark = pytest.mark.both_databases

NEW_DAY = date(2025, 7, 1)
BEFORE = {
    "14755": "Phường Hàm Rồng",
    "14758": "Phường Đông Thọ",
    "14761": "Phường Nam Ngạn",
    "14797": "Phường Tân Sơn",
}
AFTER = {"14758": "Phường Hàm Rồng", "14797": "Phường Hạc Thành"}
OPERATOR = Actor.operator("kiểm thử")


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    """The communes before and after; ``new 14758`` names the second who bore that code."""
    world = hr_world.build(services, clock, app)
    with services.db.write() as session:
        root = session.get_one(OrgUnit, world.units["root"])
        # The world's own communes bear two of the codes by chance; they give them up long before.
        for code in session.query(UnitCode):
            facts.begin(session, _none(code.unit_id, date(2021, 1, 1)))
        for value, name in BEFORE.items():
            made = make_unit(session, name, parent=root, codes={"gso": value}, valid_from=NINETIES)
            world.units[f"old {value}"] = made.id
            facts.begin(session, _none(made.id, NEW_DAY))
        for value, name in AFTER.items():
            made = make_unit(session, name, parent=root, codes={"gso": value}, valid_from=NEW_DAY)
            world.units[f"new {value}"] = made.id
    return world


NINETIES = date(2021, 6, 1)


def _none(unit_id: int, since: date) -> UnitCode:
    return UnitCode(unit_id=unit_id, scheme="gso", value="", issuer="", valid_from=since)


@pytest.mark.parametrize(("value", "name"), [*BEFORE.items()])
def test_a_code_names_whoever_bore_it_on_the_day(hr: Hr, value: str, name: str) -> None:
    def found(ref: str, on: date) -> str:
        with hr.services.db.read() as session:
            return units.by_ref(session, ref, on=on).name

    assert found(f"gso:{value}", date(2025, 6, 30)) == name
    assert found(f"gso:{value}@2025-06-30", date(2026, 3, 2)) == name
    if value in AFTER:
        assert found(f"gso:{value}", NEW_DAY) == AFTER[value]
        assert found(f"gso:{value}@2025-07-01", date(2024, 1, 1)) == AFTER[value]
    for ref in (f"gso:{value}@1999-01-01", "gso:14755@2025-07-01", "gso:99999", "gso:14758@nay"):
        with hr.services.db.read() as session, pytest.raises(InvalidInput):
            units.by_ref(session, ref, on=NEW_DAY)


def test_a_transfer_names_its_unit_by_the_code_of_its_own_day(hr: Hr) -> None:
    api = hr.api(hr.token())

    def destination(**body: Any) -> str:
        plan = api.plan(kind="transfer", user=hr.names["lan"], **body)
        [person] = plan["people"]
        return str(person["after"][-1]["unit"]["name"])

    assert destination(to_unit="gso:14758") == "Phường Hàm Rồng"
    assert destination(to_unit="gso:14758@2025-06-30") == "Phường Đông Thọ"
    wrong = api.post(
        "/api/v1/changes/preview",
        {"kind": "transfer", "user": hr.names["lan"], "to_unit": "gso:14758@2021-03-03"},
    )
    assert wrong.status_code == 422
    assert wrong.json["field"] == "to_unit"


def test_the_console_finds_both_by_the_code(hr: Hr) -> None:
    officer = hr.browser("officer")

    def first(**query: str) -> str:
        page = officer.get("/console/units", query_string=query).text
        return page.split("<tbody", 1)[1].split("</a>", 1)[0].rsplit(">", 1)[1]

    assert first(q="gso:14758") == "Phường Hàm Rồng"
    assert first(q="14758") == "Phường Hàm Rồng"
    assert first(q="gso:14758@2025-06-30") == "Phường Đông Thọ"
    assert first(q="14758", on="30/06/2025") == "Phường Đông Thọ"
    assert first(q="14755") == "Phường Hàm Rồng"  # nobody bears it any more: who bore it last
    page = officer.get(f"/console/units/{hr.units['old 14758']}").text
    assert "14758" in page
    assert "01/07/2025" in page


def _feed(hr: Hr, folder: Path) -> Report:
    report = Report()
    load(
        Feed(hr.services.db, hr.services.door, OPERATOR, hr.clock, lambda *_: None, report), folder
    )
    return report


ASSIGNMENTS = "source_key,person,unit,position,kind,valid_from,valid_to,planned_end\n"
PEOPLE = "source_key,full_name,birth_date,gender,citizen_number,email,phone\n"


def test_posts_of_a_feed_are_in_the_unit_that_bore_the_code_then(hr: Hr, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(PEOPLE + "p1,Lê Văn Sông,1980,male,,,\n", "utf-8")
    (tmp_path / "assignments.csv").write_text(
        ASSIGNMENTS
        + "a1,p1,gso:14758,CV,primary,2022-03-01,2025-07-01,\n"
        + "a2,p1,gso:14797@2025-06-30,CV,concurrent,2025-07-01,,\n"
        + "a3,p1,gso:14758,CV,primary,2025-07-01,,\n",
        "utf-8",
    )
    assert _feed(hr, tmp_path).errors == []
    with hr.services.db.read() as session:
        from directory.assignments import Assignment

        where = dict(
            session.query(Assignment.source_key, Assignment.unit_id).filter(
                Assignment.source_key.in_(["a1", "a2", "a3"])
            )
        )
    assert where == {
        "a1": hr.units["old 14758"],
        "a2": hr.units["old 14797"],
        "a3": hr.units["new 14758"],
    }


def test_a_feed_gives_a_code_that_has_come_free_and_no_other(hr: Hr, tmp_path: Path) -> None:
    columns = "code,parent,name,short_name,kind,bloc,tier,legal_person,valid_from,gso\n"
    (tmp_path / "units.csv").write_text(
        columns
        + "T,,Tỉnh khác,,province,other,province,false,2025-07-01,\n"
        + "A,T,Phường mới,,commune,government,commune,true,2025-07-01,14755\n"
        + "B,T,Phường sớm,,commune,government,commune,true,2025-06-30,14761\n"
        + "C,T,Phường sau,,commune,government,commune,true,2025-07-01,14755\n"
        + "D,T,Phường trùng,,commune,government,commune,true,2025-07-01,14758\n",
        "utf-8",
    )
    report = _feed(hr, tmp_path)
    assert [(e.row, "khác" in e.message) for e in report.errors] == [
        (4, True),
        (5, True),
        (6, True),
    ]
    with hr.services.db.read() as session:
        assert units.by_ref(session, "gso:14755", on=NEW_DAY).name == "Phường mới"


@pytest.mark.parametrize("stop", ["commit.begin", "commit.before_commit"])
def test_of_two_who_give_one_code_at_once_one_does(
    hr: Hr, stop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    hr.clock.advance(days=1)
    hr.services.db.hot().__enter__().close()  # the tree has been looked at today

    def give(name: str, since: str) -> Any:
        row = {
            "row": 2,
            "ref": secrets.token_hex(4),
            "parent": hr.units["root"],
            "parent_ref": None,
            "name": name,
            "short_name": name,
            "kind": "commune",
            "bloc": "government",
            "tier": "commune",
            "legal_person": True,
            "valid_from": since,
            "codes": [{"scheme": "gso", "value": "15999"}],
        }
        spec = Spec(ChangeKind.UNIT_CREATE, date(2026, 3, 3), rows=(row,))
        with hr.services.db.read() as session:
            print_ = hr.services.door.plan(session, spec, OPERATOR, now=hr.clock()).fingerprint

        def act() -> str:
            from directory.base.errors import DinhdanhError

            try:
                with hr.services.db.write() as session:
                    hr.services.door.commit(
                        session, spec, OPERATOR, now=hr.clock(), fingerprint=print_
                    )
            except DinhdanhError as error:
                return error.code
            return "done"

        return act

    ahead = Stepper(give("Phường Một", "2026-01-01"), stops=(stop,)).start()
    behind = Stepper(give("Phường Hai", "2026-02-01"), stops=()).start(within=0.4)
    assert sorted([ahead.finish(), behind.finish()]) == ["code_taken", "done"]
