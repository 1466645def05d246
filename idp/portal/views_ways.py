"""My ways to sign in: what I have, what I add, rename, take away or have lost.

Whatever is touched asks for a sign-in of a moment ago that proved as much as it gives; the first of
all, and the report of a loss, ask for any. Who is signed in too weakly for the rest of the pages gets
here, and sees what there is to be done.
"""

from typing import Any

from flask import Blueprint, flash, render_template, request

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
from idp.factors.passkey_site import Without
from idp.portal import adding_ways, pages_ways
from idp.sessions import SessionView
from idp.web import gate
from idp.web.gate import actor, require_any_session, services
from idp.web.i18n import error_text, gettext


@require_any_session
def ways() -> str:
    """What I have to prove myself with, and what happened to it."""
    has, me = services(), adding_ways.me()
    with has.db.read() as session:
        shown = pages_ways.ways(session, me.user_id, now=has.clock())
    return render_template(
        "portal/ways.html",
        shown=shown,
        titles={code: gettext(title) for code, title in registry.titles().items()},
        apps=adding_ways.room(shown.others, by_totp.CODE, adding_ways.MOST_APPS),
        passkeys=adding_ways.room(shown.others, by_passkey.CODE, adding_ways.MOST_PASSKEYS),
        certificates=by_certificate.possible(has.settings)
        and adding_ways.room(shown.others, by_certificate.CODE, adding_ways.MOST_CERTIFICATES),
        without=_without(),
    )


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


# ---- apps ------------------------------------------------------------------------------------


@require_any_session
def new_app() -> Any:
    """The secret for one more app; the same until it is confirmed."""
    return adding_ways.proven_anew() or _app_page()


def _app_page(error: InvalidInput | None = None) -> str:
    has, me = services(), adding_ways.me()
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
    if (elsewhere := adding_ways.proven_anew()) is not None:
        return elsewhere
    has, me, now = services(), adding_ways.me(), services().clock()
    codes: Any = None
    try:
        with has.db.write() as session:
            if not adding_ways.may_add(session, me):
                return adding_ways.here()
            held = enrolled.held(session, me.user_id)
            if not adding_ways.room(held, by_totp.CODE, adding_ways.MOST_APPS):
                raise Conflict(
                    "apps_many",
                    "Đã có {most} ứng dụng. Hãy bỏ bớt trước.",
                    most=adding_ways.MOST_APPS,
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
            if made:
                codes = adding_ways.first_sheet(session, held, now=now)
    except InvalidInput as error:
        return _app_page(error), 422
    return adding_ways.sheet(codes) if codes else adding_ways.here()


# ---- passkeys --------------------------------------------------------------------------------


@require_any_session
def new_passkey() -> Any:
    """One more passkey: a challenge of its own for each page."""
    return adding_ways.proven_anew() or _passkey_page()


def _passkey_page(error: InvalidInput | None = None) -> str:
    has, me = services(), adding_ways.me()
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
    if (elsewhere := adding_ways.proven_anew()) is not None:
        return elsewhere
    has, me, now = services(), adding_ways.me(), services().clock()
    codes: Any = None
    try:
        with has.db.write() as session:
            if not adding_ways.may_add(session, me):
                return adding_ways.here()
            held = enrolled.held(session, me.user_id)
            if not adding_ways.room(held, by_passkey.CODE, adding_ways.MOST_PASSKEYS):
                raise Conflict(
                    "passkeys_many",
                    "Đã có {most} passkey. Hãy bỏ bớt trước.",
                    most=adding_ways.MOST_PASSKEYS,
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
            codes = adding_ways.first_sheet(session, held, now=now)
    except InvalidInput as error:
        return _passkey_page(error), 422
    flash(gettext("Đã thêm passkey."), "good")
    if not made.verified:
        flash(
            gettext("Khóa này không hỏi mã PIN hay vân tay, nên khi đăng nhập vẫn cần mật khẩu."),
            "wait",
        )
    return adding_ways.sheet(codes) if codes else adding_ways.here()


# ---- paper -----------------------------------------------------------------------------------


@require_any_session
def new_codes() -> Any:
    """A new sheet of recovery codes; the one before it is void."""
    if (elsewhere := adding_ways.proven_anew()) is not None:
        return elsewhere
    has, me = services(), adding_ways.me()
    with has.db.write() as session:
        adding_ways.lock(session, me)
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
    return adding_ways.sheet(codes)


# ---- what there is ---------------------------------------------------------------------------


@require_any_session
def rename(factor_id: int) -> Any:
    """Call it something else."""
    if (elsewhere := adding_ways.proven_anew()) is not None:
        return elsewhere
    has, me = services(), adding_ways.me()
    name = request.form.get("name", "")
    try:
        with has.db.write() as session:
            adding_ways.lock(session, me)
            enrolled.rename(session, me.user_id, factor_id, name, now=has.clock(), actor=actor())
    except InvalidInput as error:
        flash(error_text(error), "bad")
        return adding_ways.here()
    flash(gettext("Đã đổi tên."), "good")
    return adding_ways.here()


@require_any_session
def remove(factor_id: int) -> Any:
    """I do not use it any more. Raises NotFound."""
    if (elsewhere := adding_ways.proven_anew()) is not None:
        return elsewhere
    has, me, now = services(), adding_ways.me(), services().clock()
    with has.db.write() as session:
        adding_ways.lock(session, me)
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
            return adding_ways.here()
        # A sheet by itself is no way to sign in that anybody would keep.
        only = factor_id if others else None
        enrolled.end(session, [me.user_id], why="removed", only=only, now=now, actor=actor())
    flash(gettext("Đã bỏ cách đăng nhập này."), "good")
    return adding_ways.here()


def _two_are_asked(me: SessionView) -> bool:
    settings, source = services().settings, gate.client_address()[0]
    return asked_here(settings, administers=me.administers, ip=source) is not None


@require_any_session
def lost(factor_id: int) -> Any:
    """It is gone, or somebody else may have it: it is cut at once, and every session but this one,
    which goes on as one of the password alone. What is asked of her stays. Raises NotFound.
    """
    has, me, now = services(), adding_ways.me(), services().clock()
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
    response = adding_ways.here()
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
