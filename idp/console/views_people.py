"""People: the list, one person, the CSV, activation slips, the end of a lock, a factor reset."""

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for

from connectors.accounts import mapping
from directory import search
from directory.base.errors import Conflict, InvalidInput
from directory.changes.kinds import slip as kind_slip
from directory.people import UserStatus
from directory.search import Found, SearchFilter
from idp import sessions
from idp.console import forms, guard, pages_people, pages_sign_in, timeline
from idp.console.guard import asker
from idp.demands import Operation
from idp.factors import paper_code, qr_code, slip_use
from idp.sessions import networks
from idp.web import form_keys, gate, language_switch
from idp.web.gate import services
from idp.web.i18n import error_text, gettext
from idp.web.labels import label

_IDENTITY = {"linked": True, "missing": False}


def listing() -> str:
    """Search and list, with filters."""
    return _listed(request.args)


def looked_for() -> Any:
    """The search as it is sent: names and codes make the list's address, somebody's number or mail
    address makes none.
    """
    guard.require(asker().sees_people)
    filters = _filters(request.form)
    form_keys.only_shows()
    if not search.is_personal(filters.get("q", "")):
        return redirect(url_for("console.people", **filters), 303)
    language_switch.by_form()
    return _listed(request.form)


def _listed(asked: Mapping[str, str]) -> str:
    has, who = services(), asker()
    guard.require(who.sees_people)
    wanted = _wanted(asked)
    _, error = _day(asked)
    filters = _filters(asked)
    if search.is_personal(wanted.words):
        filters.pop("q", None)
    with has.db.read() as session:
        page = pages_people.listed(
            session,
            who.rights,
            wanted,
            now=who.now,
            keyring=has.keyring,
            after=asked.get("after"),
        )
    return render_template(
        "console/people.html",
        page=page,
        wanted=wanted,
        filters=filters,
        whole="q" in filters or not wanted.words,
        statuses=UserStatus,
        on=wanted.shown_on,
        today=guard.today(),
        error=error,
    )


def _day(asked: Mapping[str, str]) -> tuple[date, str]:
    return forms.day_asked(asked.get("on", ""), guard.today())


def _wanted(asked: Mapping[str, str]) -> SearchFilter:
    status = asked.get("status", "")
    return SearchFilter(
        words=asked.get("q", ""),
        unit_id=guard.number("unit", asked),
        status=UserStatus(status) if status in set(UserStatus) else None,
        position=asked.get("position") or None,
        identity=_IDENTITY.get(asked.get("identity", "")),
        shown_on=_day(asked)[0],
    )


def _filters(asked: Mapping[str, str]) -> dict[str, Any]:
    names = ("q", "unit", "status", "position", "identity", "on")
    return {name: asked[name] for name in names if asked.get(name)}


def export() -> Response:
    """The visible list as CSV, without citizen numbers."""
    guard.require(asker().sees_people)
    response = Response(_csv(), mimetype="text/csv")
    response.headers["Content-Disposition"] = 'attachment; filename="danh-sach.csv"'
    return response


def _csv() -> str:
    has, who = services(), asker()
    out = io.StringIO()
    out.write("\ufeff")  # spreadsheets take a file without it for another encoding
    writer = csv.writer(out)
    headings = (
        "Tên đăng nhập",
        "Họ và tên",
        "Năm sinh",
        "Trạng thái",
        "Chức vụ",
        "Đơn vị",
        "Cơ quan",
    )
    writer.writerow([gettext(h) for h in headings])
    with has.db.read() as session:
        for row in pages_people.export(
            session, who.rights, _wanted(request.args), now=who.now, keyring=has.keyring
        ):
            writer.writerow(list(_cells(row)))
    return out.getvalue()


def _cells(row: Found) -> Iterator[str]:
    held = row.held
    for value in (
        row.username,
        row.full_name,
        row.birth_year or "",
        gettext("Sắp công tác") if row.begins_on else label("status", row.status.value),
        held.position_name if held else "",
        held.unit.name if held else "",
        row.owner or (held.unit.name if held else ""),
    ):
        # A spreadsheet would run what begins like a formula.
        yield "'" + value if value[:1] in "=+-@\t\r" and value else value


def person(user_id: int) -> str:
    """One person with everything the asker may know of her."""
    has, who = services(), asker()
    on, error = _day(request.args)
    with has.db.read() as session:
        page = pages_people.whole(session, who.rights, user_id, now=who.now, called_on=on)
        slip = pages_sign_in.offer(
            session, who.rights, user_id, now=who.now, within=_approved_for()
        )
    today = guard.today()
    return render_template(
        "console/person.html",
        page=page,
        slip=slip,
        because=kind_slip.BECAUSE.get(slip.because, ""),
        picture=timeline.draw(page.person.shown, today),
        on=on,
        error=error,
        sendable=mapping.email_address,
        device=sessions.describe_browser,
        network=_network,
        today=today,
    )


def _network(ip: str) -> str:
    """Where somebody is signed in from, as people call it."""
    name = networks.called(services().settings, ip)
    return f"{name} ({ip})" if name else ip


def activation(user_id: int) -> Any:
    """A new activation slip, to be printed and handed over."""
    has, who = services(), asker()
    try:
        guard.confirm(Operation.SECRET)
    except InvalidInput as error:
        flash(error_text(error), "bad")
        return redirect(url_for("console.person", user_id=user_id), 303)
    try:
        with has.db.write() as session:
            code = pages_sign_in.issue_slip(
                session,
                user_id,
                actor=who.actor,
                keyring=has.keyring,
                settings=has.settings,
                now=who.now,
            )
    except Conflict as error:
        flash(error_text(error), "bad")
        return redirect(url_for("console.person", user_id=user_id), 303)
    with has.db.read() as session:
        page = pages_people.whole(session, who.rights, user_id, now=who.now)
    url = gate.absolute(url_for("login.slip_with", code=code))
    return render_template(
        "console/slip.html",
        page=page,
        code=paper_code.grouped(code),
        picture=qr_code.svg(url),
        address=gate.absolute(url_for("login.slip")).partition("://")[2],
        question=slip_use.question(page.person.user),
        until=who.now + timedelta(seconds=has.settings.activation_lifetime),
    )


def propose_activation(user_id: int) -> Any:
    """Ask a second person for a slip that one alone may not print."""
    who = asker()
    try:
        guard.confirm(Operation.CHANGE)
        proposal_id = pages_sign_in.propose_slip(services(), user_id, actor=who.actor)
    except (InvalidInput, Conflict) as error:
        flash(error_text(error), "bad")
        return redirect(url_for("console.person", user_id=user_id), 303)
    return redirect(url_for("console.proposal", proposal_id=proposal_id), 303)


def _approved_for() -> timedelta:
    return timedelta(seconds=services().settings.approval_lifetime)


def unlock(user_id: int) -> Any:
    """Let somebody try again who was locked out after too many wrong attempts."""
    has, who = services(), asker()
    back = redirect(url_for("console.person", user_id=user_id), 303)
    try:
        guard.confirm(Operation.ACCOUNT)
    except InvalidInput as error:
        flash(error_text(error), "bad")
        return back
    with has.db.write() as session:
        ended = pages_sign_in.unlock(session, user_id, actor=who.actor, now=who.now)
    if ended:
        flash(gettext("Đã mở khóa đăng nhập. Người này có thể đăng nhập lại ngay."), "good")
    else:
        flash(gettext("Người này không bị khóa đăng nhập."), "wait")
    return back


def reset(user_id: int) -> Any:
    """End what somebody has enrolled, and her password, for her to begin anew with a slip."""
    has, who = services(), asker()
    back = redirect(url_for("console.person", user_id=user_id), 303)
    try:
        guard.confirm(Operation.ACCOUNT)
        with has.db.write() as session:
            gone = pages_sign_in.reset_factors(session, user_id, actor=who.actor, now=who.now)
            gate.sessions_ended(session, gone or (), now=who.now, reason="factor")
    except (InvalidInput, Conflict) as error:
        flash(error_text(error), "bad")
        return back
    if gone is None:
        flash(gettext("Người này không có cách xác thực thứ hai nào."), "wait")
    else:
        flash(
            gettext(
                "Đã đặt lại cách xác thực thứ hai và hủy mật khẩu. Người này cần một phiếu kích hoạt "
                "mới, do cán bộ khác cấp, rồi tự thêm cách mới."
            ),
            "good",
        )
    return back


def install(blueprint: Blueprint) -> None:
    """Register the pages."""
    blueprint.add_url_rule("/people", "people", listing)
    blueprint.add_url_rule("/people", "people_search", looked_for, methods=["POST"])
    blueprint.add_url_rule("/people.csv", "people_csv", export)
    blueprint.add_url_rule("/people/<int(max=999999999999999):user_id>", "person", person)
    blueprint.add_url_rule(
        "/people/<int(max=999999999999999):user_id>/activation",
        "activation",
        activation,
        methods=["POST"],
    )
    blueprint.add_url_rule(
        "/people/<int(max=999999999999999):user_id>/activation/propose",
        "propose_activation",
        propose_activation,
        methods=["POST"],
    )
    blueprint.add_url_rule(
        "/people/<int(max=999999999999999):user_id>/second-factor",
        "reset_factors",
        reset,
        methods=["POST"],
    )
    blueprint.add_url_rule(
        "/people/<int(max=999999999999999):user_id>/unlock", "unlock", unlock, methods=["POST"]
    )
