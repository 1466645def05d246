"""Sign-in pages that have waited: while another tab signed in, or longer than a sign-in lives."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import flash, redirect
from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from directory.base.config import Settings
from directory.base.db import core
from idp.login import unwritten
from idp.login.flow_rows import LoginFlow
from idp.login.policy import FlowState
from idp.web import gate
from idp.web.gate import services
from idp.web.i18n import gettext


def carried_on(flow: FlowState) -> bool:
    """Whether a sign-in in another tab of this browser, made since this one began, serves it too:
    whoever asked decides that anew. Not one that asks for a sign-in of its own.
    """
    view = gate.current_session()
    if view is None or flow.user_id is not None or flow.done_at is not None:
        return False
    began = flow.expires_at - timedelta(seconds=services().settings.flow_lifetime)
    return not flow.demand.anew and view.auth_time > began


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


def anew(flow_id: str) -> Any:
    """A page older than its sign-in lives begins the same again: the request of an application
    goes through all its checks. None for what was no sign-in of this browser, or was given up.
    """
    has, browser = services(), gate.browser_id()
    told = unwritten.read(has.keyring, flow_id, browser=browser, settings=has.settings)
    row_id = told.id if told else flow_id
    old = None
    if told is not None or not unwritten.is_address(flow_id):
        with has.db.hot() as connection:
            old = ended(connection, row_id, browser=browser, now=has.clock(), settings=has.settings)
    where = told.return_to if told else old.return_to if old else None
    if where is None or (old is not None and old.given_up):
        return None
    flash(gettext("Trang đăng nhập đã mở quá lâu nên được mở lại. Chưa có gì được gửi đi."), "wait")
    if where.endswith(f"={row_id}"):
        # For a client: its request, without the name of this sign-in.
        return redirect(where.rpartition("&")[0], 303)
    return redirect(gate.login_url(where), 303)
