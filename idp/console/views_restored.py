"""A backup was put back: the administrator says by what the staff list was compared."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for

from directory.base.errors import Conflict, InvalidInput, Locked
from idp.console import guard
from idp.console.guard import asker
from idp.demands import Operation
from idp.trail import restoring
from idp.web.gate import services
from idp.web.i18n import error_text, gettext


def restored() -> Any:
    """What is so for now, and the form that ends it."""
    guard.require(asker().runs_installation)
    if asker().unconfirmed_since is None:
        return redirect(url_for("console.home"), 303)
    return _page()


def confirm() -> Any:
    """Let everybody in again. The password is asked once more."""
    has, who = services(), asker()
    guard.require(who.runs_installation)
    try:
        guard.confirm(Operation.WORK)
        with has.db.write() as session:
            count = restoring.confirm(
                session,
                reference=request.form.get("reference", ""),
                actor=who.actor,
                now=who.now,
            )
    except InvalidInput as error:
        return _page(error_text(error), error.field), 422
    except Locked as error:
        return _page(error_text(error), "password"), 429
    except Conflict as error:
        flash(error_text(error), "wait")
    else:
        flash(
            gettext("Đã xác nhận. {count} tài khoản chờ cấp sẽ được xử lý ngay.", count=count),
            "good",
        )
    return redirect(url_for("console.home"), 303)


def _page(error: str = "", field: str = "") -> str:
    return render_template(
        "console/restored.html",
        error=error,
        field=field,
        reference=request.form.get("reference", ""),
        most=restoring.REFERENCE,
    )


def install(blueprint: Blueprint) -> None:
    """Register the page."""
    blueprint.add_url_rule("/restored", "restored", restored)
    blueprint.add_url_rule("/restored", "confirm_restored", confirm, methods=["POST"])
