"""Work by hand: what is to be done at applications that nobody can call."""

from typing import Any

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for

from directory.base.errors import Conflict, InvalidInput
from idp.console import guard, pages_work
from idp.console.guard import asker
from idp.web import unwritten
from idp.web.gate import services
from idp.web.i18n import error_text, gettext


def work(*, item_id: int | None = None, error: InvalidInput | None = None) -> Any:
    """Open items of the asker's applications."""
    has, who = services(), asker()
    guard.require(who.manages_applications)
    with has.db.read() as session:
        page = pages_work.listed(session, who.rights, now=who.now, after=guard.number("after") or 0)
    answer = render_template(
        "console/work.html",
        page=page,
        item_id=item_id,
        error=error_text(error) if error else "",
        field=error.field if error else "",
        values=request.form,
    )
    return make_response(answer, error.status if error else 200)


def done(item_id: int) -> Any:
    """Somebody says that it is done."""
    has, who = services(), asker()
    if request.form.get(unwritten.RESUMED):
        return work(item_id=item_id)
    try:
        with has.db.write() as session:
            pages_work.done(
                session,
                who.rights,
                item_id,
                request.form.get("digest", ""),
                remote_id=request.form.get("remote_id", ""),
                actor=who.actor,
                now=who.now,
            )
    except InvalidInput as error:
        return work(item_id=item_id, error=error)
    except Conflict as error:
        flash(error_text(error), "wait")
    else:
        flash(gettext("Đã ghi nhận là đã làm xong."), "good")
    return redirect(url_for("console.work"), 303)


def failed(item_id: int) -> Any:
    """Somebody says that it cannot be done, and why."""
    has, who = services(), asker()
    if request.form.get(unwritten.RESUMED):
        return work(item_id=item_id)
    try:
        with has.db.write() as session:
            pages_work.failed(
                session,
                who.rights,
                item_id,
                request.form.get("digest", ""),
                reason=request.form.get("reason", ""),
                actor=who.actor,
                now=who.now,
            )
    except InvalidInput as error:
        return work(item_id=item_id, error=error)
    except Conflict as error:
        flash(error_text(error), "wait")
    else:
        flash(gettext("Đã ghi lý do. Việc vẫn chờ ở đây."), "wait")
    return redirect(url_for("console.work"), 303)


def install(blueprint: Blueprint) -> None:
    """Register the pages."""
    blueprint.add_url_rule("/work", "work", work)
    for name, view in (("done", done), ("failed", failed)):
        blueprint.add_url_rule(
            f"/work/<int(max=999999999999999):item_id>/{name}",
            f"work_{name}",
            view,
            methods=["POST"],
        )
