"""What one person alone may not do, whatever rights she has over the unit.

    last administrator  a change after which nobody administers the installation
    wider rights        a change about somebody whose rights go beyond the actor's
    some kinds          that say so themselves (``Kind.needs_approval``)
    undoing             of what two people have decided
    many                people and accounts: ``thresholds``

The first is refused in preview and commit. The others are conflicts of the plan that a second
person lifts (``approval``); a commit without one is refused with NotAllowed. The installation's
operator may do all of it: leaving it without an administrator is told by a warning, and the
command line can always name another.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from directory.assignments import Assignment
from directory.base.audit import Actor
from directory.base.errors import Conflict, NotAllowed
from directory.base.rows import batches, ends_after, in_force, not_over
from directory.changes.model import Change, Person, Plan
from directory.changes.notices import Notice
from directory.changes.table import Action, Column
from directory.people import User, UserStatus
from directory.permissions import GIVES, ROLE_NAMES, AdminRole, Rights, Role
from directory.units import OrgUnit

WIDER_RIGHTS = "wider_rights"
ALWAYS_TWO = "always_two"
DECIDED_BY_TWO = "decided_by_two"
_FOR_GOOD = date.max
"""A day after every end that is known."""

_OFFICE = and_(AdminRole.role == Role.ADMINISTRATOR.value, AdminRole.unit_id.is_(None))
"""An administrator's role over the whole installation."""


@dataclass(frozen=True)
class _Days:
    """From when until before when."""

    valid_from: date
    valid_to: date | None


@dataclass(frozen=True)
class _RoleHeld:
    """A role as it stands, asleep or not yet begun as well."""

    user_id: int
    role: Role
    path: str | None
    application_id: int | None
    assignment_id: int | None
    own: _Days
    post: _Days
    """Of the post it came with; its own where it came with none."""
    status: str
    leaves_on: date | None

    def over(self, on: date) -> bool:
        """Whether nothing of it can count from that day on."""
        return not (not_over(self.own, on) and not_over(self.post, on))

    def counts(self, on: date) -> bool:
        """Whether it counts on that day."""
        acts = self.status == UserStatus.ACTIVE.value and ends_after(self.leaves_on, on)
        return acts and in_force(self.own, on) and in_force(self.post, on)


def check(
    session: Session, plan: Plan, *, today: date, commits: bool = False
) -> tuple[list[Notice], list[Notice]]:
    """Warnings and conflicts about whose roles the plan touches. Raises NotAllowed where nobody
    would administer the installation.

    Whoever ``commits`` and takes an administrator's office away waits for everybody else who does:
    of two at once the second finds what the first has left.
    """
    held = _held(session, plan)
    losing = [p for p in plan.people if not p.new and _loses_office(p, held.get(p.id, ()))]
    if losing and commits:
        _hold_offices(session)
    conflicts = [*_wider_than(plan, held, today), *_decided_by_two(session, plan)]
    return _last(session, plan, losing, today), conflicts


def wider(session: Session, plan: Plan, *, today: date) -> list[Notice]:
    """A conflict for everybody of the plan whose rights go beyond those of whom it was made for."""
    return _wider_than(plan, _held(session, plan), today)


def wider_people(session: Session, user_ids: list[int], rights: Rights, *, today: date) -> set[int]:
    """Those of the people whose rights go beyond these."""
    return {r.user_id for r in _roles(session, user_ids) if not r.over(today) and _wider(r, rights)}


def _held(session: Session, plan: Plan) -> dict[int, list[_RoleHeld]]:
    held: dict[int, list[_RoleHeld]] = {}
    for role in _roles(session, [p.id for p in plan.people if not p.new]):
        held.setdefault(role.user_id, []).append(role)
    return held


def _wider_than(plan: Plan, held: dict[int, list[_RoleHeld]], today: date) -> list[Notice]:
    found = []
    for person in plan.people:
        roles = (r for r in held.get(person.id, ()) if not r.over(today))
        wide = next((r for r in roles if _wider(r, plan.rights)), None)
        if wide is not None:
            found.append(
                Notice(
                    WIDER_RIGHTS,
                    "{name} giữ vai trò rộng hơn quyền của bạn ({role}); việc này cần người có "
                    "quyền tương đương phê duyệt.",
                    person.id,
                    args={"name": person.full_name, "role": ROLE_NAMES[wide.role]},
                    lifted=True,
                )
            )
    return found


def _decided_by_two(session: Session, plan: Plan) -> list[Notice]:
    """The conflict of undoing what two people have decided."""
    undone = session.get(Change, plan.spec.undo_of) if plan.spec.undo_of else None
    if undone is None or undone.approver_kind is None or plan.rights.actor.kind == "operator":
        return []
    return [
        Notice(
            DECIDED_BY_TWO,
            "Việc này đã được hai người quyết định; hoàn tác cũng cần người thứ hai phê duyệt.",
            lifted=True,
        )
    ]


def always(plan: Plan) -> list[Notice]:
    """The conflict of a kind that is never done by one person alone."""
    if plan.rights.actor.kind == "operator":
        return []
    return [
        Notice(ALWAYS_TWO, "Việc này luôn cần người thứ hai phê duyệt.", lifted=True),
    ]


def require_settled(plan: Plan, approver: Actor | None) -> None:
    """Raises NotAllowed for what takes a second person and has none (it says whether one can be
    asked for), Conflict for what no second person lifts.
    """
    for notice in plan.conflicts:
        if notice.lifted and approver is None:
            missing = WIDER_RIGHTS if notice.code == WIDER_RIGHTS else "approval"
            refused = NotAllowed(notice.code, notice.message, missing=missing, **notice.args)
            refused.proposable = plan.proposable
            raise refused
    for notice in plan.conflicts:
        if not notice.lifted:
            raise Conflict(notice.code, notice.message, **notice.args)


def _last(session: Session, plan: Plan, losing: list[Person], today: date) -> list[Notice]:
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


def _wider(role: _RoleHeld, rights: Rights) -> bool:
    """Whether the role lets its holder do anything that the actor may not do."""
    if role.application_id is not None:
        return not rights.may_manage(role.application_id)
    return any(not rights.may(do, role.path) for do in GIVES[role.role])


def _loses_office(person: Person, roles: Iterable[_RoleHeld]) -> bool:
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


def _administrators(session: Session) -> list[_RoleHeld]:
    return [
        r
        for r in _roles(session, None)
        if r.role == Role.ADMINISTRATOR and r.path is None and r.application_id is None
    ]


def _roles(session: Session, user_ids: list[int] | None) -> list[_RoleHeld]:
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
        queries = [query.where(AdminRole.user_id.in_(part)) for part in batches(user_ids)]
    return [
        _RoleHeld(
            row.user_id,
            Role(row.role),
            row.path,
            row.application_id,
            row.assignment_id,
            own := _Days(row.valid_from, row.valid_to),
            _Days(row.post_from, row.post_to) if row.post_from else own,
            row.status,
            row.leaves_on,
        )
        for one in queries
        for row in session.execute(one)
    ]
