"""The stored state of one sign-in, and finishing it.

A flow is begun by whoever needs a signed-in person (``/oauth2/authorize``, a page), lives
``flow_lifetime`` and is written once a password has fitted (``idp.login.unwritten``). It belongs to
one browser: the first that opens it, or the one that began it.
Steps only record; ``finish`` consumes the flow and starts the session in one transaction, under
the epochs read when the password was verified.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, or_, select, update
from sqlalchemy.orm import Session

from directory import assignments, people, permissions
from directory.assignments import Held
from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.base.config import Settings
from directory.base.crypto import Keyring, random_id
from directory.base.db import core
from directory.base.errors import Conflict, InvalidInput, NotFound
from directory.base.failpoints import failpoint
from directory.people import Standing
from directory.permissions import Do
from idp import sessions
from idp.factors.passwords import Candidate
from idp.login import policy
from idp.login.flow_rows import (
    BEGIN,
    BY_PASSWORD,
    CONSUME,
    FINISH,
    GAVE,
    INSTALLATION_EPOCH,
    LOAD,
    LoginFlow,
)
from idp.login.policy import FlowState, Policy, Step
from idp.sessions import SessionView

__all__ = ["FlowState", "Policy", "Step", "begin", "consume_completed", "finish"]


@dataclass(frozen=True)
class Source:
    """Where a sign-in comes from, for the session row and the audit."""

    ip: str | None
    port: int | None
    user_agent: str


@dataclass(frozen=True)
class Finished:
    """What a finished sign-in gives the browser, and which sessions it replaced."""

    view: SessionView
    cookie_value: str
    return_to: str
    replaced: Sequence[str]
    reason: str


def begin(  # noqa: PLR0913 (one keyword per column)
    where: Connection | Session,
    *,
    return_to: str,
    client_id: int | None,
    request: dict[str, Any],
    now: datetime,
    settings: Settings,
    browser: str | None = None,
    flow_id: str | None = None,
) -> str:
    """Write a sign-in down, unless that is done; it is at ``/login/<id>``. One INSERT.

    ``return_to`` is a path of this server (``gate.local_path``); of ``request`` see
    ``idp.login.unwritten``.
    """
    flow_id = flow_id or random_id()
    values = {
        "id": flow_id,
        "return_to": return_to,
        "client_id": client_id,
        "request": request,
        "browser": browser,
        "created_at": now,
        "expires_at": now + timedelta(seconds=settings.flow_lifetime),
    }
    connection = core(where)
    connection.execute(BEGIN[connection.dialect.name], values)
    return flow_id


def load(
    connection: Connection | Session, flow_id: str, *, browser: str, now: datetime
) -> FlowState:
    """The flow as this browser may see it. Raises NotFound when it is unknown, too old or
    another browser's: the three look the same.
    """
    found = find(connection, flow_id, browser=browser)
    if found is None or found.expires_at <= now:
        raise unknown()
    return found


def find(connection: Connection | Session, flow_id: str, *, browser: str) -> FlowState | None:
    """The flow as this browser may see it, while we remember it, also when it is over."""
    row = core(connection).execute(LOAD, {"flow": flow_id, "browser": browser}).one_or_none()
    return None if row is None else FlowState(**row._mapping)  # noqa: SLF001 (its public name)


def unknown() -> NotFound:
    """Unknown, too old or another browser's: the three look the same."""
    return NotFound(
        "flow_unknown", "Lượt đăng nhập này đã hết hạn hoặc thuộc về một trình duyệt khác."
    )


@dataclass(frozen=True)
class Ended:
    """A sign-in of this browser that is over."""

    return_to: str
    given_up: bool


def ended(
    connection: Connection | Session,
    flow_id: str,
    *,
    browser: str,
    now: datetime,
    settings: Settings,
) -> Ended | None:
    """A sign-in of this browser whose time is over, while we remember it."""
    row = (
        core(connection)
        .execute(
            select(LoginFlow.return_to, LoginFlow.created_at, LoginFlow.expires_at).where(
                LoginFlow.id == flow_id,
                LoginFlow.browser == browser,
                LoginFlow.expires_at <= now,
            )
        )
        .one_or_none()
    )
    if row is None:
        return None
    # Whoever gives a sign-in up ends it before its time, and its page is not to begin it again.
    whole = timedelta(seconds=settings.flow_lifetime)
    return Ended(row.return_to, given_up=row.expires_at - row.created_at < whole)


def bind(session: Session, flow_id: str, browser: str) -> None:
    """Tie an unbound flow to the browser that opens it first. Raises NotFound for the second."""
    bound = session.execute(
        update(LoginFlow)
        .where(
            LoginFlow.id == flow_id,
            or_(LoginFlow.browser.is_(None), LoginFlow.browser == browser),
        )
        .values(browser=browser)
        .returning(LoginFlow.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if bound is None:
        raise unknown()


def record_password(
    session: Session, flow_id: str, found: Candidate, *, installation_epoch: int, at: datetime
) -> None:
    """The password fitted. ``found`` was read before it was checked, and so were the epochs."""
    values = {
        "flow": flow_id,
        "user": found.user_id,
        "epoch": found.user_epoch,
        "installation": installation_epoch,
        "at": at,
        "change": found.must_change,
    }
    if core(session).execute(BY_PASSWORD, values).one_or_none() is None:
        raise _done()


def record_change(session: Session, flow: FlowState, *, user_epoch: int) -> None:
    """The person chose a new password, which raised her epoch to ``user_epoch``.

    Raises Conflict when the flow is no longer hers.
    """
    _record(
        session,
        flow.id,
        LoginFlow.user_id == flow.user_id,
        must_change=False,
        user_epoch=user_epoch,
    )


def record_capacity(
    session: Session, flow: FlowState, assignment_id: int, *, capacities: Sequence[int]
) -> None:
    """The person chose what she acts as. Raises InvalidInput when it is not hers today."""
    if assignment_id not in capacities:
        raise InvalidInput(
            "capacity_unknown", "Hãy chọn một vị trí công tác trong danh sách.", field="assignment"
        )
    _record(
        session,
        flow.id,
        LoginFlow.user_id == flow.user_id,
        assignment_id=assignment_id,
        capacity_chosen=True,
    )


def _record(session: Session, flow_id: str, *conditions: Any, **values: Any) -> None:
    done = session.execute(
        update(LoginFlow)
        .where(LoginFlow.id == flow_id, LoginFlow.done_at.is_(None), *conditions)
        .values(**values)
        .returning(LoginFlow.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if done is None:
        raise _done()


def _done() -> Conflict:
    return Conflict("flow_done", "Lượt đăng nhập này đã kết thúc.")


def capacities(where: Connection | Session, user_id: int, *, now: datetime) -> list[Held]:
    """What a person may act as today, the primary assignment first."""
    return assignments.current(where, user_id, local_day(now))


def policy_for(
    where: Connection | Session, flow: FlowState, *, acting: SessionView | None, now: datetime
) -> Policy:
    """Read what ``next_step`` needs to know about the person of a flow."""
    if flow.user_id is None:
        return Policy()
    return _policy(where, flow, people.standing(where, flow.user_id), acting=acting, now=now)


def _policy(
    where: Connection | Session,
    flow: FlowState,
    user: Standing,
    *,
    acting: SessionView | None,
    now: datetime,
) -> Policy:
    today = local_day(now)
    held = capacities(where, user.id, now=now)
    same = acting is not None and acting.user_id == user.id
    closed = flow.unconfirmed_since is not None
    granted = (
        permissions.rights(where, Actor("user", user.id), today) if closed or not held else None
    )
    return Policy(
        active=user.may_act(today),
        capacities=tuple(h.id for h in held),
        administers=granted is not None and bool(granted.reaches),
        runs_installation=granted is not None and granted.may(Do.MANAGE_INSTALLATION, None),
        acting=acting.assignment_id if same and acting else None,
    )


def installation_epoch(connection: Connection | Session) -> int:
    """The installation's epoch now."""
    return int(core(connection).execute(INSTALLATION_EPOCH).scalar_one())


def finish(  # noqa: PLR0913 (one keyword per fact)
    session: Session,
    flow_id: str,
    *,
    browser: str,
    acting: SessionView | None,
    source: Source,
    now: datetime,
    settings: Settings,
    keyring: Keyring,
) -> Finished:
    """Consume the flow and start the session, in the caller's one transaction.

    Raises Conflict when another request finished it, when something is still missing, or when
    the person's access was cut since her password was verified.
    """
    connection = core(session)
    taken = connection.execute(FINISH, {"flow": flow_id, "by": browser, "now": now}).one_or_none()
    if taken is None:
        raise _done()
    values = dict(taken._mapping)  # noqa: SLF001
    epoch = values.pop("installation_epoch")
    state = FlowState(**(values | {"done_at": None}))
    user = people.standing(connection, taken.user_id)
    rule = _policy(connection, state, user, acting=acting, now=now)
    if policy.next_step(state, rule) is not Step.DONE:
        raise Conflict("flow_incomplete", "Lượt đăng nhập này chưa hoàn tất.")
    if user.access_epoch != state.user_epoch:
        # The epoch carried below would make the session dead anyway; say so at once.
        raise Conflict(
            "login_overtaken", "Thông tin công tác của bạn vừa thay đổi. Hãy đăng nhập lại."
        )
    failpoint("login.finish")
    done = _start(session, state, user, rule, epoch, acting, source, now, settings, keyring)
    connection.execute(GAVE, {"flow": flow_id, "session": done.view.id})
    return done


def _start(  # noqa: PLR0913 (the one caller's local values)
    session: Session,
    state: FlowState,
    user: Standing,
    rule: Policy,
    epoch: int,
    acting: SessionView | None,
    source: Source,
    now: datetime,
    settings: Settings,
    keyring: Keyring,
) -> Finished:
    acr, amr = policy.methods(state)
    assignment_id = policy.capacity(state, rule)
    proven: dict[str, Any] = {
        "acr": acr,
        "amr": amr,
        "auth_time": state.password_at or now,
        "user_epoch": state.user_epoch or 0,
        "installation_epoch": epoch,
        "now": now,
        "settings": settings,
        "keyring": keyring,
    }
    same_person = acting is not None and acting.user_id == user.id
    if (
        acting is not None
        and same_person
        and acting.assignment_id == assignment_id
        and acting.acr == acr
    ):
        view, cookie = sessions.renew(session, acting, **proven)
        return Finished(view, cookie, state.return_to, (), "renewed")
    replaced: list[str] = []
    reason = "switched" if same_person else "replaced"
    if acting is not None:
        replaced = sessions.end_many(
            session, [acting.id], now=now, reason=reason, actor=acting.actor(source.ip, source.port)
        )
    view, cookie = sessions.start(
        session,
        user=user,
        assignment_id=assignment_id,
        ip=source.ip,
        port=source.port,
        user_agent=source.user_agent,
        **proven,
    )
    return Finished(view, cookie, state.return_to, replaced, reason)


def consume_completed(
    session: Session | Connection,
    flow_id: str,
    session_id: str,
    *,
    return_to: str,
    now: datetime,
) -> bool:
    """Whether that flow was completed and gave this session, told once: the next asker hears no.

    ``/oauth2/authorize`` appends ``flow=<id>`` to its own return_to, so that ``prompt=login`` is
    satisfied by exactly the sign-in it asked for: not by one begun for anything else.
    """
    values = {"flow": flow_id, "session": session_id, "where": return_to, "now": now}
    return core(session).execute(CONSUME, values).one_or_none() is not None
