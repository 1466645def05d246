"""The new password that a sign-in with a temporary one demands."""

from flask import request

from connectors import notices
from connectors.notices import Notice
from directory import people
from directory.base.audit import Actor
from directory.people import User
from idp import sessions
from idp.factors import passwords, slips
from idp.factors.passwords import Choosing
from idp.login import flow as flows
from idp.login.policy import FlowState
from idp.web import gate
from idp.web.gate import services


def who_chooses(flow: FlowState) -> tuple[User, Choosing]:
    """Whose sign-in it is, and what is asked of her new password."""
    has = services()
    with has.db.read() as session:
        user = people.get(session, flow.user_id or 0)
        return user, passwords.choosing(session, user, settings=has.settings, now=has.clock())


def new_password(choosing: Choosing) -> str:
    """The hash of a checked new password from the form. Raises InvalidInput."""
    given, again = request.form.get("password", ""), request.form.get("again", "")
    return choosing.hash(services().passwords, given, again=again)


def change(flow: FlowState) -> None:
    """Set the password of the form. Raises InvalidInput, Conflict."""
    has = services()
    user, choosing = who_chooses(flow)
    phc = new_password(choosing)
    now = has.clock()
    ip, port = gate.client_address()
    actor = Actor("user", user.id, user.username, ip, port)
    with has.db.write() as session:
        epoch, ended = sessions.cut_others(
            session, user.id, epoch=flow.user_epoch, keep=None, now=now, actor=actor
        )
        flows.record_change(session, flow, user_epoch=epoch)
        slips.void(session, [user.id], why="password", now=now, actor=actor)
        passwords.store(session, user.id, phc, must_change=False, now=now, actor=actor)
        notices.tell(session, user.id, Notice.PASSWORD_CHANGED, now=now, actor=actor)
        gate.sessions_ended(session, ended, now=now, reason="password")
