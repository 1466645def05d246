"""A small province and a way to play HR decisions on it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from directory.assignments import Position
from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.base.db import Database
from directory.changes import spec as specs
from directory.changes.model import Change, Plan, Spec
from directory.units import OrgUnit
from tests.factories import make_assignment, make_position, make_unit, make_user

OPERATOR = Actor.operator("kiểm thử")


@dataclass
class Province:
    """Three communes with two rooms each, four people, two positions."""

    services: Any
    clock: Any
    units: list[int]
    positions: list[str]
    users: list[int]

    def spec(self, **body: Any) -> Spec:
        """A request, parsed as the API parses it."""
        with self.services.db.read() as session:
            return specs.parse(session, body, now=self.clock(), keyring=self.services.keyring)

    def plan(self, spec: Spec, actor: Actor = OPERATOR) -> Plan:
        """A preview."""
        with self.services.db.read() as session:
            return self.services.door.plan(session, spec, actor, now=self.clock())

    def commit(self, spec: Spec, fingerprint: str, actor: Actor = OPERATOR, **more: Any) -> Change:
        """A commit in a transaction of its own."""
        with self.services.db.write() as session:
            return self.services.door.commit(
                session, spec, actor, now=self.clock(), fingerprint=fingerprint, **more
            )

    def do(self, **body: Any) -> Change:
        """Preview and commit at once."""
        spec = self.spec(**body)
        return self.commit(spec, self.plan(spec).fingerprint)

    @property
    def today(self) -> date:
        """Today in Viet Nam."""
        return local_day(self.clock())


def build_province(services: Any, clock: Any) -> Province:
    """Write the province and give a handle on it."""
    with services.db.write() as session:
        root = make_unit(session, "Tỉnh")
        communes: list[OrgUnit] = [
            make_unit(session, f"Ủy ban nhân dân xã {name}", parent=root)
            for name in ("Hà Trung", "Nga Sơn", "Hoằng Hóa")
        ]
        rooms = [
            make_unit(session, f"Phòng {n}", parent=c, legal_person=False, tier="internal")
            for c in communes
            for n in ("Kinh tế", "Văn hóa - Xã hội")
        ]
        positions: list[Position] = [
            make_position(session, "CV", "Chuyên viên"),
            make_position(session, "TP", "Trưởng phòng", leadership=True),
        ]
        users = [make_user(session, n) for n in ("Lê Lan", "Hà Mai", "Lò Văn Pó", "Lê Lan")]
        for user, room in zip(users, rooms, strict=False):
            make_assignment(session, user, room, positions[0], valid_from=date(2025, 7, 1))
        return Province(
            services,
            clock,
            [u.id for u in rooms],
            [p.code for p in positions],
            [u.id for u in users],
        )


@pytest.fixture
def province(services: Any, clock: Any) -> Province:
    """The small province, on the database of this test."""
    return build_province(services, clock)


def dump(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, for comparing before and after."""
    from directory.base.db import Base

    with database.engine.connect() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(table.select())), key=repr)
            for table in Base.metadata.sorted_tables
        }


@pytest.fixture
def dump_tables(services: Any) -> Callable[[], dict[str, list[tuple[Any, ...]]]]:
    """Take a dump of the whole database."""
    return lambda: dump(services.db)
