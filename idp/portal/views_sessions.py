"""Where I am signed in: looked at, ended, and said to be not mine."""

from datetime import timedelta
from typing import Any, cast

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for

from connectors import notices
from connectors.notices import Notice
from directory import people
from directory.base import audit
from directory.base.audit import Tag
from directory.base.errors import Conflict
from idp import sessions
from idp.factors import disowning
from idp.oidc import frontchannel
from idp.oidc import logout as endings
from idp.oidc.routes import signing_out
from idp.portal import pages_sessions
from idp.portal.pages_sessions import Disowned
from idp.sessions import SessionView
from idp.web import ending, gate
from idp.web.gate import actor, current_session, require_session, services
from idp.web.i18n import gettext


def _me() -> SessionView:
    """The session of a guarded view."""
    return cast("SessionView", current_session())


@require_session
def my_sessions() -> str:
    """Where I am signed in."""
    has = services()
    with has.db.read() as session:
        devices = pages_sessions.my_devices(session, _me(), now=has.clock(), settings=has.settings)
    return render_template("portal/sessions.html", devices=devices)


@require_session
def end_sessions() -> Any:
    """End one of my sessions, or all but this one."""
    has, me, now = services(), _me(), services().clock()
    wanted = request.form.get("session", "")
    with has.db.write() as session:
        mine = {row.id for row in sessions.living(session, [me.user_id], now=now)}
        chosen = (mine if wanted == "others" else mine & {wanted}) - {me.id}
        ended = sessions.end_many(session, chosen, now=now, reason="ended by owner", actor=actor())
        gate.sessions_ended(session, ended, now=now, reason="ended by owner")
    if wanted == me.id:
        return signing_out.sign_out()
    if ended:
        flash(gettext("Đã kết thúc {count} phiên đăng nhập.", count=len(ended)), "good")
    return redirect(url_for("portal.sessions"), 303)


@require_session
def sign_ins() -> str:
    """Who came in as me, and who was refused."""
    has = services()
    with has.db.read() as session:
        page = pages_sessions.history(
            session, _me(), settings=has.settings, before=_number("before")
        )
    return render_template("portal/sign_ins.html", page=page)


def _number(name: str) -> int | None:
    """A value that is an id; None for anything no row could have."""
    value = request.values.get(name, "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 16 else None


@require_session
def stay() -> Any:
    """I am still here: how long the session goes on then. Asked for by a page's script."""
    return jsonify(ending.here().told)


# ---- not me --------------------------------------------------------------------------------------


def _disowned(session: Any) -> Disowned:
    return pages_sessions.disowned(
        session,
        _me(),
        settings=services().settings,
        of=request.values.get("session", ""),
        entry=_number("entry"),
    )


@require_session
def not_me() -> str:
    """What it means to say so, before anything is done. Raises NotFound."""
    with services().db.read() as session:
        found = _disowned(session)
    return render_template("portal/not_me.html", found=found)


@require_session
def disown() -> Any:
    """It was not me: all my sessions end, and all that applications hold for me; my password is void,
    and with it what whoever it was may have to prove herself with. Raises NotFound, Conflict.
    """
    has, me, now = services(), _me(), services().clock()
    with has.db.read() as session:
        frames = frontchannel.frames(session, has, me.id)
    with has.db.write() as session:
        person = people.lock(session, [me.user_id])[0]
        if person.access_epoch != me.user_epoch:
            raise Conflict(
                "login_overtaken", "Thông tin công tác của bạn vừa thay đổi. Hãy đăng nhập lại."
            )
        found = _disowned(session)
        gone = disowning.void(
            session,
            me.user_id,
            beyond_password=found.beyond_password,
            # What was enrolled on the way in is part of it.
            since=found.at - timedelta(seconds=has.settings.flow_lifetime),
            now=now,
            actor=actor(),
        )
        ended = endings.end_everywhere(
            session, me.user_id, now=now, settings=has.settings, actor=actor()
        )
        audit.record(
            session,
            Tag.LOGIN_DISOWN,
            at=now,
            actor=actor(),
            subject=("user", me.user_id),
            data={
                "session": found.session_id,
                "at": found.at.isoformat(),
                "count": len(ended),
                "factors": list(gone),
            },
        )
        notices.tell(
            session,
            me.user_id,
            Notice.NOT_ME,
            now=now,
            actor=actor(),
            device=found.what,
            network=found.network,
            ip=found.address,
        )
    lost = any(code != "password" for code in gone)
    return signing_out.farewell(
        frames, location=url_for("portal.disowned", lost="yes" if lost else None)
    )


def disowned() -> str:
    """What to do next, for whoever has said so: nobody is signed in."""
    lost = request.args.get("lost") == "yes"
    contact = services().settings.notice_contact
    return render_template("portal/disowned.html", lost=lost, contact=contact)


def install(blueprint: Blueprint) -> None:
    """Register the pages."""
    blueprint.add_url_rule("/portal/sessions", "sessions", my_sessions)
    blueprint.add_url_rule("/portal/sessions/end", "end_sessions", end_sessions, methods=["POST"])
    blueprint.add_url_rule("/portal/sessions/stay", "stay", stay)
    blueprint.add_url_rule("/portal/sessions/history", "sign_ins", sign_ins)
    blueprint.add_url_rule("/portal/sessions/not-me", "not_me", not_me)
    blueprint.add_url_rule("/portal/sessions/not-me", "disown", disown, methods=["POST"])
    blueprint.add_url_rule("/portal/sessions/ended", "disowned", disowned)
