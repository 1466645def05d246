"""The worker: what becomes of a job, whatever its handler does and wherever the process dies."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select

from connectors.errors import Rejected, Transient
from directory.base import claiming, outbox
from directory.base.audit import AuditEntry, Tag
from directory.base.errors import NotFound
from directory.base.outbox import LEASE, Job, JobKind
from directory.changes import effects
from directory.changes.effects import Due, Effect, State
from directory.changes.model import Change, ChangeState
from directory.changes.table import Column
from idp.run import performing, worker
from tests.factories import make_user

pytestmark = pytest.mark.both_databases
KIND = JobKind.ACCOUNT_APPLY


class Death(BaseException):
    """Stands for SIGKILL: nothing of ours may catch it."""


@pytest.fixture(autouse=True)
def _nothing_to_do_yet(services):
    """A fresh installation has its first CRL to publish; not here."""
    with services.db.write() as session:
        session.execute(delete(Job))


@pytest.fixture
def ordered(services, clock):
    """A committed change with one effect and the job that carries it out; (change, job)."""

    def order(change_id="c1", key="1:1", lane="app:1"):
        now = clock()
        with services.db.write() as session:
            user = make_user(session)
            session.add(
                Change(
                    id=change_id,
                    kind="transfer",
                    state=ChangeState.COMMITTED.value,
                    about="",
                    actor_kind="operator",
                    actor_label="test",
                    effective_on=now.date(),
                    effective_at=now,
                    committed_at=now,
                    spec={},
                    fingerprint="",
                    people_count=1,
                )
            )
            session.flush()
            job = outbox.row_for(KIND, key, now=now, lane=lane)
            due = Due(
                Column.ACCOUNTS, "account.disable", user.id, "1", "QLVB", State.VERIFIED, job=job
            )
            effects.order(session, change_id, [due], now=now)
            return session.scalars(select(Effect.job_id).where(Effect.change_id == change_id)).one()

    return order


@pytest.fixture
def state_of(services):
    """(job state, effect state, change state, effect reason) as stored."""

    def look(job_id, change_id="c1"):
        with services.db.read() as session:
            effect = session.scalars(select(Effect).where(Effect.change_id == change_id)).one()
            change = session.get_one(Change, change_id)
            return session.get_one(Job, job_id).state, effect.state, change.state, effect.reason

    return look


def handler_that(services, clock, act=lambda: None):
    """Verifies the effect; ``act`` is its remote call."""

    def handler(tools, claim):
        act()

        def record(session):
            waiting = effects.of_job(session, claim.id)
            return effects.advance(session, waiting, State.VERIFIED, at=clock())

        return record

    return {KIND: handler}


def failing(error):
    def fail():
        raise error

    return fail


def test_a_job_that_succeeds_settles_its_change(services, clock, ordered, state_of):
    job = ordered()
    clock.advance(seconds=3)
    assert performing.drain(services, handlers=handler_that(services, clock)) == 1
    assert state_of(job) == ("done", "verified", "settled", None)


@pytest.mark.parametrize("point", ["worker.claimed", "worker.before_finish", "worker.after_finish"])
def test_a_death_anywhere_neither_loses_nor_doubles_the_job(
    services, clock, ordered, state_of, monkeypatch, point
):
    job = ordered()
    calls = []

    def die(name):
        if name == point:
            raise Death

    handlers = handler_that(services, clock, lambda: calls.append(1))
    with monkeypatch.context() as patch:
        patch.setattr(performing, "failpoint", die)
        with pytest.raises(Death):
            performing.drain(services, handlers=handlers)
    assert performing.drain(services, handlers=handlers) == 0
    clock.advance(seconds=LEASE.total_seconds() + 1)
    again = performing.drain(services, handlers=handlers)
    assert again == (0 if point == "worker.after_finish" else 1)
    assert state_of(job) == ("done", "verified", "settled", None)
    with services.db.read() as session:
        settled = select(func.count()).where(AuditEntry.tag == Tag.CHANGE_SETTLED.value)
        assert session.scalar(settled) == 1


def test_what_is_transient_is_put_off_with_its_reason_and_done_later(
    services, clock, ordered, state_of
):
    job = ordered()
    away = handler_that(services, clock, failing(Transient("Máy chủ không trả lời.")))
    performing.drain(services, handlers=away)
    assert state_of(job) == ("ready", "sent", "committed", "Máy chủ không trả lời.")
    clock.advance(seconds=2)
    performing.drain(services, handlers=handler_that(services, clock))
    assert state_of(job) == ("done", "verified", "settled", None)


def test_the_other_side_may_say_how_long_to_wait(services, clock, ordered):
    ordered()
    slow_down = failing(Transient("Bận.", timedelta(seconds=100)))
    performing.drain(services, handlers=handler_that(services, clock, slow_down))
    clock.advance(seconds=99)
    assert claiming.claim(services.db, now=clock()) is None
    clock.advance(seconds=2)
    assert claiming.claim(services.db, now=clock()) is not None


@pytest.mark.parametrize(
    "error", [Rejected("Tài khoản trùng."), NotFound("gone", "Tài khoản trùng.")]
)
def test_what_is_refused_waits_for_a_person(services, clock, ordered, state_of, error):
    job = ordered()
    performing.drain(services, handlers=handler_that(services, clock, failing(error)))
    assert state_of(job) == ("parked", "parked", "committed", "Tài khoản trùng.")
    with services.db.read() as session:
        assert session.get_one(Change, "c1").needs_attention
        assert (
            session.scalar(select(func.count()).where(AuditEntry.tag == Tag.JOB_PARKED.value)) == 1
        )


@pytest.mark.parametrize(
    ("error", "tries"),
    [(Transient("Bận."), performing.ATTEMPTS), (KeyError("x"), performing.FAULTS)],
)
def test_a_job_is_not_tried_for_ever(services, clock, ordered, state_of, error, tries):
    job = ordered()
    handlers = handler_that(services, clock, failing(error))
    done = 0
    while state_of(job)[0] != "parked":
        done += performing.drain(services, handlers=handlers)
        clock.advance(minutes=10)
    assert done == tries


def test_a_fault_of_ours_is_not_shown_to_people(services, clock, ordered, state_of):
    job = ordered()
    fault = failing(RuntimeError("secret=abc"))
    performing.drain(services, handlers=handler_that(services, clock, fault))
    assert "secret" not in state_of(job)[3]


def test_a_job_that_keeps_killing_its_worker_is_parked_untried(services, clock, ordered, state_of):
    job = ordered()
    for _ in range(performing.DEATHS + 1):
        assert claiming.claim(services.db, now=clock()) is not None
        clock.advance(minutes=10)
    calls = []
    performing.drain(services, handlers=handler_that(services, clock, lambda: calls.append(1)))
    assert calls == []
    assert state_of(job)[0] == "parked"


def test_a_worker_that_lost_its_lease_records_nothing(services, clock, ordered, state_of):
    job = ordered()
    slow = claiming.claim(services.db, now=clock())
    clock.advance(seconds=LEASE.total_seconds() + 1)
    quick = claiming.claim(services.db, now=clock())
    assert (quick.id, quick.attempt) == (slow.id, slow.attempt + 1)
    performing.perform(services, slow, handlers=handler_that(services, clock))
    assert state_of(job) == ("running", "pending", "committed", None)
    performing.perform(services, quick, handlers=handler_that(services, clock))
    assert state_of(job) == ("done", "verified", "settled", None)


def test_a_late_failure_of_a_lost_job_changes_nothing(services, clock, ordered, state_of):
    job = ordered()
    slow = claiming.claim(services.db, now=clock())
    clock.advance(seconds=LEASE.total_seconds() + 1)
    claiming.claim(services.db, now=clock())
    for error in (Transient("x"), Rejected("x"), KeyError("x")):
        performing.perform(services, slow, handlers=handler_that(services, clock, failing(error)))
    assert state_of(job) == ("running", "pending", "committed", None)


def test_effects_follow_when_a_retry_merges_into_a_waiting_job(services, clock, ordered, state_of):
    ordered()
    first = claiming.claim(services.db, now=clock())
    second = ordered("c2")
    busy = handler_that(services, clock, failing(Transient("Bận.")))
    performing.perform(services, first, handlers=busy)
    assert state_of(first.id, "c1")[:2] == ("done", "sent")
    clock.advance(seconds=5)
    performing.drain(services, handlers=handler_that(services, clock))
    assert state_of(second, "c1") == ("done", "verified", "settled", None)
    assert state_of(second, "c2") == ("done", "verified", "settled", None)


def test_one_job_of_a_lane_runs_at_a_time_and_other_lanes_go_on(services, clock):
    with services.db.write() as session:
        for key, lane in (("1", "a"), ("2", "a"), ("3", "b"), ("4", None), ("5", None)):
            outbox.enqueue(session, KIND, key, now=clock(), lane=lane)
    taken = []
    while (claim := claiming.claim(services.db, now=clock())) is not None:
        taken.append(claim)
    assert [c.key for c in taken] == ["1", "3", "4", "5"]
    with services.db.write() as session:
        outbox.finish(session, taken[0], now=clock())
    assert claiming.claim(services.db, now=clock()).key == "2"


def test_the_urgent_goes_before_the_early_and_the_future_waits(services, clock):
    now = clock()
    with services.db.write() as session:
        bulk = {"priority": outbox.Priority.BULK}
        for number in range(3):
            outbox.enqueue(session, KIND, f"bulk{number}", now=now, lane="a", **bulk)
        outbox.enqueue(session, KIND, "loose", now=now, **bulk)
        later = now + timedelta(hours=1)
        outbox.enqueue(session, KIND, "later", now=now, lane="a", priority=0, run_at=later)
        outbox.enqueue(session, KIND, "urgent", now=now, lane="b", priority=0)
    order = []
    while (claim := claiming.claim(services.db, now=now)) is not None:
        order.append(claim.key)
        with services.db.write() as session:
            outbox.finish(session, claim, now=now)
    assert order == ["urgent", "bulk0", "bulk1", "bulk2", "loose"]


def test_the_worker_runs_jobs_and_stops_when_told(services, clock, ordered, state_of):
    job = ordered()
    one = worker.Worker(services, handlers=handler_that(services, clock))
    thread = threading.Thread(target=one.run)
    thread.start()
    try:
        for _ in range(1200):
            if state_of(job)[0] == "done":
                break
            threading.Event().wait(0.05)
    finally:
        one.stop()
        thread.join(timeout=60)
    assert not thread.is_alive()
    assert state_of(job) == ("done", "verified", "settled", None)


def test_two_workers_share_the_jobs_and_do_each_once(services, clock):
    with services.db.write() as session:
        for number in range(40):
            lane = None if number % 4 == 0 else f"lane{number % 4}"
            outbox.enqueue(session, KIND, str(number), now=clock(), lane=lane)
    done, running, overlaps = [], set(), []

    def handler(tools, claim):
        lane = int(claim.key) % 4
        if lane and lane in running:
            overlaps.append(claim.key)
        running.add(lane)
        threading.Event().wait(0.002)
        running.discard(lane)

        def record(session):
            done.append(claim.key)
            return set()

        return record

    pair = [worker.Worker(services, handlers={KIND: handler}) for _ in range(2)]
    threads = [threading.Thread(target=one.run) for one in pair]
    for thread in threads:
        thread.start()
    for _ in range(1200):
        if len(done) >= 40:
            break
        threading.Event().wait(0.05)
    for one in pair:
        one.stop()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(done, key=int) == [str(number) for number in range(40)]
    assert overlaps == []
