"""The stored state of a sign-in: bound to a browser, limited in time, consumed once."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from directory.base.errors import Conflict, InvalidInput, NotFound
from directory.people import User
from idp import sessions
from idp.factors import by_password, passwords, registry
from idp.factors.factor import Epochs, Passed, Source
from idp.login import finishing
from idp.login import flow as flows
from idp.login.policy import Step, next_step
from tests import factories
from tests.factories import QUICK

SOURCE = Source("203.0.113.9", 4711, "a browser")


class Case:
    """A person with one post and a flow that has her password."""

    def __init__(self, database: Any, settings: Any, keyring: Any, clock: Any) -> None:
        self.database, self.settings, self.keyring, self.clock = database, settings, keyring, clock
        with database.write() as session:
            self.user = factories.make_user(session)
            self.assignment = factories.make_assignment(
                session, self.user, factories.make_unit(session)
            )
            passwords.set_password(
                session, _HASHER, self.user.id, "x", must_change=False, now=clock()
            )
        self.flow_id = self.begin()
        self.prove()

    def begin(self, **options: Any) -> str:
        with self.database.write() as session:
            return flows.begin(
                session,
                return_to="/",
                client_id=None,
                request={},
                now=self.clock(),
                settings=self.settings,
                **({"browser": "b"} | options),
            )

    def prove(self) -> None:
        with self.database.write() as session:
            found = passwords.candidate(session, self.user.username)
            assert found is not None
            epochs = Epochs(found.user_epoch, 1)
            passed = Passed(self.user.id, by_password.proven(self.clock(), epochs))
            flow = flows.find(session, self.flow_id, browser="b", now=self.clock())
            assert flow is not None
            flows.record(session, flow, passed)

    def load(self, flow_id: str = "", browser: str = "b") -> flows.FlowState:
        with self.database.read() as session:
            return flows.load(session, flow_id or self.flow_id, browser=browser, now=self.clock())

    def finish(self, browser: str = "b") -> finishing.Finished:
        with self.database.write() as session:
            return finishing.finish(
                session,
                self.flow_id,
                browser=browser,
                ways=registry.FACTORS,
                acting=None,
                source=SOURCE,
                now=self.clock(),
                settings=self.settings,
                keyring=self.keyring,
            )

    def alive(self, cookie_value: str) -> bool:
        with self.database.hot() as connection:
            view = sessions.peek(connection, self.keyring, cookie_value, now=self.clock())
        return view is not None

    def view(self, cookie_value: str) -> sessions.SessionView:
        with self.database.hot() as connection:
            found = sessions.peek(connection, self.keyring, cookie_value, now=self.clock())
        assert found is not None
        return found


_HASHER = QUICK


@pytest.fixture
def case(database: Any, settings: Any, keyring: Any, clock: Any) -> Case:
    return Case(database, settings, keyring, clock)


def test_unknown_expired_and_foreign_flows_look_the_same(case: Case) -> None:
    refusals = []
    for flow_id, browser in (("unknown", "b"), (case.flow_id, "other")):
        with pytest.raises(NotFound) as refused:
            case.load(flow_id, browser)
        refusals.append(str(refused.value))
    case.clock.advance(seconds=case.settings.flow_lifetime)
    with pytest.raises(NotFound) as refused:
        case.load()
    refusals.append(str(refused.value))
    assert len(set(refusals)) == 1


def test_an_unbound_flow_is_bound_once(case: Case) -> None:
    flow_id = case.begin(browser=None)
    with case.database.write() as session:
        flows.bind(session, flow_id, "first")
        flows.bind(session, flow_id, "first")
        with pytest.raises(NotFound):
            flows.bind(session, flow_id, "second")


def test_a_new_password_entry_forgets_the_capacity_chosen_before(case: Case) -> None:
    with case.database.write() as session:
        flows.record_capacity(
            session, case.load(), case.assignment.id, capacities=[case.assignment.id]
        )
    assert case.load().capacity_chosen
    case.prove()
    assert not case.load().capacity_chosen


def test_a_capacity_that_is_not_hers_is_refused(case: Case) -> None:
    with case.database.write() as session, pytest.raises(InvalidInput):
        flows.record_capacity(session, case.load(), 999, capacities=[case.assignment.id])


def test_nothing_is_recorded_once_it_is_done(case: Case) -> None:
    case.finish()
    done = case.load()
    with case.database.read() as session:
        policy = flows.policy_for(
            session, done, ways=(), acting=None, positions={}, now=case.clock()
        )
    assert next_step(done.proven, done.demand, policy) is Step.FINISHED
    with pytest.raises(Conflict):
        case.prove()


def test_another_browser_cannot_finish_it(case: Case) -> None:
    with pytest.raises(Conflict):
        case.finish(browser="other")
    assert case.alive(case.finish().cookie_value)


def test_it_cannot_be_finished_while_something_is_missing(case: Case) -> None:
    with case.database.write() as session:
        session.execute(update(flows.LoginFlow).values(must_change=True))
    with pytest.raises(Conflict):
        case.finish()
    assert case.load().done_at is None


def test_a_refused_finish_consumes_nothing(case: Case) -> None:
    with case.database.write() as session:
        session.execute(update(User).values(access_epoch=User.access_epoch + 1))
    with pytest.raises(Conflict):
        case.finish()
    case.prove()
    assert case.alive(case.finish().cookie_value)


@pytest.mark.both_databases
def test_a_session_that_raced_a_commit_is_born_dead(case: Case) -> None:
    read_before = case.user.access_epoch
    with case.database.write() as session:
        session.execute(update(User).values(access_epoch=User.access_epoch + 1))
    with case.database.write() as session:
        user = session.get_one(User, case.user.id)
        view, cookie = sessions.start(
            session,
            [by_password.proven(case.clock(), Epochs(read_before, 1))],
            sessions.Capacity(user, case.assignment.id),
            Source(None, None, ""),
            now=case.clock(),
            settings=case.settings,
            keyring=case.keyring,
        )
    assert not case.alive(cookie)
    with case.database.read() as session:
        assert [row.id for row in sessions.living(session, [user.id], now=case.clock())] == [
            view.id
        ]
        assert sessions.good_ones(session, user.id, now=case.clock()) == []


@pytest.mark.both_databases
def test_a_session_of_an_older_installation_epoch_is_dead(case: Case) -> None:
    from directory.entitlements import Installation

    done = case.finish()
    assert case.alive(done.cookie_value)
    with case.database.write() as session:
        session.execute(update(Installation).values(epoch=2))
    assert not case.alive(done.cookie_value)


def test_a_cut_session_cannot_be_switched(case: Case) -> None:
    view = case.view(case.finish().cookie_value)
    with case.database.write() as session:
        session.execute(update(User).values(access_epoch=User.access_epoch + 1))
    for seen in (view, replace(view, user_epoch=view.user_epoch + 1)):
        with case.database.write() as session, pytest.raises(Conflict):
            sessions.switch(
                session,
                seen,
                case.assignment.id,
                now=case.clock(),
                settings=case.settings,
                keyring=case.keyring,
            )
