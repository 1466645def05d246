"""Who may enter the console, for how long, and what is asked again before anything is written.

Administration has a shorter idle limit than the rest. What a browser did here last is kept in a
sealed cookie bound to the session and to its sign-in: without one, the sign-in itself must be
recent. Before each write a factor must be fresh (``confirm``): the same cookie remembers for ``sudo_window``
that the password was given again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import Response, flash, g, redirect, request, url_for

from directory import entitlements, permissions
from directory.base import signed_values
from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.base.errors import Busy, InvalidInput, NeedsStepUp, NotAllowed
from directory.permissions import Do, Rights, Role
from idp.assurance import Level
from idp.demands import Operation
from idp.factors import by_password, passwords
from idp.sessions import SessionView
from idp.web import gate, unwritten
from idp.web.asked_again import Why
from idp.web.gate import services
from idp.web.i18n import gettext

_PURPOSE = "console"


@dataclass(frozen=True)
class Asker:
    """The person at the console in this request."""

    view: SessionView
    actor: Actor
    rights: Rights
    now: datetime
    confirmed_at: datetime | None
    """When she last gave her password again, if that was in this session."""
    unconfirmed_since: datetime | None = None
    """When a backup was put back whose staff list nobody has confirmed yet, if one was."""

    @property
    def confirmed(self) -> bool:
        """Whether the password need not be asked again yet. Of whoever came in by a sealed envelope it is
        never asked: she has no other way left, and her session is short.
        """
        if self.view.sealed:
            return True
        window = timedelta(seconds=services().settings.sudo_window)
        return self.confirmed_at is not None and self.now - self.confirmed_at < window

    @property
    def signed_in_lately(self) -> bool:
        """Whether the sign-in itself is as new as that."""
        window = timedelta(seconds=services().settings.sudo_window)
        return self.now - self.view.asked_at < window

    @property
    def sees_people(self) -> bool:
        """Whether people, units and changes are hers to look at."""
        return self.rights.paths(Do.SEE) != []

    @property
    def joins_people(self) -> bool:
        """Whether there is a unit into which she may take somebody new."""
        return self.rights.paths(Do.CHANGE) != []

    @property
    def manages_applications(self) -> bool:
        """Whether any application is hers."""
        owning = {Role.ADMINISTRATOR, Role.APPLICATION_OWNER}
        return any(r.role in owning and r.path is None for r in self.rights.reaches)

    @property
    def runs_installation(self) -> bool:
        """Whether jobs and clients of the whole installation are hers."""
        return self.rights.may(Do.MANAGE_INSTALLATION, None)

    @property
    def sees_logouts(self) -> bool:
        """Whether it is hers to see which applications have not acknowledged a sign-out."""
        return self.manages_applications or self.sees_audit

    @property
    def sees_demands(self) -> bool:
        """Whether rights and demands of the whole installation are hers to look at."""
        return self.runs_installation or self.rights.paths(Do.SEE_AUDIT) is None

    @property
    def sees_audit(self) -> bool:
        """Whether she may read the audit trail, of everything or of her subtree."""
        return self.rights.paths(Do.SEE_AUDIT) != []


def asker() -> Asker:
    """Who is asking; set by ``enter``."""
    found: Asker = g.console
    return found


def today() -> date:
    """The day in Viet Nam."""
    return local_day(asker().now)


def enter() -> Any:
    """Before every request of the console: a session, recent enough, of somebody with a role.

    Raises NotAllowed for a person without any role.
    """
    view = gate.current_session()
    if view is None:
        return redirect(gate.login_url(gate.back_here()), 303)
    if (more := gate.asked_more(view)) is not None:
        return more
    has = services()
    now = has.clock()
    seen, confirmed = _remembered(view)
    limit = has.settings.admin_idle if seen and not view.sealed else has.settings.session_idle
    if now - (seen or view.asked_at) > timedelta(seconds=limit):
        why = Why.IDLE if seen else Why.OLD
        return redirect(gate.login_url(gate.back_here(), prompt="login", why=why), 303)
    actor = gate.actor()
    with has.db.read() as session:
        granted = permissions.rights(session, actor, local_day(now))
        elsewhere = permissions.rights(session, replace(actor, posts=None), local_day(now))
        unconfirmed = entitlements.unconfirmed_since(session)
    if not granted.reaches and elsewhere.reaches:
        flash(
            gettext(
                "Vai trò quản trị của bạn thuộc về một vị trí công tác khác. Hãy chuyển sang vị trí đó."
            ),
            "wait",
        )
        return redirect(url_for("portal.capacity"), 303)
    if not granted.reaches:
        raise NotAllowed("console", "Trang này dành cho người có vai trò quản trị.", missing="role")
    g.console = Asker(view, actor, granted, now, confirmed, unconfirmed)
    return None


def leave(response: Response) -> Response:
    """After every request: remember that the person was here."""
    if "console" not in g:
        return response
    who = asker()
    stamps = (who.view.auth_time, who.now, who.confirmed_at)
    body = ".".join([who.view.id, *(str(int(t.timestamp())) if t else "0" for t in stamps)])
    response.set_cookie(
        gate.cookie_name(_PURPOSE),
        signed_values.seal(services().keyring, _PURPOSE, body),
        path="/",
        secure=services().settings.secure,
        httponly=True,
        samesite="Strict",
    )
    return response


def _remembered(view: SessionView) -> tuple[datetime | None, datetime | None]:
    """(last here, password given again) of this session since this sign-in."""
    value = request.cookies.get(gate.cookie_name(_PURPOSE), "")
    parts = (signed_values.unseal(services().keyring, _PURPOSE, value) or "").split(".")
    if len(parts) != 4 or parts[:2] != [view.id, str(int(view.auth_time.timestamp()))]:
        return None, None
    seen, confirmed = (datetime.fromtimestamp(int(p), UTC) if int(p) else None for p in parts[2:])
    return seen, confirmed


def number(name: str, asked: Mapping[str, str] | None = None) -> int | None:
    """A value that is an id, of the query or of what was ``asked`` by a form; None for anything no
    row could have.
    """
    value = (request.args if asked is None else asked).get(name, "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 16 else None


def require(allowed: bool) -> None:
    """Raises NotAllowed unless ``allowed``."""
    if not allowed:
        raise NotAllowed("not_allowed", "Không có quyền thực hiện việc này.", missing="role")


def confirm(operation: Operation, *, in_form: bool = True) -> None:
    """Before something is written: the sign-in is as strong as this asks for, and a factor of hers is
    fresh: the password of the form fits, or was given a moment ago. Whoever has none, and whoever sends
    a form that does not ask for it, has signed in a moment ago, or does so now, and comes back.

    Raises InvalidInput, Locked, NeedsStepUp. Wrong passwords count by themselves, for this sign-in: a
    stolen session is no way to guess.
    """
    who = asker()
    if request.form.get(unwritten.RESUMED):
        raise InvalidInput(
            "nothing_written",
            "Chưa có gì được ghi. Hãy xem lại những gì đã điền rồi gửi lại.",
            field="",
        )
    if (more := gate.lacking(who.view, operation)) is not None:
        gate.require_within_reach(who.view, more)
        raise NeedsStepUp(more.level, why=operation)
    if who.confirmed:
        return
    if in_form and _has_password(who):
        _confirm_password(who)
    elif not who.signed_in_lately:
        raise NeedsStepUp(Level.AAL1, why=operation)


def _has_password(who: Asker) -> bool:
    with services().db.read() as session:
        return bool(passwords.having(session, [who.view.user_id]))


def _confirm_password(who: Asker) -> None:
    given = request.form.get("password", "")
    if not given:
        raise InvalidInput(
            "password_again",
            "Chưa có gì được ghi. Hãy nhập lại mật khẩu để xác nhận.",
            field="password",
        )
    if not _again(who, given):
        if passwords.has_marks(given):
            raise InvalidInput(
                "password_wrong",
                "Mật khẩu không đúng. Trong những gì bạn gõ có chữ có dấu: bộ gõ tiếng Việt đang bật?",
                field="password",
            )
        raise InvalidInput("password_wrong", "Mật khẩu không đúng.", field="password")
    g.console = replace(who, confirmed_at=who.now)


def _again(who: Asker, given: str) -> bool:
    view = who.view
    try:
        return by_password.again(
            services(), view.username, given, signed_in=view.auth_time, now=who.now, actor=who.actor
        )
    except Busy as error:
        # Every page of the console keeps its form for what is wrong in it.
        raise InvalidInput(error.code, error.message, field="password") from error
