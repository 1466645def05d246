"""What a person is to do at an application that nobody can call, and her word that it is done.

    hand_over    what is wanted now stands in the one open item of this person and application
    hold         several items are kept from others, before any of them is acknowledged
    done         acknowledged: account and effects follow
    failed       it could not be done: the reason stands at the item and its effects wait
    over         nobody is to do it any more: the application is called, or has no connection
    awaited      which effects wait for it
    listed       open items: what cuts access first, then the earliest day

An item says what is wanted, never a difference: a later change of the same person writes it anew,
and whoever acknowledges names the state she has made.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, Index, case, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from connectors.accounts import mapping
from connectors.accounts.contract import Action, Attribute, Pending, WantedAccount
from directory.base import audit, storable
from directory.base.audit import Actor, Tag
from directory.base.db import AUTOINCREMENT, Base, Key
from directory.base.errors import Conflict, InvalidInput, NotFound
from directory.changes import effects
from directory.changes.effects import Effect, State
from directory.changes.table import Column
from directory.entitlements import Account, AccountState, Application
from directory.people import User


class WorkItem(Base):
    """One account of one person that somebody is to make right by hand."""

    __tablename__ = "work_item"
    __table_args__ = (
        Index(
            "uq_work_item_open",
            "user_id",
            "application_id",
            unique=True,
            sqlite_where=text("done_at IS NULL"),
            postgresql_where=text("done_at IS NULL"),
        ),
        Index("ix_work_item_application", "application_id", "done_at", "due_at"),
        AUTOINCREMENT,
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    application_id: Mapped[int] = mapped_column(ForeignKey("application.id"))
    action: Mapped[str]
    wanted: Mapped[dict[str, Any]]
    """The state: user name, active, role, attributes; and the assignment that earns it."""
    digest: Mapped[str]
    """Of the state (``mapping.digest``): who acknowledges says which one she has made."""
    owner: Mapped[str]
    """Who is to do it, in words; empty: the application's owner."""
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime]
    failed_reason: Mapped[str | None]
    """Why it could not be done, by whoever tried last."""
    done_at: Mapped[datetime | None]
    done_by: Mapped[str | None]


@dataclass(frozen=True)
class WorkRow:
    """An open item for reading."""

    item: WorkItem
    person: str
    application: str
    late: bool

    @property
    def said(self) -> list[tuple[str, str]]:
        """What the account should say: attribute (of SCIM) and value, in their usual order. Of the
        name only the whole: a person knows where its parts go.
        """
        attributes = self.item.wanted["attributes"] or {}
        parts = {Attribute.FAMILY_NAME, Attribute.MIDDLE_NAME, Attribute.GIVEN_NAME}
        return [
            (name.value, attributes[name])
            for name in Attribute
            if name in attributes and name not in parts
        ]


@dataclass(frozen=True)
class Task:
    """One account that somebody is to make right."""

    user_id: int
    application_id: int
    wanted: WantedAccount
    action: Action
    pending: Pending
    assignment_id: int | None = None
    """The assignment that earns it."""


def hand_over(
    session: Session, task: Task, effect_rows: Sequence[Effect], *, at: datetime
) -> set[str]:
    """Have somebody make this state; effects that wait for it are sent. The changes touched.

    Where the account is known to be as wanted already, or there is none and none is wanted, the
    effects are complete and nobody is asked.
    """
    digest = mapping.digest(task.wanted)
    whose = task.user_id, task.application_id
    item, link = _open(session, *whose), _link(session, *whose)
    if item is None and _stands(link, digest, active=task.wanted.active):
        known = {"action": Action.UNCHANGED.value}
        return effects.advance(session, effect_rows, State.ACKNOWLEDGED, at=at, detail=known)
    touched: set[str] = set()
    if item is not None and item.digest != digest:
        ours = {effect.id for effect in effect_rows}
        earlier = [e for e in _waiting(session, *whose) if e.id not in ours]
        touched |= effects.advance(session, earlier, State.SUPERSEDED, at=at)
    if link is None:
        # From now on there may be an account: whoever looks at what she has again (a rule is
        # withdrawn, a post ends by itself, a unit moves) is to find it.
        session.add(Account(user_id=whose[0], application_id=whose[1]))
    if item is None:
        item = WorkItem(user_id=whose[0], application_id=whose[1], opened_at=at, digest="")
        session.add(item)
    if item.digest != digest:
        item.action = task.action.value
        item.wanted = _plain(task)
        item.digest = digest
        item.due_at = at + task.pending.within
        item.failed_reason = None
    item.owner = task.pending.owner
    session.flush()
    detail = {"work_item": item.id, "due_at": item.due_at.isoformat()}
    return touched | effects.advance(session, effect_rows, State.SENT, at=at, detail=detail)


def _stands(link: Account | None, digest: str, *, active: bool) -> bool:
    if active:
        return link is not None and link.state == AccountState.ACTIVE and link.fingerprint == digest
    return link is None or link.state != AccountState.ACTIVE


def _plain(task: Task) -> dict[str, Any]:
    wanted, attributes = task.wanted, task.wanted.attributes
    return {
        "username": wanted.username,
        "active": wanted.active,
        "role": wanted.role,
        "attributes": (
            None
            if attributes is None
            else {name.value: value for name, value in attributes.items()}
        ),
        "assignment": task.assignment_id,
    }


def _open(session: Session, user_id: int, application_id: int) -> WorkItem | None:
    return session.scalars(
        select(WorkItem)
        .where(
            WorkItem.user_id == user_id,
            WorkItem.application_id == application_id,
            WorkItem.done_at.is_(None),
        )
        .with_for_update()
    ).one_or_none()


def _link(session: Session, user_id: int, application_id: int) -> Account | None:
    return session.scalars(
        select(Account).where(Account.user_id == user_id, Account.application_id == application_id)
    ).one_or_none()


def _waiting(session: Session, user_id: int, application_id: int) -> list[Effect]:
    """Effects that hang on the open item: sent and not answered, or parked over a failure."""
    return list(
        session.scalars(
            select(Effect)
            .where(
                Effect.kind.startswith("account."),
                Effect.target == str(application_id),
                Effect.user_id == user_id,
                Effect.column == Column.ACCOUNTS.value,
                Effect.state.in_((State.SENT.value, State.PARKED.value)),
            )
            .order_by(Effect.id)
        )
    )


def awaited(rows: Iterable[Effect]) -> list[Effect]:
    """Those of these effects that wait until somebody says that it is done, by its day."""
    sent = [row for row in rows if row.state == State.SENT and "work_item" in row.detail]
    return sorted(sent, key=lambda row: str(row.detail["due_at"]))


def hold(session: Session, item_ids: Collection[int]) -> None:
    """Nobody else takes these items before the transaction ends."""
    rows = select(WorkItem.id).where(WorkItem.id.in_(item_ids)).order_by(WorkItem.id)
    session.execute(rows.with_for_update()).all()


def done(
    session: Session,
    item_id: int,
    digest: str,
    *,
    remote_id: str | None = None,
    applications: Collection[int] | None = None,
    actor: Actor,
    now: datetime,
) -> set[str]:
    """Somebody says that the account is as the item with this digest wants it. The changes touched.

    ``remote_id`` is what the account is called there. Raises NotFound, Conflict where what is
    wanted has changed meanwhile or it was acknowledged before, InvalidInput.
    """
    item = _taken(session, item_id, digest, applications)
    called = (remote_id or "").strip()
    if called and (len(called) > 200 or not storable.holdable(called)):
        raise InvalidInput(
            "remote_id", "Tên tài khoản trong ứng dụng không hợp lệ.", field="remote_id"
        )
    link = _link(session, item.user_id, item.application_id)
    if link is None:
        link = Account(user_id=item.user_id, application_id=item.application_id)
        session.add(link)
    wanted = item.wanted
    if wanted["active"]:
        link.remote_id = called or link.remote_id or wanted["username"]
    link.state = AccountState.ACTIVE.value if wanted["active"] else AccountState.DISABLED.value
    link.role = wanted["role"] or link.role
    link.assignment_id = wanted["assignment"]
    link.fingerprint = digest
    link.applied_at = now
    item.done_at, item.done_by = now, actor.key
    item.failed_reason = None
    detail = {"action": item.action, "remote_id": link.remote_id, "active": wanted["active"]}
    waiting = _waiting(session, item.user_id, item.application_id)
    touched = effects.advance(session, waiting, State.ACKNOWLEDGED, at=now, detail=detail)
    _note(session, Tag.WORK_DONE, item, actor, now, {"remote_id": link.remote_id})
    session.flush()
    return touched


def failed(
    session: Session,
    item_id: int,
    digest: str,
    *,
    reason: str,
    applications: Collection[int] | None = None,
    actor: Actor,
    now: datetime,
) -> set[str]:
    """Somebody says that it cannot be done, and why; the item stays open. The changes touched.

    Raises as ``done``, InvalidInput without a reason.
    """
    item = _taken(session, item_id, digest, applications)
    words = storable.text(reason).strip()[:500]
    if not words:
        raise InvalidInput("reason_missing", "Hãy ghi lý do chưa làm được.", field="reason")
    item.failed_reason = words
    waiting = _waiting(session, item.user_id, item.application_id)
    touched = effects.advance(session, waiting, State.PARKED, at=now, reason=words)
    _note(session, Tag.WORK_FAILED, item, actor, now, {"reason": words})
    session.flush()
    return touched


def over(
    session: Session, user_id: int, application_id: int, *, why: str, at: datetime
) -> list[Effect]:
    """The open item of this person and application is closed by nobody; what waited for it, to be
    settled by the caller. ``why`` says, in words, what has become of the work.
    """
    item = _open(session, user_id, application_id)
    if item is None:
        return []
    item.done_at, item.done_by = at, Actor.system().key
    _note(session, Tag.WORK_DONE, item, Actor.system(), at, {"reason": why})
    session.flush()
    return _waiting(session, user_id, application_id)


def _taken(
    session: Session, item_id: int, digest: str, applications: Collection[int] | None
) -> WorkItem:
    item = session.get(WorkItem, item_id, with_for_update=True)
    if item is None or (applications is not None and item.application_id not in applications):
        raise NotFound("work_unknown", "Không tìm thấy việc này.")
    if item.done_at is not None:
        raise Conflict("work_done", "Việc này đã được xác nhận trước đó.")
    if item.digest != digest:
        raise Conflict(
            "work_changed", "Yêu cầu vừa thay đổi; hãy xem lại trước khi xác nhận.", item=item_id
        )
    return item


def _note(
    session: Session, tag: Tag, item: WorkItem, actor: Actor, now: datetime, data: dict[str, Any]
) -> None:
    audit.record(
        session,
        tag,
        at=now,
        actor=actor,
        subject=("user", item.user_id),
        data={"application": item.application_id, "action": item.action, "item": item.id} | data,
    )


def listed(
    session: Session,
    applications: Collection[int],
    *,
    now: datetime,
    action: Action | None = None,
    late: bool = False,
    after: int = 0,
    limit: int = 50,
) -> list[WorkRow]:
    """Open items of these applications, ``after`` so many of them: what cuts access first, then
    the earliest day. Only those of one action, or those whose day has passed, when asked.
    """
    wanted: list[ColumnElement[bool]] = [
        WorkItem.done_at.is_(None),
        WorkItem.application_id.in_(sorted(applications)),
    ]
    if action is not None:
        wanted.append(WorkItem.action == action.value)
    if late:
        wanted.append(WorkItem.due_at <= now)
    cuts = case((WorkItem.action == Action.DISABLED.value, 0), else_=1)
    rows = session.execute(
        select(WorkItem, User.full_name, Application.name)
        .join(User, User.id == WorkItem.user_id)
        .join(Application, Application.id == WorkItem.application_id)
        .where(*wanted)
        .order_by(cuts, WorkItem.due_at, WorkItem.id)
        .offset(after)
        .limit(limit)
    )
    return [
        WorkRow(item, person, application, item.due_at <= now) for item, person, application in rows
    ]


def waiting(session: Session, applications: Collection[int]) -> int:
    """How many items of these applications are open."""
    return session.scalars(
        select(func.count())
        .select_from(WorkItem)
        .where(WorkItem.done_at.is_(None), WorkItem.application_id.in_(sorted(applications)))
    ).one()
