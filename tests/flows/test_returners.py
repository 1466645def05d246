"""Somebody who has left is taken in again: as the person she was, at every edge; and who only looks
like somebody known.
"""

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import select

from directory import people
from directory.assignments import Assignment
from directory.base.clock import day_start, local_day
from directory.changes.model import ChangeLine
from directory.feeds.load import load
from directory.feeds.run import Feed
from directory.feeds.source_rows import Report
from directory.people import User
from directory.permissions import Role
from directory.units import OrgUnit
from idp.commands import changes as commands
from idp.run import wiring
from idp.run.performing import drain
from tests import hr_world
from tests.browser_client import Page, hidden_fields, sign_in
from tests.factories import make_role
from tests.hr_world import OPERATOR, PASSWORD, Hr, text_of
from tests.paper_slips import link_on, opened

pytestmark = pytest.mark.both_databases

PAGE = "/console/people/new"
NUMBER = "038180001234"
LAN = "Lê Thị Lan"
BORN = "3/2/1980"


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    made = hr_world.build(services, clock, app)
    with services.db.write() as session:
        user = session.get_one(User, made.people["lan"])
        user.birth_date = "1980-02-03"
        for column, value in people.citizen_columns(services.keyring, NUMBER).items():
            setattr(user, column, value)
    return made


SERVES = {"known_person", "in_service"}


def leaves(hr: Hr, who: str = "lan", **more: Any) -> str:
    """She has left, and some days have gone by."""
    done = hr.api(hr.token()).commit(kind="leave", user=hr.names[who], reason="resign", **more)
    assert done.status_code == 201, done.text
    drain(hr.services)
    hr.clock.advance(days=40)
    return str(done.json["id"])


def give_role(hr: Hr, unit: str) -> None:
    """An office over a unit."""
    with hr.services.db.write() as session:
        user = session.get_one(User, hr.people["lan"])
        make_role(session, user, Role.HR_OFFICER, session.get_one(OrgUnit, hr.units[unit]))


def person(**said: Any) -> dict[str, Any]:
    return {"full_name": LAN, "citizen_number": NUMBER} | said


def join(**said: Any) -> dict[str, Any]:
    return {"kind": "join", "to_unit": "gso:14797", "position": "KT", "person": person(**said)}


def codes(plan: dict[str, Any], which: str = "conflicts") -> set[str]:
    return {n["code"] for n in plan[which]}


def everybody(hr: Hr) -> int:
    with hr.services.db.read() as session:
        return len(session.scalars(select(User.id)).all())


# ---- the same person ---------------------------------------------------------------------------


def test_a_known_number_takes_her_back_under_the_same_identity(hr: Hr) -> None:
    before, count = hr.user("lan"), everybody(hr)
    leaves(hr)
    left = hr.user("lan")
    api = hr.api(hr.token())
    plan = api.plan(**join(email="lan.moi@thanhhoa.gov.vn"))
    assert plan["committable"], plan["conflicts"]
    (told,) = [n for n in plan["warnings"] if n["code"] == "returns"]
    assert f"đã nghỉ từ ngày {left.leaves_on:%d/%m/%Y}" in told["message"]
    assert "nhận lại cùng định danh" in told["message"]
    (one,) = plan["people"]
    assert (one["id"], one["event"]) == (hr.people["lan"], "rejoin")
    assert (one["status_before"], one["status_after"]) == ("left", "active")
    assert api.commit(**join(email="lan.moi@thanhhoa.gov.vn")).status_code == 201
    after = hr.user("lan")
    assert everybody(hr) == count
    assert (after.sub, after.username) == (before.sub, before.username)
    assert (after.status, after.leaves_on) == ("active", None)
    assert after.email == "lan.moi@thanhhoa.gov.vn"
    assert after.access_epoch > left.access_epoch > before.access_epoch
    with hr.services.db.read() as session:
        posts = session.scalars(
            select(Assignment).where(Assignment.user_id == after.id).order_by(Assignment.id)
        ).all()
    assert [p.unit_id for p in posts] == [hr.units["room"], hr.units["b"]]
    assert posts[0].valid_to is not None
    assert (posts[1].kind, posts[1].valid_to) == ("primary", None)


def test_nothing_of_what_she_held_comes_back_with_her(hr: Hr) -> None:
    browser = hr.browser("lan")
    give_role(hr, "room")
    leaves(hr)
    give_role(hr, "room2")  # behind everybody's back, while she was away
    done = hr.api(hr.token()).commit(**join())
    assert done.status_code == 201, done.text
    assert browser.get("/portal/profile").status_code == 303
    with pytest.raises(Page):
        sign_in(hr.app.test_client(), hr.names["lan"], PASSWORD)
    officer = hr.browser("officer")
    page = officer.get(f"/console/people/{hr.people['lan']}").text
    assert "Cán bộ nhân sự" not in page
    proof = officer.get(f"/console/changes/{done.json['id']}").text
    assert "Hủy mật khẩu cũ" in text_of(proof)
    assert "Việc tiếp theo" in text_of(proof)
    # A slip is the way in again.
    where = f"/console/people/{hr.people['lan']}"
    token = hidden_fields(page) | {"password": PASSWORD}
    hr.agree("officer", "lan")
    slip = officer.post(f"{where}/activation", data=token, follow_redirects=True)
    link = link_on(slip.text)
    newcomer = hr.app.test_client()
    page = opened(newcomer, link, BORN)
    secret = "mùa gặt rộn ràng khắp đồng"
    chosen = hidden_fields(page.text) | {"password": secret, "again": secret}
    answer = newcomer.post(page.request.path, data=chosen, follow_redirects=True)
    assert answer.status_code == 200, answer.text
    sign_in(hr.app.test_client(), hr.names["lan"], secret)


def test_a_later_day_keeps_what_she_is_given_for_it(hr: Hr) -> None:
    leaves(hr)
    day = local_day(hr.clock()) + timedelta(days=3)
    done = hr.api(hr.token()).commit(**join(), effective_on=day.isoformat())
    assert done.json["state"] == "scheduled"
    officer = hr.browser("officer")
    where = f"/console/people/{hr.people['lan']}"
    token = hidden_fields(officer.get(where).text) | {"password": PASSWORD}
    hr.agree("officer", "lan")
    slip = officer.post(f"{where}/activation", data=token, follow_redirects=True)
    link = link_on(slip.text)
    hr.clock.set(day_start(day) + timedelta(hours=8))
    drain(hr.services)
    page = opened(hr.app.test_client(), link, BORN)
    assert page.status_code == 200, page.text


def test_her_page_takes_her_back_as_well(hr: Hr) -> None:
    leaves(hr)
    browser = hr.browser("officer_a")  # of the unit she was last in
    page = browser.get(f"/console/people/{hr.people['lan']}")
    assert f"/console/people/{hr.people['lan']}/rejoin" in page.text
    shown = hr.preview(browser, "lan", "rejoin", to_unit=hr.units["room2"], position="CV")
    assert "nhận lại cùng định danh" in text_of(shown.text)
    assert hr.confirm(browser, shown).status_code == 303
    assert hr.user("lan").status == "active"
    assert "rejoin" not in browser.get(f"/console/people/{hr.people['lan']}").text
    other = hr.browser("officer_b")
    assert other.get(f"/console/people/{hr.people['lan']}").status_code == 404


def test_what_took_her_back_is_undone_and_what_came_before_it_is_not(hr: Hr) -> None:
    gone = leaves(hr)
    left = hr.user("lan").leaves_on
    api = hr.api(hr.token())
    back = api.commit(**join()).json["id"]
    refused = api.post(f"/api/v1/changes/{gone}/undo/preview").json
    assert "later_change" in codes(refused)
    plan = api.post(f"/api/v1/changes/{back}/undo/preview").json
    assert plan["committable"], plan["conflicts"]
    done = api.post(
        f"/api/v1/changes/{back}/undo", {"fingerprint": plan["fingerprint"]}, key="undo-back"
    )
    assert done.status_code == 201, done.text
    after = hr.user("lan")
    assert (after.status, after.leaves_on) == ("left", left)
    assert api.plan(**join())["committable"]  # and back once more
    assert api.commit(**join()).status_code == 201
    again = api.commit(kind="leave", user=hr.names["lan"], reason="retire")
    assert again.status_code == 201, again.text
    assert hr.user("lan").leaves_on == local_day(hr.clock())


# ---- not so fast -------------------------------------------------------------------------------


def test_somebody_in_service_is_refused_and_named_to_whom_it_concerns(hr: Hr) -> None:
    told = hr.api(hr.token()).plan(**join())
    assert codes(told) == {"known_person"}
    assert hr.names["lan"] in told["conflicts"][0]["message"]
    assert told["conflicts"][0]["user"] == hr.people["lan"]
    hidden = hr.api(hr.token(unit="b")).plan(**join())
    assert codes(hidden) == {"known_person"}
    assert hidden["conflicts"][0]["user"] is None
    assert hr.names["lan"] not in str(hidden)
    browser = hr.browser("officer")
    form = hidden_fields(browser.get(PAGE).text)
    said = {
        "person.full_name": LAN,
        "person.citizen_number": NUMBER,
        "position": "CV",
        "to_unit": str(hr.units["b"]),
        "step": "preview",
    }
    page = browser.post(PAGE, data=form | said, follow_redirects=True).text
    assert "đang công tác" in text_of(page)
    assert f'href="/console/people/{hr.people["lan"]}"' in page


def test_it_takes_the_right_over_where_she_was(hr: Hr) -> None:
    leaves(hr)
    plan = hr.api(hr.token(unit="b")).plan(**join())
    assert codes(plan) == {"known_person"}
    assert LAN not in str(plan["conflicts"])
    assert hr.names["lan"] not in str(plan)


# ---- of whom nothing ever was: taken in and gone again on one day ------------------------------

TU: dict[str, Any] = {
    "kind": "join",
    "to_unit": "gso:14797",
    "position": "KT",
    "person": {"full_name": "Lò Thị Tú", "citizen_number": "038190012345"},
}


def _goes_the_same_day(hr: Hr, api: Any, how: str) -> int:
    """Tú joined today, and her joining was undone today, or she left today."""
    joined = api.commit(**TU)
    assert joined.status_code == 201, joined.text
    with hr.services.db.read() as session:
        found = session.scalars(select(User).where(User.full_name == TU["person"]["full_name"]))
        tu, username = next((user.id, user.username) for user in found)
    if how == "leave":
        assert api.commit(kind="leave", user=username, reason="resign").status_code == 201
    else:
        change = joined.json["id"]
        plan = api.post(f"/api/v1/changes/{change}/undo/preview").json
        undone = api.post(
            f"/api/v1/changes/{change}/undo", {"fingerprint": plan["fingerprint"]}, key="undo-tu"
        )
        assert undone.status_code == 201, undone.text
    return tu


@pytest.mark.parametrize("how", ["undo", "leave"])
def test_who_took_her_in_takes_her_in_again_on_the_same_day(hr: Hr, how: str) -> None:
    api = hr.api(hr.token(unit="b"))
    tu = _goes_the_same_day(hr, api, how)
    count = everybody(hr)
    elsewhere = hr.api(hr.token(unit="a")).plan(**TU | {"to_unit": "gso:14758"})
    assert codes(elsewhere) >= {"known_person"}
    plan = api.plan(**TU)
    assert plan["committable"], plan["conflicts"]
    assert [(one["id"], one["event"]) for one in plan["people"]] == [(tu, "rejoin")]
    assert api.commit(**TU).status_code == 201
    assert everybody(hr) == count


@pytest.mark.parametrize("how", ["undo", "leave"])
def test_her_page_stays_with_who_took_her_in_on_the_same_day(hr: Hr, how: str) -> None:
    tu = _goes_the_same_day(hr, hr.api(hr.token(unit="b")), how)
    page = hr.browser("officer_b").get(f"/console/people/{tu}")
    assert page.status_code == 200
    assert f"/console/people/{tu}/rejoin" in page.text
    assert hr.browser("officer_a").get(f"/console/people/{tu}").status_code == 404
    hr.people["tu"] = tu
    shown = hr.preview(
        hr.browser("officer_b"), "tu", "rejoin", to_unit=hr.units["b"], position="KT"
    )
    assert "nhận lại cùng định danh" in text_of(shown.text)


@pytest.mark.parametrize(
    "said", [{"full_name": "Lê Thị Liên"}, {"birth_date": "1981"}], ids=["name", "birth"]
)
def test_a_number_beside_another_name_is_settled_first(hr: Hr, said: dict[str, str]) -> None:
    leaves(hr)
    api = hr.api(hr.token())
    plan = api.plan(**join(**said))
    (conflict,) = plan["conflicts"]
    assert conflict["code"] == "returner_differs"
    assert [c["value"] for c in conflict["choices"]] == [hr.names["lan"]]
    settled = join(**said, same_as=hr.names["lan"])
    assert "nhận lại" in str(api.plan(**settled)["warnings"])
    done = api.commit(**settled)
    assert done.status_code == 201, done.text
    assert (hr.user("lan").full_name, hr.user("lan").birth_date) == (LAN, "1980-02-03")
    with hr.services.db.read() as session:
        line = session.scalars(
            select(ChangeLine).where(
                ChangeLine.change_id == done.json["id"], ChangeLine.table == "users"
            )
        ).one()
        assert (line.after or {})["same_as"] == hr.names["lan"]


def test_nobody_comes_back_before_she_left_nor_from_the_dead(hr: Hr) -> None:
    gone = leaves(hr)
    left = hr.user("lan").leaves_on
    assert left is not None
    api = hr.api(hr.token())
    early = api.plan(**join(), effective_on=(left - timedelta(days=1)).isoformat())
    assert "before_leaving" in codes(early)
    assert api.plan(**join(), effective_on=left.isoformat())["committable"]
    undo = api.post(f"/api/v1/changes/{gone}/undo/preview").json["fingerprint"]
    api.post(f"/api/v1/changes/{gone}/undo", {"fingerprint": undo}, key="undo-leave")
    api.commit(kind="leave", user=hr.names["lan"], reason="die")
    assert "recorded_dead" in codes(api.plan(**join()))
    assert "recorded_dead" in codes(
        api.plan(kind="rejoin", user=hr.names["lan"], to_unit="gso:14797", position="KT")
    )


# ---- without a number --------------------------------------------------------------------------


def unnumbered(hr: Hr, who: str = "hien", birth: str = "1985-06-07") -> dict[str, Any]:
    """A join of somebody with the name and birth date of a person who has left."""
    with hr.services.db.write() as session:
        session.get_one(User, hr.people[who]).birth_date = birth
    leaves(hr, who)
    said = {"full_name": hr.user(who).full_name, "birth_date": birth}
    return {"kind": "join", "to_unit": "gso:14797", "position": "KT", "person": said}


def test_a_namesake_born_that_day_is_the_same_or_another_and_that_is_kept(hr: Hr) -> None:
    body, count = unnumbered(hr), everybody(hr)
    api = hr.api(hr.token())
    (conflict,) = api.plan(**body)["conflicts"]
    assert (conflict["code"], conflict["field"]) == ("namesake", "person.same_as")
    assert [c["value"] for c in conflict["choices"]] == [hr.names["hien"], "new"]
    same = body | {"person": body["person"] | {"same_as": hr.names["hien"]}}
    other = body | {"person": body["person"] | {"same_as": "new"}}
    assert api.plan(**same)["people"][0]["event"] == "rejoin"
    plan = api.plan(**other)
    assert (plan["people"][0]["event"], plan["conflicts"]) == ("join", [])
    done = api.commit(**other)
    assert done.status_code == 201, done.text
    assert everybody(hr) == count + 1
    with hr.services.db.read() as session:
        line = session.scalars(
            select(ChangeLine).where(
                ChangeLine.change_id == done.json["id"], ChangeLine.table == "users"
            )
        ).one()
        assert (line.after or {})["other_than"] == [hr.names["hien"]]
    proof = hr.browser("officer").get(f"/console/changes/{done.json['id']}")
    assert f"Xác nhận là người khác với {hr.names['hien']}" in text_of(proof.text)


def test_the_preview_asks_and_the_answer_goes_on(hr: Hr) -> None:
    unnumbered(hr)
    browser = hr.browser("officer")
    said = {
        "person.full_name": hr.user("hien").full_name,
        "person.birth_date": "07/06/1985",
        "position": "KT",
        "to_unit": str(hr.units["b"]),
        "step": "preview",
    }
    form = browser.get(PAGE).text
    assert "same_as" not in form
    page = browser.post(PAGE, data=hidden_fields(form) | said, follow_redirects=True)
    assert "Người khác: tạo hồ sơ mới" in text_of(page.text)
    assert "Cùng một người: nhận lại Nguyễn Văn Hiển" in text_of(page.text)
    assert 'id="confirm"' not in page.text
    answered = said | {"person.same_as": hr.names["hien"]}
    page = browser.post(PAGE, data=hidden_fields(page.text) | answered, follow_redirects=True)
    agreed = hidden_fields(page.text) | {"decision": "allow", "password": PASSWORD}
    done = browser.post(PAGE, data=agreed, follow_redirects=True)
    assert done.status_code == 200, done.text
    assert hr.user("hien").status == "active"
    assert "Xác nhận là cùng một người với" in text_of(done.text)


def test_a_name_alone_is_told_where_nothing_contradicts(hr: Hr) -> None:
    api = hr.api(hr.token())

    def warned(**said: Any) -> bool:
        body = join(**said) | {}
        body["person"].pop("citizen_number", None) if "citizen_number" not in said else None
        plan = api.plan(**body)
        assert not plan["conflicts"], plan["conflicts"]
        return "same_name" in codes(plan, "warnings")

    assert warned()  # nothing is known of the newcomer but her name
    assert warned(birth_date=None)
    assert not warned(birth_date="1981")  # another year
    assert not warned(citizen_number="038180005555")  # two numbers are two people
    assert not warned(full_name="Lê Thị Liên")
    hidden = hr.api(hr.token(unit="b")).plan(**join(citizen_number=None))
    assert "same_name" not in codes(hidden, "warnings")


def test_one_number_is_enough_to_settle_nothing(hr: Hr) -> None:
    """A record without a number may be hers who now brings one."""
    body = unnumbered(hr)
    body["person"]["citizen_number"] = "038185001111"
    api = hr.api(hr.token())
    assert codes(api.plan(**body)) == {"namesake"}
    same = body | {"person": body["person"] | {"same_as": hr.names["hien"]}}
    assert "number_not_kept" in codes(api.plan(**same), "warnings")
    contradicts = join(citizen_number="038180005555", same_as=hr.names["lan"])
    leaves(hr)
    assert codes(hr.api(hr.token()).plan(**contradicts)) == {"another_number"}


def test_nobody_is_found_by_guessing_whom_a_request_may_mean(hr: Hr) -> None:
    """CWE-203: a username that exists out of sight is answered as one that does not."""
    leaves(hr)
    api = hr.api(hr.token(unit="b"))

    def answer(name: str) -> str:
        plan = api.plan(**join(citizen_number=None, full_name="Ai Đó", same_as=name))
        return str(plan["conflicts"]).replace(name, "…")

    assert answer(hr.names["lan"]) == answer("khongai") == answer(hr.names["hien"])


# ---- the other edges ---------------------------------------------------------------------------


def test_the_command_line_settles_it_by_an_option(hr: Hr, monkeypatch: pytest.MonkeyPatch) -> None:
    unnumbered(hr)
    monkeypatch.setattr(commands, "load_settings", lambda: hr.services.settings)
    monkeypatch.setattr(wiring, "build", lambda settings: hr.services)
    said = ("--full-name", "Nguyễn Văn Hiển", "--birth-date", "07/06/1985")
    where = ("--to", "gso:14797", "--position", "KT", "--yes")
    refused = CliRunner().invoke(commands.change, ["join", *said, *where])
    assert refused.exit_code != 0
    assert f"--same-as {hr.names['hien']}" in refused.output
    done = CliRunner().invoke(
        commands.change, ["join", *said, *where, "--same-as", hr.names["hien"]]
    )
    assert done.exit_code == 0, done.output
    assert "nhận lại cùng định danh" in done.output
    assert hr.user("hien").status == "active"


HEAD = "source_key,full_name,birth_date,gender,citizen_number,email,phone"
POSTS = "source_key,person,unit,position,kind,valid_from,valid_to,planned_end"


def test_the_birth_date_of_somebody_out_of_sight_is_not_asked_out_piece_by_piece(hr: Hr) -> None:
    """Whoever may not see her learns nothing by a year; whoever may is asked."""
    given = join() | {"person": {"full_name": LAN, "birth_date": "1980"}}
    assert codes(hr.api(hr.token(unit="b")).plan(**given)) == set()
    assert codes(hr.api(hr.token()).plan(**given)) == {"namesake"}
    given["person"]["birth_date"] = "1980-02-03"
    plan = hr.api(hr.token(unit="b")).plan(**given)
    assert codes(plan) == {"namesake"}
    assert hr.names["lan"] not in str(plan["conflicts"])


@pytest.mark.parametrize("last", [True, False], ids=["at-the-end", "before-others"])
def test_a_number_need_not_stand_on_a_command_line(
    hr: Hr, monkeypatch: pytest.MonkeyPatch, last: bool
) -> None:
    """What others may read in the list of processes; it is asked for, and not shown."""
    leaves(hr)
    monkeypatch.setattr(commands, "load_settings", lambda: hr.services.settings)
    monkeypatch.setattr(wiring, "build", lambda settings: hr.services)
    rest = ["--name", LAN, "--to", "gso:14797", "--position", "KT", "--dry-run"]
    number = ["--citizen-number"]
    given = ["join", *(rest + number if last else number + rest)]
    said = CliRunner().invoke(commands.change, given, input=NUMBER + "\n")
    assert said.exit_code == 0, said.output
    assert "cùng định danh" in said.output
    assert NUMBER not in said.output


def test_a_feed_takes_her_back_and_tells_so(hr: Hr, tmp_path: Path) -> None:
    leaves(hr)
    before, count, day = hr.user("lan"), everybody(hr), local_day(hr.clock())
    (tmp_path / "people.csv").write_text(
        f"{HEAD}\nM-1,{LAN},1980-02-03,female,{NUMBER},,\nM-2,Tạ Văn Gió,,male,,,\n", "utf-8"
    )
    (tmp_path / "assignments.csv").write_text(
        f"{POSTS}\nP-1,M-1,gso:14797,KT,primary,{day},,\nP-2,M-2,gso:14797,KT,primary,{day},,\n",
        "utf-8",
    )

    def run() -> Report:
        report = Report()
        feed = Feed(hr.services.db, hr.services.door, OPERATOR, hr.clock, lambda *_: None, report)
        return load(feed, tmp_path)

    report = run()
    assert report.errors == []
    assert any("nhận lại cùng định danh" in w.message for w in report.warnings)
    after = hr.user("lan")
    assert (after.id, after.sub, after.source_key) == (before.id, before.sub, "M-1")
    assert (after.status, everybody(hr)) == ("active", count + 1)
    again = run()
    assert (again.errors, again.unchanged["people.csv"]) == ([], 2)


def test_a_day_of_leaving_is_enough_before_the_worker_has_seen_it(hr: Hr) -> None:
    day = local_day(hr.clock()) + timedelta(days=2)
    hr.api(hr.token()).commit(
        kind="leave", user=hr.names["lan"], reason="resign", effective_on=day.isoformat()
    )
    assert codes(hr.api(hr.token()).plan(**join())) == {"known_person"}  # she is still here
    hr.clock.set(day_start(day) + timedelta(hours=1))
    assert hr.api(hr.token()).commit(**join()).status_code == 201
    drain(hr.services)
    after = hr.user("lan")
    assert (after.status, after.leaves_on) == ("active", None)
    assert after.may_act(date.max)


def served_also(
    hr: Hr, unit: str, begins: date, ends: date | None, kind: str = "secondment"
) -> None:
    """A post beside her own, begun after it."""
    with hr.services.db.write() as session:
        own = session.get_one(Assignment, hr.posts["lan"])
        session.add(
            Assignment(
                user_id=own.user_id,
                unit_id=hr.units[unit],
                position_id=own.position_id,
                kind=kind,
                valid_from=begins,
                valid_to=ends,
                opened_by=own.opened_by,
            )
        )


@pytest.mark.parametrize(
    ("kind", "ends"),
    [("secondment", date(2024, 1, 1)), ("concurrent", None)],
    ids=["over-long-ago", "until-she-left"],
)
def test_whoever_once_had_her_beside_her_own_post_does_not_take_her_back(
    hr: Hr, kind: str, ends: date | None
) -> None:
    """The right is that over where she was last, not over whatever began last."""
    served_also(hr, "b", date(2023, 1, 1), ends, kind)
    leaves(hr)
    other, home = hr.api(hr.token(unit="b")), hr.api(hr.token(unit="a"))
    plan = other.plan(**join())
    assert codes(plan) == {"known_person"}
    assert hr.names["lan"] not in str(plan)
    body = {"kind": "rejoin", "user": hr.names["lan"], "position": "KT"}
    assert other.post("/api/v1/changes/preview", body | {"to_unit": "gso:14797"}).status_code == 403
    contact = {"kind": "contact", "user": hr.names["lan"], "email": "lan.moi@thanhhoa.gov.vn"}
    assert other.post("/api/v1/changes/preview", contact).status_code == 403
    assert home.plan(**body, to_unit="gso:14758")["committable"]
    assert home.plan(**join() | {"to_unit": "gso:14758"})["committable"]


def test_whoever_may_take_her_back_finds_her_among_those_who_left(hr: Hr) -> None:
    """By the list's filter; neither her new-found office nor one that had her beside her post does."""
    hr.also("lan", "b")
    leaves(hr)

    def listed(who: str, query: str = "status=left") -> bool:
        return LAN in hr.browser(who).get(f"/console/people?{query}").text

    assert listed("officer_a")
    assert listed("officer_a", "status=left&q=lan")
    assert listed("officer")
    assert not listed("officer_b")
    assert not listed("officer_a", "status=active")
    assert not listed("officer_a", "q=lan")
    page = hr.browser("officer_a").get("/console/people?status=left").text
    assert f"/console/people/{hr.people['lan']}" in page
    assert not re.search(rf"(?<!\w){NUMBER[-4:]}(?!\w)", text_of(page))
    assert NUMBER not in page


def test_who_comes_back_on_a_later_day_is_told_with_it_wherever_she_is_looked_for(hr: Hr) -> None:
    leaves(hr)
    officer, api = hr.browser("officer"), hr.api(hr.token())
    day = local_day(hr.clock()) + timedelta(days=14)
    written = f"{day:%d/%m/%Y}"
    body = {"kind": "rejoin", "user": hr.names["lan"], "to_unit": hr.units["b"], "position": "KT"}
    assert api.commit(**body, effective_on=day.isoformat()).json["state"] == "scheduled"
    gone = text_of(officer.get("/console/people?status=left").text)
    assert LAN not in gone
    assert "Ai đã có ngày nhận lại" in gone
    where = f"/console/people/{hr.people['lan']}"
    for page in ("/console/people?q=lan", where, f"/console/units/{hr.units['b']}"):
        said = text_of(officer.get(page).text)
        assert f"Sắp công tác từ ngày {written}" in said, page
    assert "Sắp công tác" in officer.get("/console/people.csv?q=lan").text
    again = hr.preview(officer, "lan", "rejoin", to_unit=hr.units["a"], position="CV")
    assert f"đã được nhận, công tác từ ngày {written}" in text_of(again.text)
    named = {"full_name": LAN, "same_as": hr.names["lan"]}
    for asked in (join(), join() | {"person": named}):
        (conflict,) = (n for n in api.plan(**asked)["conflicts"] if n["code"] in SERVES)
        assert written in conflict["message"]
        assert "đang công tác" not in conflict["message"]
    hr.clock.set(day_start(day) + timedelta(hours=8))
    drain(hr.services)
    for page in ("/console/people?q=lan", where):
        assert "Sắp công tác" not in hr.browser("officer").get(page).text
    plan = hr.api(hr.token()).plan(**join())
    there = [n["message"] for n in plan["conflicts"] if n["code"] in SERVES]
    assert len(there) == 1
    assert "đang công tác" in there[0]
