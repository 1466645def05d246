"""Delegated administration: who may do what in which subtree.

A role is held by a person (bound to an assignment where it comes with a post, and then only
while that assignment is in force and is what she acts under) or by a client. A holder without a
role sees and changes nothing. The operator at the installation's command line may do everything,
audited as such.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    ForeignKey,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from directory.assignments import Assignment, Held, HeldAs
from directory.base.audit import Actor
from directory.base.db import AUTOINCREMENT, Base, Key
from directory.base.errors import NotAllowed
from directory.base.rows import batches, in_force, is_fact, not_over
from directory.people import User, active
from directory.units import OrgUnit


class Role(StrEnum):
    """What kind of administrator."""

    ADMINISTRATOR = "administrator"
    HR_OFFICER = "hr_officer"
    APPLICATION_OWNER = "application_owner"
    AUDITOR = "auditor"


class Do(StrEnum):
    """What may be asked for."""

    SEE = "see"
    CHANGE = "change"
    """Commit an HR change of people in the unit."""
    GRANT_ROLE = "grant_role"
    MANAGE_APPLICATION = "manage_application"
    MANAGE_INSTALLATION = "manage_installation"
    SEE_AUDIT = "see_audit"
    RESET_FACTORS = "reset_factors"


GIVES: dict[Role, frozenset[Do]] = {
    Role.ADMINISTRATOR: frozenset(Do),
    Role.HR_OFFICER: frozenset({Do.SEE, Do.CHANGE, Do.RESET_FACTORS}),
    Role.APPLICATION_OWNER: frozenset({Do.MANAGE_APPLICATION}),
    Role.AUDITOR: frozenset({Do.SEE, Do.SEE_AUDIT}),
}


ROLE_NAMES: dict[Role, str] = {
    Role.ADMINISTRATOR: "Quản trị hệ thống",
    Role.HR_OFFICER: "Cán bộ nhân sự",
    Role.APPLICATION_OWNER: "Chủ ứng dụng",
    Role.AUDITOR: "Kiểm toán viên",
}


class AdminRole(Base):
    """A role, its holder and its reach (a unit's subtree, or the whole installation)."""

    __tablename__ = "admin_role"
    __table_args__ = (AUTOINCREMENT,)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
    client_id: Mapped[int | None] = mapped_column(Key, index=True)
    """Internal id of an OAuth client; its table lives above this package."""
    role: Mapped[str]
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"))
    application_id: Mapped[int | None] = mapped_column(ForeignKey("application.id"))
    assignment_id: Mapped[int | None] = mapped_column(ForeignKey("assignment.id"), index=True)
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    granted_by: Mapped[str]


@dataclass(frozen=True)
class Reach:
    """One role as it counts today. ``path`` None is the whole installation."""

    role: Role
    path: str | None
    application_id: int | None = None


@dataclass(frozen=True)
class Rights:
    """Everything an actor may do on a day."""

    actor: Actor
    reaches: tuple[Reach, ...]

    def may(self, action: Do, path: str | None) -> bool:
        """Whether the action is allowed on the unit at ``path`` (None: on the installation)."""
        return any(
            action in GIVES[r.role]
            and r.application_id is None
            and (r.path is None or (path is not None and path.startswith(r.path)))
            for r in self.reaches
        )

    def may_manage(self, application_id: int | None) -> bool:
        """Whether the actor may manage this application (None: register new ones).

        Applications serve the whole installation: a role over a subtree manages none.
        """
        return any(
            Do.MANAGE_APPLICATION in GIVES[r.role]
            and r.path is None
            and (r.application_id is None or r.application_id == application_id)
            for r in self.reaches
        )

    def paths(self, action: Do) -> list[str] | None:
        """Subtrees the action is allowed in; None means everywhere, empty means nowhere."""
        found = []
        for reach in self.reaches:
            if action in GIVES[reach.role] and reach.application_id is None:
                if reach.path is None:
                    return None
                found.append(reach.path)
        return found

    def sees(self, timeline: Iterable[Held], on: date) -> bool:
        """Whether a person with this timeline is the actor's to see: ``visible_people`` for one."""
        return self.paths(Do.SEE) is None or any(
            not_over(h, on) and self.may(Do.SEE, h.unit.path) for h in timeline
        )

    def where(self, action: Do) -> "Rights":
        """What is the actor's by those roles alone that allow the action: one role widens no other's
        reach.
        """
        return Rights(self.actor, tuple(r for r in self.reaches if action in GIVES[r.role]))

    @property
    def roles(self) -> set[Role]:
        """The kinds of administrator the actor is."""
        return {r.role for r in self.reaches}

    def require(self, action: Do, path: str | None, *, missing: str) -> None:
        """Raises NotAllowed naming the ``missing`` side."""
        if not self.may(action, path):
            raise NotAllowed("not_allowed", "Không có quyền thực hiện việc này.", missing=missing)

    def fingerprint(self) -> list[list[str | int | None]]:
        """A stable form for a plan's fingerprint."""
        rows = [[r.role.value, r.path, r.application_id] for r in self.reaches]
        return sorted(rows, key=repr)


Needed = list[tuple[Do, str | None]]
"""Rights that something takes, and where."""


@dataclass(frozen=True)
class Noting(Rights):
    """Rights that note what is required of them."""

    noted: Needed = field(default_factory=list, compare=False)

    @classmethod
    def of(cls, granted: Rights) -> "Noting":
        """The same rights, with nothing noted yet."""
        return cls(granted.actor, granted.reaches)

    def require(self, action: Do, path: str | None, *, missing: str) -> None:
        """As ``Rights.require``."""
        if (action, path) not in self.noted:
            self.noted.append((action, path))
        super().require(action, path, missing=missing)


def rights(session: Connection | Session, actor: Actor, on: date) -> Rights:
    """What the actor may do on a day: a person's and a client's roles, or everything."""
    if actor.kind in ("operator", "system"):
        return Rights(actor, (Reach(Role.ADMINISTRATOR, None),))
    statement = _held_by(actor.kind, in_some_posts=actor.posts is not None)
    asked: dict[str, Any] = {"holder": actor.id, "on": on}
    if actor.posts is not None:
        asked["posts"] = sorted(actor.posts)
    rows = session.execute(statement, asked)
    return Rights(actor, tuple(Reach(Role(r.role), r.path, r.application_id) for r in rows))


@lru_cache(maxsize=16)
def _held_by(kind: str, *, in_some_posts: bool) -> Any:
    """The roles that a ``holder`` of this kind has ``on`` a day (in ``posts``): to put the statement
    together takes longer than all else, and every request wants it.
    """
    on: Any = bindparam("on", type_=Date())
    holder: ColumnElement[bool]
    if kind == "user":
        holder = and_(AdminRole.user_id == bindparam("holder"), active(on))
    elif kind == "client":
        holder = AdminRole.client_id == bindparam("holder")
    else:
        holder = false()
    if in_some_posts:
        acting = AdminRole.assignment_id.in_(bindparam("posts", expanding=True))
        holder = and_(holder, or_(AdminRole.assignment_id.is_(None), acting))
    return (
        select(AdminRole.role, OrgUnit.path, AdminRole.unit_id, AdminRole.application_id)
        .outerjoin(OrgUnit, OrgUnit.id == AdminRole.unit_id)
        .outerjoin(Assignment, Assignment.id == AdminRole.assignment_id)
        .outerjoin(User, User.id == AdminRole.user_id)
        .where(holder, counting(on))
    )


def counting(on: Any, post: Any = Assignment) -> ColumnElement[bool]:
    """The SQL condition on ``AdminRole``, outer-joined with ``Assignment`` (or an alias of it): the role
    counts on a day, and so does the post it came with.
    """
    of_post = or_(AdminRole.assignment_id.is_(None), in_force(post, on))
    return and_(in_force(AdminRole, on), of_post)


def promised(session: Connection | Session, user_id: int, on: date) -> tuple[Reach, ...]:
    """A person's roles that count on a day or may count after it: also those that begin later, by
    themselves or with a post, and those asleep under a suspension.
    """
    return promised_to(session, [user_id], on).get(user_id, ())


def promised_to(
    session: Connection | Session, user_ids: Iterable[int], on: date
) -> dict[int, tuple[Reach, ...]]:
    """As ``promised``, of those of these people who have any."""
    found: dict[int, tuple[Reach, ...]] = {}
    for part in batches(sorted(set(user_ids))):
        rows = session.execute(
            select(AdminRole.user_id, AdminRole.role, OrgUnit.path, AdminRole.application_id)
            .outerjoin(OrgUnit, OrgUnit.id == AdminRole.unit_id)
            .outerjoin(Assignment, Assignment.id == AdminRole.assignment_id)
            .where(
                AdminRole.user_id.in_(part),
                not_over(AdminRole, on),
                or_(AdminRole.assignment_id.is_(None), not_over(Assignment, on)),
            )
            .order_by(AdminRole.id)
        )
        for row in rows:
            reach = Reach(Role(row.role), row.path, row.application_id)
            found[row.user_id] = (*found.get(row.user_id, ()), reach)
    return found


def visible_people(granted: Rights, on: date) -> ColumnElement[bool]:
    """The SQL condition on ``User`` for people the actor may see.

    A person is seen by whoever may see a unit she is, or is going to be, assigned in.
    """
    paths = granted.paths(Do.SEE)
    if paths is None:
        return true()
    if not paths:
        return false()
    inside = (
        select(Assignment.user_id)
        .join(OrgUnit, OrgUnit.id == Assignment.unit_id)
        .where(
            or_(*(OrgUnit.path.like(p + "%") for p in paths)),
            not_over(Assignment, on),
        )
    )
    return User.id.in_(inside)


def last_served_within(granted: Rights) -> ColumnElement[bool]:
    """The SQL condition on ``User`` for those who were last (``assignments.last_of``) where the actor
    may see people. Of somebody who has left it says who may look for her, and take her back.
    """
    paths = granted.paths(Do.SEE)
    if paths is None:
        return true()
    if not paths:
        return false()
    later = aliased(Assignment)

    def order(of: Any) -> tuple[Any, ...]:
        is_own = case((of.kind == HeldAs.PRIMARY.value, 1), else_=0)
        return func.coalesce(of.valid_to, date.max), is_own, of.valid_from, of.id

    inside = (
        select(Assignment.user_id)
        .join(OrgUnit, OrgUnit.id == Assignment.unit_id)
        .where(
            or_(*(OrgUnit.path.like(p + "%") for p in paths)),
            is_fact(Assignment),
            ~exists().where(
                later.user_id == Assignment.user_id,
                is_fact(later),
                tuple_(*order(later)) > tuple_(*order(Assignment)),
            ),
        )
    )
    return User.id.in_(inside)
