"""Electronic identities that differ from our records: looked at by somebody who did not enter them."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for

from connectors.eid.reviews import Decision
from directory.base.errors import Conflict, InvalidInput, NotAllowed
from idp.console import guard, pages_identities
from idp.console.guard import asker
from idp.demands import Operation
from idp.web.gate import services
from idp.web.i18n import error_text, gettext


def waiting() -> str:
    """What waits for a decision."""
    has, who = services(), asker()
    guard.require(who.sees_people)
    with has.db.read() as session:
        rows = pages_identities.waiting(session, has.keyring, who.rights, now=who.now)
    return render_template("console/identities.html", rows=rows)


def decide(review_id: int) -> Any:
    """Somebody says whether it is one person: yes after the password."""
    has, who = services(), asker()
    guard.require(who.sees_people)
    back = redirect(url_for("console.identities"), 303)
    said = request.form.get("decision", "")
    if said not in set(Decision):
        return back
    try:
        guard.confirm(Operation.ACCOUNT)
        with has.db.write() as session:
            pages_identities.decide(
                session, who.rights, review_id, Decision(said), actor=who.actor, now=who.now
            )
    except (Conflict, InvalidInput, NotAllowed) as error:
        flash(error_text(error), "bad")
    else:
        flash(
            gettext("Đã ghi nhận. Người này sẽ tự liên kết ở lần đăng nhập sau.")
            if said == Decision.ACCEPTED
            else gettext("Đã ghi nhận: không phải cùng một người, không liên kết."),
            "good",
        )
    return back


def install(blueprint: Blueprint) -> None:
    """Register the pages."""
    blueprint.add_url_rule("/identities", "identities", waiting)
    blueprint.add_url_rule(
        "/identities/<int(max=999999999999999):review_id>",
        "identity_decide",
        decide,
        methods=["POST"],
    )
