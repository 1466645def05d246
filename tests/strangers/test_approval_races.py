"""Two at once about one proposal: whoever comes second finds what the first has left."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from directory.base.errors import Conflict, DinhdanhError
from directory.permissions import Role
from idp import approving, edge
from tests import hr_world
from tests.flows.test_approval import CHANGES, DISMISS, PROPOSALS, approve, dismissal, state, user
from tests.hr_world import OPERATOR, Hr
from tests.properties.stepping import Stepper, install

pytestmark = pytest.mark.both_databases

A_MOMENT = 0.4
TAKEN, LOCKED, DONE = "approve.locked", "commit.locked", "commit.before_commit"


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask, monkeypatch: pytest.MonkeyPatch) -> Hr:
    install(monkeypatch)
    made = hr_world.build(services, clock, app)
    made.grant("lan", Role.AUDITOR)
    made.grant("mai", Role.ADMINISTRATOR)
    return made


def approving_as(hr: Hr, who: str, row: dict[str, Any]) -> Callable[[], Any]:
    api = user(hr, who)
    return lambda: approve(api, row)


def race(first: Callable[[], Any], second: Callable[[], Any], stop: str) -> tuple[Any, Any]:
    """The second begins while the first stands in the midst of its transaction."""
    ahead = Stepper(first, stops=(stop,)).start()
    behind = Stepper(second, stops=()).start(within=A_MOMENT)
    return ahead.finish(), behind.finish()


def changes(hr: Hr) -> int:
    with hr.services.db.read() as session:
        return int(session.execute(text("SELECT count(*) FROM change")).scalar_one())


@pytest.mark.parametrize("stop", [TAKEN, LOCKED, DONE])
def test_of_two_approvers_one_commits(hr: Hr, stop: str) -> None:
    row = dismissal(hr)
    first, second = race(approving_as(hr, "admin", row), approving_as(hr, "mai", row), stop)
    assert first.status_code == 201, first.text
    assert (second.status_code, second.json["code"]) == (409, "proposal_closed"), second.text
    assert changes(hr) == 1


def test_one_approver_who_clicks_twice_gets_one_change(hr: Hr) -> None:
    row = dismissal(hr)
    act = approving_as(hr, "admin", row)
    first, second = race(act, act, LOCKED)
    assert (first.status_code, second.status_code) == (201, 201), (first.text, second.text)
    assert first.json["id"] == second.json["id"]
    assert changes(hr) == 1


@pytest.mark.parametrize("stop", [TAKEN, DONE])
def test_withdrawn_while_it_is_approved_is_approved(hr: Hr, stop: str) -> None:
    officer = user(hr, "officer")
    row = dismissal(hr, officer)
    path = f"{PROPOSALS}/{row['id']}/withdraw"
    first, second = race(approving_as(hr, "admin", row), lambda: officer.post(path), stop)
    assert first.status_code == 201, first.text
    assert (second.status_code, second.json["code"]) == (409, "proposal_closed")
    assert state(hr, row) == ("approved", None)


def operator(hr: Hr, who: str, **body: Any) -> Callable[[], Any]:
    """A change made at the installation's command line, previewed now."""
    ask = edge.asked(hr.services, body | {"user": hr.names[who]})
    fingerprint = edge.preview(hr.services, ask, OPERATOR)["fingerprint"]

    def act() -> Any:
        try:
            return edge.commit(hr.services, ask, OPERATOR, fingerprint=fingerprint, key=None)
        except DinhdanhError as error:
            return error

    return act


@pytest.mark.parametrize("stop", [LOCKED, DONE])
@pytest.mark.parametrize(
    ("who", "body", "refused"),
    [
        ("officer", {"kind": "suspend"}, ("lapsed", "proposer")),
        ("lan", {"kind": "suspend"}, ("lapsed", "stale")),
        ("lan", {"kind": "transfer", "to_unit": "gso:14797"}, ("lapsed", "stale")),
        ("admin", {"kind": "suspend"}, ("proposed", None)),
    ],
    ids=["proposer", "subject", "subject moved", "approver"],
)
def test_whoever_is_cut_before_it_is_approved_ends_it(
    hr: Hr, stop: str, who: str, body: dict[str, str], refused: tuple[str, str | None]
) -> None:
    row = dismissal(hr)
    cut = operator(hr, who, **body)
    done, answer = race(cut, approving_as(hr, "admin", row), stop)
    assert isinstance(done, edge.Done), done
    assert answer.status_code in (401, 403, 404, 409), answer.text
    assert state(hr, row) == refused
    assert changes(hr) == 1
    assert hr.user("lan").leaves_on is None


def test_a_proposer_suspended_while_it_is_approved_has_still_proposed_it(hr: Hr) -> None:
    row = dismissal(hr)
    cut = operator(hr, "officer", kind="suspend")
    answer, done = race(approving_as(hr, "admin", row), cut, DONE)
    assert answer.status_code == 201, answer.text
    assert isinstance(done, edge.Done), done
    assert hr.user("officer").status == "suspended"
    assert hr.user("lan").leaves_on == date(2026, 3, 2)


def test_a_subject_moved_while_it_is_approved_is_not_moved(hr: Hr) -> None:
    row = dismissal(hr)
    moved = operator(hr, "lan", kind="transfer", to_unit="gso:14797")
    answer, refused = race(approving_as(hr, "admin", row), moved, LOCKED)
    assert answer.status_code == 201, answer.text
    assert isinstance(refused, Conflict), refused
    assert changes(hr) == 1


def test_two_who_lose_accounts_at_once_are_counted_together(hr: Hr) -> None:
    with hr.services.db.write() as session:
        session.execute(text("UPDATE application SET connector = 'scim' WHERE code = 'vanban'"))
    limit = hr.services.door.thresholds.__class__
    hr.services.door.thresholds = limit(accounts=1, percent=10)

    def alone(who: str, subject: str) -> Callable[[], Any]:
        api, body = user(hr, who), {"kind": "suspend", "user": hr.names[subject]}
        asked = body | {"fingerprint": api.plan(**body)["fingerprint"]}
        return lambda: api.post(CHANGES, asked, key=subject)

    first, second = race(alone("officer", "hien"), alone("officer_a", "plain"), DONE)
    assert first.status_code == 201, first.text
    assert (second.status_code, second.json["code"]) == (403, "second_person_accounts")


def test_one_proposes_the_same_twice_at_once(hr: Hr) -> None:
    api, body = user(hr, "officer"), DISMISS | {"user": hr.names["lan"]}
    asked = body | {"fingerprint": api.plan(**body)["fingerprint"]}
    acts = [Stepper(lambda key=key: api.post(PROPOSALS, asked, key=key), stops=()) for key in "ab"]
    for act in acts:
        act.start(within=0.0)
    answers = [act.finish() for act in acts]
    assert [a.status_code for a in answers] == [201, 201]
    assert answers[0].json["id"] == answers[1].json["id"]


def test_who_approves_by_the_command_line_and_who_declines_do_not_both(hr: Hr) -> None:
    row = dismissal(hr)

    def by_operator() -> Any:
        return approving.approve(hr.services, row["id"], OPERATOR, fingerprint=row["fingerprint"])

    api, path = user(hr, "admin"), f"{PROPOSALS}/{row['id']}/decline"
    done, answer = race(by_operator, lambda: api.post(path, {"reason": "Không"}), TAKEN)
    assert done.id
    assert (answer.status_code, answer.json["code"]) == (409, "proposal_closed")


def test_an_approver_whose_access_is_cut_meanwhile_approves_nothing(hr: Hr) -> None:
    """Her password was reset: she keeps her rights, but what she was doing is no longer hers."""
    from directory import people

    row = dismissal(hr)

    def reset() -> None:
        with hr.services.db.write() as session:
            people.lock(session, [hr.people["admin"]])
            people.cut(session, hr.people["admin"])

    ahead = Stepper(approving_as(hr, "admin", row), stops=("approve.begin",)).start()
    behind = Stepper(reset, stops=())
    if hr.services.db.is_sqlite:  # its writers come one after another: the reset comes second
        behind.start(within=A_MOMENT)
    else:
        behind.start()
    answer = ahead.finish()
    behind.finish()
    if hr.services.db.is_sqlite:
        assert answer.status_code == 201, answer.text
        return
    assert answer.status_code == 403, answer.text
    assert state(hr, row) == ("proposed", None)


@pytest.mark.parametrize("point", ["approve.begin", "approve.locked", "commit.before_commit"])
def test_what_dies_in_the_midst_of_an_approval_leaves_it_waiting(
    hr: Hr, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    from directory.changes import approval, door

    row = dismissal(hr)

    def die(name: str) -> None:
        if name == point:
            raise RuntimeError(name)

    with monkeypatch.context() as broken:
        broken.setattr(approval, "failpoint", die)
        broken.setattr(door, "failpoint", die)
        assert approving_as(hr, "admin", row)().status_code == 500
    assert state(hr, row) == ("proposed", None)
    assert changes(hr) == 0
    assert approving_as(hr, "admin", row)().status_code == 201
    assert changes(hr) == 1
