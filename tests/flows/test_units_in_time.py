"""Units on the days before and after: pages, sight and rules follow the dated facts, from the first
moment of the day on, whether or not the day's job has come by.
"""

import re
from datetime import date, timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from directory.base.clock import day_start
from directory.base.outbox import Job
from directory.base.text import search_key, sort_key
from directory.changes import tree_day
from directory.people import User
from directory.units import UnitEdge, UnitName, facts
from tests import hr_world
from tests.hr_world import Hr, text_of

pytestmark = pytest.mark.both_databases

DAY = date(2026, 4, 1)
EVE = date(2026, 3, 31)


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def renamed(hr: Hr, unit: str, name: str, on: date = DAY, kind: str = "commune") -> None:
    with hr.services.db.write() as session:
        facts.begin(
            session,
            UnitName(
                unit_id=hr.units[unit],
                name=name,
                short_name=name,
                kind=kind,
                search_key=search_key(name),
                sort_key=sort_key(name),
                valid_from=on,
            ),
        )


def moved(hr: Hr, unit: str, parent: str, on: date = DAY) -> None:
    with hr.services.db.write() as session:
        facts.begin(
            session,
            UnitEdge(unit_id=hr.units[unit], parent_id=hr.units[parent], valid_from=on),
        )


def below(page: str) -> list[str]:
    part = page.split('id="below"', 1)[1].split("</section>", 1)[0] if 'id="below"' in page else ""
    return [unescape(n) for n in re.findall(r'href="/console/units/\d+[^"]*">([^<]+)</a><b', part)]


def test_the_unit_page_of_a_day_shows_its_name_its_place_and_what_lay_below(hr: Hr) -> None:
    renamed(hr, "room", "Phòng Kinh tế và Hạ tầng")
    moved(hr, "room", "b")
    admin = hr.browser("admin")

    def crumbs(page: str) -> list[str]:
        part = page.split('class="crumbs"', 1)[1].split("</nav>", 1)[0]
        return [unescape(name) for name in re.findall(r">([^<]+)</a>", part)]

    for now, asked, name, above, of_a in (
        (EVE, "", "Phòng Kinh tế", "Hà Trung", ["Phòng Kinh tế", "Phòng Văn hóa"]),
        (EVE, "?on=01/04/2026", "Phòng Kinh tế và Hạ tầng", "Nga Sơn", ["Phòng Văn hóa"]),
        (DAY, "", "Phòng Kinh tế và Hạ tầng", "Nga Sơn", ["Phòng Văn hóa"]),
        (DAY, "?on=31/03/2026", "Phòng Kinh tế", "Hà Trung", ["Phòng Kinh tế", "Phòng Văn hóa"]),
    ):
        hr.clock.set(day_start(now))
        admin = hr.browser("admin")
        page = admin.get(f"/console/units/{hr.units['room']}{asked}").text
        assert f"<h1>{name}</h1>" in page.replace('<h1 class="title">', "<h1>")
        assert crumbs(page)[-1].endswith(above)
        assert below(admin.get(f"/console/units/{hr.units['a']}{asked}").text) == of_a
        tree = admin.get(
            f"/console/units{asked or '?'}&open={hr.units['root']}"
            f"&open={hr.units['a']}&open={hr.units['b']}"
        ).text
        assert f">{name}</a>" in tree


def test_a_persons_page_calls_units_as_they_were_called(hr: Hr) -> None:
    renamed(hr, "a", "Ủy ban nhân dân xã Tống Sơn")
    hr.clock.set(day_start(date(2026, 5, 1)))
    with hr.services.db.write() as session:  # she leaves the room after the day, Mai before it
        from directory.assignments import Assignment

        session.get_one(Assignment, hr.posts["hien"]).valid_to = date(2026, 3, 20)
    admin = hr.browser("admin")

    def history(who: str, asked: str = "") -> str:
        page = admin.get(f"/console/people/{hr.people[who]}{asked}").text
        return text_of(page.split("<table", 1)[1].split("</table>", 1)[0])

    assert "xã Tống Sơn" in history("lan")
    assert "xã Hà Trung" in history("lan", "?on=31/03/2026")
    assert "xã Hà Trung" in history("hien")  # what it was called on her last day there


def test_search_finds_a_unit_by_its_name_of_the_day(hr: Hr) -> None:
    renamed(hr, "a", "Ủy ban nhân dân xã Tống Sơn")

    def found(words: str, on: str = "") -> bool:
        page = hr.browser("admin").get("/console/units", query_string={"q": words, "on": on}).text
        rows = page.split("<tbody", 1)[1].split("</tbody", 1)[0] if "<tbody" in page else ""
        return f'href="/console/units/{hr.units["a"]}' in rows

    assert found("ha trung")
    assert not found("tong son")
    assert found("tong son", "01/04/2026")
    hr.clock.set(day_start(DAY))
    assert found("tong son")
    assert not found("ha trung")
    assert found("gso:14758")


def test_from_the_first_moment_of_the_day_sight_follows_the_tree(hr: Hr) -> None:
    moved(hr, "room", "b")
    person = f"/console/people/{hr.people['lan']}"

    def seen() -> tuple[int, int]:
        return tuple(hr.browser(o).get(person).status_code for o in ("officer_a", "officer_b"))  # type: ignore[return-value]

    hr.clock.set(day_start(DAY) - timedelta(seconds=1))
    assert seen() == (200, 404)
    hr.clock.advance(seconds=1)
    assert seen() == (404, 200)


def test_who_works_for_another_legal_person_since_is_signed_out_and_nobody_else(hr: Hr) -> None:
    hr.clock.set(day_start(DAY) - timedelta(minutes=1))
    lan, mai = hr.browser("lan"), hr.browser("mai")
    moved(hr, "room", "b")
    assert lan.get("/").status_code == mai.get("/").status_code == 200
    hr.clock.advance(minutes=1)
    assert lan.get("/").status_code == 303
    assert mai.get("/").status_code == 200


def test_a_move_within_a_legal_person_signs_nobody_out(hr: Hr) -> None:
    hr.clock.set(day_start(DAY) - timedelta(minutes=1))
    lan = hr.browser("lan")
    moved(hr, "room", "room2")
    hr.clock.advance(minutes=1)
    assert lan.get("/").status_code == 200


def _jobs(hr: Hr) -> set[str]:
    with hr.services.db.read() as session:
        return set(session.scalars(select(Job.key).where(Job.kind == "account.apply")))


def test_accounts_that_follow_from_the_tree_are_looked_at(hr: Hr) -> None:
    with hr.services.db.write() as session:
        from directory.entitlements import Application

        for application in session.query(Application):
            application.connector = "scim"
    moved(hr, "room", "b")
    hr.clock.set(day_start(DAY))
    with hr.services.db.read():
        pass
    ids = {hr.people[who] for who in ("lan", "hien", "plain")}
    assert {int(key.split(":")[0]) for key in _jobs(hr)} == ids


def test_catching_up_again_does_nothing(hr: Hr) -> None:
    moved(hr, "room", "b")
    renamed(hr, "a", "Ủy ban nhân dân xã Tống Sơn")
    hr.clock.set(day_start(DAY))
    with hr.services.db.read() as session:
        epochs = dict(session.query(User.id, User.access_epoch))
    for _ in range(2):
        with hr.services.db.write() as session:
            assert tree_day.turn(session, now=hr.clock()) == set()
    with hr.services.db.read() as session:
        assert dict(session.query(User.id, User.access_epoch)) == epochs
