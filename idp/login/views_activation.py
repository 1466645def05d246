"""The pages of a printed slip: its code and question, then a password, then on into a sign-in.

    /activate/<code>     what a QR code says: the code goes into a cookie, the browser on to the next
    /activate            the code is typed, or there already; nothing is looked up by looking
    /activate/at/<…>     the slip was opened by this browser a moment ago: the password

No page stands at an address that says a code: nothing that a page leads to hears of one, and a form
still says where it comes from (under ``no-referrer`` browsers send it with the origin "null").
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for

from connectors import notices
from connectors.notices import Notice
from directory import people
from directory.base import signed_values
from directory.base.audit import Actor
from directory.base.errors import Busy, InvalidInput, Misconfigured
from directory.entitlements import installation_epoch
from directory.people import User
from idp import sessions
from idp.factors import by_password, paper_code, passwords, slip_use, throttle
from idp.factors.factor import Epochs, Passed
from idp.factors.passwords import Choosing
from idp.login import changing, locked
from idp.login import flow as flows
from idp.web import gate, judged
from idp.web.gate import services
from idp.web.i18n import error_text

_OPENED = "slip-opened"
_BROUGHT = "slip"
_CODE_LONGEST = 100


def _page(template: str, status: int = 200, **about: Any) -> Response:
    return make_response(render_template(template, **about), status)


def ask() -> Any:
    """Where the code of a slip is typed."""
    return _page("login/slip.html", code=_brought())


def ask_with(code: str) -> Any:
    """The same, with the code of a QR code or a link; whether there is such a slip nobody is told."""
    has = services()
    response = redirect(url_for("login.slip"), 303)
    response.headers["Referrer-Policy"] = "no-referrer"
    value = has.keyring.encrypt(_BROUGHT, code[:_CODE_LONGEST].encode())
    gate.set_cookie(response, gate.cookie_name(_BROUGHT), value, max_age=has.settings.flow_lifetime)
    return response


def _brought() -> str:
    """The code that this browser has come with."""
    value = request.cookies.get(gate.cookie_name(_BROUGHT), "")
    try:
        code = services().keyring.decrypt(_BROUGHT, value).decode() if value else ""
    except Misconfigured:
        return ""
    return paper_code.grouped(code) if code.isdecimal() else code


def open_slip() -> Any:
    """The code and the answer: on to the password. Raises Locked."""
    has, now = services(), services().clock()
    ip, port = gate.client_address()
    actor = Actor("anonymous", None, "", ip, port)
    code = request.form.get("code", "")[:_CODE_LONGEST]
    answer = request.form.get("answer", "")[:_CODE_LONGEST]
    try:
        slip_id = slip_use.opened(has, code, answer, now=now, actor=actor)
    except InvalidInput as error:
        told = error_text(error)
        return _page("login/slip.html", 422, code=code, error=told, field=error.field)
    body = f"{slip_id}.{gate.browser_id()}.{int(now.timestamp())}"
    opened = signed_values.seal(has.keyring, _OPENED, body)
    response = redirect(url_for("login.activate", opened=opened), 303)
    gate.set_cookie(response, gate.cookie_name(_BROUGHT), "", max_age=0)
    return response


def _read(opened: str) -> tuple[int, str] | None:
    """(slip, name of the sign-in it leads to), where this browser opened it a moment ago."""
    has = services()
    body = signed_values.unseal(has.keyring, _OPENED, opened)
    if body is None:
        return None
    slip_id, browser, at = body.split(".")
    age = has.clock() - datetime.fromtimestamp(int(at), UTC)
    if browser != gate.browser_id() or age >= timedelta(seconds=has.settings.flow_lifetime):
        return None
    return int(slip_id), has.keyring.keyed_hash("slip-sign-in", body)[:22]


def activate(opened: str) -> Any:
    """The page at which she chooses a password; looking does not use the slip up."""
    has, found = services(), _read(opened)
    if found is None:
        return redirect(url_for("login.slip"), 303)
    try:
        with has.db.read() as session:
            owner = slip_use.owner(session, found[0], now=has.clock())
    except InvalidInput as error:
        return _page("login/slip.html", 422, code="", error=error_text(error), field="code")
    return _choose(opened, owner)


def _choose(opened: str, owner: User, error: InvalidInput | Busy | None = None) -> Response:
    page = _page(
        "login/activate.html",
        error.status if error else 200,
        owner=owner,
        choosing=_choosing(owner),
        judge=url_for("login.judge_first", opened=opened),
        error=error_text(error) if error else None,
        field=error.field if isinstance(error, InvalidInput) else None,
        reasons=judged.reasons(error),
    )
    return locked.put_off(page, error) if isinstance(error, Busy) else page


def _choosing(owner: User) -> Choosing:
    """What is asked of her password."""
    has = services()
    with has.db.read() as session:
        return passwords.choosing(
            session, owner, settings=has.settings, now=has.clock(), first=True
        )


def judge(opened: str) -> Any:
    """What is to be said of the first password that is being typed. Raises InvalidInput, Locked."""
    has, found = services(), _read(opened)
    if found is None:
        raise flows.unknown()
    with has.db.read() as session:
        owner = slip_use.owner(session, found[0], now=has.clock())
    return judged.answer(_choosing(owner), owner.id)


def activated(opened: str) -> Any:
    """Set the password by the slip, once, and go on into a sign-in that has it."""
    has, now, found = services(), services().clock(), _read(opened)
    if found is None:
        return redirect(url_for("login.slip"), 303)
    slip_id, flow_id = found
    browser = gate.browser_id()
    onward = redirect(url_for("login.show", flow_id=flow_id), 303)
    try:
        with has.db.read() as session:
            if flows.find(session, flow_id, browser=browser, now=now) is not None:
                return onward  # the button was pressed twice
            owner = slip_use.owner(session, slip_id, now=now)
    except InvalidInput as error:
        return _page("login/slip.html", 422, code="", error=error_text(error), field="code")
    try:
        phc = changing.new_password(_choosing(owner))
    except (InvalidInput, Busy) as error:
        return _choose(opened, owner, error)
    ip, port = gate.client_address()
    actor = Actor("user", owner.id, owner.username, ip, port)
    try:
        with has.db.write() as session:
            slip_use.use(session, slip_id, now=now)
            epoch = people.lock(session, [owner.id])[0].access_epoch
            epoch, ended = sessions.cut_others(
                session, owner.id, epoch=epoch, keep=None, now=now, actor=actor
            )
            passwords.store(session, owner.id, phc, must_change=False, now=now, actor=actor)
            notices.tell(session, owner.id, Notice.PASSWORD_CHANGED, now=now, actor=actor)
            throttle.unlock(session, owner.id, now=now, actor=actor)
            gate.sessions_ended(session, ended, now=now, reason="password")
            flows.begin(
                session,
                return_to="/",
                client_id=None,
                request={},
                now=now,
                settings=has.settings,
                browser=browser,
                flow_id=flow_id,
            )
            begun = flows.load(session, flow_id, browser=browser, now=now)
            proven = by_password.proven(now, Epochs(epoch, installation_epoch(session)))
            flows.record(session, begun, Passed(owner.id, proven))
    except InvalidInput as error:
        return _page("login/slip.html", 422, code="", error=error_text(error), field="code")
    return onward


def install(blueprint: Blueprint) -> None:
    """Register the pages."""
    blueprint.add_url_rule("/activate", "slip", ask)
    blueprint.add_url_rule("/activate", "open_slip", open_slip, methods=["POST"])
    blueprint.add_url_rule("/activate/<code>", "slip_with", ask_with)
    blueprint.add_url_rule("/activate/at/<opened>", "activate", activate)
    blueprint.add_url_rule("/activate/at/<opened>", "activated", activated, methods=["POST"])
    blueprint.add_url_rule("/activate/at/<opened>/judged", "judge_first", judge, methods=["POST"])
