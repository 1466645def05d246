"""appoint, relieve, second, return: several posts of one person, and what acts in each of them."""

import secrets
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from directory import assignments, people
from directory.assignments import Assignment
from directory.base.audit import Actor
from directory.base.clock import day_start, local_day
from directory.people import User
from directory.permissions import Role, rights
from directory.units import OrgUnit
from idp import sessions
from idp.factors.factor import Source
from tests import hr_world
from tests.factories import make_role, proven
from tests.hr_world import Hr, text_of

PREVIEW = "/api/v1/changes/preview"


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def day(hr: Hr, days: int) -> str:
    return (local_day(hr.clock()) + timedelta(days=days)).isoformat()


def held(hr: Hr, who: str, on: int = 0) -> dict[str, tuple[int, str]]:
    """unit → (assignment, kind) on a day"""
    with hr.services.db.read() as session:
        found = assignments.current(
            session, hr.people[who], local_day(hr.clock()) + timedelta(days=on)
        )
        names = {unit: name for name, unit in hr.units.items()}
        return {names[h.unit.id]: (h.id, h.kind) for h in found}


def sign_in(hr: Hr, who: str, unit: str) -> str:
    """A session acting in her post in that unit; the cookie's value."""
    has = hr.services
    with has.db.write() as session:
        user = people.get(session, hr.people[who])
        _, cookie = sessions.start(
            session,
            [proven(session, user, has.clock())],
            sessions.Capacity(user, held(hr, who)[unit][0]),
            Source("127.0.0.1", 1, "kiểm thử"),
            now=has.clock(),
            settings=has.settings,
            keyring=has.keyring,
        )
    return cookie


def is_in(hr: Hr, cookie: str) -> bool:
    has = hr.services
    with has.db.hot() as connection:
        found = sessions.resolve(
            connection, has.keyring, cookie, now=has.clock(), settings=has.settings
        )
        return found is not None


def do(hr: Hr, kind: str, who: str = "lan", **body: Any) -> str:
    done = hr.api(hr.token()).commit(kind=kind, user=hr.names[who], **body)
    assert done.status_code == 201, done.text
    return str(done.json["id"])


def undo(hr: Hr, change: str) -> None:
    api, path = hr.api(hr.token()), f"/api/v1/changes/{change}/undo"
    plan = api.post(f"{path}/preview").json
    assert plan["committable"], plan
    done = api.post(path, {"fingerprint": plan["fingerprint"]}, key=secrets.token_hex(8))
    assert done.status_code == 201, done.text


def conflicts(hr: Hr, kind: str, who: str = "lan", **body: Any) -> set[str]:
    plan = hr.api(hr.token()).plan(kind=kind, user=hr.names[who], **body)
    return {n["code"] for n in plan["conflicts"]}


def work(hr: Hr, who: str = "lan") -> None:
    with hr.services.db.write() as session:
        hr.services.door.take_effect(session, hr.people[who], now=hr.clock())


@pytest.mark.both_databases
def test_an_appointment_adds_a_post_and_ends_nothing(hr: Hr) -> None:
    cookie = sign_in(hr, "mai", "b")
    do(hr, "appoint", "mai", to_unit="gso:14758", position="KT", held_as="acting")
    assert {unit: kind for unit, (_, kind) in held(hr, "mai").items()} == {
        "b": "primary",
        "a": "acting",
    }
    assert is_in(hr, cookie)
    api = hr.api(hr.token())
    page = api.get("/api/v1/changes").json["changes"][0]
    assert page["title"] == "Bổ nhiệm, kiêm nhiệm: Đỗ Thị Mai"


def test_an_appointment_shows_what_is_gained(hr: Hr) -> None:
    plan = hr.api(hr.token()).plan(
        kind="appoint", user=hr.names["mai"], to_unit="gso:14758", position="KT"
    )
    access = {a["application"]["code"]: a["access"] for a in plan["applications"]}
    assert access == {"vanban": "kept", "motcua": "gained"}
    assert [h["kind"] for h in plan["people"][0]["after"]] == ["primary", "concurrent"]


def test_a_post_that_ends_ends_what_acts_in_it_and_nothing_else(hr: Hr) -> None:
    do(hr, "appoint", to_unit="gso:14797", position="KT")
    hr.clock.advance(days=1)
    home, away = sign_in(hr, "lan", "room"), sign_in(hr, "lan", "b")
    do(hr, "relieve")
    assert set(held(hr, "lan")) == {"room"}
    assert is_in(hr, home)
    assert not is_in(hr, away)


def test_which_of_several_posts_ends_must_be_said(hr: Hr) -> None:
    hr.clock.advance(days=1)
    do(hr, "appoint", to_unit="gso:14797", position="KT")
    do(hr, "appoint", to_unit=hr.units["room2"], position="KT")
    hr.clock.advance(days=1)
    api = hr.api(hr.token())
    ask = {"kind": "relieve", "user": hr.names["lan"]}
    assert api.post(PREVIEW, ask).json["code"] == "post_missing"
    primary = held(hr, "lan")["room"][0]
    for wrong in (primary, 999_999):
        answer = api.post(PREVIEW, ask | {"post": wrong}).json
        assert (answer["code"], answer["field"]) == ("post_unknown", "post")
    do(hr, "relieve", post=held(hr, "lan")["b"][0])
    assert set(held(hr, "lan")) == {"room", "room2"}


def test_a_post_with_a_term_ends_by_itself(hr: Hr) -> None:
    do(hr, "appoint", to_unit="gso:14797", position="KT", until=day(hr, 5))
    hr.clock.set(day_start(date.fromisoformat(day(hr, 5))) - timedelta(seconds=1))
    away = sign_in(hr, "lan", "b")
    assert is_in(hr, away)
    hr.clock.advance(seconds=2)
    assert not is_in(hr, away)
    assert set(held(hr, "lan")) == {"room"}


@pytest.mark.both_databases
def test_a_secondment_ends_what_acts_at_home_and_keeps_the_post_at_home(hr: Hr) -> None:
    home = sign_in(hr, "lan", "room")
    hr.clock.advance(seconds=5)
    do(hr, "second", to_unit="gso:14797", planned_end=day(hr, 90))
    assert not is_in(hr, home)
    assert {unit: kind for unit, (_, kind) in held(hr, "lan").items()} == {
        "room": "primary",
        "b": "secondment",
    }
    with hr.services.db.read() as session:
        row = session.get_one(Assignment, held(hr, "lan")["b"][0])
        assert (row.planned_end.isoformat(), row.valid_to) == (day(hr, 90), None)
    hr.clock.advance(seconds=5)
    again, away = sign_in(hr, "lan", "room"), sign_in(hr, "lan", "b")
    assert is_in(hr, again)
    assert is_in(hr, away)
    do(hr, "return", effective_on=day(hr, 1))
    hr.clock.advance(days=1)
    do_work = [work(hr), held(hr, "lan")][1]
    assert set(do_work) == {"room"}
    assert not is_in(hr, away)


def test_a_secondment_of_a_later_day_ends_what_acts_at_home_on_that_day(hr: Hr) -> None:
    do(hr, "second", to_unit="gso:14797", effective_on=day(hr, 3))
    hr.clock.set(day_start(date.fromisoformat(day(hr, 3))) - timedelta(minutes=1))
    home = sign_in(hr, "lan", "room")
    assert is_in(hr, home)
    hr.clock.advance(minutes=2)
    assert not is_in(hr, home)
    again = sign_in(hr, "lan", "room")
    work(hr)
    assert is_in(hr, again)


def before_it_begins(hr: Hr, days: int) -> None:
    """A moment before that day."""
    hr.clock.set(day_start(date.fromisoformat(day(hr, days))) - timedelta(seconds=5))


@pytest.mark.both_databases
@pytest.mark.parametrize("on", [0, 2])
def test_a_secondment_that_waits_ends_what_acts_where_she_has_been_moved_meanwhile(
    hr: Hr, on: int
) -> None:
    do(hr, "second", to_unit="gso:14797", effective_on=day(hr, 3))
    do(hr, "transfer", to_unit=hr.units["room2"], effective_on=day(hr, on))
    before_it_begins(hr, 3)
    assert set(held(hr, "lan")) == {"room2"}
    at_home = sign_in(hr, "lan", "room2")
    assert is_in(hr, at_home)
    hr.clock.advance(seconds=10)
    assert set(held(hr, "lan")) == {"room2", "b"}
    assert not is_in(hr, at_home)
    again = sign_in(hr, "lan", "room2")
    hr.clock.advance(seconds=10)
    assert is_in(hr, again)  # whoever acts there from then on goes on


def test_a_secondment_that_waits_ends_what_acts_where_she_is_back_meanwhile(hr: Hr) -> None:
    moved = do(hr, "transfer", to_unit=hr.units["room2"])
    do(hr, "second", to_unit="gso:14797", effective_on=day(hr, 3))
    undo(hr, moved)
    before_it_begins(hr, 3)
    assert set(held(hr, "lan")) == {"room"}
    at_home = sign_in(hr, "lan", "room")
    hr.clock.advance(seconds=10)
    assert set(held(hr, "lan")) == {"room", "b"}
    assert not is_in(hr, at_home)


def test_a_secondment_given_up_ends_nothing_where_she_has_been_moved_meanwhile(hr: Hr) -> None:
    seconded = do(hr, "second", to_unit="gso:14797", effective_on=day(hr, 3))
    do(hr, "transfer", to_unit=hr.units["room2"])
    hr.clock.advance(seconds=5)
    undo(hr, seconded)
    before_it_begins(hr, 3)
    at_home = sign_in(hr, "lan", "room2")
    hr.clock.advance(seconds=10)
    assert is_in(hr, at_home)


def test_who_is_seconded_is_not_seconded_again_nor_returns_twice(hr: Hr) -> None:
    do(hr, "second", to_unit="gso:14797")
    assert "already_seconded" in conflicts(hr, "second", to_unit=hr.units["room2"])
    hr.clock.advance(days=2)
    do(hr, "return")
    refused = hr.api(hr.token()).post(PREVIEW, {"kind": "return", "user": hr.names["lan"]})
    assert refused.json["code"] == "post_unknown"
    assert not conflicts(hr, "second", to_unit=hr.units["room2"])


@pytest.mark.parametrize(
    ("kind", "more", "code"),
    [
        ("appoint", {"to_unit": "gso:14797", "position": "KT", "until": "2020-01-01"}, "term_over"),
        ("second", {"to_unit": "gso:14797", "planned_end": "2020-01-01"}, "term_over"),
        ("second", {"to_unit": "room"}, "no_change"),
        ("appoint", {"to_unit": "room", "position": "CV"}, "no_change"),
    ],
)
def test_what_makes_no_sense_is_a_conflict(
    hr: Hr, kind: str, more: dict[str, Any], code: str
) -> None:
    if more["to_unit"] in hr.units:
        more = more | {"to_unit": hr.units[more["to_unit"]]}
    assert code in conflicts(hr, kind, **more)


@pytest.mark.parametrize("kind", ["appoint", "second"])
def test_nobody_suspended_or_gone_takes_up_a_post(hr: Hr, kind: str) -> None:
    more = {"to_unit": "gso:14797"} | ({"position": "KT"} if kind == "appoint" else {})
    do(hr, "suspend")
    assert "not_active" in conflicts(hr, kind, **more)
    do(hr, "resume")
    do(hr, "leave", reason="retire", effective_on=day(hr, 10))
    assert "already_left" in conflicts(hr, kind, effective_on=day(hr, 10), **more)
    assert not conflicts(hr, kind, effective_on=day(hr, 5), **more)


def test_a_further_post_ends_where_she_leaves_and_comes_back_when_that_is_undone(hr: Hr) -> None:
    leave = do(hr, "leave", reason="retire", effective_on=day(hr, 10))
    do(hr, "appoint", to_unit="gso:14797", position="KT", effective_on=day(hr, 5))
    assert "term_after_leaving" in conflicts(
        hr, "appoint", to_unit=hr.units["room2"], position="KT", until=day(hr, 20)
    )
    assert set(held(hr, "lan", 9)) == {"room", "b"}
    assert held(hr, "lan", 10) == {}
    undo(hr, leave)
    assert set(held(hr, "lan", 30)) == {"room", "b"}


def test_a_leave_goes_over_an_appointment_that_waits(hr: Hr) -> None:
    api = hr.api(hr.token())
    waiting = do(hr, "appoint", to_unit="gso:14797", position="KT", effective_on=day(hr, 15))
    leave = do(hr, "leave", reason="die", effective_on=day(hr, 10))
    assert held(hr, "lan", 20) == {}
    proof = api.get(f"/api/v1/changes/{leave}").json
    put_aside = next(li for li in proof["lines"] if li["action"] == "supersede")
    assert put_aside["label"] == "Bổ nhiệm, kiêm nhiệm: Lê Thị Lan"
    assert api.get(f"/api/v1/changes/{waiting}").json["state"] == "superseded"
    undo(hr, leave)
    assert set(held(hr, "lan", 20)) == {"room", "b"}


@pytest.mark.parametrize("kind", ["appoint", "second"])
def test_taking_up_a_post_is_taken_back_also_when_it_waits(hr: Hr, kind: str) -> None:
    more = {"to_unit": "gso:14797"} | ({"position": "KT"} if kind == "appoint" else {})
    for when in ({}, {"effective_on": day(hr, 3)}):
        change = do(hr, kind, **more, **when)
        assert set(held(hr, "lan", 4)) == {"room", "b"}
        undo(hr, change)
        assert set(held(hr, "lan", 4)) == {"room"}


@pytest.mark.parametrize(("take", "end"), [("appoint", "relieve"), ("second", "return")])
def test_the_end_of_a_post_is_taken_back_also_when_it_waits(hr: Hr, take: str, end: str) -> None:
    first = do(hr, take, to_unit="gso:14797", **({"position": "KT"} if take == "appoint" else {}))
    hr.clock.advance(days=2)
    for when in ({"effective_on": day(hr, 3)}, {}):
        change = do(hr, end, **when)
        assert set(held(hr, "lan", 3)) == {"room"}
        refused = hr.api(hr.token()).post(f"/api/v1/changes/{first}/undo/preview").json
        assert [n["code"] for n in refused["conflicts"]] == ["later_change"]
        undo(hr, change)
        assert set(held(hr, "lan", 3)) == {"room", "b"}


@pytest.mark.parametrize(("take", "end"), [("appoint", "relieve"), ("second", "return")])
@pytest.mark.parametrize("after", ["leave", "transfer"])
def test_a_post_that_comes_back_ends_where_a_later_decision_ends_everything(
    hr: Hr, take: str, end: str, after: str
) -> None:
    """Without the relief it would have been ended by that decision, too."""
    do(hr, take, to_unit=hr.units["room2"], **({"position": "KT"} if take == "appoint" else {}))
    hr.clock.advance(days=2)
    relief = do(hr, end)
    more = {"reason": "retire"} if after == "leave" else {"to_unit": "gso:14797"}
    later = do(hr, after, effective_on=day(hr, 10), **more)
    undo(hr, relief)
    assert set(held(hr, "lan", 9)) == {"room", "room2"}
    assert set(held(hr, "lan", 10)) == ({"b"} if after == "transfer" else set())
    undo(hr, later)
    assert set(held(hr, "lan", 10)) == {"room", "room2"}


def test_who_joined_and_took_up_more_is_not_taken_back_as_if_she_had_never_come(hr: Hr) -> None:
    api = hr.api(hr.token())
    person = {"full_name": "Cao Thị Sen", "citizen_number": "038123456789"}
    joined = api.commit(kind="join", person=person, to_unit="gso:14758", position="CV").json["id"]
    with hr.services.db.read() as session:
        sen = session.scalars(select(User).where(User.full_name == "Cao Thị Sen")).one()
    hr.people["sen"], hr.names["sen"] = sen.id, sen.username
    post = do(hr, "appoint", "sen", to_unit="gso:14797", position="KT")
    plan = api.post(f"/api/v1/changes/{joined}/undo/preview").json
    assert [n["code"] for n in plan["conflicts"]] == ["later_change"]
    undo(hr, post)
    undo(hr, joined)
    assert held(hr, "sen") == {}


def test_a_move_within_keeps_a_secondment_and_one_to_another_body_ends_it(hr: Hr) -> None:
    do(hr, "second", to_unit="gso:14797")
    hr.clock.advance(days=1)
    do(hr, "transfer", to_unit=hr.units["room2"])
    assert set(held(hr, "lan")) == {"room2", "b"}
    hr.clock.advance(days=1)
    do(hr, "transfer", to_unit="gso:14797", position="KT")
    assert {kind for _, kind in held(hr, "lan").values()} == {"primary"}


def test_a_role_of_a_further_post_ends_with_it(hr: Hr) -> None:
    do(hr, "appoint", to_unit="gso:14797", position="KT")
    hr.clock.advance(days=1)
    with hr.services.db.write() as session:
        user = people.get(session, hr.people["lan"])
        unit = session.get_one(OrgUnit, hr.units["b"])
        make_role(session, user, Role.HR_OFFICER, unit, assignment_id=held(hr, "lan")["b"][0])
    do(hr, "relieve")
    with hr.services.db.read() as session:
        granted = rights(session, Actor("user", hr.people["lan"]), local_day(hr.clock()))
    assert granted.roles == set()


@pytest.mark.parametrize(
    ("kind", "unit", "missing"),
    [
        ("appoint", "a", "destination"),
        ("appoint", "b", "source"),
        ("second", "a", "destination"),
        ("second", "b", "source"),
    ],
)
def test_taking_up_a_post_needs_the_right_over_both_sides(
    hr: Hr, kind: str, unit: str, missing: str
) -> None:
    more = {"to_unit": "gso:14797"} | ({"position": "KT"} if kind == "appoint" else {})
    answer = hr.api(hr.token(unit=unit)).post(
        PREVIEW, {"kind": kind, "user": hr.names["lan"], **more}
    )
    assert (answer.status_code, answer.json["missing"]) == (403, missing)


def test_the_unit_of_a_post_may_end_it_and_no_other(hr: Hr) -> None:
    do(hr, "appoint", to_unit="gso:14797", position="KT")
    hr.clock.advance(days=1)
    ask = {"kind": "relieve", "user": hr.names["lan"]}
    assert hr.api(hr.token(unit="b")).post(PREVIEW, ask).status_code == 200
    refused = hr.api(hr.token(unit="a")).post(PREVIEW, ask)
    assert (refused.status_code, refused.json["missing"]) == (403, "source")
    do(hr, "second", "hien", to_unit="gso:14797")
    hr.clock.advance(days=1)
    ask = {"kind": "return", "user": hr.names["hien"]}
    for unit in ("a", "b"):
        assert hr.api(hr.token(unit=unit)).post(PREVIEW, ask).status_code == 403
    assert hr.api(hr.token()).post(PREVIEW, ask).status_code == 200


def test_the_last_place_is_taken_by_an_appointment_too(hr: Hr) -> None:
    with hr.services.db.write() as session:
        session.execute(
            text(
                "INSERT INTO post (unit_id, position_id, headcount)"
                " SELECT :unit, id, 1 FROM position WHERE code = 'KT'"
            ),
            {"unit": hr.units["b"]},
        )
    many = hr.api(hr.token()).plan(
        kind="appoint",
        users=[hr.names["lan"], hr.names["hien"]],
        to_unit="gso:14797",
        position="KT",
    )
    assert [n["code"] for n in many["conflicts"]] == ["post_full"]
    do(hr, "appoint", to_unit="gso:14797", position="KT")
    assert "post_full" in conflicts(hr, "second", "hien", to_unit="gso:14797", position="KT")
    assert "post_full" in conflicts(hr, "transfer", "plain", to_unit="gso:14797", position="KT")


def test_the_console_appoints_and_relieves(hr: Hr) -> None:
    browser = hr.browser("officer")
    where = f"/console/people/{hr.people['lan']}"
    page = browser.get(where).text
    assert f"{where}/appoint" in page
    assert f"{where}/relieve" not in page
    query = {"unit_words": "nga son", "position": "KT", "held_as": "acting", "until": "01/12/2026"}
    page = hr.preview(browser, "lan", "appoint", **query)
    assert "Phụ trách, ủy quyền" in text_of(page.text)
    assert hr.confirm(browser, page).status_code == 303
    hr.clock.advance(days=1)
    browser = hr.browser("officer")
    post = held(hr, "lan")["b"][0]
    page = browser.get(where).text
    assert f"{where}/relieve" in page
    assert f"{where}/return" not in page
    form = browser.get(f"{where}/relieve").text
    assert f'<option value="{post}"' in form
    page = hr.preview(browser, "lan", "relieve", post=str(post))
    assert hr.confirm(browser, page).status_code == 303
    assert set(held(hr, "lan")) == {"room"}


def test_every_change_of_a_random_life_can_be_previewed_or_is_refused_by_a_sentence(hr: Hr) -> None:
    """No order of these kinds ends in a fault, nor in two open primary posts."""
    steps = [
        ("second", {"to_unit": "gso:14797"}),
        ("appoint", {"to_unit": hr.units["a"], "position": "KT"}),
        ("transfer", {"to_unit": hr.units["room2"]}),
        ("return", {}),
        ("relieve", {}),
        ("leave", {"reason": "resign"}),
    ]
    with hr.services.db.read() as session:
        me = people.get(session, hr.people["lan"]).username
    for n in range(len(steps) * 3):
        kind, more = steps[(n * 5 + n // 6) % len(steps)]
        body = {"kind": kind, "user": me, "effective_on": day(hr, (n % 3) * 4), **more}
        answer = hr.api(hr.token()).post(PREVIEW, body)
        assert answer.status_code in (200, 422), answer.text
        if answer.status_code == 200 and answer.json["committable"] and kind != "leave":
            sent = body | {"fingerprint": answer.json["fingerprint"]}
            done = hr.api(hr.token()).post("/api/v1/changes", sent, key=secrets.token_hex(8))
            assert done.status_code == 201, done.text
        hr.clock.advance(days=1)
        work(hr)
        kinds = [k for _, k in held(hr, "lan").values()]
        assert kinds.count("primary") == 1
