"""The stored state of one sign-in, and finishing it.

A flow is begun by whoever needs a signed-in person (``/oauth2/authorize``, a page), lives
``flow_lifetime`` and is written once something was proven (``idp.login.unwritten``). It belongs to
one browser: the first that opens it, or the one that began it.
Steps only record; ``finish`` consumes the flow and starts the session in one transaction, under
the epochs read before anything was checked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, or_, update
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
from idp.assurance import UNASKED, Because
from idp.factors import by_password, second_factors
from idp.factors.factor import Epochs, Factor, Passed, Proven, Source, reached
from idp.factors.second_factors import SecondFactors
from idp.login import policy
from idp.login.flow_rows import (
    BEGIN,
    CONSUME,
    FINISH,
    GAVE,
    LOAD,
    PROVEN_FIRST,
    PROVEN_MORE,
    LoginFlow,
)
from idp.login.policy import FlowState, Policy, Step
from idp.sessions import Capacity, SessionView

__all__ = ["FlowState", "Policy", "Step", "begin", "consume_completed", "finish"]


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
    found = find(connection, flow_id, browser=browser, now=now)
    if found is None or found.expires_at <= now:
        raise unknown()
    return found


def find(
    connection: Connection | Session, flow_id: str, *, browser: str, now: datetime
) -> FlowState | None:
    """The flow as this browser may see it, while we remember it, also when it is over."""
    asked = {"flow": flow_id, "browser": browser, "today": local_day(now)}
    row = core(connection).execute(LOAD, asked).one_or_none()
    return None if row is None else _state(row)


def _state(row: Any) -> FlowState:
    values = dict(row._mapping)  # noqa: SLF001 (its public name)
    kept, at = values.pop("proven"), values.pop("password_at")
    values["holds_role"] = bool(values.get("holds_role"))
    epochs = Epochs(values.pop("user_epoch") or 0, values.pop("installation_epoch") or 0)
    whole = [Proven.read(each) for each in kept["by"]] if kept else []
    proven = [one for one in whole if one.epochs == epochs and kept["user"] == row.user_id]
    if not proven and at is not None:
        # Written by the release before, which knows a password and not the list beside it.
        proven = [by_password.proven(at, epochs)]
    return FlowState(**values, proven=tuple(proven))


def unknown() -> NotFound:
    """Unknown, too old or another browser's: the three look the same."""
    return NotFound(
        "flow_unknown", "Lượt đăng nhập này đã hết hạn hoặc thuộc về một trình duyệt khác."
    )


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


def record(session: Session, flow: FlowState, passed: Passed) -> None:
    """One more proof, beside the same person's under the same epochs; any others are forgotten.

    Raises Conflict when the flow is over, or has become somebody else's meanwhile.
    """
    new = passed.proven
    kept = [
        one for one in flow.proven if one.epochs == new.epochs and flow.user_id == passed.user_id
    ]
    by = [*(one for one in kept if one.factor != new.factor), new]
    values = {
        "flow": flow.id,
        "user": passed.user_id,
        "epoch": new.epochs.user,
        "installation": new.epochs.installation,
        "at": new.at if new.factor == by_password.CODE else None,
        "list": _listed(passed.user_id, by),
        "change": passed.temporary,
    }
    statement = PROVEN_MORE if kept else PROVEN_FIRST
    if core(session).execute(statement, values).one_or_none() is None:
        raise _done()


def _listed(user_id: int | None, by: Iterable[Proven]) -> dict[str, Any]:
    return {"user": user_id, "by": [one.stored for one in by]}


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
        proven=_listed(
            flow.user_id,
            (replace(one, epochs=replace(one.epochs, user=user_epoch)) for one in flow.proven),
        ),
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
    where: Connection | Session,
    flow: FlowState,
    *,
    ways: Sequence[Factor],
    acting: SessionView | None,
    because: Because | None = None,
    now: datetime,
) -> Policy:
    """Read what ``next_step`` needs to know of a sign-in and its person."""
    if flow.user_id is None:
        return Policy(ways=tuple(ways), finished=flow.done_at is not None)
    user = people.standing(where, flow.user_id)
    return _policy(where, flow, user, ways=ways, acting=acting, because=because, now=now)


def _policy(
    where: Connection | Session,
    flow: FlowState,
    user: Standing,
    *,
    ways: Sequence[Factor],
    acting: SessionView | None,
    because: Because | None,
    now: datetime,
) -> Policy:
    today = local_day(now)
    held = capacities(where, user.id, now=now)
    same = acting is not None and acting.user_id == user.id
    closed = flow.unconfirmed_since is not None
    granted = (
        permissions.rights(where, Actor("user", user.id), today) if closed or not held else None
    )
    runs = granted is not None and granted.may(Do.MANAGE_INSTALLATION, None)
    # No ways, where nothing more is wanted of her.
    beside = second_factors.of(where, user.id) if ways else SecondFactors()
    return Policy(
        finished=flow.done_at is not None,
        ways=tuple(ways),
        active=user.may_act(today),
        capacities=tuple(h.id for h in held),
        administers=granted is not None and bool(granted.reaches),
        kept_out=closed and not runs,
        because=because,
        untried=beside.untried(way.code for way in ways),
        ours=flow.client_id is None,
        may_begin=bool(ways) and _may_begin(flow.proven, beside),
        must_change=flow.must_change,
        chosen=flow.assignment_id if flow.capacity_chosen else None,
        acting=acting.assignment_id if same and acting else None,
    )


def _may_begin(proven: Sequence[Proven], beside: SecondFactors) -> bool:
    """Whether what was proven is enough to enrol the first: also that somebody was asked for it."""
    asked = any(UNASKED not in one.amr for one in proven)
    return asked and beside.may_begin([one.factor for one in proven])


def finish(  # noqa: PLR0913 (one keyword per fact)
    session: Session,
    flow_id: str,
    *,
    browser: str,
    ways: Sequence[Factor],
    because: Because | None = None,
    acting: SessionView | None,
    source: Source,
    now: datetime,
    settings: Settings,
    keyring: Keyring,
) -> Finished:
    """Consume the flow and start the session, in the caller's one transaction.

    Raises Conflict when another request finished it, when something is still missing, or when
    the person's access was cut since she proved who she is.
    """
    connection = core(session)
    taken = connection.execute(FINISH, {"flow": flow_id, "by": browser, "now": now}).one_or_none()
    if taken is None:
        raise _done()
    state = replace(_state(taken), done_at=None)
    user = people.standing(connection, taken.user_id)
    rule = _policy(connection, state, user, ways=ways, acting=acting, because=because, now=now)
    if policy.next_step(state.proven, state.demand, rule) is not Step.DONE:
        raise Conflict("flow_incomplete", "Lượt đăng nhập này chưa hoàn tất.")
    if any(one.epochs.user != user.access_epoch for one in state.proven):
        # The epoch carried below would make the session dead anyway; say so at once.
        raise Conflict(
            "login_overtaken", "Thông tin công tác của bạn vừa thay đổi. Hãy đăng nhập lại."
        )
    failpoint("login.finish")
    done = _start(session, state, user, rule, acting, source, now, settings, keyring)
    connection.execute(GAVE, {"flow": flow_id, "session": done.view.id})
    return done


def _start(  # noqa: PLR0913 (the one caller's local values)
    session: Session,
    state: FlowState,
    user: Standing,
    rule: Policy,
    acting: SessionView | None,
    source: Source,
    now: datetime,
    settings: Settings,
    keyring: Keyring,
) -> Finished:
    assignment_id = policy.capacity(rule)
    has: Any = {"now": now, "settings": settings, "keyring": keyring}
    same_person = acting is not None and acting.user_id == user.id
    if (
        acting is not None
        and same_person
        and acting.assignment_id == assignment_id
        and acting.acr == reached(state.proven).acr
    ):
        view, cookie = sessions.renew(session, acting, state.proven, **has)
        return Finished(view, cookie, state.return_to, (), "renewed")
    replaced: list[str] = []
    reason = "switched" if same_person else "replaced"
    if acting is not None:
        replaced = sessions.end_many(
            session, [acting.id], now=now, reason=reason, actor=acting.actor(source.ip, source.port)
        )
    capacity = Capacity(user, assignment_id)
    view, cookie = sessions.start(session, state.proven, capacity, source, **has)
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
