"""The thin adapter: plays decisions on the product through its door, and looks at what came of it."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from typing import Any

from sqlalchemy import func, select, update

from directory import assignments, people, permissions, search
from directory.assignments import Assignment, Post
from directory.base.audit import Actor
from directory.base.clock import day_start, local_day
from directory.base.errors import DinhdanhError, NotAllowed, NotFound
from directory.base.rows import is_fact
from directory.changes import spec as specs
from directory.changes import undo
from directory.changes.model import Change, ChangeLine, Plan, Spec
from directory.permissions import Role
from directory.search import SearchFilter
from tests.factories import make_assignment, make_position, make_role, make_unit, make_user
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

OPERATOR = Actor.operator("kiểm thử")
LONG_AGO = date(2025, 7, 1)


class Broken(AssertionError):
    """Preview and commit do not say the same."""


@dataclass
class Subject:
    """One person of the table with units of her own to go to."""

    user: int | None
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
            if not in_post:
                return Subject(None, units, officers)
            user = make_user(session, "Lê Thị Lan")
            end = self.day(term) if term is not None else None
            home = session.get_one(OrgUnit, self.home)
            held = make_assignment(session, user, home, position, valid_from=LONG_AGO, valid_to=end)
            council = session.get_one(OrgUnit, self.council)
            make_assignment(
                session, user, council, position, kind="concurrent", valid_from=LONG_AGO
            )
            make_role(session, user, Role.AUDITOR, session.get_one(OrgUnit, self.council))
            make_role(session, user, Role.HR_OFFICER, home, assignment_id=held.id)
            return Subject(user.id, units, officers)

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

    def decide(self, her: Subject, kind: str, day: int, to: str | None) -> str | None:
        """The id of the change, None where the preview refuses. Raises Broken."""
        body = {"kind": kind, "effective_on": self.day(day).isoformat()}
        body |= self._fields(her, kind, to)
        try:
            with self.services.db.read() as session:
                asked = specs.parse(session, body, now=self.clock(), keyring=self.services.keyring)
        except DinhdanhError:
            return None
        change = self._through(asked)
        if change is not None and her.user is None:
            with self.services.db.read() as session:
                her.user = session.scalars(
                    select(ChangeLine.user_id).where(
                        ChangeLine.change_id == change, ChangeLine.user_id.is_not(None)
                    )
                ).first()
        return change

    def _fields(self, her: Subject, kind: str, to: str | None) -> dict[str, Any]:
        """What a request of this kind names, besides kind and day."""
        if kind == "join":
            person = {"full_name": "Lê Thị Lan"}
            return {"person": person, "to_unit": her.units[HOME], "position": self.position}
        named: dict[str, Any] = {"user": her.user}
        if kind in ("transfer", "appoint", "second"):
            named["to_unit"] = her.units[str(to)]
        if kind == "appoint":
            named["position"] = self.position
        if kind in ("relieve", "return"):
            named["post"] = self._post(her, str(to))
        if kind == "leave":
            named["reason"] = to
        if kind == "rename":
            named["full_name"] = to
        if kind == "contact":
            named["email"] = f"{to}{her.user}@thanhhoa.gov.vn"
        if kind == "number":
            named["citizen_number"] = f"03{to}{her.user or 0:09d}"
        return named

    def _post(self, her: Subject, unit: str) -> int:
        """Her latest assignment in the unit; one that nobody has where she has none."""
        query = select(func.max(Assignment.id)).where(
            Assignment.user_id == her.user,
            Assignment.unit_id == her.units[unit],
            is_fact(Assignment),
        )
        with self.services.db.read() as session:
            return session.scalar(query) or 10**9

    def undo(self, change: str) -> str | None:
        """As ``decide``."""
        with self.services.db.read() as session:
            return self._through(undo.spec_of(session, change))

    def _through(self, asked: Spec) -> str | None:
        door, now = self.services.door, self.clock()
        try:
            with self.services.db.read() as session:
                plan = door.plan(session, asked, OPERATOR, now=now)
        except DinhdanhError:
            return None
        try:
            with self.services.db.write() as session:
                change = door.commit(
                    session, asked, OPERATOR, now=now, fingerprint=plan.fingerprint
                ).id
        except Exception as error:
            if plan.conflicts and isinstance(error, DinhdanhError):
                return None
            raise Broken(f"previewed well, then {error!r}") from error
        if plan.conflicts:
            raise Broken("committed over a conflict of its preview")
        return str(change)

    # ---- time ----

    def come(self, day: int) -> None:
        """The clock stands an hour into the day."""
        self.clock.set(day_start(self.day(day)) + timedelta(hours=1))

    def work(self, her: Subject) -> None:
        """The worker has seen that something of hers begins or ends today."""
        if her.user is not None:
            with self.services.db.write() as session:
                self.services.door.take_effect(session, her.user, now=self.clock())

    # ---- looking ----

    def look(self, her: Subject) -> dict[str, Any]:
        """What the product says of her today."""
        assert her.user is not None
        with self.services.db.read() as session:
            on = local_day(self.clock())
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

    def states(self, her: Subject) -> dict[int, str]:
        """Where each of her changes stands: done covers everything after its day."""
        with self.services.db.read() as session:
            found = {n: session.get_one(Change, c).state for n, c in her.changes.items()}
        done = {"committed": "done", "settled": "done"}
        return {n: done.get(state, state) for n, state in found.items()}

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
            self._preview({"kind": "suspend", "user": her.user}, officer)
            decides = True
        except NotAllowed as refused:
            decides = refused.missing != "source"
        return {
            f"sight of her in {unit}": seen,
            f"{unit} lists her": her.user in {row.id for row in page.rows},
            f"{unit} decides about her": decides,
        }

    def place_taken(self, her: Subject, unit: str) -> bool:
        """Whether a unit has no place left for somebody else."""
        move = {"kind": "transfer", "user": self.probe, "to_unit": her.units[unit]}
        return "post_full" in {n.code for n in self._preview(move, OPERATOR).conflicts}

    def _preview(self, body: dict[str, Any], actor: Actor) -> Plan:
        with self.services.db.read() as session:
            asked = specs.parse(session, body, now=self.clock(), keyring=self.services.keyring)
            plan: Plan = self.services.door.plan(session, asked, actor, now=self.clock())
            return plan
