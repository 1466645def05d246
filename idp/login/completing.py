"""A sign-in that is complete by what was just proven: all of it is written at once.

Its row is written as it ends, so that the same form sent twice, and a page of it that is looked at
later, find it over; and with it the session and its entry in the trail: on PostgreSQL by one statement,
on SQLite by three, with one writer at a time. Whoever comes second writes nothing.
"""

from collections.abc import Set
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Boolean, and_, bindparam, insert, or_, select
from sqlalchemy.orm import Session

from directory.base import hot
from directory.base.audit import AuditEntry
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.db import UTCDateTime, core
from directory.base.failpoints import failpoint
from directory.base.rows import for_each_dialect
from idp import sessions
from idp.factors import by_password
from idp.factors.factor import Source
from idp.login import finishing, policy
from idp.login import flow as flows
from idp.login.finishing import Finished
from idp.login.flow_rows import LoginFlow
from idp.login.person import Who
from idp.login.policy import FlowState, Policy
from idp.sessions import Capacity, Opening, SessionView, SsoSession

_NEVER = {"ended_at", "end_reason"}
_LATER = {"id", "seq", "hash"}


def _given(table: Any, prefix: str, without: Set[str] = frozenset()) -> dict[str, Any]:
    """A parameter for each column, named ``prefix`` + column."""
    return {
        column.name: bindparam(prefix + column.name, type_=column.type)
        for column in table.__table__.columns
        if column.name not in without
    }


_FLOW = _given(LoginFlow, "flow_")
_SESSION = _given(SsoSession, "session_", _NEVER)
_ENTRY = _given(AuditEntry, "entry_", _LATER)
_BEFORE = ("id", "return_to", "client_id", "request", "browser", "created_at", "expires_at")
"""What a row says that is there already."""


def _kept(insert_into: Any) -> Any:
    new = insert_into(LoginFlow).values(_FLOW)
    given = new.excluded
    same = and_(
        LoginFlow.user_id == given.user_id,
        LoginFlow.user_epoch == given.user_epoch,
        LoginFlow.installation_epoch == given.installation_epoch,
    )
    return new.on_conflict_do_update(
        index_elements=["id"],
        set_={name: given[name] for name in _FLOW if name not in _BEFORE},
        where=and_(
            LoginFlow.browser == given.browser,
            LoginFlow.done_at.is_(None),
            LoginFlow.expires_at > bindparam("now", type_=UTCDateTime()),
            # A further proof stands beside the same person's; the first takes whatever stood there.
            or_(bindparam("first", type_=Boolean()), same),
        ),
    ).returning(LoginFlow.id)


def _opened(from_: Any = None) -> Any:
    return _inserted(SsoSession, _SESSION, from_).returning(SsoSession.id)


def _told(from_: Any = None) -> Any:
    return _inserted(AuditEntry, _ENTRY, from_).returning(AuditEntry.id)


def _inserted(table: Any, values: dict[str, Any], from_: Any) -> Any:
    if from_ is None:
        return insert(table).values(values)
    chosen = select(*(value.label(name) for name, value in values.items())).select_from(from_)
    return insert(table).from_select(list(values), chosen, include_defaults=False)


def _at_once() -> Any:
    ended = _KEPT["postgresql"].cte("ended")
    opened = _opened(ended).cte("opened")
    told = _told(opened).cte("told")
    return select(
        select(ended.c.id).scalar_subquery().label("id"),
        select(opened.c.id).scalar_subquery().label("session"),
        select(told.c.id).scalar_subquery().label("entry"),
    )


_KEPT = for_each_dialect(_kept)
_KEEP = hot.write(_KEPT)
_OPEN = hot.write(_opened())
_TELL = hot.write(_told())
_ALL = hot.write({"postgresql": _at_once()})


def complete(  # noqa: PLR0913 (one keyword per fact)
    session: Session,
    flow: FlowState,
    who: Who,
    rule: Policy,
    *,
    browser: str,
    first: bool,
    acting: SessionView | None,
    source: Source,
    now: datetime,
    settings: Settings,
    keyring: Keyring,
) -> Finished:
    """End the sign-in that has these proofs now and start its session, in the caller's transaction.
    ``first``: nothing was proven in it before. The caller has found that nothing is missing.

    Raises Conflict when another request has ended it, or it has become somebody else's.
    """
    failpoint("login.finish")
    has: Any = {"now": now, "settings": settings, "keyring": keyring}
    values = _of_flow(replace(flow, browser=browser, done_at=now), settings)
    assignment_id = policy.capacity(rule)
    if finishing.goes_on(acting, who, assignment_id, flow):
        _keep(session, values | {"flow_session_id": acting.id}, first=first, now=now)
        view, cookie = sessions.renew(session, acting, flow.proven, **has)
        return Finished.of(view, cookie, flow)
    ended = finishing.replaced(session, acting, who, source, now=now)
    capacity = Capacity(who.standing, assignment_id)
    made = sessions.opening(flow.proven, capacity, source, **has)
    _written(session, values | {"flow_session_id": made.id}, made, first=first, now=now)
    failpoint("session.start")
    epoch = made.row["user_epoch"]
    return Finished(
        made.id, who.standing.id, epoch, made.cookie, flow.return_to, flow.proven, *ended
    )


def go_on(
    session: Session,
    flow: FlowState,
    *,
    browser: str,
    first: bool,
    now: datetime,
    settings: Settings,
) -> None:
    """Write the sign-in with these proofs down: something is missing still. One statement.

    Raises Conflict when another request has ended it, or it has become somebody else's.
    """
    values = _of_flow(replace(flow, browser=browser), settings)
    _keep(session, values | {"flow_session_id": None}, first=first, now=now)


def _of_flow(flow: FlowState, settings: Settings) -> dict[str, Any]:
    password = [one.at for one in flow.proven if one.factor == by_password.CODE]
    epochs = flow.proven[0].epochs
    row = {
        "id": flow.id,
        "return_to": flow.return_to,
        "client_id": flow.client_id,
        "request": dict(flow.request),
        "browser": flow.browser,
        "created_at": flow.expires_at - timedelta(seconds=settings.flow_lifetime),
        "expires_at": flow.expires_at,
        "user_id": flow.user_id,
        "user_epoch": epochs.user,
        "installation_epoch": epochs.installation,
        "password_at": password[0] if password else None,
        "proven": flows.listed(flow.user_id, flow.proven),
        "must_change": flow.must_change,
        "assignment_id": flow.assignment_id,
        "capacity_chosen": flow.capacity_chosen,
        "done_at": flow.done_at,
        # The application that it was for is answered by whoever ends it (``flows.answer_owed``).
        "consumed": flow.done_at is not None and flow.client_id is not None,
    }
    return {f"flow_{name}": value for name, value in row.items()}


def _written(
    session: Session, values: dict[str, Any], made: Opening, *, first: bool, now: datetime
) -> None:
    connection = core(session)
    opened = {f"session_{name}": value for name, value in made.row.items()}
    told = {f"entry_{name}": value for name, value in made.entry.items()}
    if connection.dialect.name != "postgresql":
        _keep(session, values, first=first, now=now)
        _OPEN.run(connection, **opened)
        _TELL.run(connection, **told)
        return
    if _ALL.one(connection, first=first, now=now, **values, **opened, **told).id is None:
        raise flows.over()


def _keep(session: Session, values: dict[str, Any], *, first: bool, now: datetime) -> None:
    if _KEEP.one(core(session), first=first, now=now, **values) is None:
        raise flows.over()
