"""The end of a sign-in that was written down: its row is consumed and the session starts, once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self, TypeGuard

from sqlalchemy.orm import Session

from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.db import core
from directory.base.errors import Conflict
from directory.base.failpoints import failpoint
from idp import sessions
from idp.assurance import Because
from idp.factors.factor import Factor, Proven, Source, reached
from idp.login import flow as flows
from idp.login import person, policy
from idp.login.flow_rows import FINISH, GAVE
from idp.login.person import Who
from idp.login.policy import FlowState, Policy, Step
from idp.sessions import Capacity, SessionView


@dataclass(frozen=True)
class Finished:
    """What a finished sign-in gives the browser, and which sessions it replaced."""

    session_id: str
    user_id: int
    user_epoch: int
    cookie_value: str
    return_to: str
    proven: tuple[Proven, ...]
    replaced: Sequence[str] = ()
    reason: str = "renewed"

    @classmethod
    def of(cls, view: SessionView, cookie: str, flow: FlowState, *replaced: Any) -> Self:
        """With the session that it gave, ``replaced`` as by the function of this name."""
        who = view.id, view.user_id, view.user_epoch
        return cls(*who, cookie, flow.return_to, flow.proven, *replaced)


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
        raise flows.over()
    state = replace(flows.state(taken), done_at=None)
    who = person.read(connection, taken.user_id, now=now)
    rules = flows.rule(connection, state, who, ways=ways, acting=acting, because=because, now=now)
    rules = flows.in_post(rules, who, settings.position_acr)
    if policy.next_step(state.proven, state.demand, rules) is not Step.DONE:
        raise Conflict("flow_incomplete", "Lượt đăng nhập này chưa hoàn tất.")
    require_unchanged(state, who)
    failpoint("login.finish")
    given = _start(session, state, who, rules, acting, source, now, settings, keyring)
    owed = state.client_id is not None
    connection.execute(GAVE, {"flow": flow_id, "session": given.session_id, "consumed": owed})
    return given


def require_unchanged(flow: FlowState, who: Who) -> None:
    """Raises Conflict where her access was cut since she proved who she is."""
    if any(one.epochs.user != who.standing.access_epoch for one in flow.proven):
        # The epoch that a session carries would make it dead anyway; say so at once.
        raise Conflict(
            "login_overtaken", "Thông tin công tác của bạn vừa thay đổi. Hãy đăng nhập lại."
        )


def _start(  # noqa: PLR0913 (the one caller's local values)
    session: Session,
    state: FlowState,
    who: Who,
    rules: Policy,
    acting: SessionView | None,
    source: Source,
    now: datetime,
    settings: Settings,
    keyring: Keyring,
) -> Finished:
    has: Any = {"now": now, "settings": settings, "keyring": keyring}
    assignment_id = policy.capacity(rules)
    if goes_on(acting, who, assignment_id, state):
        view, cookie = sessions.renew(session, acting, state.proven, **has)
        return Finished.of(view, cookie, state)
    ended = replaced(session, acting, who, source, now=now)
    capacity = Capacity(who.standing, assignment_id)
    view, cookie = sessions.start(session, state.proven, capacity, source, **has)
    return Finished.of(view, cookie, state, *ended)


def goes_on(
    acting: SessionView | None, who: Who, assignment_id: int | None, flow: FlowState
) -> TypeGuard[SessionView]:
    """Whether the browser's session stays: the same person, in the same capacity, as strongly."""
    return (
        acting is not None
        and acting.user_id == who.standing.id
        and acting.assignment_id == assignment_id
        and acting.acr == reached(flow.proven).acr
    )


def replaced(
    session: Session, acting: SessionView | None, who: Who, source: Source, *, now: datetime
) -> tuple[Sequence[str], str]:
    """The browser's session ends, if there is one: which, and why."""
    same = acting is not None and acting.user_id == who.standing.id
    reason = "switched" if same else "replaced"
    if acting is None:
        return (), reason
    actor = acting.actor(source.ip, source.port)
    return sessions.end_many(session, [acting.id], now=now, reason=reason, actor=actor), reason
