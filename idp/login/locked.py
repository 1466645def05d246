"""The page of a sign-in that must wait: as the answer to a form, and at an address of its own.

Its address says until when and why, for one browser: the page may be looked at again, in the other
language too, without anything being sent again. Whoever waits for a moment only keeps her form.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import ceil

from flask import Response, g, make_response, render_template, url_for

from directory.base import signed_values
from directory.base.errors import Busy, Locked
from idp.factors.factor import Factor
from idp.login.policy import FlowState
from idp.web import gate
from idp.web.gate import services
from idp.web.i18n import error_text, gettext

_PURPOSE = "sign-in-locked"


SHORT = ("slowed", "unsettled")
"""Why somebody waits for a moment."""


def page(flow: FlowState, error: Locked, others: Sequence[Factor] = ()) -> Response:
    """Told until when nothing is looked at, and what can be done meanwhile: in ``others`` nothing
    is guessed, or something else.
    """
    has = services()
    body = f"{ceil(error.until.timestamp())}.{error.why}.{gate.browser_id()}"
    told = signed_values.seal(has.keyring, _PURPOSE, body)
    g.shown_at = url_for("login.locked_page", flow_id=flow.at, told=told)
    text = render_template(
        "login/locked.html",
        flow=flow,
        until=error.until,
        sentence=error_text(error),
        locked=error.why in ("account", "code"),
        unlocked_by_slip=error.why == "account",
        others=others,
    )
    return answer(text, error)


def answer(text: str, error: Locked) -> Response:
    """A page as the answer that something must wait."""
    response = make_response(text, error.status)
    response.headers["Retry-After"] = str(_wait(error))
    return response


def put_off(page: str | Response, error: Busy) -> Response:
    """A page as the answer that too many want the same just now."""
    response = make_response(page, error.status)
    response.headers["Retry-After"] = str(error.after)
    return response


def said(error: Locked) -> str:
    """To whoever waits for a moment."""
    wait = gettext("Hãy gửi lại sau {seconds} giây.", seconds=_wait(error))
    return f"{error_text(error)} {wait}"


def _wait(error: Locked) -> int:
    return max(1, ceil((error.until - services().clock()).total_seconds()))


def read(told: str) -> Locked | None:
    """What the address of such a page says; None once the wait is over, and for what we have not
    told this browser.
    """
    has = services()
    body = signed_values.unseal(has.keyring, _PURPOSE, told)
    if body is None:
        return None
    until, why, browser = body.split(".")
    error = Locked(datetime.fromtimestamp(int(until), UTC), why=why)
    return error if browser == gate.browser_id() and error.until > has.clock() else None
