"""Slips of a whole unit: the list of those who have never signed in, then one print."""

from typing import Any

from flask import Blueprint, Response, make_response, render_template, request, url_for

from directory.base.errors import Conflict, InvalidInput
from directory.base.rows import MOST, batches
from idp.console import guard, pages_slips
from idp.console.guard import asker
from idp.demands import Operation
from idp.factors import paper_code, qr_code
from idp.web import form_keys, gate
from idp.web.gate import services
from idp.web.i18n import error_text

_ON_ONE_SHEET = 4


def show(unit_id: int) -> Response:
    """Whoever of the unit has never signed in, and why somebody of them is given no slip here."""
    return _listed(unit_id)


def _listed(unit_id: int, error: Conflict | InvalidInput | None = None) -> Response:
    has, who = services(), asker()
    with has.db.read() as session:
        page = pages_slips.before(session, who.rights, unit_id, now=who.now)
    chosen = {row.user.id for row in page.rows if row.open_until is None}
    if error is not None:
        chosen = _chosen()
    answer = render_template(
        "console/unit_slips.html",
        page=page,
        chosen=chosen,
        most=MOST,
        printed="printed" in request.args,
        error=error_text(error) if error else "",
        field=getattr(error, "field", "") if error else "",
    )
    return make_response(answer, error.status if error else 200)


def _chosen() -> set[int]:
    ids = request.form.getlist("user")
    return {int(one) for one in ids if one.isascii() and one.isdecimal() and len(one) < 16}


def issue(unit_id: int) -> Any:
    """New slips for those chosen, on one page: it is shown once, and sent again issues nothing."""
    has, who = services(), asker()
    try:
        guard.confirm(Operation.SECRET)
        with has.db.write() as session:
            made = pages_slips.issue(
                session,
                _chosen(),
                actor=who.actor,
                keyring=has.keyring,
                settings=has.settings,
                now=who.now,
            )
    except (Conflict, InvalidInput) as error:
        return _listed(unit_id, error)
    form_keys.shown_once(url_for("console.unit_slips", unit_id=unit_id, printed=1))
    cards = [
        {
            "of": one,
            "code": paper_code.grouped(one.code),
            "picture": qr_code.svg(gate.absolute(url_for("login.slip_with", code=one.code))),
        }
        for one in made
    ]
    return render_template(
        "console/slips_print.html",
        unit_id=unit_id,
        sheets=list(batches(cards, _ON_ONE_SHEET)),
        count=len(cards),
        address=gate.absolute(url_for("login.slip")).partition("://")[2],
        until=pages_slips.good_until(has.settings, now=who.now),
    )


def install(blueprint: Blueprint) -> None:
    """Register the pages."""
    rule = "/units/<int(max=999999999999999):unit_id>/slips"
    blueprint.add_url_rule(rule, "unit_slips", show)
    blueprint.add_url_rule(rule, "issue_unit_slips", issue, methods=["POST"])
