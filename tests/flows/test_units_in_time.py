"""Units on the days before and after: pages, sight and rules follow the dated facts, from the first
moment of the day on, whether or not the day's job has come by.
"""

import re
import secrets
from datetime import date, timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from directory import assignments
from directory.base.clock import day_start, local_day
from directory.base.outbox import Job
from directory.base.rows import in_force
from directory.changes import tree_day, unit_facts
from directory.changes.thresholds import Thresholds
from directory.people import User
from directory.permissions import Role
from directory.units import OrgUnit, UnitCode, UnitName, facts
from idp.oidc.grants import Grant
from idp.run import performing
from idp.sessions import SsoSession
from tests import hr_world
from tests.command_line import Operator
from tests.command_line import operator as operator
from tests.hr_world import Hr, text_of
from tests.properties.stepping import Stepper, install
from tests.relying_party import Flow, World, build_world

pytestmark = pytest.mark.both_databases

DAY = date(2026, 4, 1)
EVE = date(2026, 3, 31)


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def decided(hr: Hr, unit: str, on: date = DAY, **body: Any) -> str:
    """A change of a unit by an administrator; its id."""
    api = hr.api(hr.token(Role.ADMINISTRATOR, None))
    done = api.commit(unit=hr.units[unit], effective_on=on.isoformat(), **body)
    assert done.status_code == 201, done.text
    return str(done.json["id"])


def renamed(hr: Hr, unit: str, name: str, on: date = DAY) -> str:
    return decided(hr, unit, on, kind="unit.rename", name=name, short_name=name)


def moved(hr: Hr, unit: str, parent: str, on: date = DAY) -> str:
    return decided(hr, unit, on, kind="unit.move", parent=hr.units[parent])


def undone(hr: Hr, change: str) -> Any:
    api = hr.api(hr.token(Role.ADMINISTRATOR, None))
    path = f"/api/v1/changes/{change}/undo"
    preview = api.post(f"{path}/preview")
    if preview.status_code != 200 or preview.json["conflicts"]:
        return preview
    asked = {"fingerprint": preview.json["fingerprint"]}
    return api.post(path, asked, key=secrets.token_hex(8))


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


def test_the_list_of_people_and_its_file_say_where_somebody_was_on_a_day(hr: Hr) -> None:
    renamed(hr, "room", "Phòng Kinh tế và Hạ tầng")
    moved(hr, "room", "b")
    hr.clock.set(day_start(date(2026, 5, 1)))
    admin = hr.browser("admin")

    def row(asked: str) -> list[str]:
        lines = admin.get(f"/console/people.csv{asked}").text.splitlines()
        [found] = [line.split(",") for line in lines if line.startswith(hr.names["lan"])]
        listed = admin.get(f"/console/people{asked}").text
        assert found[5] in unescape(listed)
        return found[5:7]

    assert row("") == ["Phòng Kinh tế và Hạ tầng", "Ủy ban nhân dân xã Nga Sơn"]
    assert row("?on=31/03/2026") == ["Phòng Kinh tế", "Ủy ban nhân dân xã Hà Trung"]
    assert row("?on=01/04/2026") == row("")
    assert row("?on=2019-05-01") == ["", ""]


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


def test_the_clients_of_whoever_is_signed_out_are_told(hr: Hr) -> None:
    world = World(hr.services, hr.clock, hr.people["lan"], hr.posts["lan"], 0, 0)
    party = world.register(backchannel_logout_uri="https://app.example/logout")
    hr.clock.set(day_start(DAY) - timedelta(minutes=1))
    grants = {}
    for who in ("lan", "mai"):
        one = World(hr.services, hr.clock, hr.people[who], hr.posts[who], 0, 0)
        browser = hr.app.test_client()
        one.sign_in(browser, assignment_id=hr.posts[who])
        Flow(browser, party).tokens()
        with hr.services.db.read() as session:
            found = select(Grant.id).where(Grant.user_id == hr.people[who])
            grants[who] = session.scalars(found).one()
    moved(hr, "room", "b")
    hr.clock.advance(minutes=1)
    again = hr.browser("lan")  # after the day has begun: none of its business
    performing.drain(hr.services)
    with hr.services.db.read() as session:
        told = session.scalars(select(Job.key).where(Job.kind == "logout.deliver")).all()
        over = session.execute(
            select(SsoSession.user_id).where(SsoSession.end_reason.is_not(None))
        ).scalars()
        assert set(over) == {hr.people["lan"]}
        assert session.get_one(Grant, grants["lan"]).revoked_at is not None
        assert session.get_one(Grant, grants["mai"]).revoked_at is None
    assert told == [grants["lan"]]
    assert again.get("/").status_code == 200


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


def test_a_transfer_on_a_later_day_is_judged_by_the_tree_of_that_day(hr: Hr) -> None:
    moved(hr, "room", "b")
    api = hr.api(hr.token())

    def event(on: date, to: str) -> str:
        body = {"kind": "transfer", "user": hr.names["lan"], "to_unit": hr.units[to]}
        plan = api.plan(**body, effective_on=on.isoformat())
        return str(plan["people"][0]["event"])

    assert event(EVE, "room2") == "transfer.within"
    assert event(DAY, "room2") == "transfer.other"
    assert event(EVE, "b") == "transfer.other"
    assert event(DAY, "b") == "transfer.within"


def _transferred(hr: Hr, who: str, to: str, on: date) -> None:
    body = {"kind": "transfer", "user": hr.names[who], "to_unit": hr.units[to]}
    done = hr.api(hr.token()).commit(**body, effective_on=on.isoformat())
    assert done.status_code == 201, done.text


def _deputy(hr: Hr, who: str, unit: str) -> int:
    """A further post; its id."""
    body = {"kind": "appoint", "user": hr.names[who], "to_unit": hr.units[unit], "position": "KT"}
    done = hr.api(hr.token()).commit(**body, held_as="acting")
    assert done.status_code == 201, done.text
    with hr.services.db.read() as session:
        found = assignments.current(session, hr.people[who], local_day(hr.clock()))
        return next(h.id for h in found if h.kind == "acting")


def _is_in_after(hr: Hr, post: int, on: date) -> bool:
    """Whether a session of Lan's that acts in a post outlives the beginning of a day."""
    hr.clock.set(day_start(on) - timedelta(minutes=1))
    browser = hr.app.test_client()
    World(hr.services, hr.clock, hr.people["lan"], post, 0, 0).sign_in(browser, assignment_id=post)
    assert browser.get("/").status_code == 200
    hr.clock.advance(minutes=2)
    return bool(browser.get("/").status_code == 200)


LATER = DAY + timedelta(days=10)


@pytest.mark.parametrize("unit", ["room", "room2"])
def test_a_waiting_transfer_ends_everything_where_a_unit_comes_under_another_body_first(
    hr: Hr, unit: str
) -> None:
    post = _deputy(hr, "lan", "a")
    _transferred(hr, "lan", "room2", LATER)
    api = hr.api(hr.token(Role.ADMINISTRATOR, None))
    plan = api.plan(
        kind="unit.move", unit=hr.units[unit], parent=hr.units["b"], effective_on=DAY.isoformat()
    )
    assert "waiting_moves" in {notice["code"] for notice in plan["warnings"]}
    moved(hr, unit, "b")
    assert not _is_in_after(hr, post, LATER)


def test_a_waiting_transfer_ends_no_more_where_both_units_or_neither_go(hr: Hr) -> None:
    post = _deputy(hr, "lan", "a")
    _transferred(hr, "lan", "room2", LATER)
    moved(hr, "room", "room2")
    assert _is_in_after(hr, post, LATER)


def test_a_waiting_transfer_ends_no_more_than_it_said_where_the_unit_is_there_later(hr: Hr) -> None:
    post = _deputy(hr, "lan", "a")
    _transferred(hr, "lan", "room2", LATER)
    moved(hr, "room2", "b", on=LATER + timedelta(days=1))
    assert _is_in_after(hr, post, LATER)


# ---- undone, refused, at once --------------------------------------------------------------------


def _today(hr: Hr, unit: str) -> tuple[str, str]:
    with hr.services.db.read() as session:
        row = session.get_one(OrgUnit, hr.units[unit])
        return row.name, row.path


def test_a_day_that_has_come_makes_the_change_stand_and_settles_it(hr: Hr) -> None:
    change = renamed(hr, "a", "Ủy ban nhân dân xã Tống Sơn")

    def seen() -> Any:
        return hr.api(hr.token(Role.AUDITOR, "root")).get(f"/api/v1/changes/{change}").json

    assert seen()["state"] == "scheduled"
    hr.clock.set(day_start(DAY))
    assert performing.drain(hr.services) >= 1
    assert seen()["state"] == "settled"
    assert seen()["title"] == "Đổi tên đơn vị: Ủy ban nhân dân xã Hà Trung"
    assert _today(hr, "a")[0] == "Ủy ban nhân dân xã Tống Sơn"
    page = hr.browser("admin").get(f"/console/changes/{change}").text
    assert "Đổi tên đơn vị: Ủy ban nhân dân xã Hà Trung" in page


def test_what_is_cancelled_never_happens_and_what_is_undone_is_as_before(hr: Hr) -> None:
    before = _today(hr, "room")
    waiting = moved(hr, "room", "b")
    assert undone(hr, waiting).status_code == 201
    assert undone(hr, waiting).status_code == 409
    hr.clock.set(day_start(DAY))
    assert _today(hr, "room") == before
    done = moved(hr, "room", "b")
    assert _today(hr, "room")[1].startswith(f"/{hr.units['root']}/{hr.units['b']}/")
    lan = hr.browser("lan")
    assert undone(hr, done).status_code == 201
    assert _today(hr, "room") == before
    assert lan.get("/").status_code == 303  # she works for another body again


def _called(hr: Hr, unit: str, on: date) -> tuple[str, str]:
    """Its full and its short name on a day that comes."""
    with hr.services.db.read() as session:
        found = facts.spans(facts.line(session, UnitName, hr.units[unit]))
        now = next(span.fact for span in found if in_force(span, on))
        return now.name, now.short_name


def _shortened(hr: Hr, short: str, on: date, **more: Any) -> str:
    return decided(hr, "room", on, kind="unit.rename", short_name=short, **more)


def _in_full(hr: Hr, name: str, on: date) -> str:
    return decided(hr, "room", on, kind="unit.rename", name=name)


def test_a_name_decided_for_an_earlier_day_is_not_lost_when_a_waiting_one_begins(hr: Hr) -> None:
    full = _today(hr, "room")[0]
    later = _shortened(hr, "P. KTĐT", LATER, name=full)  # as a form sends what it began with
    api = hr.api(hr.token(Role.ADMINISTRATOR, None))
    full_name = {"kind": "unit.rename", "name": "Phòng Kinh tế và Đô thị"}
    plan = api.plan(**full_name, unit=hr.units["room"], effective_on=DAY.isoformat())
    assert "until" not in {notice["code"] for notice in plan["warnings"]}
    first = _in_full(hr, "Phòng Kinh tế và Đô thị", DAY)
    last = _in_full(hr, "Phòng Đô thị", LATER + timedelta(days=5))
    assert _called(hr, "room", LATER) == ("Phòng Kinh tế và Đô thị", "P. KTĐT")
    assert _called(hr, "room", LATER + timedelta(days=5)) == ("Phòng Đô thị", "P. KTĐT")
    hr.clock.set(day_start(LATER))
    assert _today(hr, "room")[0] == "Phòng Kinh tế và Đô thị"
    found = hr.browser("admin").get("/console/units?q=đô+thị").text
    assert "Phòng Kinh tế và Đô thị" in found
    assert undone(hr, first).status_code == 201
    assert _called(hr, "room", LATER) == (full, "P. KTĐT")
    assert _today(hr, "room")[0] == full
    assert undone(hr, later).status_code == 201
    assert _called(hr, "room", LATER + timedelta(days=5))[1] != "P. KTĐT"
    assert undone(hr, last).status_code == 201


def test_what_a_later_name_decides_itself_stays_whatever_is_decided_before_it(hr: Hr) -> None:
    _in_full(hr, "Phòng Đô thị", LATER)
    first = _in_full(hr, "Phòng Kinh tế và Đô thị", DAY)
    _shortened(hr, "P. KTĐT", DAY + timedelta(days=1))
    assert _called(hr, "room", DAY + timedelta(days=1)) == ("Phòng Kinh tế và Đô thị", "P. KTĐT")
    assert _called(hr, "room", LATER) == ("Phòng Đô thị", "P. KTĐT")
    assert undone(hr, first).status_code == 201
    assert _called(hr, "room", LATER) == ("Phòng Đô thị", "P. KTĐT")


def test_a_name_taken_back_is_not_kept_by_one_that_said_nothing_of_it(hr: Hr) -> None:
    before = _today(hr, "room")
    first = _in_full(hr, "Phòng Kinh tế và Đô thị", local_day(hr.clock()))
    _shortened(hr, "P. KTĐT", EVE)
    api = hr.api(hr.token(Role.ADMINISTRATOR, None))
    preview = api.post(f"/api/v1/changes/{first}/undo/preview").json
    assert "follows" in {notice["code"] for notice in preview["warnings"]}
    assert undone(hr, first).status_code == 201
    assert _called(hr, "room", DAY) == (before[0], "P. KTĐT")
    # One that says the name itself hangs on nothing.
    first = _in_full(hr, "Phòng Đô thị", DAY)
    _shortened(hr, "P. ĐT", DAY + timedelta(days=1), name="Phòng Đô thị")
    assert undone(hr, first).status_code == 201
    assert _called(hr, "room", DAY + timedelta(days=1)) == ("Phòng Đô thị", "P. ĐT")


def test_a_code_keeps_who_gave_it(hr: Hr) -> None:
    decision = {"number": "5/QĐ", "issued_on": "2026-03-01", "issuer": "Bộ Nội vụ"}
    decided(hr, "room", EVE, kind="unit.code", scheme="noibo", value="P01", decision=decision)
    decided(hr, "room", DAY, kind="unit.code", scheme="noibo", value="P02")
    with hr.services.db.read() as session:
        codes = session.execute(
            select(UnitCode.value, UnitCode.issuer).where(UnitCode.scheme == "noibo")
        )
        assert dict(codes.all()) == {"P01": "Bộ Nội vụ", "P02": ""}


def test_a_change_is_refused_where_a_unit_would_lie_below_itself_on_some_day(hr: Hr) -> None:
    api = hr.api(hr.token(Role.ADMINISTRATOR, None))

    def refusal(unit: str, parent: str, on: date) -> set[str]:
        asked = {"kind": "unit.move", "unit": hr.units[unit], "parent": hr.units[parent]}
        return {c["code"] for c in api.plan(**asked, effective_on=on.isoformat())["conflicts"]}

    assert refusal("a", "room", EVE) == {"below_itself"}
    assert refusal("a", "a", EVE) == {"below_itself"}
    waiting = moved(hr, "room", "b")
    moved(hr, "b", "room2", EVE)  # from now on it lies below ``a``
    assert refusal("a", "b", EVE) == {"below_itself"}
    assert refusal("room2", "room", EVE) == {
        "below_itself"
    }  # on the day on which room comes under b
    assert undone(hr, waiting).status_code == 201
    assert refusal("room2", "room", EVE) == set()


def test_a_parent_that_ends_or_begins_meanwhile_is_a_conflict(hr: Hr) -> None:
    api = hr.api(hr.token(Role.ADMINISTRATOR, None))

    def refusal() -> set[str]:
        asked = {"kind": "unit.move", "unit": hr.units["room"], "parent": hr.units["b"]}
        return {c["code"] for c in api.plan(**asked, effective_on="2026-04-01")["conflicts"]}

    for columns in ({"valid_to": date(2027, 1, 1)}, {"valid_from": date(2026, 4, 2)}):
        assert refusal() == set()
        with hr.services.db.write() as session:
            row = session.get_one(OrgUnit, hr.units["b"])
            was = {name: getattr(row, name) for name in columns}
            for name, value in columns.items():
                setattr(row, name, value)
        assert refusal() == {"parent_not_there"}
        with hr.services.db.write() as session:
            for name, value in was.items():
                setattr(session.get_one(OrgUnit, hr.units["b"]), name, value)


def test_only_who_manages_both_places_moves_a_unit(hr: Hr) -> None:
    body = {"kind": "unit.move", "unit": hr.units["room"], "parent": hr.units["b"]}
    for role, over, missing in (
        (Role.HR_OFFICER, "root", "source"),
        (Role.ADMINISTRATOR, "a", "destination"),
        (Role.ADMINISTRATOR, "b", "source"),
    ):
        answer = hr.api(hr.token(role, over)).post("/api/v1/changes/preview", body)
        assert answer.status_code == 403, (role, over)
        assert answer.json["missing"] in (missing, "destination")
    assert hr.api(hr.token(Role.ADMINISTRATOR, "root")).plan(**body)["conflicts"] == []


def test_a_move_counts_whoever_works_there(hr: Hr) -> None:
    hr.services.door.thresholds = Thresholds(people=2)
    api = hr.api(hr.token(Role.ADMINISTRATOR, None))
    rename = {"kind": "unit.rename", "unit": hr.units["room"], "name": "Phòng Kinh tế số"}
    move = {"kind": "unit.move", "unit": hr.units["room"], "parent": hr.units["b"]}
    assert api.commit(**rename).status_code == 201
    assert {c["code"] for c in api.plan(**move)["conflicts"]} == {"second_person"}
    refused = api.commit(**move)
    assert (refused.status_code, refused.json["missing"]) == (403, "approval")
    assert api.commit(**(move | {"unit": hr.units["room2"]})).status_code == 201


@pytest.mark.parametrize("stop", ["commit.begin", "commit.before_commit"])
def test_of_two_moves_that_would_make_a_ring_one_happens(
    hr: Hr, stop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)

    def move(unit: str, parent: str) -> Any:
        api = hr.api(hr.token(Role.ADMINISTRATOR, None))
        body = {"kind": "unit.move", "unit": hr.units[unit], "parent": hr.units[parent]}
        asked = body | {"fingerprint": api.plan(**body)["fingerprint"]}
        return lambda: api.post("/api/v1/changes", asked, key=secrets.token_hex(8))

    first, second = move("room", "room2"), move("room2", "room")
    ahead = Stepper(first, stops=(stop,)).start()
    behind = Stepper(second, stops=()).start(within=0.4)
    assert sorted([ahead.finish().status_code, behind.finish().status_code]) == [201, 409]


def test_what_applications_are_told_follows_at_the_first_use_of_the_day(
    services: Any, clock: Any, client: Any
) -> None:
    tomorrow = local_day(clock()) + timedelta(days=1)
    clock.set(day_start(tomorrow) - timedelta(seconds=30))
    world = build_world(services, clock)
    flow = Flow(client, world.register())
    world.sign_in(client)
    text = flow.tokens()["access_token"]
    before = flow.userinfo(text).get_json()["org"]["unit"]["name"]
    with services.db.write() as session:
        unit = session.scalars(select(OrgUnit).where(OrgUnit.name == before)).one()
        facts.begin(session, unit_facts.name_fact(unit.id, "Tên mới", "Mới", unit.kind, tomorrow))
    clock.set(day_start(tomorrow) - timedelta(seconds=2))
    assert flow.userinfo(text).get_json()["org"]["unit"]["name"] == before
    clock.advance(seconds=2)
    assert flow.userinfo(text).get_json()["org"]["unit"]["name"] == "Tên mới"


# ---- in the console and at the command line ------------------------------------------------------


def test_an_administrator_moves_a_unit_in_the_console_and_takes_it_back(hr: Hr) -> None:
    admin = hr.browser("admin")
    page = admin.get(f"/console/units/{hr.units['room']}").text
    for kind in ("unit.rename", "unit.move", "unit.code"):
        assert f"/console/units/{hr.units['room']}/{kind}" in page
    path = f"/console/units/{hr.units['room']}/unit.move"
    assert (
        "Nga Sơn" in admin.get(path, query_string={"unit_words": "nga son", "step": "search"}).text
    )
    asked = {"step": "preview", "unit_words": "nga son", "effective_on": "01/04/2026"}
    preview = admin.get(path, query_string=asked)
    read = text_of(preview.text)
    assert "Ủy ban nhân dân xã Hà Trung" in read
    assert "Người làm việc tại đây chuyển từ Ủy ban nhân dân xã Hà Trung sang" in read
    assert "3 người đang làm việc trong đơn vị này" in read
    assert "Không ứng dụng nào bị ảnh hưởng" not in read
    done = hr.confirm(admin, preview)
    assert done.status_code == 303, done.text
    proof = admin.get(done.location).text
    assert "Chuyển đơn vị trực thuộc: Phòng Kinh tế" in proof
    back = admin.get(f"{done.location}/undo")
    assert back.status_code == 200
    assert hr.confirm(admin, back).status_code == 303
    hr.clock.set(day_start(DAY))
    assert "Hà Trung" in hr.browser("admin").get(f"/console/units/{hr.units['room']}").text


def test_what_is_wrong_stands_at_its_field(hr: Hr) -> None:
    admin = hr.browser("admin")

    def form(kind: str, **asked: str) -> Any:
        path = f"/console/units/{hr.units['room']}/{kind}"
        return admin.get(path, query_string={"step": "preview", **asked})

    for kind, asked, said in (
        ("unit.move", {}, "Thiếu đơn vị cấp trên mới."),
        ("unit.code", {"scheme": "gso", "value": "1475"}, "Mã không đúng dạng của loại mã này."),
        ("unit.code", {"scheme": "g s o"}, "Loại mã gồm chữ thường không dấu và chữ số."),
        ("unit.rename", {"name": "%%%"}, "Tên có ký tự không hợp lệ."),
        ("unit.rename", {"unit_kind": "Phòng"}, "Loại đơn vị gồm chữ thường"),
        ("unit.rename", {"effective_on": "32/1/2026"}, "Ngày này không có trong lịch."),
        ("unit.rename", {"effective_on": "1-2026"}, "Ngày phải viết dạng"),
    ):
        answer = form(kind, **asked)
        assert (answer.status_code, said in answer.text) == (422, True), (kind, asked)
    taken = form("unit.code", scheme="gso", value="14797")
    assert "Mã gso:14797 thuộc về Ủy ban nhân dân xã Nga Sơn" in unescape(taken.text)
    assert "Chưa thể xác nhận." in taken.text
    same = form("unit.rename", name="Phòng Kinh tế")
    assert "đã đúng như vậy" in same.text
    assert form("unit.split").status_code == 404
    for who in ("officer_a", "auditor"):
        page = hr.browser(who).get(f"/console/units/{hr.units['room']}")
        assert "unit.move" not in page.text
        path = f"/console/units/{hr.units['room']}/unit.move"
        assert hr.browser(who).get(path).status_code == 403, who


def test_the_operator_does_the_same_at_the_command_line(hr: Hr, operator: Operator) -> None:
    asked = ("--unit", "gso:14758", "--name", "Ủy ban nhân dân xã Tống Sơn", "--yes")
    done = operator("change", "unit.rename", *asked, "--effective", "01/04/2026")
    assert done.code == 0, done.said
    hr.clock.set(day_start(DAY))
    assert _today(hr, "a")[0] == "Ủy ban nhân dân xã Tống Sơn"
