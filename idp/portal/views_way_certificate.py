"""One more of my ways to sign in: a certificate. It is shown at its own host, looked at here, and added."""

from typing import Any, cast

from flask import Blueprint, flash, redirect, render_template, request, url_for

from connectors.pki.naming import common_name
from connectors.pki.presented import Presented
from directory.base.errors import Conflict, InvalidInput, NotFound
from idp.factors import by_certificate, certificate_visit, enrolled
from idp.portal import adding_ways
from idp.web import gate, page_policy
from idp.web.gate import actor, require_any_session, services
from idp.web.i18n import error_text, gettext


def _require_possible() -> None:
    """Raises NotFound where nobody can show a certificate."""
    if not by_certificate.possible(services().settings):
        raise NotFound("not_here", "Không tìm thấy trang này.")


def _back() -> str:
    """Where whoever has shown one comes back to."""
    return gate.absolute(url_for("portal.shown_certificate"))


@require_any_session
def new_certificate() -> Any:
    """What is going to happen, and the button that leads there."""
    _require_possible()
    return adding_ways.proven_anew() or _offer_page()


def _offer_page(error: InvalidInput | None = None) -> str:
    page_policy.allow_form_to(services().settings.certificate_site)
    return render_template(
        "portal/way_certificate.html",
        told=None,
        error=error_text(error) if error else None,
    )


@require_any_session
def visit_certificate() -> Any:
    """To the host where it is shown."""
    _require_possible()
    if (elsewhere := adding_ways.proven_anew()) is not None:
        return elsewhere
    has, me = services(), adding_ways.me()
    return redirect(by_certificate.way(has, me.id, back=_back(), now=has.clock()), 303)


@require_any_session
def shown_certificate() -> Any:
    """Back from there: what would be added. Nothing is written."""
    _require_possible()
    if (elsewhere := adding_ways.proven_anew()) is not None:
        return elsewhere
    has, me = services(), adding_ways.me()
    sealed = request.args.get(certificate_visit.SHOWN, "")
    try:
        with has.db.read() as session:
            told = by_certificate.shown(
                has, session, me.user_id, me.id, sealed=sealed, back=_back(), now=has.clock()
            )
    except InvalidInput as error:
        return _offer_page(error), 422
    return _look_page(told, sealed)


def _look_page(told: Presented, sealed: str, error: InvalidInput | None = None) -> str:
    return render_template(
        "portal/way_certificate.html",
        told=told,
        holder=common_name(told.subject),
        issuer=common_name(told.issuer),
        sealed=sealed,
        name=request.form.get("name", ""),
        error=error_text(error) if error else None,
    )


@require_any_session
def add_certificate() -> Any:
    """I have looked at it, and it is mine."""
    _require_possible()
    if (elsewhere := adding_ways.proven_anew()) is not None:
        return elsewhere
    has, me, now = services(), adding_ways.me(), services().clock()
    codes: Any = None
    try:
        with has.db.write() as session:
            if not adding_ways.may_add(session, me):
                return adding_ways.here()
            held = enrolled.held(session, me.user_id)
            if not adding_ways.room(held, by_certificate.CODE, adding_ways.MOST_CERTIFICATES):
                raise Conflict(
                    "certificates_many",
                    "Đã có {most} chứng thư. Hãy bỏ bớt trước.",
                    most=adding_ways.MOST_CERTIFICATES,
                )
            made = by_certificate.confirm(
                session,
                has,
                me.user_id,
                me.id,
                sealed=request.form.get("shown", ""),
                back=_back(),
                name=request.form.get("name", "").strip(),
                now=now,
                actor=actor(),
            )
            codes = adding_ways.first_sheet(session, held, now=now)
    except InvalidInput as error:
        return _offer_page(error), 422
    flash(gettext("Đã thêm chứng thư."), "good")
    if made.level < 2:
        flash(
            gettext(
                "Không rõ khóa của chứng thư này nằm trong thiết bị có mã PIN hay không, nên khi đăng "
                "nhập vẫn cần mật khẩu."
            ),
            "wait",
        )
    return cast("Any", adding_ways.sheet(codes)) if codes else adding_ways.here()


def install(blueprint: Blueprint) -> None:
    """Register the pages."""
    one = "/portal/ways/certificate"
    blueprint.add_url_rule(one, "new_certificate", new_certificate)
    blueprint.add_url_rule(one, "add_certificate", add_certificate, methods=["POST"])
    blueprint.add_url_rule(f"{one}/show", "visit_certificate", visit_certificate, methods=["POST"])
    blueprint.add_url_rule(f"{one}/shown", "shown_certificate", shown_certificate)
