"""Any schedule of worker crashes leaves the target right, with nothing lost and nothing doubled.

The target is a real application with a real SCIM store, reached through the real connector; only
the network between them is a function call. Workers are played point by point: every failpoint of
a job, and the moment before and after each request, is a place where a worker may die or stall.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from connectors.accounts import apply
from connectors.accounts.registry import connector_for, save_secret
from directory import assignments
from directory.base import claiming, outbox
from directory.base.errors import DinhdanhError
from directory.base.outbox import Job
from directory.changes.effects import Effect, State
from directory.changes.model import Change, ChangeState
from directory.entitlements import Application
from directory.people import User
from examples.apps.relying_party import create_app
from examples.apps.settings import Settings as AppSettings
from idp.run import performing
from tests.factories import (
    make_application,
    make_assignment,
    make_position,
    make_rule,
    make_unit,
    make_user,
)
from tests.properties.conftest import Province
from tests.properties.stepping import SCHEDULES, Stepper, install, reach

TARGET = "http://target.example"
TOKEN = "target-token"
SENDING, SENT = "wire.sending", "wire.sent"
OUTSIDE = (
    "worker.claimed",
    "account.before_remote",
    SENDING,
    SENT,
    "account.after_remote",
    "worker.after_finish",
)
"""Where a worker may stand still while others move."""
INSIDE = ("account.before_record", "worker.before_finish")
"""Where it holds the writer's lock: it dies there or goes on."""
PEOPLE, UNITS = 3, 4
EARNING = 3
"""The first units earn the application, the last does not."""

MANY = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
FEW = settings(MANY, max_examples=5)
ALL = settings(MANY, max_examples=SCHEDULES)


class Wire(httpx2.BaseTransport):
    """The network: a request arrives at the target whatever becomes of its sender."""

    def __init__(self, target: Flask) -> None:
        self._target = httpx2.WSGITransport(target)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        reach(SENDING)
        answer = self._target.handle_request(request)
        answer.read()
        reach(SENT)
        return answer


@dataclass
class Play:
    """One example: a few people, their target, and the workers that are alive."""

    province: Province
    target: Flask
    application: int
    keeps_leases: bool
    """Whether living workers keep their leases, as the dispatch loop does."""
    workers: list[tuple[Stepper, list[outbox.Claim]]] = field(default_factory=list)
    wanted: dict[int, list[str | None]] = field(default_factory=dict)
    """Per person every department her account was ever to show, None for "no access"."""

    @property
    def services(self) -> Any:
        return self.province.services

    # ---- moves -------------------------------------------------------------------------------

    def decide(self, kind: str, person: int, unit: int) -> None:
        """HR decides; what the directory refuses changes nothing."""
        user = self.province.users[person]
        body: dict[str, Any] = {"kind": kind, "user": user}
        if kind == "transfer":
            body |= {"to_unit": self.province.units[unit], "position": self.province.positions[0]}
        try:
            self.province.do(**body)
        except DinhdanhError:
            return
        self._note(user)

    def hire(self) -> Stepper:
        """A worker takes the next job and stops at its first point."""
        claims: list[outbox.Claim] = []

        def work() -> None:
            claim = claiming.claim(self.services.db, now=self.services.clock())
            if claim is not None:
                claims.append(claim)
                performing.perform(self.services, claim)

        stepper = Stepper(work, stops=OUTSIDE).start()
        self.workers.append((stepper, claims))
        self._bury()
        return stepper

    def taken(self, worker: Stepper) -> int:
        """Whose account the worker has taken: jobs ordered in one statement have no order."""
        [claim] = next(claims for stepper, claims in self.workers if stepper is worker)
        return self.province.users.index(int(claim.key.partition(":")[0]))

    def step(self, which: int, dies_at: tuple[str, ...] = ()) -> None:
        """One of the workers goes on."""
        if self.workers:
            stepper, _ = self.workers[which % len(self.workers)]
            stepper.dies_at = dies_at
            stepper.step()
            self._bury()

    def kill(self, which: int) -> None:
        """One of the workers dies where it stands; one that has lost its lease lives on.

        (Who stalls for longer than a lease, writes, and dies before learning that she lost it is
        a case for reconciliation.)
        """
        if not self.workers:
            return
        stepper, claims = self.workers[which % len(self.workers)]
        if not claims or self._held(claims[0]):
            stepper.die()
            self._bury()

    def _held(self, claim: outbox.Claim) -> bool:
        with self.services.db.read() as session:
            job = session.get_one(Job, claim.id)
        late = job.lease_until is not None and job.lease_until < self.province.clock()
        return job.attempts == claim.attempt and not late

    def wait(self, seconds: int) -> None:
        """Time passes."""
        now = self.province.clock.advance(seconds=seconds)
        if self.keeps_leases:
            for _, claims in self.workers:
                for claim in claims:
                    with self.services.db.write() as session:
                        outbox.renew(session, claim, now=now)

    def _bury(self) -> None:
        for stepper, _ in self.workers:
            if stepper.ended and stepper.error is not None:
                raise stepper.error
        self.workers = [w for w in self.workers if not w[0].ended]

    def settle(self) -> None:
        """Everybody still alive finishes; then workers that never die do what is left."""
        while self.workers:
            self.step(0)
        for _ in range(performing.ATTEMPTS):
            performing.drain(self.services)
            jobs = self.jobs()
            if not jobs.get("ready") and not jobs.get("running"):
                return
            self.province.clock.advance(seconds=301)

    def end(self) -> None:
        """Nobody is left standing."""
        for stepper, _ in self.workers:
            stepper.die()

    # ---- what ought to be, and what is -------------------------------------------------------

    def begin(self) -> "Play":
        """Everybody's first account is ordered."""
        for user in self.province.users:
            self._note(user)
        with self.services.db.write() as session:
            apply.recompute(session, self.application, now=self.services.clock())
        return self

    def _note(self, user_id: int) -> None:
        with self.services.db.read() as session:
            user = session.get_one(User, user_id)
            held = assignments.current(session, user_id, self.province.today)
        earns = [h for h in held if h.unit.id in self.province.units[:EARNING]]
        active = user.status == "active" and bool(earns)
        self.wanted.setdefault(user_id, []).append(earns[0].unit.name if active else None)

    def jobs(self) -> dict[str, int]:
        with self.services.db.read() as session:
            return outbox.counts(session)

    def rows(self, table: type[Any]) -> list[Any]:
        with self.services.db.read() as session:
            return list(session.scalars(select(table)))

    def written(self, sub: str) -> list[tuple[str, str | None]]:
        """What was written to her account, in order: (method, department, None if disabled)."""
        found = []
        for seen in self.target.extensions["relying_party"].database.activity():
            detail = seen["detail"]
            if (
                seen["method"] in ("POST", "PATCH", "PUT")
                and seen["status"] < 300
                and detail["externalId"] == sub
            ):
                found.append((seen["method"], detail["department"] if detail["active"] else None))
        return found

    def accounts(self) -> dict[str, list[str | None]]:
        """Per ``sub`` the accounts at the target: the department, None for a disabled one."""
        party = self.target.extensions["relying_party"]
        with party.database.transaction() as connection:
            ids = [row["id"] for row in connection.execute("SELECT id FROM account")]
        found: dict[str, list[str | None]] = defaultdict(list)
        for account in map(party.accounts.by_id, ids):
            found[account.external_id].append(account.department if account.active else None)
        return found

    def subs(self) -> dict[int, str]:
        with self.services.db.read() as session:
            users = session.scalars(select(User).where(User.id.in_(self.province.users)))
            return {user.id: user.sub for user in users}


moves = st.lists(
    st.one_of(
        st.tuples(
            st.just("decide"),
            st.sampled_from(["transfer", "transfer", "suspend", "resume"]),
            st.integers(0, PEOPLE - 1),
            st.integers(0, UNITS - 1),
        ),
        st.tuples(st.just("hire")),
        st.tuples(st.just("hire")),
        st.tuples(st.just("step"), st.integers(0, 2)),
        st.tuples(st.just("step"), st.integers(0, 2)),
        st.tuples(st.just("step"), st.integers(0, 2), st.sampled_from([(i,) for i in INSIDE])),
        st.tuples(st.just("kill"), st.integers(0, 2)),
        st.tuples(st.just("wait"), st.sampled_from([1, 30, 70])),
    ),
    max_size=50,
)


def play_out(play: Play, schedule: list[tuple[Any, ...]]) -> None:
    """Play a schedule to its end: no job is lost, every change proven, every account right."""
    try:
        for name, *rest in schedule:
            getattr(play, name)(*rest)
        play.settle()
    finally:
        play.end()
    check(play)


def check(play: Play) -> None:
    assert set(play.jobs()) <= {"done"}
    assert {change.state for change in play.rows(Change)} <= {ChangeState.SETTLED}
    assert {effect.state for effect in play.rows(Effect)} <= {State.VERIFIED, State.SUPERSEDED}
    accounts = play.accounts()
    for user_id, sub in play.subs().items():
        wanted = play.wanted[user_id][-1]
        assert accounts[sub] == [wanted] or (wanted is None and not accounts[sub])
        assert [method for method, _ in play.written(sub)].count("POST") <= 1


def check_nothing_doubled(play: Play) -> None:
    """No write repeats the one before it, and none brings back what was overtaken."""
    for user_id, sub in play.subs().items():
        shown = [department for _, department in play.written(sub)]
        assert all(before != after for before, after in pairwise(shown))
        ordered = iter(play.wanted[user_id])
        assert all(any(one == other for other in ordered) for one in shown)


@given(schedule=moves)
@MANY
def test_any_schedule_of_worker_crashes_loses_no_job_and_doubles_no_effect(
    begin: Callable[..., Play], schedule: list[tuple[Any, ...]]
) -> None:
    play = begin(keeps_leases=True)
    play_out(play, schedule)
    check_nothing_doubled(play)


@pytest.mark.both_databases
@given(schedule=moves)
@FEW
def test_crashed_workers_are_made_good_on_both_databases(
    begin: Callable[..., Play], schedule: list[tuple[Any, ...]]
) -> None:
    play = begin(keeps_leases=True)
    play_out(play, schedule)
    check_nothing_doubled(play)


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("keeps_leases", [True, False], ids=["keeping leases", "outliving leases"])
@given(schedule=moves)
@ALL
def test_crashed_workers_are_made_good_in_each_of_many_schedules(
    begin: Callable[..., Play], keeps_leases: bool, schedule: list[tuple[Any, ...]]
) -> None:
    play = begin(keeps_leases=keeps_leases)
    play_out(play, schedule)
    if keeps_leases:
        check_nothing_doubled(play)


@given(schedule=moves)
@MANY
def test_workers_that_outlive_their_lease_leave_the_target_right(
    begin: Callable[..., Play], schedule: list[tuple[Any, ...]]
) -> None:
    play_out(begin(keeps_leases=False), schedule)


@pytest.mark.both_databases
def test_a_write_that_comes_after_its_lease_was_lost_is_put_right_again(
    begin: Callable[..., Play],
) -> None:
    play = begin(keeps_leases=False)
    slow = play.hire()
    person = play.taken(slow)
    posting = ["worker.claimed", "account.before_remote", SENDING, SENT, SENDING]
    while slow.passed != posting:
        assert slow.at is not None, slow.passed
        slow.step()
    # It is about to create the account as it ought to have been a minute ago.
    play.decide("transfer", person=person, unit=1)
    play.wait(70)
    performing.drain(play.services)
    sub = play.subs()[play.province.users[person]]
    assert play.accounts()[sub] == ["Xã 1"]
    play.settle()
    assert ("PATCH", "Xã 0") in play.written(sub), "the late write has not come"
    check(play)


@pytest.fixture
def begin(
    services: Any, clock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Play]]:
    """Begin an example: new people, new units and an empty target on the same database."""
    install(monkeypatch)
    target = create_app(
        AppSettings(
            profile="qlvb",
            base_url=TARGET,
            issuer="http://localhost:8000",
            client_id="qlvb",
            client_secret="unused: nobody signs in here",
            scim_token=TOKEN,
            store=tmp_path / "target.db",
        ),
        clock=clock,
    )
    monkeypatch.setattr(services.outbound._calling(), "_transport", Wire(target))
    start = clock()
    yield lambda **how: _begin(services, clock, start, target, **how)
    target.extensions["relying_party"].database.close()


def _begin(services: Any, clock: Any, start: Any, target: Flask, *, keeps_leases: bool) -> Play:
    clock.set(start)
    with target.extensions["relying_party"].database.transaction() as connection:
        for table in ("account", "activity"):
            connection.execute(f"DELETE FROM {table}")
    with services.db.write() as session:
        _forget(session)
        root = make_unit(session)
        units = [make_unit(session, f"Xã {n}", parent=root) for n in range(UNITS)]
        position = make_position(session)
        users = [make_user(session) for _ in range(PEOPLE)]
        for user in users:
            make_assignment(session, user, units[0], position)
        application = make_application(
            session, connector="scim", connector_settings={"url": f"{TARGET}/scim/v2"}
        )
        save_secret(session, application, TOKEN, keyring=services.keyring)
        for unit in units[:EARNING]:
            make_rule(session, application, unit_id=unit.id)
    # What the connector asks of the service once per process is not part of any schedule.
    connector_for(services, application).test()
    province = Province(
        services, clock, [u.id for u in units], [position.code], [u.id for u in users]
    )
    return Play(province, target, application.id, keeps_leases).begin()


def _forget(session: Any) -> None:
    """What an earlier example left behind is nobody's concern any more."""
    over: list[tuple[Any, Any]] = [
        (Effect.state, State.SUPERSEDED.value),
        (Change.state, ChangeState.SETTLED.value),
        (Job.state, "done"),
        (Application.enabled, False),
    ]
    for column, value in over:
        session.execute(update(column.class_).where(column != value).values({column: value}))
