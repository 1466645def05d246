"""The step at which somebody enrols her second factor: two are asked of her, and she has one.

Nothing is written until her first code fits, or her browser has made a key. Then the app or the key,
her sheet of recovery codes and the proof are one transaction, and the page that answers shows the
sheet once.
"""

from datetime import datetime
from typing import Any

from flask import render_template, request, url_for
from sqlalchemy.orm import Session

from directory import people
from directory.base.audit import Actor
from directory.base.errors import Conflict, InvalidInput
from idp import sessions
from idp.factors import by_passkey, by_recovery_code, by_totp, second_factors
from idp.factors.factor import Epochs, Passed, Proven
from idp.login import flow as flows
from idp.login import reasons
from idp.login.policy import FlowState, Policy, ways_left
from idp.web import gate
from idp.web.gate import services
from idp.web.i18n import error_text, gettext


def page(flow: FlowState, policy: Policy, *, error: InvalidInput | None = None) -> Any:
    """The secret, as a picture and in letters, and where the first code is typed; beside it the
    button that makes a passkey, where there can be one.
    """
    has = services()
    with has.db.read() as session:
        username = people.standing(session, flow.user_id or 0).username
        passkey = _passkey_offer(session, flow, username)
    return render_template(
        "login/enrol.html",
        flow=flow,
        offer=by_totp.offer(has, flow.user_id or 0, username, flow.id),
        passkey_offer=passkey,
        others=ways_left(flow.proven, flow.demand, policy),
        why=reasons.more(flow, policy),
        error=error_text(error) if error else None,
        field=error.field if error else None,
    )


def _passkey_offer(session: Session, flow: FlowState, username: str) -> by_passkey.Offer | None:
    has = services()
    try:
        return by_passkey.offer(
            has,
            session,
            flow.user_id or 0,
            flow.id,
            username=username,
            full_name=username,
            now=has.clock(),
        )
    except Conflict:
        return None  # none are possible here: there is the app


def confirmed(flow: FlowState) -> Any:
    """The first code fits: the app is hers. The page with her recovery codes; None where the same
    form was sent before. Raises InvalidInput, Conflict.
    """
    has, now = services(), services().clock()
    user_id = flow.user_id or 0
    with has.db.write() as session:
        user = people.lock(session, [user_id])[0]
        actor = Actor("user", user.id, user.username, *gate.client_address())
        epochs = flow.proven[-1].epochs
        if user.access_epoch != epochs.user:
            raise Conflict(
                "login_overtaken", "Thông tin công tác của bạn vừa thay đổi. Hãy đăng nhập lại."
            )
        beside = second_factors.of(session, user_id)
        if not beside.may_begin([one.factor for one in flow.proven]):
            # Another sign-in of hers, or of somebody who knows her password, was first.
            return None
        enrol = _passkey if "credential" in request.form else _app
        proven = enrol(session, flow, epochs, now, actor)
        if proven is None:
            return None
        codes = by_recovery_code.issue(session, has.keyring, user_id, now=now, actor=actor)
        flows.record(session, flow, Passed(user_id, proven))
    return render_template(
        "login/recovery_codes.html",
        codes=codes,
        username=user.username,
        full_name=user.full_name,
        made_at=now,
        onward=url_for("login.show", flow_id=flow.at),
        asked_where=gate.absolute("/"),
    )


def _app(
    session: Session, flow: FlowState, epochs: Epochs, now: datetime, actor: Actor
) -> Proven | None:
    made = by_totp.confirm(
        session,
        services(),
        flow.user_id or 0,
        flow.id,
        request.form.get("code", ""),
        name=gettext("Ứng dụng xác thực"),
        now=now,
        actor=actor,
    )
    return by_totp.proven(now, epochs) if made else None


def _passkey(
    session: Session, flow: FlowState, epochs: Epochs, now: datetime, actor: Actor
) -> Proven | None:
    by_passkey.confirm(
        session,
        services(),
        flow.user_id or 0,
        flow.id,
        given=request.form.get("credential", ""),
        kept=request.form.get("kept", ""),
        name=sessions.describe_browser(request.user_agent.string) or "Passkey",
        now=now,
        actor=actor,
    )
    return by_passkey.made(now, epochs)
