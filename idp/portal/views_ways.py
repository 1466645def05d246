"""My ways to sign in: what I have, what I add, rename, take away or have lost.

Whatever is touched asks for a sign-in of a moment ago that proved as much as it gives; the first of
all, and the report of a loss, ask for any. Who is signed in too weakly for the rest of the pages gets
here, and sees what there is to be done.
"""

from collections.abc import Sequence
from typing import Any, cast

from flask import Blueprint, flash, redirect, render_template, request, url_for

from directory import people
from directory.base.errors import Conflict, InvalidInput, NotAllowed
from idp import sessions
from idp.assurance import TWO_FACTORS, asked_here, reaches
from idp.factors import (
    by_certificate,
    by_passkey,
    by_recovery_code,
    by_totp,
    enrolled,
    passkey_site,
    registry,
    second_factors,
)
from idp.factors.enrolled import HeldFactor
from idp.factors.passkey_site import Without
from idp.portal import pages_ways
from idp.sessions import SessionView
from idp.web import gate
from idp.web.gate import actor, current_session, require_any_session, services
from idp.web.i18n import error_text, gettext

MOST_APPS = 5
"""Apps one person may have at once."""
MOST_PASSKEYS = 10
MOST_CERTIFICATES = 5


def _me() -> SessionView:
    """The session of a guarded view."""
    return cast("SessionView", current_session())


def _here() -> Any:
    return redirect(url_for("portal.ways"), 303)


@require_any_session
def ways() -> str:
    """What I have to prove myself with, and what happened to it."""
    has, me = services(), _me()
    with has.db.read() as session:
        shown = pages_ways.ways(session, me.user_id, now=has.clock())
    return render_template(
        "portal/ways.html",
        shown=shown,
        titles={code: gettext(title) for code, title in registry.titles().items()},
        apps=_room(shown.others, by_totp.CODE, MOST_APPS),
        passkeys=_room(shown.others, by_passkey.CODE, MOST_PASSKEYS),
        certificates=by_certificate.possible(has.settings)
        and _room(shown.others, by_certificate.CODE, MOST_CERTIFICATES),
        without=_without(),
    )


def _room(held: Sequence[HeldFactor], kind: str, most: int) -> bool:
    """Whether she may have one more of a kind."""
    return sum(one.kind == kind for one in held) < most


def _without() -> str:
    """Why there are no passkeys at this address; nothing where there are."""
    why = passkey_site.without(services().settings)
    if why is None:
        return ""
    if why is Without.INSECURE:
        return gettext(
            "Ở đây chưa dùng được khóa đăng nhập (passkey): trình duyệt chỉ cho dùng trên trang https."
        )
    if why is Without.ADDRESS:
        return gettext(
            "Ở đây chưa dùng được khóa đăng nhập (passkey): hệ thống đang mở bằng địa chỉ IP, "
            "passkey cần một tên miền."
        )
    return gettext(
        "Ở đây chưa dùng được khóa đăng nhập (passkey): tên miền của hệ thống không phù hợp. Người "
        "quản trị xem lý do bằng lệnh dinhdanh check."
    )


def _proven_anew() -> Any:
    """Where whoever is to prove herself as strongly as what she touches goes; None where she has, a
    moment ago. Raises NotAllowed where she cannot.
    """
    has, me = services(), _me()
    with has.db.read() as session:
        least = pages_ways.asked_for(session, me, now=has.clock(), settings=has.settings)
    if least is None:
        return None
    return redirect(gate.login_url(gate.back_here(), prompt="login", least=least), 303)


# ---- apps ------------------------------------------------------------------------------------


@require_any_session
def new_app() -> Any:
    """The secret for one more app; the same until it is confirmed."""
    return _proven_anew() or _app_page()


def _app_page(error: InvalidInput | None = None) -> str:
    has, me = services(), _me()
    with has.db.read() as session:
        offer = by_totp.offer(has, me.user_id, me.username, _within(session, me))
    return render_template(
        "portal/way_app.html",
        offer=offer,
        name=request.form.get("name", ""),
        error=error_text(error) if error else None,
        field=error.field if error else None,
    )


def _within(session: Any, me: SessionView) -> str:
    """What the next enrolment of this session is known by."""
    return f"{me.id}.{enrolled.count_ever(session, me.user_id)}"


@require_any_session
def add_app() -> Any:
    """The first code of one more app."""
    if (elsewhere := _proven_anew()) is not None:
        return elsewhere
    has, me, now = services(), _me(), services().clock()
    codes: Any = None
    try:
        with has.db.write() as session:
            if not _may_add(session, me):
                return _here()
            held = enrolled.held(session, me.user_id)
            if not _room(held, by_totp.CODE, MOST_APPS):
                raise Conflict(
                    "apps_many", "Đã có {most} ứng dụng. Hãy bỏ bớt trước.", most=MOST_APPS
                )
            made = by_totp.confirm(
                session,
                has,
                me.user_id,
                _within(session, me),
                request.form.get("code", ""),
                name=request.form.get("name", "").strip() or gettext("Ứng dụng xác thực"),
                now=now,
                actor=actor(),
            )
            if made and by_recovery_code.CODE not in {one.kind for one in held}:
                codes = by_recovery_code.issue(
                    session, has.keyring, me.user_id, now=now, actor=actor()
                )
    except InvalidInput as error:
        return _app_page(error), 422
    return _sheet(codes) if codes else _here()


def _lock(session: Any, me: SessionView) -> None:
    """Nothing of hers changes until this is written. Raises Conflict where something just has: what
    is cut meanwhile leaves nothing new behind.
    """
    person = people.lock(session, [me.user_id])[0]
    if person.access_epoch != me.user_epoch:
        raise Conflict(
            "login_overtaken", "Thông tin công tác của bạn vừa thay đổi. Hãy đăng nhập lại."
        )


def _may_add(session: Any, me: SessionView) -> bool:
    """Whether she may enrol one more now; she is locked. Raises Conflict."""
    _lock(session, me)
    # Where it is not so, somebody who knows the password too was first.
    beside = second_factors.of(session, me.user_id)
    return reaches(me.acr, TWO_FACTORS) or beside.may_begin()


# ---- passkeys --------------------------------------------------------------------------------


@require_any_session
def new_passkey() -> Any:
    """One more passkey: a challenge of its own for each page."""
    return _proven_anew() or _passkey_page()


def _passkey_page(error: InvalidInput | None = None) -> str:
    has, me = services(), _me()
    with has.db.read() as session:
        offer = by_passkey.offer(
            has,
            session,
            me.user_id,
            me.id,
            username=me.username,
            full_name=me.full_name,
            now=has.clock(),
        )
    return render_template(
        "portal/way_passkey.html",
        offer=offer,
        name=request.form.get("name", ""),
        error=error_text(error) if error else None,
        field=error.field if error else None,
    )


@require_any_session
def add_passkey() -> Any:
    """The key that her browser has made."""
    if (elsewhere := _proven_anew()) is not None:
        return elsewhere
    has, me, now = services(), _me(), services().clock()
    codes: Any = None
    try:
        with has.db.write() as session:
            if not _may_add(session, me):
                return _here()
            held = enrolled.held(session, me.user_id)
            if not _room(held, by_passkey.CODE, MOST_PASSKEYS):
                raise Conflict(
                    "passkeys_many", "Đã có {most} passkey. Hãy bỏ bớt trước.", most=MOST_PASSKEYS
                )
            device = sessions.describe_browser(request.user_agent.string) or "Passkey"
            made = by_passkey.confirm(
                session,
                has,
                me.user_id,
                me.id,
                given=request.form.get("credential", ""),
                kept=request.form.get("kept", ""),
                name=request.form.get("name", "").strip() or device,
                now=now,
                actor=actor(),
            )
            if by_recovery_code.CODE not in {one.kind for one in held}:
                codes = by_recovery_code.issue(
                    session, has.keyring, me.user_id, now=now, actor=actor()
                )
    except InvalidInput as error:
        return _passkey_page(error), 422
    flash(gettext("Đã thêm passkey."), "good")
    if not made.verified:
        flash(
            gettext("Khóa này không hỏi mã PIN hay vân tay, nên khi đăng nhập vẫn cần mật khẩu."),
            "wait",
        )
    return _sheet(codes) if codes else _here()


# ---- paper -----------------------------------------------------------------------------------


@require_any_session
def new_codes() -> Any:
    """A new sheet of recovery codes; the one before it is void."""
    if (elsewhere := _proven_anew()) is not None:
        return elsewhere
    has, me = services(), _me()
    with has.db.write() as session:
        _lock(session, me)
        others = second_factors.of(session, me.user_id).enrolled - {by_recovery_code.CODE}
        if not others or not reaches(me.acr, TWO_FACTORS):
            raise NotAllowed(
                "codes_alone",
                "Hãy thêm ứng dụng xác thực hoặc passkey trước khi tạo mã dự phòng.",
                missing="factor",
            )
        codes = by_recovery_code.issue(
            session, has.keyring, me.user_id, now=has.clock(), actor=actor()
        )
    return _sheet(codes)


def _sheet(codes: Any) -> str:
    has, me = services(), _me()
    return render_template(
        "portal/recovery_codes.html",
        codes=codes,
        username=me.username,
        full_name=me.full_name,
        made_at=has.clock(),
        asked_where=gate.absolute("/"),
    )


# ---- what there is ---------------------------------------------------------------------------


@require_any_session
def rename(factor_id: int) -> Any:
    """Call it something else."""
    if (elsewhere := _proven_anew()) is not None:
        return elsewhere
    has, me = services(), _me()
    name = request.form.get("name", "")
    try:
        with has.db.write() as session:
            _lock(session, me)
            enrolled.rename(session, me.user_id, factor_id, name, now=has.clock(), actor=actor())
    except InvalidInput as error:
        flash(error_text(error), "bad")
        return _here()
    flash(gettext("Đã đổi tên."), "good")
    return _here()


@require_any_session
def remove(factor_id: int) -> Any:
    """I do not use it any more. Raises NotFound."""
    if (elsewhere := _proven_anew()) is not None:
        return elsewhere
    has, me, now = services(), _me(), services().clock()
    with has.db.write() as session:
        _lock(session, me)
        held = enrolled.held(session, me.user_id)
        others = [o for o in held if o.id != factor_id and o.kind != by_recovery_code.CODE]
        if factor_id not in {one.id for one in held}:
            raise enrolled.unknown()
        linked = second_factors.of(session, me.user_id).linked
        if not others and not linked and _two_are_asked(me):
            flash(
                gettext("Đây là cách xác thực thứ hai duy nhất của bạn. Hãy thêm cách khác trước."),
                "wait",
            )
            return _here()
        # A sheet by itself is no way to sign in that anybody would keep.
        only = factor_id if others else None
        enrolled.end(session, [me.user_id], why="removed", only=only, now=now, actor=actor())
    flash(gettext("Đã bỏ cách đăng nhập này."), "good")
    return _here()


def _two_are_asked(me: SessionView) -> bool:
    settings, source = services().settings, gate.client_address()[0]
    return asked_here(settings, administers=me.administers, ip=source) is not None


@require_any_session
def lost(factor_id: int) -> Any:
    """It is gone, or somebody else may have it: it is cut at once, and every session but this one,
    which goes on as one of the password alone. What is asked of her stays. Raises NotFound.
    """
    has, me, now = services(), _me(), services().clock()
    with has.db.write() as session:
        ended = enrolled.end(
            session, [me.user_id], why="lost", only=factor_id, now=now, actor=actor()
        )
        if not ended:
            raise enrolled.unknown()
        _, others = sessions.cut_others(
            session,
            me.user_id,
            epoch=me.user_epoch,
            keep=me.id,
            now=now,
            actor=actor(),
            reason="factor",
        )
        cookie = sessions.lower(session, me, keyring=has.keyring)
        gate.sessions_ended(session, others, now=now, reason="factor")
    flash(
        gettext("Đã khóa ngay cách đăng nhập này và kết thúc các phiên đăng nhập khác của bạn."),
        "good",
    )
    response = _here()
    gate.set_session_cookie(response, cookie)
    return response


def install(blueprint: Blueprint) -> None:
    """Register the pages."""
    one = "/portal/ways/<int(max=999999999999999):factor_id>"
    blueprint.add_url_rule("/portal/ways", "ways", ways)
    blueprint.add_url_rule("/portal/ways/app", "new_app", new_app)
    blueprint.add_url_rule("/portal/ways/app", "add_app", add_app, methods=["POST"])
    blueprint.add_url_rule("/portal/ways/passkey", "new_passkey", new_passkey)
    blueprint.add_url_rule("/portal/ways/passkey", "add_passkey", add_passkey, methods=["POST"])
    blueprint.add_url_rule("/portal/ways/codes", "new_codes", new_codes, methods=["POST"])
    blueprint.add_url_rule(f"{one}/rename", "rename_way", rename, methods=["POST"])
    blueprint.add_url_rule(f"{one}/remove", "remove_way", remove, methods=["POST"])
    blueprint.add_url_rule(f"{one}/lost", "lost_way", lost, methods=["POST"])
