"""Sign-in pages that have waited: while another tab signed in, or longer than a sign-in lives."""

import json
from datetime import timedelta
from typing import Any

from flask import flash, redirect, request

from directory.base.errors import Misconfigured
from idp.login import flow as flows
from idp.login import unwritten
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
    own = {"login", "select_account"} & set(str(flow.request.get("prompt") or "").split())
    began = flow.expires_at - timedelta(seconds=services().settings.flow_lifetime)
    return not own and view.auth_time > began


def anew(flow_id: str) -> Any:
    """A page older than its sign-in lives begins the same again: the request of an application
    goes through all its checks. None for what was no sign-in of this browser, or was given up.
    """
    has = services()
    with has.db.hot() as connection:
        old = flows.ended(
            connection,
            flow_id,
            browser=gate.browser_id(),
            now=has.clock(),
            settings=has.settings,
        )
    told = unwritten.read(has.keyring, flow_id, browser=gate.browser_id(), settings=has.settings)
    where = old.return_to if old else told.return_to if told else _of_page(flow_id)
    if where is None or (old is not None and old.given_up):
        return None
    flash(gettext("Trang đăng nhập đã mở quá lâu nên được mở lại. Chưa có gì được gửi đi."), "wait")
    for_client = where.endswith(f"={flow_id}")
    back = where.rpartition("&")[0] if for_client else where
    return redirect(back if for_client else gate.login_url(back), 303)


def _of_page(flow_id: str) -> str | None:
    """Where the sign-in of this page led, as the page itself says: it may outlive our memory."""
    try:
        told = json.loads(services().keyring.decrypt("sign-in", request.form.get("anew", "")))
    except (Misconfigured, ValueError):
        return None
    if told["flow"] != flow_id or told["browser"] != gate.browser_id():
        return None
    return gate.local_path(told["return_to"])


def page_says(flow: FlowState) -> str:
    """What the page hands back when it is older than our memory of its sign-in."""
    told = {"flow": flow.id, "browser": gate.browser_id(), "return_to": flow.return_to}
    return services().keyring.encrypt("sign-in", json.dumps(told).encode())
