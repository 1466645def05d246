"""What one person alone may not do, whatever rights she has over the unit.

    wider rights        a change about somebody whose rights go beyond the actor's
    last administrator  a change after which nobody administers the installation
    many people         more people than the threshold, over all batches of one decision (or of
                        none) that the same committer has made within a day

The first two are refused with NotAllowed, the third is a conflict; previews say the same as
commits. The installation's operator may do all three: leaving it without an administrator is
told by a warning, and the command line can always name another.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from directory.assignments import Assignment
from directory.base.audit import Actor
from directory.base.errors import NotAllowed
from directory.changes.model import Change, Notice, Person, Plan
from directory.changes.table import Action, Column
from directory.people import User, UserStatus
from directory.permissions import GIVES, ROLE_NAMES, AdminRole, Rights, Role
from directory.units import OrgUnit

WINDOW = timedelta(hours=24)
"""How long people of one committer and decision add up."""
SECOND_PERSON = "second_person"
_FOR_GOOD = date.max
"""A day after every end that is known."""

_OFFICE = and_(AdminRole.role == Role.ADMINISTRATOR.value, AdminRole.unit_id.is_(None))
"""An administrator's role over the whole installation."""


@dataclass(frozen=True)
class _Held:
    """A role as it stands, asleep or not yet begun as well."""

    user_id: int
    role: Role
    path: str | None
    application_id: int | None
    assignment_id: int | None
    valid_from: date
    valid_to: date | None
    post_from: date | None
    post_to: date | None
    status: str
    leaves_on: date | None

    def over(self, on: date) -> bool:
        """Whether nothing of it can count from that day on."""
        ends = (self.valid_to, self.post_to)
        return any(end is not None and end <= on for end in ends) or (
            self.post_from is not None
            and self.post_to is not None
            and self.post_to <= self.post_from
        )

    def counts(self, on: date) -> bool:
        """Whether it counts on that day."""
        begun = self.valid_from <= on and (self.post_from is None or self.post_from <= on)
        acts = self.status == UserStatus.ACTIVE.value
        stays = self.leaves_on is None or self.leaves_on > on
        return begun and acts and stays and not self.over(on)


def check(session: Session, plan: Plan, *, today: date, commits: bool = False) -> list[Notice]:
    """Warnings about whose roles the plan touches. Raises NotAllowed naming the person.

    Whoever ``commits`` and takes an administrator's office away waits for everybody else who does:
    of two at once the second finds what the first has left.
    """
    concerned = [p for p in plan.people if not p.new]
    held: dict[int, list[_Held]] = {}
    for role in _roles(session, [p.id for p in concerned]):
        held.setdefault(role.user_id, []).append(role)
    for person in concerned:
        for role in held.get(person.id, ()):
            if not role.over(today) and _wider(role, plan.rights):
                raise NotAllowed(
                    "wider_rights",
                    "{name} giữ vai trò rộng hơn quyền của bạn ({role}); việc này cần người có "
                    "quyền tương đương.",
                    missing="wider_rights",
                    name=person.full_name,
                    role=ROLE_NAMES[role.role],
                )
    losing = [p for p in concerned if _loses_office(p, held.get(p.id, ()))]
    if losing and commits:
        _hold_offices(session)
    if not losing or not _leaves_nobody(session, plan, losing, today):
        return []
    name = losing[0].full_name
    if plan.rights.actor.kind != "operator":
        raise NotAllowed(
            "last_administrator",
            "{name} là người quản trị hệ thống cuối cùng; hãy giao vai trò này cho người khác "
            "trước.",
            missing="last_administrator",
            name=name,
        )
    return [
        Notice(
            "last_administrator",
            "Sau thay đổi này không còn ai quản trị hệ thống ({name} là người cuối cùng); hãy giao "
            "vai trò bằng dòng lệnh.",
            losing[0].id,
            args={"name": name},
        )
    ]


def require_another_administrator(session: Session, role: AdminRole, *, today: date) -> None:
    """Raises NotAllowed when ending this role would leave the installation without anybody. As in
    ``check``, the second of two who take an office away finds what the first has left.
    """
    if role.role != Role.ADMINISTRATOR or role.unit_id is not None or role.user_id is None:
        return
    _hold_offices(session)
    others = [r for r in _administrators(session) if r.user_id != role.user_id]
    if not any(r.counts(today) for r in others):
        raise NotAllowed(
            "last_administrator",
            "{name} là người quản trị hệ thống cuối cùng; hãy giao vai trò này cho người khác "
            "trước.",
            missing="last_administrator",
            name=session.get_one(User, role.user_id).full_name,
        )


def _wider(role: _Held, rights: Rights) -> bool:
    """Whether the role lets its holder do anything that the actor may not do."""
    if role.application_id is not None:
        return not rights.may_manage(role.application_id)
    return any(not rights.may(do, role.path) for do in GIVES[role.role])


def _loses_office(person: Person, roles: Iterable[_Held]) -> bool:
    """Whether the plan ends, or puts to sleep, an office of hers over the whole installation."""
    offices = [r for r in roles if r.role == Role.ADMINISTRATOR and r.path is None]
    order = person.orders(Column.ROLES)
    if person.status_after != UserStatus.ACTIVE.value or order == Action.END:
        return bool(offices)
    return any(r.assignment_id in person.ended for r in offices)


def _leaves_nobody(session: Session, plan: Plan, losing: list[Person], today: date) -> bool:
    """Whether somebody administers the installation without this plan and nobody with it: on the
    day it takes effect, or once every end that is known has come.
    """
    ids = {p.id for p in losing}
    found = _administrators(session)
    for day in (max(plan.spec.effective_on, today), _FOR_GOOD):
        then = {r.user_id for r in found if r.counts(day)}
        if then and then <= ids:
            return True
    return False


def _hold_offices(session: Session) -> None:
    """Wait for whoever takes an administrator's office away, and let the next one wait."""
    session.execute(select(AdminRole.id).where(_OFFICE).order_by(AdminRole.id).with_for_update())


def _administrators(session: Session) -> list[_Held]:
    return [
        r
        for r in _roles(session, None)
        if r.role == Role.ADMINISTRATOR and r.path is None and r.application_id is None
    ]


def _roles(session: Session, user_ids: list[int] | None) -> list[_Held]:
    """Roles of these people, or (None) every administrator's."""
    query = (
        select(
            AdminRole.user_id,
            AdminRole.role,
            AdminRole.unit_id,
            OrgUnit.path,
            AdminRole.application_id,
            AdminRole.assignment_id,
            AdminRole.valid_from,
            AdminRole.valid_to,
            Assignment.valid_from.label("post_from"),
            Assignment.valid_to.label("post_to"),
            User.status,
            User.leaves_on,
        )
        .join(User, User.id == AdminRole.user_id)
        .outerjoin(OrgUnit, OrgUnit.id == AdminRole.unit_id)
        .outerjoin(Assignment, Assignment.id == AdminRole.assignment_id)
        .order_by(AdminRole.id)
    )
    if user_ids is None:
        queries = [query.where(_OFFICE)]
    else:
        parts = (user_ids[start : start + 500] for start in range(0, len(user_ids), 500))
        queries = [query.where(AdminRole.user_id.in_(part)) for part in parts]
    return [
        _Held(
            row.user_id,
            Role(row.role),
            row.path,
            row.application_id,
            row.assignment_id,
            row.valid_from,
            row.valid_to,
            row.post_from,
            row.post_to,
            row.status,
            row.leaves_on,
        )
        for one in queries
        for row in session.execute(one)
    ]


def too_many(session: Session, plan: Plan, actor: Actor, *, most: int) -> list[Notice]:
    """The conflict of a plan that needs a second person: its own people and those whom the same
    committer has changed under the same decision, or under none, within a day.
    """
    if actor.kind == "operator" or not plan.people:
        return []
    if len(plan.people) + _counted(session, plan, actor) <= most:
        return []
    return [
        Notice(
            SECOND_PERSON,
            "Thay đổi trên {n} người cần người thứ hai phê duyệt.",
            args={"n": most},
        )
    ]


def _counted(session: Session, plan: Plan, actor: Actor) -> int:
    decision = plan.spec.decision
    by = (
        and_(Change.actor_kind == actor.kind, Change.actor_id == actor.id)
        if actor.id is not None
        else and_(Change.actor_kind == actor.kind, Change.actor_label == actor.label)
    )
    return int(
        session.scalar(
            select(func.coalesce(func.sum(Change.people_count), 0)).where(
                Change.committed_at > plan.now - WINDOW,
                by,
                Change.decision_number.is_not_distinct_from(decision.number if decision else None),
                Change.decision_issuer.is_not_distinct_from(decision.issuer if decision else None),
            )
        )
        or 0
    )


def one_at_a_time(session: Session, actor: Actor) -> None:
    """Of two commits by one committer at once the second counts the first (SQLite: the writer
    holds all).
    """
    if actor.kind == "operator" or session.get_bind().dialect.name != "postgresql":
        return
    digest = hashlib.sha256(f"commit:{actor.key}".encode()).digest()
    number = int.from_bytes(digest[:8], "big", signed=True)
    session.execute(select(func.pg_advisory_xact_lock(number)))
