"""Any schedule of claims, crashes and delays loses no job and doubles no recorded effect."""

import contextlib
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, Text, event, insert, select

from connectors.errors import Transient
from directory.base import claiming, outbox
from directory.base.audit import AuditEntry
from directory.base.db import Base, Database
from directory.base.outbox import LEASE, Job, JobKind
from directory.changes.effects import Effect
from directory.changes.model import Change
from idp.run import performing
from tests.properties.stepping import SCHEDULES

KIND = JobKind.ACCOUNT_APPLY
LANES = {"k0": None, "k1": "a", "k2": "a", "k3": "b", "k4": "b"}
tables = MetaData()
mark = Table("mark", tables, Column("job", Integer), Column("key", Text), Column("step", Integer))


class Death(BaseException):
    """Stands for SIGKILL."""


actions = st.one_of(
    st.tuples(st.just("enqueue"), st.sampled_from(sorted(LANES))),
    st.tuples(st.just("claim"), st.just("")),
    st.tuples(st.just("perform"), st.sampled_from(["well", "busy", "dies", "vanishes"])),
    st.tuples(st.just("wait"), st.sampled_from(["1", "30", "90"])),
)


class Schedule:
    """One world: a database, a clock, workers that hold claims."""

    def __init__(self, folder: Path) -> None:
        self.now = datetime(2026, 3, 2, tzinfo=UTC)
        self.step = 0
        self.held: list[tuple[outbox.Claim, datetime]] = []
        self.asked: dict[str, int] = {}
        self.db = Database(f"sqlite:///{folder / 'db'}")
        event.listen(self.db.engine, "connect", lambda c, _: c.execute("PRAGMA synchronous=OFF"))
        needed = [m.__table__ for m in (Job, Effect, Change, AuditEntry)]
        Base.metadata.create_all(self.db.engine, tables=needed)
        tables.create_all(self.db.engine)
        self.services = SimpleNamespace(
            db=self.db, clock=lambda: self.now, settings=SimpleNamespace(job_timeout=25)
        )

    def enqueue(self, key: str) -> None:
        with self.db.write() as session:
            outbox.enqueue(session, KIND, key, now=self.now, lane=LANES[key])
        self.asked[key] = self.step

    def claim(self, _: str) -> None:
        taken = claiming.claim(self.db, now=self.now)
        if taken is None:
            return
        lane = LANES[taken.key]
        living = [c for c, until in self.held if until >= self.now and LANES[c.key] == lane]
        assert lane is None or not living, "two jobs of one lane run at once"
        self.held.append((taken, self.now + LEASE))

    def perform(self, how: str) -> None:
        if not self.held:
            return
        taken, _ = self.held.pop(0)
        if how == "vanishes":
            return

        def handler(tools: object, claim: outbox.Claim) -> performing.Record:
            if how == "busy":
                raise Transient("Bận.")

            def record(session) -> set[str]:
                row = {"job": claim.id, "key": claim.key, "step": self.step}
                session.execute(insert(mark), row)
                if how == "dies":
                    raise Death
                return set()

            return record

        with contextlib.suppress(Death):
            performing.perform(self.services, taken, handlers={KIND: handler})

    def wait(self, seconds: str) -> None:
        self.now += timedelta(seconds=int(seconds))

    def finish(self) -> None:
        """Whatever is left over is done by one patient worker."""
        self.held.clear()
        for _ in range(40):
            self.step += 1
            while (taken := claiming.claim(self.db, now=self.now)) is not None:
                self.held = [(taken, self.now)]
                self.perform("well")
            self.wait("400")


def _hold(schedule) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = Schedule(Path(folder))
        try:
            for name, argument in schedule:
                world.step += 1
                getattr(world, name)(argument)
            world.finish()
            with world.db.read() as session:
                states = set(session.scalars(select(Job.state)))
                marks = session.execute(select(mark)).all()
        finally:
            world.db.dispose()
    assert states <= {"done"}
    assert len({m.job for m in marks}) == len(marks), "one job was recorded twice"
    for key, asked in world.asked.items():
        assert any(m.key == key and m.step > asked for m in marks), "a job was lost"


@settings(max_examples=60, deadline=None)
@given(st.lists(actions, max_size=30))
def test_no_schedule_loses_a_job_or_doubles_an_effect(schedule) -> None:
    _hold(schedule)


@pytest.mark.long
@pytest.mark.timeout(3600)
@settings(max_examples=SCHEDULES, deadline=None)
@given(st.lists(actions, max_size=60))
def test_none_of_many_schedules_loses_a_job_or_doubles_an_effect(schedule) -> None:
    _hold(schedule)
