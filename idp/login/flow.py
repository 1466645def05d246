"""The stored state of one sign-in.

A flow is begun by whoever needs a signed-in person (``/oauth2/authorize``, a page), lives
``flow_lifetime`` and is written once something was proven (``idp.login.unwritten``). It belongs to
one browser: the first that opens it, or the one that began it.
Steps only record; ``finishing`` and ``completing`` end it and start the session in one transaction, under
the epochs read before anything was checked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, or_, update
from sqlalchemy.orm import Session

from directory import assignments, permissions
from directory.assignments import Held
from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.base.config import Settings
from directory.base.crypto import random_id
from directory.base.db import core
from directory.base.errors import Conflict, InvalidInput, NotFound
from directory.permissions import Do
from idp import demands
from idp.assurance import UNASKED, Because
from idp.demands import Rules, Situation
from idp.factors import by_password
from idp.factors.factor import Epochs, Factor, Passed, Proven
from idp.factors.second_factors import SecondFactors
from idp.login import person, policy
from idp.login.flow_rows import (
    BEGIN,
    CONSUME,
    LOAD,
    OWED,
    PROVEN_FIRST,
    PROVEN_MORE,
    LoginFlow,
)
from idp.login.person import Who
from idp.login.policy import FlowState, Policy, Step
from idp.sessions import SessionView

__all__ = ["FlowState", "Policy", "Step", "begin", "consume_completed"]


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
    row = LOAD.one(core(connection), **asked)
    return None if row is None else state(row)


def state(row: Any) -> FlowState:
    """A sign-in as its row says it."""
    values = row._asdict()
    who = person.of(row) if values.get("who") is not None else None
    values = {name: value for name, value in values.items() if name not in person.NAMES}
    kept, at = values.pop("proven"), values.pop("password_at")
    epochs = Epochs(values.pop("user_epoch") or 0, values.pop("installation_epoch") or 0)
    whole = [Proven.read(each) for each in kept["by"]] if kept else []
    proven = [one for one in whole if one.epochs == epochs and kept["user"] == row.user_id]
    if not proven and at is not None:
        # Written by the release before, which knows a password and not the list beside it.
        proven = [by_password.proven(at, epochs)]
    return FlowState(**values, proven=tuple(proven), who=who)


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


def with_proof(flow: FlowState, passed: Passed) -> FlowState:
    """With one more proof, beside the same person's under the same epochs; any others are forgotten."""
    new = passed.proven
    kept = _beside(flow, passed)
    return replace(
        flow,
        user_id=passed.user_id,
        proven=(*(one for one in kept if one.factor != new.factor), new),
        must_change=passed.temporary or (bool(kept) and flow.must_change),
        assignment_id=flow.assignment_id if _goes_on(flow, passed) else None,
        capacity_chosen=flow.capacity_chosen and _goes_on(flow, passed),
    )


def _goes_on(flow: FlowState, passed: Passed) -> bool:
    """Whether something else is proven beside what was: the post that she has chosen may be what asks
    for it. Whoever proves the same once more begins anew.
    """
    kept = {one.factor for one in _beside(flow, passed)}
    return bool(kept) and passed.proven.factor not in kept


def begins(flow: FlowState, passed: Passed) -> bool:
    """Whether nothing that counts beside it was proven before."""
    return not _beside(flow, passed)


def _beside(flow: FlowState, passed: Passed) -> list[Proven]:
    same = flow.user_id == passed.user_id
    return [one for one in flow.proven if one.epochs == passed.proven.epochs and same]


def record(session: Session, flow: FlowState, passed: Passed) -> None:
    """One more proof (``with_proof``), written down. Raises Conflict when the flow is over, or has
    become somebody else's meanwhile.
    """
    new, by = passed.proven, with_proof(flow, passed).proven
    values = {
        "flow": flow.id,
        "user": passed.user_id,
        "epoch": new.epochs.user,
        "installation": new.epochs.installation,
        "at": new.at if new.factor == by_password.CODE else None,
        "list": listed(passed.user_id, by),
        "change": passed.temporary,
    }
    statement: Any = PROVEN_FIRST
    if not begins(flow, passed):
        statement, values = PROVEN_MORE, values | {"on": _goes_on(flow, passed)}
    if core(session).execute(statement, values).one_or_none() is None:
        raise over()


def listed(user_id: int | None, by: Iterable[Proven]) -> dict[str, Any]:
    """Proofs as they are stored."""
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
        proven=listed(
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
        raise over()


def over() -> Conflict:
    """It has ended, by another request perhaps."""
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
    positions: Mapping[str, str],
    now: datetime,
) -> Policy:
    """Read what ``next_step`` needs to know of a sign-in and its person; ``positions`` is what is asked
    of whoever acts in them (``position_acr``).
    """
    if flow.user_id is None:
        return Policy(ways=tuple(ways), finished=flow.done_at is not None)
    who = flow.who or person.read(where, flow.user_id, now=now)
    found = rule(where, flow, who, ways=ways, acting=acting, because=because, now=now)
    return in_post(found, who, positions)


def rule(
    where: Connection | Session,
    flow: FlowState,
    who: Who,
    *,
    ways: Sequence[Factor],
    acting: SessionView | None,
    because: Because | None,
    now: datetime,
) -> Policy:
    """What ``next_step`` needs to know of somebody who has proven something."""
    user, held, today = who.standing, who.capacities, local_day(now)
    same = acting is not None and acting.user_id == user.id
    closed = who.unconfirmed_since is not None
    granted = (
        permissions.rights(where, Actor("user", user.id), today) if closed or not held else None
    )
    runs = granted is not None and granted.may(Do.MANAGE_INSTALLATION, None)
    return Policy(
        finished=flow.done_at is not None,
        ways=tuple(ways),
        active=user.may_act(today),
        capacities=held,
        administers=granted is not None and bool(granted.reaches),
        kept_out=closed and not runs,
        because=because,
        untried=who.beside.untried(way.code for way in ways),
        ours=flow.client_id is None,
        may_begin=bool(ways) and _may_begin(flow.proven, who.beside),
        must_change=flow.must_change,
        chosen=flow.assignment_id if flow.capacity_chosen else None,
        acting=acting.assignment_id if same and acting else None,
    )


def in_post(rules: Policy, who: Who, positions: Mapping[str, str]) -> Policy:
    """With what the post asks that she would act in; nothing while she has several to choose from."""
    post = None if policy.must_choose(rules) else policy.capacity(rules)
    if not positions or post is None:
        return rules
    code, name = who.positions[post]
    at = Situation(position=code, position_name=name)
    return replace(rules, here=demands.of(Rules(positions=positions), at))


def _may_begin(proven: Sequence[Proven], beside: SecondFactors) -> bool:
    """Whether what was proven is enough to enrol the first: also that somebody was asked for it."""
    asked = any(UNASKED not in one.amr for one in proven)
    return asked and beside.may_begin([one.factor for one in proven])


def answer_owed(session: Session, flow_id: str) -> None:
    """The application was not answered with the end of the sign-in: it is told once, to whoever asks
    (``consume_completed``).
    """
    core(session).execute(OWED, {"flow": flow_id})


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
