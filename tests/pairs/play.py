"""The thin adapter: plays decisions on the product through its door, and looks at what came of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from itertools import count
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from directory import assignments, people, permissions, search
from directory.assignments import Assignment, Post
from directory.base.audit import Actor
from directory.base.clock import day_start, local_day
from directory.base.errors import DinhdanhError, NotAllowed, NotFound
from directory.base.outbox import Job, JobKind
from directory.base.rows import is_fact
from directory.changes import kind as registry
from directory.changes import spec as specs
from directory.changes import undo
from directory.changes.drafting import Ground
from directory.changes.kind import About
from directory.changes.model import Change, ChangeLine, Plan, Spec
from directory.entitlements import rulebook
from directory.people import User
from directory.permissions import Role
from directory.search import SearchFilter
from tests.factories import make_assignment, make_position, make_role, make_unit, make_user
from tests.pairs.asked import Hers, fields
from tests.pairs.facts import (
    AS_SHE_WAS,
    AWAY,
    COUNCIL,
    HOME,
    HOST,
    NEXT,
    NOTHING,
    SIDE,
    WHOLLY,
)
from tests.pairs.table import Step

OPERATOR = Actor.operator("kiểm thử")
LONG_AGO = date(2025, 7, 1)


class Broken(AssertionError):
    """Preview and commit do not say the same."""


@dataclass
class Subject:
    """One person of the table with units of her own to go to."""

    user: int | None
    number: int
    name: str
    """Hers alone, so that of two who join neither takes the username that the other was promised."""
    units: dict[str, int]
    officers: dict[str, int]
    """Who sees the people of AWAY and of NEXT."""
    changes: dict[int, str] = field(default_factory=dict)
    """The model's decision → the product's change."""


@dataclass
class World:
    """One installation, many subjects, one clock."""

    services: Any
    clock: Any
    start: date
    province: Any
    home: int
    council: int
    position: str
    probe: int
    numbers: Any = field(default_factory=lambda: count(1))

    @classmethod
    def build(cls, services: Any, clock: Any) -> "World":
        with services.db.write() as session:
            root = make_unit(session, "Tỉnh")
            commune = make_unit(session, "Ủy ban nhân dân xã Hà Trung", parent=root)
            home = make_unit(session, "Phòng Kinh tế", parent=commune, legal_person=False)
            council = make_unit(session, "Hội đồng nhân dân", parent=root)
            position = make_position(session, "CV")
            for unit in (home, council):
                post = Post(unit_id=unit.id, position_id=position.id, headcount=10_000)
                session.add(post)
            session.flush()
            probe = make_user(session, "Người hỏi chỗ")
            make_assignment(session, probe, home, position)
            make_role(session, make_user(session, "Quản trị"), Role.ADMINISTRATOR)
            return cls(
                services,
                clock,
                local_day(clock()),
                (root.id, commune.id),
                home.id,
                council.id,
                position.code,
                probe.id,
            )

    def day(self, number: int) -> date:
        return self.start + timedelta(days=number)

    def subject(self, *, in_post: bool, term: int | None) -> Subject:
        """A new person; without a post she does not exist yet."""
        number = next(self.numbers)
        root_id, commune_id = self.province
        from directory.units import OrgUnit

        with self.services.db.write() as session:
            root, commune = (session.get_one(OrgUnit, i) for i in (root_id, commune_id))
            away = make_unit(session, f"Ủy ban nhân dân xã {number}", parent=root)
            room = make_unit(session, f"Phòng số {number}", parent=commune, legal_person=False)
            position = assignments.position_by_code(session, self.position)
            officers = {}
            side = make_unit(session, f"Hội Nông dân {number}", parent=root)
            host = make_unit(session, f"Sở {number}", parent=root)
            for unit in (side, host):
                session.add(Post(unit_id=unit.id, position_id=position.id, headcount=1))
            for name, unit in ((AWAY, away), (NEXT, room)):
                session.add(Post(unit_id=unit.id, position_id=position.id, headcount=1))
                officer = make_user(session, f"Cán bộ {name}")
                make_role(session, officer, Role.HR_OFFICER, unit)
                officers[name] = officer.id
            units = {HOME: self.home, AWAY: away.id, NEXT: room.id}
            units |= {COUNCIL: self.council, SIDE: side.id, HOST: host.id}
            name = "Lê Thị " + "".join("abcdefghij"[int(digit)] for digit in str(number)).title()
            if not in_post:
                return Subject(None, number, name, units, officers)
            user = make_user(session, name)
            end = self.day(term) if term is not None else None
            home = session.get_one(OrgUnit, self.home)
            held = make_assignment(session, user, home, position, valid_from=LONG_AGO, valid_to=end)
            council = session.get_one(OrgUnit, self.council)
            make_assignment(
                session, user, council, position, kind="concurrent", valid_from=LONG_AGO
            )
            make_role(session, user, Role.AUDITOR, session.get_one(OrgUnit, self.council))
            make_role(session, user, Role.HR_OFFICER, home, assignment_id=held.id)
            return Subject(user.id, number, name, units, officers)

    def end_of_term(self, her: Subject, day: int) -> None:
        """The post she began with, if nothing has ended it, gets an end of its own."""
        with self.services.db.write() as session:
            session.execute(
                update(Assignment)
                .where(Assignment.user_id == her.user, Assignment.unit_id == her.units[HOME])
                .where(Assignment.valid_to.is_(None))
                .values(valid_to=self.day(day))
            )

    # ---- deciding ----

    def previewed(self, her: Subject, step: Step) -> Plan | None:
        """What this decision would do; None where it is refused. Raises Broken."""
        body = self.asked(her, step)
        with self.services.db.read() as session:
            try:
                asked = specs.parse(session, body, now=self.clock(), keyring=self.services.keyring)
            except DinhdanhError:
                return None
            return self._planned(session, asked)

    def previewed_undo(self, change: str) -> Plan | None:
        """As ``previewed``, of taking a change back."""
        with self.services.db.read() as session:
            return self._planned(session, undo.spec_of(session, change))

    def _planned(self, session: Session, asked: Spec) -> Plan | None:
        try:
            plan: Plan = self.services.door.plan(session, asked, OPERATOR, now=self.clock())
        except DinhdanhError:
            return None
        if not plan.conflicts:
            return plan
        session.rollback()
        self._require_refused(plan)
        return None

    def _require_refused(self, plan: Plan) -> None:
        """What the preview calls impossible is not committed. Raises Broken."""
        try:
            with self.services.db.write() as session:
                self._commit(session, plan)
                raise Broken("committed over a conflict of its preview")
        except DinhdanhError:
            return

    def commit(self, her: Subject, plan: Plan) -> str:
        """The id of the change that does what was previewed. Raises Broken."""
        try:
            with self.services.db.write() as session:
                change = self._commit(session, plan).id
        except Exception as error:
            raise Broken(f"previewed well, then {error!r}") from error
        if her.user is None:
            with self.services.db.read() as session:
                her.user = session.scalars(
                    select(ChangeLine.user_id).where(
                        ChangeLine.change_id == change, ChangeLine.user_id.is_not(None)
                    )
                ).first()
        return str(change)

    def _commit(self, session: Session, plan: Plan) -> Change:
        door, now = self.services.door, self.clock()
        made: Change = door.commit(
            session, plan.spec, OPERATOR, now=now, fingerprint=plan.fingerprint
        )
        return made

    def asked(self, her: Subject, step: Step) -> dict[str, Any]:
        """The body of the request for a step."""
        code, day, what = step
        hers = Hers(
            her.number, her.name, self.position, her.units.__getitem__, partial(self._post, her)
        )
        kind = registry.get(code)
        whom = {} if kind.about == About.NEWCOMER else {"user": her.user}
        on = {"kind": code, "effective_on": self.day(day).isoformat()}
        return on | whom | fields(kind, what, hers)

    def _post(self, her: Subject, unit: str) -> int:
        """Her latest assignment in the unit; one that nobody has where she has none."""
        query = select(func.max(Assignment.id)).where(
            Assignment.user_id == her.user,
            Assignment.unit_id == her.units[unit],
            is_fact(Assignment),
        )
        with self.services.db.read() as session:
            return session.scalar(query) or 10**9

    # ---- time ----

    def come(self, day: int) -> None:
        """The clock stands an hour into the day."""
        self.clock.set(day_start(self.day(day)) + timedelta(hours=1))

    def due(self, them: Iterable[Subject]) -> list[Subject]:
        """Of whom something begins or ends by now, and no worker has seen it yet."""
        query = select(Job.key).where(
            Job.kind == JobKind.SUBJECT_BOUNDARY.value,
            Job.state == "ready",
            Job.run_at <= self.clock(),
        )
        with self.services.db.read() as session:
            keys = set(session.scalars(query))
        return [her for her in them if str(her.user) in keys]

    def work(self, her: Subject) -> None:
        """A worker sees what of hers begins or ends by now. Raises Broken."""
        now = self.clock()
        seen = (
            update(Job)
            .where(Job.kind == JobKind.SUBJECT_BOUNDARY.value, Job.key == str(her.user))
            .where(Job.state == "ready", Job.run_at <= now)
        )
        try:
            with self.services.db.write() as session:
                self.services.door.take_effect(session, her.user, now=now)
                session.execute(seen.values(state="done", finished_at=now))
        except Exception as error:
            raise Broken(f"the worker fails: {error!r}") from error

    # ---- looking ----

    def look(self, them: Sequence[Subject]) -> list[dict[Any, Any]]:
        """What the product says of each of them today."""
        on = local_day(self.clock())
        ids = [her.user for her in them]
        with self.services.db.read() as session:
            known = session.scalars(select(User).where(User.id.in_(ids))).all()
            assert len(known) == len(set(ids))
            return [self._look(session, her, on) for her in them]

    def _look(self, session: Session, her: Subject, on: date) -> dict[Any, Any]:
        assert her.user is not None
        user = people.get(session, her.user)
        held = assignments.current(session, her.user, on)
        names = {unit_id: name for name, unit_id in her.units.items()}
        acts = search.status_on(user, on).value != "left"
        roles = permissions.rights(session, Actor("user", her.user), on).roles if acts else ()
        return {
            "status": search.status_on(user, on).value,
            "may act": user.may_act(on),
            "post": next((names[h.unit.id] for h in held if h.kind == "primary"), None),
            "second post": any(h.unit.id == self.council for h in held),
            "post beside": any(h.unit.id == her.units[SIDE] for h in held),
            "secondment": any(h.kind == "secondment" for h in held),
            "free role": Role.AUDITOR in roles,
            "bound role": Role.HR_OFFICER in roles,
        }

    def states(self, them: Iterable[Subject]) -> dict[str, str]:
        """Where each of their changes stands: done covers everything after its day."""
        ids = [change for her in them for change in her.changes.values()]
        with self.services.db.read() as session:
            found = session.execute(select(Change.id, Change.state).where(Change.id.in_(ids)))
            done = {"committed": "done", "settled": "done"}
            return {change: done.get(state, state) for change, state in found}

    def office(self, her: Subject, unit: str) -> dict[str, Any]:
        """What the officer of a unit sees of her, finds in lists and may decide."""
        assert her.user is not None
        on = local_day(self.clock())
        officer = Actor("user", her.officers[unit])
        with self.services.db.read() as session:
            granted = permissions.rights(session, officer, on)
            try:
                full = search.person(session, granted, her.user, on=on).full
                seen = WHOLLY if full else AS_SHE_WAS
            except NotFound:
                seen = NOTHING
            page = search.people(
                session, granted, SearchFilter(), on=on, keyring=self.services.keyring
            )
            try:
                self._drafted(session, officer, {"kind": "suspend", "user": her.user})
                decides = True
            except NotAllowed as refused:
                decides = refused.missing != "source"
        return {
            f"sight of her in {unit}": seen,
            f"{unit} lists her": her.user in {row.id for row in page.rows},
            f"{unit} decides about her": decides,
        }

    def places_taken(self, her: Subject, units: Iterable[str]) -> dict[str, bool]:
        """Whether the units have no place left for somebody else."""
        taken = {}
        with self.services.db.read() as session:
            for unit in units:
                post = {"to_unit": her.units[unit], "position": self.position}
                body = {"kind": "appoint", "user": self.probe, **post}
                codes = {n.code for n in self._drafted(session, OPERATOR, body).conflicts}
                taken[f"place in {unit} taken"] = "post_full" in codes
        return taken

    def _drafted(self, session: Session, actor: Actor, body: dict[str, Any]) -> Plan:
        """What the planner of its kind says. What it would do to other things does not matter here.
        Raises NotAllowed.
        """
        now = self.clock()
        asked = specs.parse(session, body, now=now, keyring=self.services.keyring)
        granted = permissions.rights(session, actor, local_day(now))
        plan: Plan = self.services.door.drafted(
            session, asked, Ground(now, granted, rulebook(session))
        )
        return plan
