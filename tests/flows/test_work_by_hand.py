"""Accounts at an application that nobody can call: a person does it, and says so."""

import re
import threading
import time
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from connectors.accounts import apply, handed_back
from connectors.errors import ConnectorError, Misconfigured, Rejected, Transient
from directory import entitlements
from directory.base.clock import day_start, local_day
from directory.changes import rules
from directory.entitlements import Rule
from idp.console import pages_work
from idp.run import housekeeping
from idp.run.performing import drain
from tests import hr_world
from tests.browser_client import hidden_fields
from tests.command_line import Operator, operator  # noqa: F401 (a fixture)
from tests.hr_world import PASSWORD, Hr, text_of
from tests.ledger import Ledger
from tests.ledger import ledger as ledger

pytestmark = pytest.mark.both_databases


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    """An office with an application whose accounts are kept by hand, for everybody."""
    made = hr_world.build(services, clock, app)
    with services.db.write() as session:
        session.execute(
            text(
                "UPDATE application SET connector = 'manual', "
                'connector_settings = \'{"owner": "Phòng Tin học", "days": 2}\''
                " WHERE code = 'vanban'"
            )
        )
    return made


def items(hr: Hr) -> list[Any]:
    with hr.services.db.read() as session:
        return list(session.execute(text("SELECT * FROM work_item ORDER BY id")))


def states(hr: Hr) -> list[tuple[str, str]]:
    with hr.services.db.read() as session:
        found = session.execute(
            text("SELECT kind, state FROM effect WHERE kind LIKE 'account.%' ORDER BY id")
        )
        return [(row.kind, row.state) for row in found]


def work_page(hr: Hr, who: str = "admin") -> Any:
    return hr.browser(who).get("/console/work-items")


def say(hr: Hr, item: Any, what: str, **fields: Any) -> Any:
    browser = hr.browser("admin")
    page = browser.get("/console/work-items", follow_redirects=True)
    data = hidden_fields(page.text) | {"digest": item.digest, "password": PASSWORD} | fields
    return browser.post(f"/console/work-items/{item.id}/{what}", data=data, follow_redirects=True)


def move(hr: Hr, *, who: str = "lan", to: str = "b") -> str:
    """Lan, or somebody else, goes to the other commune; the change's id."""
    api = hr.api(hr.token())
    answer = api.commit(
        kind="transfer",
        user=hr.people[who],
        to_unit=hr.units[to],
        position="CV",
        decision={"number": "7/QĐ", "issued_on": "2026-03-01", "issuer": "Tỉnh"},
    )
    assert answer.status_code < 300, answer.text
    drain(hr.services)
    return str(answer.json["id"])


def suspend(hr: Hr) -> None:
    api = hr.api(hr.token())
    answer = api.commit(
        kind="suspend",
        user=hr.people["lan"],
        decision={"number": "8/QĐ", "issued_on": "2026-03-01", "issuer": "Tỉnh"},
    )
    assert answer.status_code < 300, answer.text
    drain(hr.services)


def change_state(hr: Hr, change: str) -> str:
    with hr.services.db.read() as session:
        found = session.scalar(text("SELECT state FROM change WHERE id = :id"), {"id": change})
    return str(found)


def test_a_transfer_is_complete_when_somebody_says_so(hr: Hr) -> None:
    change = move(hr)
    (item,) = items(hr)
    assert states(hr) == [("account.move", "sent")]
    assert change_state(hr, change) == "committed"
    page = work_page(hr).text
    assert "Phòng Tin học" in page
    assert "Ủy ban nhân dân xã Nga Sơn" in page
    answer = say(hr, item, "done", remote_id="lan.nt")
    assert "Đã ghi nhận là đã làm xong." in answer.text
    assert states(hr) == [("account.move", "acknowledged")]
    assert change_state(hr, change) == "settled"
    with hr.services.db.read() as session:
        link = session.execute(text("SELECT remote_id, state FROM account")).one()
    assert tuple(link) == ("lan.nt", "active")


def test_a_later_change_writes_the_item_anew(hr: Hr) -> None:
    move(hr)
    (before,) = items(hr)
    suspend(hr)
    (now,) = items(hr)
    assert now.id == before.id
    assert now.action == "disabled"
    assert states(hr) == [("account.move", "superseded"), ("account.disable", "sent")]
    assert "vừa thay đổi" in say(hr, before, "done").text
    assert items(hr)[0].done_at is None
    say(hr, now, "done")
    assert states(hr)[1] == ("account.disable", "acknowledged")


def test_what_was_done_is_not_asked_for_again(hr: Hr) -> None:
    move(hr)
    say(hr, items(hr)[0], "done")
    say(hr, items(hr)[0], "done")
    assert len([i for i in items(hr) if i.done_at is None]) == 0
    move(hr, to="a")
    move(hr)
    with hr.services.db.read() as session:
        assert session.scalar(text("SELECT count(*) FROM work_item")) == 2


def test_nobody_is_asked_to_close_what_never_was(hr: Hr) -> None:
    suspend(hr)
    assert items(hr) == []
    assert states(hr) == [("account.disable", "acknowledged")]


def _connect(hr: Hr, connector: str | None) -> None:
    """Somebody installs another connection, in the database."""
    with hr.services.db.write() as session:
        application = entitlements.application_by_code(session, "vanban")
        application.connector = connector
        application.connector_settings = {"shelf": "A1"} if connector == "ledger" else {}


def connected(hr: Hr, connector: str | None) -> None:
    """The same, and the next round of chores comes."""
    _connect(hr, connector)
    hr.clock.advance(minutes=15)
    housekeeping.hand_back(hr.services, hr.clock())
    drain(hr.services)


@pytest.mark.parametrize("failed", [False, True])
def test_work_is_nobodys_once_the_application_is_called(
    hr: Hr,
    ledger: Ledger,
    failed: bool,
) -> None:
    change = move(hr)
    (item,) = items(hr)
    if failed:
        say(hr, item, "failed", reason="Phần mềm đang nâng cấp")
    connected(hr, "ledger")
    assert ledger.entries[hr.user("lan").sub].active
    assert states(hr) == [("account.move", "verified")]
    assert change_state(hr, change) == "settled"
    assert [each.done_by for each in items(hr)] == ["system:dinhdanh"]
    assert "đã được xác nhận trước đó" in say(hr, item, "done").text
    assert "Không còn việc nào" in text_of(work_page(hr).text)


@pytest.mark.parametrize("failure", [Rejected, Transient, Misconfigured])
def test_work_that_keeps_failing_lets_the_others_come_to_their_turn(
    hr: Hr,
    ledger: Ledger,
    failure: type[ConnectorError],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many are asked for at a time, and whatever becomes of the first."""
    move(hr)
    move(hr, who="plain")
    first, second = items(hr)
    refused = hr.user("lan").sub
    made = ledger.apply

    def apply_all_but_one(operation: Any) -> Any:
        if operation.wanted.external_id == refused:
            raise failure("Không nhận.")
        return made(operation)

    monkeypatch.setattr(ledger, "apply", apply_all_but_one)
    _connect(hr, "ledger")
    for _ in range(3):
        hr.clock.advance(minutes=15)
        with hr.services.db.write() as session:
            handed_back.look(session, now=hr.clock(), most=1)
        drain(hr.services)
    done = {each.id: each.done_at is not None for each in items(hr)}
    assert done == {first.id: False, second.id: True}


def test_work_is_given_up_where_the_application_has_no_connection_any_more(hr: Hr) -> None:
    change = move(hr)
    connected(hr, None)
    assert [each.done_by for each in items(hr)] == ["system:dinhdanh"]
    assert states(hr) == [("account.move", "parked")]
    assert change_state(hr, change) == "committed"
    proof = hr.api(hr.token()).get(f"/api/v1/changes/{change}").json
    (effect,) = [e for e in proof["effects"] if e["artefact"] == "accounts"]
    assert "không còn kết nối" in effect["reason"]


def test_work_by_hand_goes_on_where_nothing_was_changed(hr: Hr) -> None:
    move(hr)
    hr.clock.advance(minutes=15)
    housekeeping.hand_back(hr.services, hr.clock())
    drain(hr.services)
    assert [each.done_at for each in items(hr)] == [None]
    assert states(hr) == [("account.move", "sent")]


def test_a_failure_stays_in_sight_until_it_is_done(hr: Hr) -> None:
    move(hr)
    (item,) = items(hr)
    assert "Hãy ghi lý do" in say(hr, item, "failed", reason=" ").text
    say(hr, item, "failed", reason="Phần mềm đang nâng cấp")
    assert states(hr) == [("account.move", "parked")]
    assert "Phần mềm đang nâng cấp" in work_page(hr).text
    say(hr, item, "done")
    assert states(hr) == [("account.move", "acknowledged")]


def test_it_is_the_work_of_those_who_answer_for_the_application(hr: Hr) -> None:
    move(hr)
    (item,) = items(hr)
    assert work_page(hr, "officer").status_code == 403
    browser = hr.browser("officer")
    page = browser.get("/console/", follow_redirects=True)
    data = hidden_fields(page.text) | {"digest": item.digest}
    assert browser.post(f"/console/work-items/{item.id}/done", data=data).status_code in (403, 404)
    assert items(hr)[0].done_at is None
    with hr.services.db.write() as session:  # who answers for another application only
        session.execute(
            text(
                "UPDATE admin_role SET application_id ="
                " (SELECT id FROM application WHERE code = 'motcua') WHERE role = 'application_owner'"
            )
        )
    other = hr.browser("owner")
    page = other.get("/console/work-items")
    assert "Lê Thị Lan" not in page.text
    data = hidden_fields(page.text) | {"digest": item.digest}
    assert other.post(f"/console/work-items/{item.id}/done", data=data).status_code == 404
    assert items(hr)[0].done_at is None


def test_an_operator_does_it_at_the_command_line(hr: Hr, operator: Operator) -> None:  # noqa: F811
    move(hr)
    (item,) = items(hr)
    assert hr.names["lan"] in operator("app", "work", "vanban").out
    assert operator("app", "done", str(item.id)).code == 0
    assert states(hr) == [("account.move", "acknowledged")]
    assert operator("app", "done", str(item.id)).code != 0


def test_what_is_no_longer_earned_is_no_longer_asked_for(hr: Hr) -> None:
    move(hr)
    with hr.services.db.write() as session:
        found = entitlements.application_by_code(session, "vanban")
        rule = session.scalars(select(Rule.id).where(Rule.application_id == found.id)).one()
        rules.remove_rule(session, rule, actor=hr_world.OPERATOR, now=hr.clock())
        apply.recompute(session, found.id, now=hr.clock())
    drain(hr.services)
    (item,) = items(hr)
    assert item.action == "disabled"
    say(hr, item, "done")
    with hr.services.db.read() as session:
        assert session.scalar(text("SELECT state FROM account")) == "disabled"


def test_a_post_that_ends_by_itself_ends_what_it_asked_for(hr: Hr) -> None:
    with hr.services.db.write() as session:
        found = entitlements.application_by_code(session, "vanban")
        session.execute(
            text("UPDATE entitlement_rule SET unit_id = :b WHERE application_id = :a"),
            {"b": hr.units["b"], "a": found.id},
        )
    api = hr.api(hr.token())
    until = local_day(hr.clock()) + timedelta(days=5)
    answer = api.commit(
        kind="appoint",
        user=hr.people["lan"],
        to_unit=hr.units["b"],
        position="KT",
        until=until.isoformat(),
    )
    assert answer.status_code < 300, answer.text
    drain(hr.services)
    assert [i.action for i in items(hr)] == ["created"]
    hr.clock.set(day_start(until))
    drain(hr.services)
    assert [i.action for i in items(hr)] == ["disabled"]


def test_a_form_that_comes_back_after_a_sign_in_is_shown_and_not_acted_upon(hr: Hr) -> None:
    move(hr)
    (item,) = items(hr)
    for what, fields in (
        ("done", {"remote_id": "lan.le"}),
        ("failed", {"reason": "đang nâng cấp"}),
    ):
        page = say(hr, item, what, resumed="yes", **fields)
        assert page.status_code == 200
        assert next(iter(fields.values())) in page.text
        assert (items(hr)[0].done_at, items(hr)[0].failed_reason) == (None, None)


def everybody(hr: Hr) -> list[Any]:
    """Three people's items: one goes, one comes, one is moved."""
    move(hr)
    api = hr.api(hr.token())
    decision = {"number": "9/QĐ", "issued_on": "2026-03-01", "issuer": "Tỉnh"}
    for who in ("mai", "hien"):
        moved = api.commit(
            kind="transfer",
            user=hr.people[who],
            to_unit=hr.units["a" if who == "mai" else "b"],
            position="CV",
            decision=decision,
        )
        assert moved.status_code < 300, moved.text
    drain(hr.services)
    hr.clock.advance(days=1)
    left = hr.api(hr.token()).commit(kind="suspend", user=hr.people["hien"], decision=decision)
    assert left.status_code < 300, left.text
    drain(hr.services)
    return items(hr)


def tick(hr: Hr, *chosen: str) -> Any:
    browser = hr.browser("admin")
    data = hidden_fields(browser.get("/console/work-items").text) | {"item": list(chosen)}
    return browser.post("/console/work-items/done", data=data, follow_redirects=True)


def test_what_cuts_access_stands_first_though_its_day_is_later(hr: Hr) -> None:
    everybody(hr)
    page = work_page(hr).text
    places = {name: page.index(f"<b>{name}</b>") for name in ("Nguyễn Văn Hiển", "Đỗ Thị Mai")}
    assert places["Nguyễn Văn Hiển"] < places["Đỗ Thị Mai"]


def test_many_items_are_acknowledged_at_once(hr: Hr) -> None:
    rows = everybody(hr)
    changed = next(row for row in rows if row.user_id == hr.people["lan"])
    page = tick(
        hr,
        *(f"{row.id}:{row.digest}" for row in rows if row.id != changed.id),
        f"{changed.id}:of-another-state",
        "nonsense",
        "999999:x",
    )
    assert "Đã ghi nhận 2 việc là đã làm xong." in page.text
    assert "3 việc vừa thay đổi" in page.text
    assert [i.user_id for i in items(hr) if i.done_at is None] == [changed.user_id]
    assert set(states(hr)[-1:]) == {("account.disable", "acknowledged")}
    assert "Hãy chọn ít nhất một việc." in tick(hr).text


def test_items_of_another_owners_application_are_not_acknowledged_in_a_batch(hr: Hr) -> None:
    rows = everybody(hr)
    with hr.services.db.write() as session:
        session.execute(
            text(
                "UPDATE admin_role SET application_id ="
                " (SELECT id FROM application WHERE code = 'motcua') WHERE role = 'application_owner'"
            )
        )
    for who, status in (("owner", 303), ("officer", 403)):
        browser = hr.browser(who)
        page = browser.get("/console/", follow_redirects=True)
        data = hidden_fields(page.text) | {"item": [f"{r.id}:{r.digest}" for r in rows]}
        assert browser.post("/console/work-items/done", data=data).status_code == status
    assert [i.done_at for i in items(hr)] == [None] * len(rows)


def test_items_are_found_by_application_action_and_lateness(hr: Hr) -> None:
    everybody(hr)
    browser = hr.browser("admin")

    def names(query: str) -> set[str]:
        text_ = browser.get(f"/console/work-items?{query}").text
        return {
            n for n in ("Lê Thị Lan", "Nguyễn Văn Hiển", "Đỗ Thị Mai") if f"<b>{n}</b>" in text_
        }

    assert names("action=disabled") == {"Nguyễn Văn Hiển"}
    assert names("late=1") == set()
    hr.clock.advance(days=1, hours=1)
    browser = hr.browser("admin")
    assert names("late=1") == {"Lê Thị Lan", "Đỗ Thị Mai"}
    with hr.services.db.read() as session:
        other = session.scalar(text("SELECT id FROM application WHERE code = 'motcua'"))
    assert names(f"application={other}") == set()
    assert "ngoài bộ lọc này" in browser.get(f"/console/work-items?application={other}").text
    assert len(names("action=nonsense&application=x&late=")) == 3


def test_whoever_answers_stays_on_the_page_of_the_list_she_was_on(
    hr: Hr, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody(hr)
    monkeypatch.setattr(pages_work, "PAGE", 1)
    browser = hr.browser("admin")
    with hr.services.db.read() as session:
        vanban = session.scalar(text("SELECT id FROM application WHERE code = 'vanban'"))
    here = f"/console/work-items?application={vanban}&after=1"
    page = browser.get(here)
    (act,) = re.findall(r'action="(/console/work-items/\d+/failed[^"]*)"', page.text)
    data = hidden_fields(page.text)
    refused = browser.post(unescape(act), data=data)
    assert refused.status_code == 422
    assert "Hãy ghi lý do chưa làm được." in refused.text
    assert act in refused.text
    (switch,) = re.findall(r'<a lang="en"[^>]*href="([^"]+)"', refused.text)
    assert browser.get(unescape(switch)).location == here
    data |= hidden_fields(refused.text)
    done = browser.post(unescape(act), data=data | {"reason": "đang nâng cấp"})
    assert (done.status_code, done.location) == (303, here)
    (all_,) = re.findall(r'id="batch" method="post" action="([^"]+)"', browser.get(here).text)
    again = browser.post(unescape(all_), data=hidden_fields(refused.text))
    assert again.location == here


def test_a_batch_holds_no_change_while_it_waits_for_an_item(
    hr: Hr, request: pytest.FixtureRequest
) -> None:
    """Whoever has taken one item and then brings its change up to date waits for nobody who waits for
    that item: a worker in the middle of the same change, another officer.
    """
    if request.getfixturevalue("database_kind") == "sqlite":
        pytest.skip("one writer at a time")
    moved = hr.api(hr.token()).commit(
        kind="transfer",
        users=[hr.people["lan"], hr.people["hien"]],
        to_unit=hr.units["b"],
        position="CV",
        decision={"number": "9/QĐ", "issued_on": "2026-03-01", "issuer": "Tỉnh"},
    )
    assert moved.status_code < 300, moved.text
    drain(hr.services)
    rows = items(hr)
    assert len(rows) == 2
    said = []
    ticking = threading.Thread(
        target=lambda: said.append(tick(hr, *(f"{r.id}:{r.digest}" for r in rows)))
    )
    with hr.services.db.write() as session:
        last = {"id": rows[-1].id}
        session.execute(text("SELECT id FROM work_item WHERE id = :id FOR UPDATE"), last)
        ticking.start()
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        for _ in range(1200):
            if session.scalar(text(waits)):
                break
            time.sleep(0.05)
        else:
            pytest.fail("the batch does not wait")
        session.execute(
            text("SELECT id FROM change WHERE id = :id FOR UPDATE NOWAIT"), {"id": moved.json["id"]}
        )
    ticking.join()
    assert "Đã ghi nhận 2 việc là đã làm xong." in said[0].text
