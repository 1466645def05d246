"""A change that takes a second person: proposed by one, approved by another, committed as the
first one's, and refused wherever the two are not two or what was approved is not what would happen.
"""

from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from directory.base.audit import Actor
from directory.permissions import Role
from idp import approving
from idp.factors import slips
from idp.run import housekeeping
from tests import hr_world
from tests.factories import make_assignment
from tests.hr_world import OPERATOR, Api, Hr

CHANGES, PROPOSALS = "/api/v1/changes", "/api/v1/proposals"
DISMISS = {"kind": "leave", "reason": "dismiss"}
pytestmark = pytest.mark.both_databases


@pytest.fixture
def settings(make_settings: Any, request: pytest.FixtureRequest) -> Any:
    marker = request.node.get_closest_marker("settings")
    return make_settings(**(marker.kwargs if marker else {}))


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    """Lan works in a room of commune A and is an auditor of the whole installation."""
    made = hr_world.build(services, clock, app)
    made.grant("lan", Role.AUDITOR)
    return made


def user(hr: Hr, who: str) -> Api:
    return hr.api(hr.own_token(who))


def propose(api: Api, key: str = "p", **body: Any) -> Any:
    plan = api.plan(**body)
    assert plan["proposable"], plan["conflicts"]
    return api.post(PROPOSALS, body | {"fingerprint": plan["fingerprint"]}, key=key)


def dismissal(hr: Hr, api: Api | None = None, **more: Any) -> dict[str, Any]:
    """A proposal to dismiss Lan, by the officer unless told otherwise."""
    answer = propose(api or user(hr, "officer"), **DISMISS, user=hr.names["lan"], **more)
    assert answer.status_code == 201, answer.text
    return dict(answer.json)


def approve(api: Api, row: dict[str, Any]) -> Any:
    return api.post(f"{PROPOSALS}/{row['id']}/approve", {"fingerprint": row["fingerprint"]})


def state(hr: Hr, row: dict[str, Any]) -> tuple[str, str | None]:
    """State and why it lapsed, as they are written down."""
    with hr.services.db.read() as session:
        found = session.execute(
            text("SELECT state, lapse FROM proposal WHERE id = :id"), {"id": row["id"]}
        ).one()
    return found[0], found[1]


def entries(hr: Hr, tag: str) -> list[Any]:
    with hr.services.db.read() as session:
        return list(
            session.execute(
                text(
                    "SELECT actor_kind, actor_id, change_id FROM audit_entry WHERE tag = :t ORDER BY id"
                ),
                {"t": tag},
            )
        )


def test_one_proposes_another_approves_and_both_are_named(hr: Hr) -> None:
    officer, admin = user(hr, "officer"), user(hr, "admin")
    row = dismissal(hr, officer)
    assert (row["state"], row["why"]) == ("proposed", ["wider_rights"])
    assert hr.user("lan").leaves_on is None
    seen = admin.get(f"{PROPOSALS}/{row['id']}").json
    assert seen["may_approve"] is True
    assert (seen["asked"], seen["decision"]) == (
        [{"field": "Lý do", "value": "Buộc thôi việc"}],
        None,
    )
    assert seen["plan"] == officer.plan(**DISMISS, user=hr.names["lan"])
    done = approve(admin, row)
    assert done.status_code == 201, done.text
    assert hr.user("lan").leaves_on == date(2026, 3, 2)
    proof = admin.get(f"{CHANGES}/{done.json['id']}").json
    assert proof["actor"]["label"] == hr.names["officer"]
    assert proof["approved_by"] == {"kind": "user", "label": hr.names["admin"]}
    assert entries(hr, "change.propose") == [("user", hr.people["officer"], None)]
    assert entries(hr, "change.approve") == [("user", hr.people["admin"], done.json["id"])]
    assert entries(hr, "change.commit") == [("user", hr.people["officer"], done.json["id"])]
    again = approve(admin, row)
    assert (again.status_code, again.json["id"]) == (201, done.json["id"])
    assert len(entries(hr, "change.commit")) == 1


def test_neither_who_proposed_nor_whom_it_concerns_nor_who_has_less_approves(hr: Hr) -> None:
    officer = user(hr, "officer")
    row = dismissal(hr, officer)
    assert approve(officer, row).json["code"] == "own_proposal"
    for who, status in (("lan", 404), ("auditor", 403), ("owner", 404), ("plain", 404)):
        answer = approve(user(hr, who), row)
        assert answer.status_code == status, (who, answer.text)
    equal = user(hr, "officer_a")  # over Lan's commune, but no wider than an auditor of all
    answer = approve(equal, row)
    assert (answer.status_code, answer.json["code"]) == (403, "wider_rights")
    assert equal.get(f"{PROPOSALS}/{row['id']}").json["may_approve"] is False
    assert approve(user(hr, "officer_b"), row).status_code == 404
    machine = hr.api(hr.token(role=Role.ADMINISTRATOR, unit=None))
    assert approve(machine, row).json["code"] == "approver_person"
    assert state(hr, row) == ("proposed", None)
    assert hr.user("lan").leaves_on is None


def test_an_officer_of_equal_reach_approves_a_suspension_of_many(hr: Hr) -> None:
    hr.services.door.thresholds = hr.services.door.thresholds.__class__(people=1)
    with hr.services.db.write() as session:
        session.execute(text("DELETE FROM admin_role WHERE user_id = :u"), {"u": hr.people["lan"]})
    both: dict[str, Any] = {"kind": "suspend", "users": [hr.names["lan"], hr.names["hien"]]}
    row = propose(user(hr, "officer"), **both).json
    assert row["why"] == ["second_person"]
    assert approve(user(hr, "officer_a"), row).status_code == 201
    assert hr.user("hien").status == "suspended"


def test_a_transfer_takes_an_approver_with_both_sides(hr: Hr) -> None:
    hr.services.door.thresholds = hr.services.door.thresholds.__class__(people=1)
    both = [hr.names["hien"], hr.names["plain"]]
    row = propose(user(hr, "officer"), kind="transfer", users=both, to_unit="gso:14797").json
    for who in ("officer_a", "officer_b"):
        assert approve(user(hr, who), row).status_code == 404  # sees one side only
    assert approve(user(hr, "admin"), row).status_code == 201


def test_a_client_proposes_and_whoever_made_the_client_does_not_approve(hr: Hr) -> None:
    row = dismissal(hr, hr.api(hr.token()))
    with hr.services.db.write() as session:
        session.execute(
            text(
                "UPDATE audit_entry SET actor_kind = 'user', actor_id = :u"
                " WHERE subject_kind = 'client'"
            ),
            {"u": hr.people["admin"]},
        )
    answer = approve(user(hr, "admin"), row)
    assert (answer.status_code, answer.json["code"]) == (403, "approver_client")


def test_a_disabled_clients_proposal_is_void(hr: Hr) -> None:
    row = dismissal(hr, hr.api(hr.token()))
    with hr.services.db.write() as session:
        session.execute(text("UPDATE client SET epoch = epoch + 1"))
    answer = approve(user(hr, "admin"), row)
    assert (answer.status_code, answer.json["code"]) == (409, "proposal_lapsed")
    assert state(hr, row) == ("lapsed", "proposer")


@pytest.mark.parametrize(
    ("giver", "taker"), [("officer", "admin"), ("admin", "officer")], ids=["his", "hers"]
)
def test_who_gave_the_other_a_slip_is_no_second_person(hr: Hr, giver: str, taker: str) -> None:
    _slip(hr, giver, taker)
    row = dismissal(hr)
    answer = approve(user(hr, "admin"), row)
    assert (answer.status_code, answer.json["code"]) == (403, "approver_slip")
    assert state(hr, row) == ("proposed", None)
    hr.clock.advance(days=31)
    assert approve(user(hr, "admin"), dismissal(hr)).status_code == 201


def test_nor_is_one_whose_slip_came_through_others_hands(hr: Hr) -> None:
    _slip(hr, "officer", "officer_a")
    _slip(hr, "officer_a", "admin")
    assert approve(user(hr, "admin"), dismissal(hr)).json["code"] == "approver_slip"


def test_nor_one_to_whom_the_proposer_has_just_given_the_role(hr: Hr) -> None:
    hr.grant("hien", Role.ADMINISTRATOR)
    with hr.services.db.write() as session:
        session.execute(
            text("UPDATE admin_role SET granted_by = :g, valid_from = :d WHERE user_id = :u"),
            {"g": f"user:{hr.people['officer']}", "d": "2026-03-01", "u": hr.people["hien"]},
        )
    assert approve(user(hr, "hien"), dismissal(hr)).json["code"] == "approver_role"


def _slip(hr: Hr, giver: str, taker: str) -> None:
    """A slip that was used."""
    with hr.services.db.write() as session:
        actor = Actor("user", hr.people[giver], hr.names[giver])
        token = slips.issue(
            session, hr.services.keyring, hr.people[taker],
            now=hr.clock(), lifetime=3600, actor=actor,
        )  # fmt: skip
        session.execute(
            text("UPDATE activation SET used_at = issued_at WHERE user_id = :u"),
            {"u": hr.people[taker]},
        )
    assert token


def test_it_lapses_after_a_day(hr: Hr) -> None:
    row = dismissal(hr)
    hr.clock.advance(hours=23, minutes=59)
    admin = user(hr, "admin")
    assert admin.get(f"{PROPOSALS}/{row['id']}").json["may_approve"] is True
    hr.clock.advance(minutes=1)
    seen = user(hr, "admin").get(f"{PROPOSALS}/{row['id']}").json
    assert (seen["state"], seen["lapsed"], seen["plan"]) == ("lapsed", "expired", None)
    answer = approve(user(hr, "admin"), row)
    assert (answer.status_code, answer.json["code"]) == (409, "proposal_lapsed")
    assert state(hr, row) == ("lapsed", "expired")
    assert [e.actor_kind for e in entries(hr, "change.lapse")] == ["system"]


@pytest.mark.settings(approval_lifetime=3600)
def test_how_long_it_waits_is_a_setting(hr: Hr) -> None:
    row = dismissal(hr)
    hr.clock.advance(hours=1)
    assert approve(user(hr, "admin"), row).json["code"] == "proposal_lapsed"


def test_it_lapses_when_what_would_happen_is_another_thing(hr: Hr) -> None:
    row = dismissal(hr)
    with hr.services.db.write() as session:
        from directory.people import User
        from directory.units import OrgUnit

        make_assignment(
            session,
            session.get_one(User, hr.people["lan"]),
            session.get_one(OrgUnit, hr.units["room2"]),
            kind="concurrent",
        )
    seen = user(hr, "admin").get(f"{PROPOSALS}/{row['id']}").json
    assert (seen["state"], seen["lapsed"], seen["may_approve"]) == ("lapsed", "stale", False)
    assert approve(user(hr, "admin"), row).json["code"] == "proposal_lapsed"
    assert state(hr, row) == ("lapsed", "stale")


@pytest.mark.parametrize("how", ["moved", "left", "suspended", "restored", "role"])
def test_what_happened_to_its_people_meanwhile_ends_it(hr: Hr, how: str) -> None:
    row = dismissal(hr)
    acts = {
        "moved": ("UPDATE users SET access_epoch = access_epoch + 1 WHERE id = :u", "officer"),
        "left": ("UPDATE users SET leaves_on = '2026-03-02' WHERE id = :u", "officer"),
        "suspended": ("UPDATE users SET status = 'suspended' WHERE id = :u", "lan"),
        "restored": ("UPDATE installation SET epoch = epoch + 1 WHERE 0 <> :u", "lan"),
        "role": ("DELETE FROM admin_role WHERE user_id = :u", "officer"),
    }
    statement, who = acts[how]
    with hr.services.db.write() as session:
        session.execute(text(statement), {"u": hr.people[who]})
    assert approve(user(hr, "admin"), row).json["code"] == "proposal_lapsed"
    why = {"moved": "proposer", "left": "proposer", "restored": "restored"}.get(how, "stale")
    assert state(hr, row) == ("lapsed", why)
    assert hr.user("lan").leaves_on is None


def test_an_approver_approves_what_she_saw(hr: Hr) -> None:
    row = dismissal(hr)
    answer = approve(user(hr, "admin"), row | {"fingerprint": "0" * 64})
    assert (answer.status_code, answer.json["code"]) == (409, "plan_stale")
    assert state(hr, row) == ("proposed", None)


def test_declined_with_a_reason_and_not_without(hr: Hr) -> None:
    row, admin, path = dismissal(hr), user(hr, "admin"), None
    path = f"{PROPOSALS}/{row['id']}/decline"
    assert admin.post(path, {"reason": "  "}).json["code"] == "reason_missing"
    assert user(hr, "officer").post(path, {"reason": "x"}).status_code == 403
    answer = admin.post(path, {"reason": "Chưa có quyết định"})
    assert (answer.status_code, answer.json["state"]) == (200, "declined")
    assert answer.json["reason"] == "Chưa có quyết định"
    assert admin.post(path, {"reason": "lần hai"}).json["reason"] == "Chưa có quyết định"
    assert approve(admin, row).json["code"] == "proposal_closed"
    assert hr.user("lan").leaves_on is None


def test_withdrawn_by_its_proposer_and_nobody_else(hr: Hr) -> None:
    officer = user(hr, "officer")
    row = dismissal(hr, officer)
    path = f"{PROPOSALS}/{row['id']}/withdraw"
    assert user(hr, "admin").post(path).json["code"] == "not_proposer"
    assert officer.post(path).json["state"] == "withdrawn"
    assert officer.post(path).json["state"] == "withdrawn"
    assert approve(user(hr, "admin"), row).json["code"] == "proposal_closed"


def test_proposing_again_is_the_same_proposal(hr: Hr) -> None:
    officer = user(hr, "officer")
    one = dismissal(hr, officer, key="a")
    assert dismissal(hr, officer, key="a")["id"] == one["id"]
    assert dismissal(hr, officer, key="b")["id"] == one["id"]
    assert approve(user(hr, "admin"), one).status_code == 201
    body = DISMISS | {"user": hr.names["lan"], "fingerprint": one["fingerprint"]}
    for key in ("a", "b"):
        assert officer.post(PROPOSALS, body, key=key).json["id"] == one["id"]
    hien = officer.commit(key="c", kind="suspend", user=hr.names["hien"])
    assert hien.status_code == 201
    assert officer.post(PROPOSALS, body, key="c").status_code == 422
    other = officer.post(PROPOSALS, body | {"user": hr.names["hien"]}, key="a")
    assert (other.status_code, other.json["field"]) == (422, "Idempotency-Key")


def test_what_one_may_do_alone_is_not_proposed(hr: Hr) -> None:
    officer = user(hr, "officer")
    body = {"kind": "suspend", "user": hr.names["hien"]}
    asked = body | {"fingerprint": officer.plan(**body)["fingerprint"]}
    answer = officer.post(PROPOSALS, asked, key="k")
    assert (answer.status_code, answer.json["code"]) == (409, "approval_not_needed")


def test_what_nobody_may_do_is_not_proposed_either(hr: Hr) -> None:
    officer = user(hr, "officer")
    with hr.services.db.write() as session:
        last = {"lan": hr.people["lan"], "admin": hr.people["admin"]}
        session.execute(text("DELETE FROM admin_role WHERE user_id = :lan"), last)
        session.execute(text("UPDATE admin_role SET user_id = :lan WHERE user_id = :admin"), last)
    body = {"kind": "suspend", "user": hr.names["lan"]}
    answer = officer.post(f"{CHANGES}/preview", body)
    assert (answer.status_code, answer.json["code"]) == (403, "last_administrator")
    asked = body | {"fingerprint": "0" * 64}
    assert officer.post(PROPOSALS, asked, key="k").json["code"] == "last_administrator"


def test_what_two_have_decided_one_does_not_undo(hr: Hr) -> None:
    officer, admin = user(hr, "officer"), user(hr, "admin")
    done = approve(admin, dismissal(hr, officer)).json["id"]
    plan = officer.post(f"{CHANGES}/{done}/undo/preview").json
    assert plan["proposable"] is True, plan
    path, body = f"{CHANGES}/{done}/undo", {"fingerprint": plan["fingerprint"]}
    assert officer.post(path, body, key="u").json["proposable"] is True
    row = officer.post(f"{path}/propose", body, key="u").json
    assert approve(admin, row).status_code == 201
    assert hr.user("lan").leaves_on is None


def test_the_operator_may_be_the_second_person(hr: Hr) -> None:
    row = dismissal(hr)
    done = approving.approve(hr.services, row["id"], OPERATOR, fingerprint=row["fingerprint"])
    assert done.state in ("committed", "settled")
    assert [e.actor_kind for e in entries(hr, "change.approve")] == ["operator"]


def test_who_sees_which_proposals(hr: Hr) -> None:
    row = dismissal(hr)

    def ids(who: str, **query: Any) -> list[str]:
        answer = user(hr, who).get(PROPOSALS, query_string=query)
        return [p["id"] for p in answer.json["proposals"]]

    for who, seen in (
        ("officer", True), ("admin", True), ("auditor", True), ("officer_a", True),
        ("officer_b", False), ("lan", False), ("plain", False),
    ):  # fmt: skip
        assert ids(who) == ([row["id"]] if seen else []), who
    assert ids("admin", state="approved") == []
    assert user(hr, "admin").get(PROPOSALS, query_string={"state": "x"}).status_code == 422


def test_sight_of_a_proposal_follows_the_unit_that_is_moved(hr: Hr) -> None:
    row = dismissal(hr)

    def seen() -> list[tuple[int, int]]:
        found = []
        for who in ("officer_a", "officer_b"):
            api = user(hr, who)
            one = api.get(f"{PROPOSALS}/{row['id']}").status_code
            found.append((one, len(api.get(PROPOSALS).json["proposals"])))
        return found

    assert seen() == [(200, 1), (404, 0)]
    api = hr.api(hr.token(hr_world.Role.ADMINISTRATOR, None))
    moved = api.commit(kind="unit.move", unit=hr.units["room"], parent=hr.units["b"])
    assert moved.status_code == 201, moved.text
    assert seen() == [(404, 0), (200, 1)]


def test_what_is_not_known_to_take_any_right_is_nobodys_to_see(hr: Hr) -> None:
    row = dismissal(hr)
    with hr.services.db.write() as session:
        session.execute(text("UPDATE proposal SET needs = '[]'"))
    admin = user(hr, "admin")
    assert admin.get(PROPOSALS).json["proposals"] == []
    assert approve(admin, row).status_code == 404


def test_what_home_pages_are_told(hr: Hr) -> None:
    from directory import permissions

    row = dismissal(hr)
    with hr.services.db.read() as session:

        def told(who: str) -> tuple[list[str], list[str]]:
            actor = Actor("user", hr.people[who], hr.names[who])
            granted = permissions.rights(session, actor, date(2026, 3, 2))
            found = approving.agenda(session, granted, now=hr.clock())
            if found is None:
                return [], []
            return [p.id for p in found.to_decide], [p.id for p in found.own]

        assert told("admin") == ([row["id"]], [])
        assert told("officer") == ([], [row["id"]])
        for who in ("officer_a", "officer_b", "auditor", "lan", "plain"):
            assert told(who) == ([], []), who


def test_nothing_personal_is_kept_of_what_was_not_done(hr: Hr) -> None:
    hr.services.door.thresholds = hr.services.door.thresholds.__class__(people=0)
    officer = user(hr, "officer")
    person = {"full_name": "Trịnh Văn Sơn", "email": "son@example.gov.vn", "phone": "0912345678"}
    body: dict[str, Any] = {
        "kind": "join",
        "person": person,
        "to_unit": "gso:14758",
        "position": "CV",
    }
    row = propose(officer, **body)
    assert row.status_code == 201, row.text
    officer.post(f"{PROPOSALS}/{row.json['id']}/withdraw")
    with hr.services.db.read() as session:
        kept = session.execute(text("SELECT spec FROM proposal")).scalar_one()
    assert kept in ("{}", {})
    again = propose(officer, key="again", **body)
    assert approve(user(hr, "admin"), again.json).status_code == 201


@pytest.mark.parametrize("how", ["declined", "withdrawn", "lapsed", "approved"])
def test_whom_a_proposal_was_about_is_forgotten_a_month_after_it_was_decided(
    hr: Hr, how: str
) -> None:
    officer, admin = user(hr, "officer"), user(hr, "admin")
    row = dismissal(
        hr, officer, decision={"number": "7/QĐ-LAN", "issued_on": "2026-03-01", "issuer": "Tỉnh"}
    )
    path = f"{PROPOSALS}/{row['id']}"
    if how == "approved":
        assert approve(admin, row).status_code == 201
    elif how == "declined":
        assert admin.post(f"{path}/decline", {"reason": "Trần Thị Lan còn việc"}).status_code == 200
    elif how == "withdrawn":
        assert officer.post(f"{path}/withdraw", {}).status_code == 200
    else:
        hr.clock.advance(days=1, seconds=1)
        housekeeping.lapse_proposals(hr.services, hr.clock())

    def kept() -> str:
        with hr.services.db.read() as session:
            found = session.execute(text("SELECT * FROM proposal")).mappings().one()
        return str({k: v for k, v in found.items() if not k.startswith(("proposer_", "decider_"))})

    def sees(who: str) -> int:
        return int(user(hr, who).get(path).status_code)

    name = hr.user("lan").full_name
    hr.clock.advance(days=29)
    housekeeping.lapse_proposals(hr.services, hr.clock())
    assert name in kept()
    hr.clock.advance(days=2)
    housekeeping.lapse_proposals(hr.services, hr.clock())
    assert not [
        word for word in (name, "7/QĐ-LAN", "Lan", str([hr.people["lan"]])) if word in kept()
    ]
    assert (sees("officer"), sees("admin")) == (200, 404)
    assert how == "approved" or sees("lan") == 404  # else she has left
    assert state(hr, row)[0] == how


def test_what_waits_is_forgotten_by_nobody(hr: Hr) -> None:
    row = dismissal(hr)
    housekeeping.lapse_proposals(hr.services, hr.clock())
    assert approve(user(hr, "admin"), row).status_code == 201


def test_the_chore_writes_down_what_has_lapsed(hr: Hr) -> None:
    row = dismissal(hr)
    housekeeping.lapse_proposals(hr.services, hr.clock())
    assert state(hr, row) == ("proposed", None)
    housekeeping.lapse_proposals(hr.services, hr.clock() + timedelta(days=1))
    assert state(hr, row) == ("lapsed", "expired")


# ---- accounts lost, whoever loses them ---------------------------------------------------------


@pytest.fixture
def targets(hr: Hr) -> Hr:
    """The application of everybody gets accounts, and one of them may go in a day."""
    with hr.services.db.write() as session:
        session.execute(text("UPDATE application SET connector = 'scim' WHERE code = 'vanban'"))
    limit = hr.services.door.thresholds.__class__
    hr.services.door.thresholds = limit(accounts=1, percent=10)
    return hr


def test_accounts_lost_are_counted_over_all_committers(targets: Hr) -> None:
    hr = targets
    one, other = user(hr, "officer"), user(hr, "officer_a")
    assert one.commit(kind="suspend", user=hr.names["hien"]).status_code == 201
    body = {"kind": "suspend", "user": hr.names["plain"]}
    plan = other.plan(**body)
    assert [c["code"] for c in plan["conflicts"]] == ["second_person_accounts"]
    asked = body | {"fingerprint": plan["fingerprint"]}
    refused = other.post(CHANGES, asked, key="alone")
    assert (refused.status_code, refused.json["code"]) == (403, "second_person_accounts")
    assert refused.json["proposable"] is True
    assert approve(one, propose(other, **body).json).status_code == 201
    hr.clock.advance(hours=25)
    later = user(hr, "officer_b").plan(kind="suspend", user=hr.names["mai"])
    assert later["committable"] is True


def test_what_two_agreed_on_and_the_operator_did_does_not_bind_others(targets: Hr) -> None:
    hr = targets
    hr.services.door.thresholds = hr.services.door.thresholds.__class__(people=1, accounts=1)
    both: dict[str, Any] = {"kind": "suspend", "users": [hr.names["hien"], hr.names["plain"]]}
    row = propose(user(hr, "officer"), **both).json
    assert row["why"] == ["second_person", "second_person_accounts"]
    assert approve(user(hr, "admin"), row).status_code == 201
    mai = {"kind": "suspend", "user": hr.names["mai"]}
    assert user(hr, "officer_b").commit(**mai).status_code == 201


def test_of_many_accounts_a_share_may_go(targets: Hr) -> None:
    hr = targets
    with hr.services.db.write() as session:
        session.execute(
            text(
                "INSERT INTO account (user_id, application_id, state)"
                " SELECT id, (SELECT id FROM application WHERE code = 'vanban'), 'active'"
                " FROM users"
            )
        )
    hr.services.door.thresholds = hr.services.door.thresholds.__class__(accounts=0, percent=20)
    officer = user(hr, "officer")  # ten people have accounts: two may go
    for who, alone in (("hien", True), ("plain", True), ("mai", False)):
        body = {"kind": "suspend", "user": hr.names[who]}
        assert officer.plan(**body)["committable"] is alone, who
        if alone:
            assert officer.commit(**body).status_code == 201


# ---- whatever the kind -------------------------------------------------------------------------


def test_a_kind_may_always_take_two(hr: Hr) -> None:
    from dataclasses import replace

    from directory.changes import kind

    probe = replace(kind.get("suspend"), code="probe", title="Thử", needs_approval=True)
    with kind.registered(probe):
        body = {"kind": "probe", "user": hr.names["hien"]}
        officer = user(hr, "officer")
        row = propose(officer, **body).json
        assert (row["why"], row["title"]) == (["always_two"], "Thử: Nguyễn Văn Hiển")
        asked = body | {"fingerprint": row["fingerprint"]}
        assert officer.post(CHANGES, asked, key="x").json["code"] == "always_two"
        assert approve(user(hr, "admin"), row).status_code == 201
    assert hr.user("hien").status == "suspended"


def test_a_request_is_kept_whole_whatever_it_asks_for(hr: Hr) -> None:
    """Its plan is made of the same values again: dates, lists, references, sealed numbers."""
    import json
    from typing import Annotated

    from directory.changes import asks, field_types, kind, proposals, spec
    from directory.changes.kind import About

    class Asks(asks.Fields):
        unit: Annotated[field_types.UnitRef, asks.Ask("Đơn vị")]
        position: Annotated[field_types.MaybePosition, asks.Ask("Chức vụ")] = None
        until: Annotated[field_types.MaybeDay, asks.Ask("Đến ngày")] = None
        kept: Annotated[field_types.HeldRefs, asks.Ask("Giữ lại")] = ()
        number: Annotated[field_types.CitizenNumber, asks.Ask("Số")] = None
        left_out: Annotated[field_types.SourceKey, asks.Ask("Không nói")] = "mặc định"

    probe = kind.Kind("probe", "Thử", "A probe.", kind.get("suspend").plan, asks=Asks)
    assert probe.about == About.PEOPLE
    said = {
        "unit": "gso:14797", "position": "KT", "until": "2027-01-31", "kept": [3, 1],
        "number": "038095001234",
    }  # fmt: skip
    with kind.registered(probe), hr.services.db.read() as session:
        bodies: list[dict[str, Any]] = [
            {"kind": "probe", "user": hr.names["lan"], **said},
            {"kind": "suspend", "user": hr.names["lan"], "effective_on": "2026-04-01"},
            {
                "kind": "transfer", "user": hr.names["lan"], "to_unit": "gso:14797",
                "decision": {"number": "1", "issued_on": "2026-03-01", "issuer": "UBND"},
            },
            {
                "kind": "join", "to_unit": "gso:14758", "position": "CV",
                "person": {"full_name": "Trịnh Văn Sơn", "citizen_number": "038095001234"},
            },
        ]  # fmt: skip
        for body in bodies:
            made = spec.parse(session, body, now=hr.clock(), keyring=hr.services.keyring)
            again = proposals.thawed(json.loads(json.dumps(proposals.frozen(made))))
            assert again == made, body["kind"]
            assert again.as_dict() == made.as_dict()
