"""The pages of whoever lets a device in (RFC 8628 §3.3).

/device                            the code is typed, or compared (§3.3.1); guesses are few
/device/confirm                    who asks, for what, since when and from where: yes or no
/device/allowed /device/refused    what to do next
"""

from typing import Any, cast

from flask import make_response, redirect, render_template, request, url_for

from directory.base.errors import DinhdanhError, InvalidInput
from idp.factors import limits, throttle
from idp.oidc import resources
from idp.oidc.authorization import device as devices
from idp.oidc.authorization.device import Asking
from idp.oidc.grant_types.device import PAGE, letters, spelt
from idp.oidc.routes.core import blueprint, provider
from idp.sessions import SessionView
from idp.web import gate
from idp.web.gate import current_session, require_session, services
from idp.web.i18n import error_text


def _me() -> SessionView:
    """The session of a guarded view."""
    return cast("SessionView", current_session())


@blueprint.get(PAGE)
@require_session
def device() -> Any:
    """Where the code is typed; one that came in the address is only filled in, never sent
    (§3.3.1: she is to compare it with what the device shows).
    """
    code = letters(request.args.get("user_code", ""))
    return render_template("oidc/device.html", code=spelt(code) if code else "")


@blueprint.post(PAGE)
@require_session
def device_code() -> Any:
    """The code of a waiting device leads to the page that asks; any other is counted."""
    gate.csrf.protect()
    given = request.form.get("user_code", "")[:100]
    try:
        asking, code = _look_up(given)
    except InvalidInput as error:
        page = render_template("oidc/device.html", code=given, error=error_text(error))
        return make_response(page, error.status)
    if (more := devices.lacking(provider(), asking, _me())) is not None:
        return gate.step_up(_me(), more, url_for("oidc.device", user_code=code))
    ticket = devices.ticket(provider(), asking.id, code, _me(), now=services().clock())
    return redirect(url_for("oidc.device_confirm", ticket=ticket), 303)


def _look_up(given: str) -> tuple[Asking, str]:
    """The device that shows this code. Raises InvalidInput, Locked (§5.1)."""
    has, now, ip = services(), services().clock(), gate.client_address()[0]
    code = letters(given)
    if code is None:
        raise InvalidInput(
            "device_code_malformed",
            "Mã gồm 8 chữ cái, như hiển thị trên thiết bị.",
            field="user_code",
        )
    counted = limits.of_devices(_me().user_id, ip, has.settings)
    with has.db.write() as session:
        attempt = throttle.claim(session, counted, now=now)

    def look() -> Asking | None:
        with has.db.hot() as connection:
            return devices.by_code(provider(), connection, code, now=now)

    found = throttle.looked_at(has.db, attempt, look)
    with has.db.write() as session:
        if found is not None:
            throttle.release(session, attempt)
            return found, spelt(code)
        throttle.wrong(session, attempt, now=now)
    raise InvalidInput(
        "device_code_unknown",
        "Không có thiết bị nào đang chờ với mã này. Hãy xem lại mã trên thiết bị.",
        field="user_code",
    )


@blueprint.get(f"{PAGE}/confirm")
@require_session
def device_confirm() -> Any:
    """Who asks, and for what."""
    text = request.args.get("ticket", "")
    found = _of_ticket(text)
    if found is None:
        return redirect(url_for("oidc.device"), 303)
    asking, code = found
    issuer = services().settings.issuer
    with services().db.hot() as connection:
        entitled = devices.entitled(provider(), connection, asking, _me(), now=services().clock())
        shown = resources.shown(connection, asking.resources, issuer=issuer)
    if not entitled:
        page = render_template(
            "oidc/device_done.html",
            outcome="not_entitled",
            name=asking.name,
            eid_level=asking.client.options.minimum_eid_level,
        )
        return make_response(page, 403)
    ip = gate.client_address()[0]
    return render_template(
        "oidc/device_confirm.html", asking=asking, services=shown, code=code, ticket=text, ip=ip
    )


@blueprint.post(f"{PAGE}/confirm")
@require_session
def device_decision() -> Any:
    """Her answer, given in the session that was asked."""
    gate.csrf.protect()
    found = _of_ticket(request.form.get("ticket", ""))
    if found is None:
        return redirect(url_for("oidc.device"), 303)
    has, now, asking = services(), services().clock(), found[0]
    allowed = request.form.get("decision") == "allow"
    try:
        with has.db.write() as session:
            if allowed:
                devices.allow(provider(), session, asking, _me(), actor=gate.actor(), now=now)
            else:
                devices.refuse(session, asking, now=now)
    except DinhdanhError as error:
        page = render_template("oidc/device.html", code="", error=error_text(error))
        return make_response(page, error.status)
    return redirect(url_for("oidc.device_allowed" if allowed else "oidc.device_refused"), 303)


def _of_ticket(text: str) -> tuple[Asking, str] | None:
    """The waiting device and the code she typed, if this session was given the ticket."""
    now = services().clock()
    opened = devices.opened(provider(), text, _me(), now=now)
    if opened is None:
        return None
    with services().db.hot() as connection:
        asking = devices.by_id(provider(), connection, opened[0], now=now)
    return (asking, opened[1]) if asking is not None else None


@blueprint.get(f"{PAGE}/allowed")
@require_session
def device_allowed() -> Any:
    """She goes back to the device."""
    return render_template("oidc/device_done.html", outcome="allowed")


@blueprint.get(f"{PAGE}/refused")
@require_session
def device_refused() -> Any:
    """The device stays out."""
    return render_template("oidc/device_done.html", outcome="refused")
