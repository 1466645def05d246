"""The portal's routes: read by ``pages``, act in one transaction, render or redirect."""

from dataclasses import replace
from typing import Any, cast

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for

from connectors import notices
from connectors.notices import Notice
from connectors.pki import issued, requests
from directory.base.clock import local_day
from directory.base.errors import Busy, Conflict, DinhdanhError, InvalidInput, NotFound
from directory.people import User
from idp import sessions
from idp.factors import by_password, passwords, slips
from idp.factors.passwords import Choosing
from idp.oidc import frontchannel
from idp.oidc import logout as endings
from idp.oidc.routes import signing_out
from idp.portal import (
    pages,
    pages_consents,
    pages_sessions,
    views_sessions,
    views_way_certificate,
    views_ways,
)
from idp.sessions import SessionView
from idp.web import gate, judged, unwritten
from idp.web.gate import actor, current_session, require_session, services
from idp.web.i18n import error_text, gettext

blueprint = Blueprint("portal", __name__)
views_sessions.install(blueprint)
views_ways.install(blueprint)
views_way_certificate.install(blueprint)


def _me() -> SessionView:
    """The session of a guarded view."""
    return cast("SessionView", current_session())


@blueprint.get("/")
@require_session
def home() -> Any:
    """The launcher."""
    has, me = services(), _me()
    with has.db.read() as session:
        shown = pages.launcher(session, me, now=has.clock())
        approvals = pages.approvals(session, actor(), now=has.clock()) if me.administers else None
    return render_template("portal/home.html", shown=shown, approvals=approvals)


# ---- consents --------------------------------------------------------------------------------


@blueprint.get("/portal/consents")
@require_session
def consents() -> Any:
    """Which applications I allowed what, and which may act without me."""
    has, me = services(), _me()
    with has.db.read() as session:
        held = pages_consents.allowed(
            session, me.user_id, issuer=has.settings.issuer, now=has.clock()
        )
    return render_template("portal/consents.html", held=held)


@blueprint.post("/portal/consents/<client_id>/revoke")
@require_session
def revoke_consent(client_id: str) -> Any:
    """Take back what I allowed: its grants end, it is told, and it must ask again."""
    has, me, now = services(), _me(), services().clock()
    with has.db.write() as session:
        key = pages_consents.client_of(session, client_id)
        if key is None:
            raise NotFound("client_unknown", "Không tìm thấy ứng dụng khách.")
        endings.end_consent(session, me.user_id, key, now=now, actor=actor())
    flash(gettext("Đã thu hồi. Ứng dụng không còn được truy cập thay bạn."), "good")
    return redirect(url_for("portal.consents"), 303)


# ---- capacity --------------------------------------------------------------------------------


@blueprint.get("/portal/capacity")
@require_session
def capacity() -> Any:
    """What I may act as."""
    has, me = services(), _me()
    with has.db.read() as session:
        held = pages.capacities(session, me.user_id, now=has.clock())
    return render_template("portal/capacity.html", held=held, chosen=me.assignment_id)


@blueprint.post("/portal/capacity")
@require_session
def switch_capacity() -> Any:
    """Act as something else: a new session, the old one's relying parties are told."""
    has, me, now = services(), _me(), services().clock()
    wanted = request.form.get("assignment", "")
    ip, port = gate.client_address()
    with has.db.write() as session:
        held = {h.id: h for h in pages.capacities(session, me.user_id, now=now)}
        chosen = held.get(int(wanted)) if wanted.isdecimal() and len(wanted) < 16 else None
        if chosen is None:
            raise InvalidInput(
                "capacity_unknown",
                "Hãy chọn một vị trí công tác trong danh sách.",
                field="assignment",
            )
        if chosen.id == me.assignment_id:
            return redirect(url_for("portal.home"), 303)
        there = replace(me, position_code=chosen.position_code, position_name=chosen.position_name)
        if (more := gate.lacking(there)) is not None:
            return gate.step_up(me, more, url_for("portal.capacity"))
        _view, cookie = sessions.switch(
            session,
            me,
            chosen.id,
            now=now,
            settings=has.settings,
            keyring=has.keyring,
            ip=ip,
            port=port,
        )
        gate.sessions_ended(session, [me.id], now=now, reason="switched")
    flash(
        gettext(
            "Bạn đang làm việc với vị trí {position}, {unit}.",
            position=chosen.position_name,
            unit=chosen.unit.name,
        ),
        "good",
    )
    response = redirect(url_for("portal.home"), 303)
    gate.set_session_cookie(response, cookie)
    return response


# ---- certificates ----------------------------------------------------------------------------


@blueprint.get("/portal/certificates", endpoint="certificates")
@require_session
def my_certificates() -> Any:
    """My certificates, what is waiting for me, and where to send a request."""
    return _certificates()


def _certificates(*, error: str | None = None, csr: str = "") -> Any:
    has, me, now = services(), _me(), services().clock()
    with has.db.read() as session:
        held = issued.certificates_of(session, me.user_id, now=now)
        waiting = requests.open_requests(session, me.user_id)
    return render_template(
        "portal/certificates.html",
        held=held,
        waiting=[r for r in waiting if r.opened_at <= now],
        coming=[r for r in waiting if r.opened_at > now],
        error=error,
        csr=csr,
    )


@blueprint.post("/portal/certificates/request")
@require_session
def request_certificate() -> Any:
    """Ask for a certificate of my own."""
    has, me = services(), _me()
    try:
        with has.db.write() as session:
            requests.request(session, me.user_id, now=has.clock())
    except Conflict as error:
        flash(error_text(error), "wait")
    return redirect(url_for("portal.certificates"), 303)


@blueprint.post("/portal/certificates")
@require_session
def submit_csr() -> Any:
    """Answer an open request with a CSR; the certificate is shown once made."""
    has, me = services(), _me()
    upload = request.files.get("file")
    csr = upload.read(20_000).decode("ascii", "replace") if upload and upload.filename else ""
    csr = csr or request.form.get("csr", "")[:20_000]
    if request.form.get(unwritten.RESUMED):
        return _certificates(csr=csr), 422
    try:
        pem = requests.fulfil(
            has.db, has.keyring, has.settings, me.user_id, csr, now=has.clock(), actor=actor()
        )
    except (InvalidInput, Conflict) as error:
        return _certificates(error=error_text(error), csr=csr), error.status
    if pem is None:
        flash(
            gettext("Yêu cầu đã gửi đến nơi cấp; chứng thư sẽ có ở trang này khi được cấp."), "wait"
        )
        return redirect(url_for("portal.certificates"), 303)
    if request.form.get("as") == "file":
        return _pem(pem, me.username)
    return render_template("portal/certificate_issued.html", pem=pem)


@blueprint.get("/portal/certificates/<serial>.pem")
@require_session
def download_certificate(serial: str) -> Any:
    """One of my certificates as a file."""
    has, me = services(), _me()
    with has.db.read() as session:
        pem = pages.certificate_pem(session, me.user_id, serial)
    return _pem(pem, f"{me.username}-{serial[:8]}")


def _pem(pem: str, name: str) -> Response:
    return Response(
        pem,
        mimetype="application/x-pem-file",
        headers={"Content-Disposition": f'attachment; filename="{name}.pem"'},
    )


# ---- profile ---------------------------------------------------------------------------------


@blueprint.get("/portal/profile", endpoint="profile")
@require_session
def my_profile() -> Any:
    """What the directory holds about me, and my password."""
    return _profile()


def _profile(*, error: DinhdanhError | None = None) -> Any:
    has, me = services(), _me()
    wrong = error if isinstance(error, InvalidInput) else None
    with has.db.read() as session:
        shown = pages.profile(session, me.user_id)
        choosing = _choosing(session, shown.user)
    return render_template(
        "portal/profile.html",
        shown=shown,
        today=local_day(has.clock()),
        choosing=choosing,
        error=error_text(error) if error else None,
        field=wrong.field if wrong else None,
        reasons=judged.reasons(wrong),
    )


def _choosing(session: Any, user: User) -> Choosing:
    """Me, about to choose another password."""
    has = services()
    return passwords.choosing(session, user, settings=has.settings, now=has.clock())


@blueprint.post("/portal/profile/judged")
@require_session
def judge_password() -> Any:
    """What is to be said of the new password that I am typing. Raises Locked."""
    has, me = services(), _me()
    with has.db.read() as session:
        choosing = _choosing(session, pages.profile(session, me.user_id).user)
    return judged.answer(choosing, me.user_id)


@blueprint.post("/portal/profile/password")
@require_session
def change_password() -> Any:
    """Change my password; every other session of mine ends."""
    has, me, now = services(), _me(), services().clock()
    with has.db.read() as session:
        user = pages.profile(session, me.user_id).user
        choosing = _choosing(session, user)
    given, again = request.form.get("password", ""), request.form.get("again", "")
    try:
        _confirm_password()
        phc = choosing.hash(has.passwords, given, again=again)
    except InvalidInput as error:
        return _profile(error=error), 422
    except Busy as error:
        return _profile(error=error), error.status, {"Retry-After": str(error.after)}
    with has.db.write() as session:
        _, ended = sessions.cut_others(
            session, user.id, epoch=me.user_epoch, keep=me.id, now=now, actor=actor()
        )
        slips.void(session, [user.id], why="password", now=now, actor=actor())
        passwords.store(session, user.id, phc, must_change=False, now=now, actor=actor())
        notices.tell(session, user.id, Notice.PASSWORD_CHANGED, now=now, actor=actor())
        gate.sessions_ended(session, ended, now=now, reason="password")
    flash(gettext("Đã đổi mật khẩu. Các phiên đăng nhập khác đã kết thúc."), "good")
    return redirect(url_for("portal.profile"), 303)


def _confirm_password() -> None:
    """The present password, which a stolen session is no way to guess. Raises InvalidInput, Locked."""
    has, me, given = services(), _me(), request.form.get("current", "")
    if not by_password.again(
        has,
        me.username,
        given,
        signed_in=me.auth_time,
        now=has.clock(),
        actor=actor(),
        field="current",
    ):
        if passwords.has_marks(given):
            raise InvalidInput(
                "password_wrong",
                "Mật khẩu hiện tại không đúng. Trong những gì bạn gõ có chữ có dấu: bộ gõ tiếng Việt đang bật?",
                field="current",
            )
        raise InvalidInput("password_wrong", "Mật khẩu hiện tại không đúng.", field="current")


# ---- signing out -----------------------------------------------------------------------------


@blueprint.post("/logout")
def logout() -> Any:
    """End my session here; relying parties are told."""
    return signing_out.sign_out()


@blueprint.get("/portal/everywhere")
@require_session
def everywhere() -> Any:
    """What signing out everywhere ends, before it does."""
    has, me, now = services(), _me(), services().clock()
    with has.db.read() as session:
        devices = pages_sessions.my_devices(session, me, now=now, settings=has.settings)
        held = pages_consents.allowed(session, me.user_id, issuer=has.settings.issuer, now=now)
    lasting = [one for one in held if one.lasting]
    return render_template("portal/everywhere.html", devices=devices, lasting=lasting)


@blueprint.post("/portal/everywhere")
@require_session
def end_everywhere() -> Any:
    """Sign me out on every device, and end what applications hold on my behalf."""
    has, me, now = services(), _me(), services().clock()
    with has.db.read() as session:
        frames = frontchannel.frames(session, has, me.id)
    with has.db.write() as session:
        endings.end_everywhere(session, me.user_id, now=now, settings=has.settings, actor=actor())
    return signing_out.farewell(frames)


@blueprint.get("/session/status")
def session_status() -> Any:
    """Whether the cookie presented opens doors; asking is no sign of life."""
    has = services()
    value = request.cookies.get(gate.cookie_name(), "")
    if sessions.is_control(has.keyring, value):
        return jsonify(active=True)
    with has.db.hot() as connection:
        view = sessions.peek(connection, has.keyring, value, now=has.clock())
    if view is None:
        return jsonify(active=False), 401
    return jsonify(active=True)
