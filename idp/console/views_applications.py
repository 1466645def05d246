"""Applications and their rules."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for

from directory.base.errors import DinhdanhError, InvalidInput, NotAllowed
from directory.changes import rules
from directory.units import Bloc
from idp.console import guard, pages_applications
from idp.console.guard import asker
from idp.demands import Operation
from idp.web.gate import services
from idp.web.i18n import error_text, gettext


def listing() -> str:
    """The applications the asker answers for."""
    has, who = services(), asker()
    guard.require(who.manages_applications)
    with has.db.read() as session:
        rows = pages_applications.listed(session, who.rights)
    return render_template("console/applications.html", rows=rows)


def application(application_id: int, *, error: DinhdanhError | None = None) -> Any:
    """One application: who gets it, and its clients."""
    has, who = services(), asker()
    with has.db.read() as session:
        page = pages_applications.whole(session, who.rights, application_id)
    answer = render_template(
        "console/application.html",
        page=page,
        blocs=Bloc,
        values=request.form,
        error=error_text(error) if error else "",
        field=getattr(error, "field", ""),
        confirmed=who.confirmed,
    )
    return make_response(answer, error.status if error else 200)


def add_rule(application_id: int) -> Any:
    """Add a rule after the password."""
    form = request.form
    priority = form.get("priority", "100").strip() or "100"
    wanted = rules.Wanted(
        role=form.get("role", "").strip(),
        unit=form.get("unit", "").strip() or None,
        unit_kind=form.get("unit_kind", "").strip() or None,
        bloc=form.get("bloc") or None,
        position=form.get("position") or None,
        leadership={"yes": True, "no": False}.get(form.get("leadership", "")),
        priority=int(priority) if priority.isdecimal() and len(priority) < 6 else 0,
    )
    has, who = services(), asker()
    try:
        guard.confirm(Operation.CLIENT)
        with has.db.write() as session:
            pages_applications.add_rule(
                session, application_id, wanted, actor=who.actor, now=who.now
            )
    except (InvalidInput, NotAllowed) as error:
        return application(application_id, error=error)
    flash(gettext("Đã thêm quy tắc. Tài khoản của những người liên quan đang được rà lại."), "good")
    return redirect(url_for("console.application", application_id=application_id), 303)


def remove_rule(rule_id: int) -> Any:
    """Remove a rule after the password."""
    has, who = services(), asker()
    back = request.form.get("application", "")
    try:
        guard.confirm(Operation.CLIENT)
        with has.db.write() as session:
            back = str(
                pages_applications.remove_rule(session, rule_id, actor=who.actor, now=who.now)
            )
    except InvalidInput as error:
        flash(error_text(error), "bad")
    else:
        flash(
            gettext("Đã bỏ quy tắc. Tài khoản của những người liên quan đang được rà lại."), "good"
        )
    if not (back.isdecimal() and len(back) < 16):
        return redirect(url_for("console.applications"), 303)
    return redirect(url_for("console.application", application_id=int(back)), 303)


def install(blueprint: Blueprint) -> None:
    """Register the pages."""
    pages: tuple[tuple[str, str, Callable[..., Any], str], ...] = (
        ("/applications", "applications", listing, "GET"),
        (
            "/applications/<int(max=999999999999999):application_id>",
            "application",
            application,
            "GET",
        ),
        (
            "/applications/<int(max=999999999999999):application_id>/rules",
            "add_rule",
            add_rule,
            "POST",
        ),
        ("/rules/<int(max=999999999999999):rule_id>/remove", "remove_rule", remove_rule, "POST"),
    )
    for rule, name, view, method in pages:
        blueprint.add_url_rule(rule, name, view, methods=[method])
