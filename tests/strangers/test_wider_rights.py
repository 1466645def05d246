"""What one officer alone may not do: to those with wider rights, to many, or to a post she keeps.

Preview and commit refuse the same, and administrators' roles follow what happens to their holder.
"""

from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from directory.base.clock import day_start
from directory.permissions import Role
from tests import hr_world
from tests.hr_world import OPERATOR, Api, Hr

TODAY = date(2026, 3, 2)
LATER = TODAY + timedelta(days=10)
CHANGES = "/api/v1/changes"


@pytest.fixture
def settings(make_settings: Any, request: pytest.FixtureRequest) -> Any:
    marker = request.node.get_closest_marker("settings")
    return make_settings(**(marker.kwargs if marker else {}))


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def officer(hr: Hr) -> Api:
    """The personnel office of the province: everybody is within its reach."""
    return hr.api(hr.token(unit="root"))


def operator(hr: Hr, **body: Any) -> Any:
    """Preview and commit at the installation's command line; the plan."""
    from directory.changes import spec

    with hr.services.db.write() as session:
        asked = spec.parse(session, body, now=hr.clock(), keyring=hr.services.keyring)
        plan = hr.services.door.plan(session, asked, OPERATOR, now=hr.clock())
        hr.services.door.commit(
            session, asked, OPERATOR, now=hr.clock(), fingerprint=plan.fingerprint
        )
        return plan


def end_of(hr: Hr, who: str, role: Role) -> str | None:
    with hr.services.db.read() as session:
        found = session.execute(
            text("SELECT valid_to FROM admin_role WHERE user_id = :u AND role = :r"),
            {"u": hr.people[who], "r": role.value},
        ).scalar_one()
    return str(found) if found is not None else None


KINDS = [
    {"kind": "leave", "reason": "dismiss"},
    {"kind": "leave", "reason": "retire", "effective_on": LATER.isoformat()},
    {"kind": "suspend"},
    {"kind": "transfer", "to_unit": "gso:14797"},
]


@pytest.mark.both_databases
@pytest.mark.parametrize("body", KINDS, ids=lambda b: b["kind"])
@pytest.mark.parametrize(
    "role", [Role.ADMINISTRATOR, Role.AUDITOR, Role.APPLICATION_OWNER], ids=lambda r: r.value
)
def test_an_officer_alone_does_not_touch_who_holds_wider_rights(
    hr: Hr, body: dict[str, str], role: Role
) -> None:
    hr.grant("lan", role)
    asked = body | {"user": hr.names["lan"]}
    plan = officer(hr).plan(**asked)
    assert [c["code"] for c in plan["conflicts"]] == ["wider_rights"]
    assert "Lê Thị Lan" in plan["conflicts"][0]["message"]
    assert (plan["committable"], plan["proposable"]) == (False, True)
    for fingerprint in (plan["fingerprint"], "0" * 64):
        answer = officer(hr).post(CHANGES, asked | {"fingerprint": fingerprint}, key="k")
        assert (answer.status_code, answer.json["code"]) == (403, "wider_rights"), answer.text
        assert answer.json["missing"] == "wider_rights"
        assert answer.json["proposable"] is True
        assert "Lê Thị Lan" in answer.json["detail"]


def test_nor_one_of_a_list_nor_by_undoing_nor_by_a_role_that_sleeps(hr: Hr) -> None:
    suspended = operator(hr, kind="suspend", user=hr.names["lan"])
    assert not suspended.conflicts
    hr.grant("lan", Role.ADMINISTRATOR)
    change = officer(hr).get(CHANGES).json["changes"][0]["id"]
    for path, body in (
        (f"{CHANGES}/{change}/undo", {}),
        (CHANGES, {"kind": "resume", "user": hr.names["lan"]}),
        (
            CHANGES,
            {
                "kind": "leave",
                "reason": "retire",
                "users": [hr.names["hien"], hr.names["lan"]],
            },
        ),
    ):
        plan = officer(hr).post(f"{path}/preview", body).json
        assert [c["code"] for c in plan["conflicts"]] == ["wider_rights"]
        asked = body | {"fingerprint": plan["fingerprint"]}
        answer = officer(hr).post(path, asked, key="k")
        assert (answer.status_code, answer.json["code"]) == (403, "wider_rights"), answer.text


def test_an_officer_of_equal_reach_is_no_obstacle(hr: Hr) -> None:
    with hr.services.db.write() as session:
        from directory.people import User
        from directory.units import OrgUnit
        from tests.factories import make_role

        lan = session.get_one(User, hr.people["lan"])
        make_role(session, lan, Role.HR_OFFICER, session.get_one(OrgUnit, hr.units["a"]))
    assert officer(hr).commit(kind="suspend", user=hr.names["lan"]).status_code == 201


def test_the_last_administrator_is_not_taken_away_by_anybody_but_the_operator(hr: Hr) -> None:
    above = hr.api(hr.token(role=Role.ADMINISTRATOR, unit=None))
    body = {"kind": "suspend", "user": hr.names["admin"]}
    answer = above.post(f"{CHANGES}/preview", body)
    assert (answer.status_code, answer.json["code"]) == (403, "last_administrator")
    hr.grant("lan", Role.ADMINISTRATOR)
    assert above.commit(**body).status_code == 201
    leaving = {"kind": "leave", "reason": "retire", "user": hr.names["lan"]}
    later = above.post(f"{CHANGES}/preview", leaving | {"effective_on": LATER.isoformat()})
    assert later.json["code"] == "last_administrator"
    plan = operator(hr, **leaving)
    assert "last_administrator" in {n.code for n in plan.warnings}


@pytest.mark.parametrize("to_unit", ["gso:14797", "room2"])
def test_the_post_she_is_moved_from_cannot_be_kept(hr: Hr, to_unit: str) -> None:
    plan = officer(hr).plan(
        kind="transfer",
        user=hr.names["lan"],
        to_unit=hr.units.get(to_unit, to_unit),
        keep=[hr.posts["lan"]],
    )
    assert [c["code"] for c in plan["conflicts"]] == ["keep_primary"]
    assert plan["committable"] is False


def test_only_posts_of_those_who_move_can_be_kept(hr: Hr) -> None:
    answer = officer(hr).post(
        f"{CHANGES}/preview",
        {
            "kind": "transfer",
            "user": hr.names["lan"],
            "to_unit": "gso:14797",
            "keep": [hr.posts["mai"]],
        },
    )
    assert (answer.status_code, answer.json["field"]) == (422, "keep")


@pytest.mark.both_databases
@pytest.mark.settings(change_approval_people=3)
def test_the_people_of_one_decision_are_counted_over_its_batches(hr: Hr) -> None:
    decision = {"number": "12/QĐ", "issued_on": "2026-03-01", "issuer": "UBND tỉnh"}
    api = officer(hr)
    two = {"kind": "suspend", "users": [hr.names["lan"], hr.names["hien"]], "decision": decision}
    more = {"kind": "suspend", "users": [hr.names["mai"], hr.names["plain"]]}
    assert api.commit(**two).status_code == 201
    plan = api.plan(**more, decision=decision)
    assert [c["code"] for c in plan["conflicts"]] == ["second_person"]
    refused = api.post(
        CHANGES,
        more | {"decision": decision, "fingerprint": plan["fingerprint"]},
        key="second",
    )
    assert (refused.status_code, refused.json["code"]) == (403, "second_person")
    assert officer(hr).plan(**more, decision=decision)["conflicts"] == []  # somebody else's
    hr.clock.advance(hours=25)
    assert operator(hr, **more, decision=decision).conflicts == ()


def test_a_cancelled_leave_gives_a_role_its_own_end_back(hr: Hr) -> None:
    hr.grant("lan", Role.AUDITOR)
    operator(
        hr,
        kind="leave",
        reason="retire",
        user=hr.names["lan"],
        effective_on=LATER.isoformat(),
    )
    assert end_of(hr, "lan", Role.AUDITOR) == LATER.isoformat()
    above = hr.api(hr.token(role=Role.ADMINISTRATOR, unit=None))
    change = above.get(CHANGES).json["changes"][0]["id"]
    plan = above.post(f"{CHANGES}/{change}/undo/preview").json
    assert "role.restore" in [e["kind"] for e in plan["effects"]]
    done = above.post(f"{CHANGES}/{change}/undo", {"fingerprint": plan["fingerprint"]}, key="u")
    assert done.status_code == 201
    assert end_of(hr, "lan", Role.AUDITOR) is None


def test_leave_cancelled_then_dismissed_then_undone_gives_no_role_back(hr: Hr) -> None:
    hr.grant("lan", Role.AUDITOR)
    above = hr.api(hr.token(role=Role.ADMINISTRATOR, unit=None))

    def undo(change: str) -> None:
        plan = above.post(f"{CHANGES}/{change}/undo/preview").json
        answer = above.post(
            f"{CHANGES}/{change}/undo", {"fingerprint": plan["fingerprint"]}, key=change
        )
        assert answer.status_code == 201

    who = {"user": hr.names["lan"]}
    retire = {"kind": "leave", "reason": "retire", "effective_on": LATER.isoformat()}
    undo(above.commit(**retire, **who).json["id"])
    above.commit(**retire, **who)
    dismissed = above.commit(kind="leave", reason="dismiss", **who)
    assert dismissed.status_code == 201, dismissed.text
    assert end_of(hr, "lan", Role.AUDITOR) == TODAY.isoformat()
    undo(dismissed.json["id"])
    assert end_of(hr, "lan", Role.AUDITOR) == TODAY.isoformat()


def test_a_role_given_while_a_leave_waits_ends_with_it(hr: Hr) -> None:
    operator(
        hr, kind="leave", reason="retire", user=hr.names["lan"], effective_on=LATER.isoformat()
    )
    hr.grant("lan", Role.AUDITOR)
    hr.clock.set(day_start(LATER) + timedelta(minutes=1))
    with hr.services.db.write() as session:
        hr.services.door.take_effect(session, hr.people["lan"], now=hr.clock())
    assert end_of(hr, "lan", Role.AUDITOR) == LATER.isoformat()


@pytest.mark.settings(change_approval_people=1)
def test_a_load_of_too_many_people_by_an_officer_ends_and_says_why(hr: Hr) -> None:
    from directory.base.audit import Actor
    from directory.feeds.load import load
    from directory.feeds.run import Feed
    from directory.feeds.source_rows import Report
    from tests.strangers.test_feeds import CASES

    services = hr.services
    actor = Actor("user", hr.people["admin"], "quản trị")
    feed = Feed(services.db, services.door, actor, services.clock, lambda *_: None, Report())
    report = load(feed, CASES / "plain")
    assert "người thứ hai" in report.errors[-1].message
    with services.db.read() as session:
        found = session.execute(text("SELECT count(*) FROM users WHERE source_key LIKE 'NS-%'"))
        assert found.scalar_one() == 0
