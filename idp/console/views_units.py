"""Units: the tree on any day, a search, one unit."""

from datetime import date

from flask import Blueprint, render_template, request

from directory.base.errors import InvalidInput
from idp.console import forms, guard, pages_units
from idp.console.guard import asker
from idp.web.gate import services
from idp.web.i18n import error_text


def tree() -> str:
    """The tree, opened along the links that were followed."""
    has, who = services(), asker()
    guard.require(who.sees_people)
    words = request.args.get("q", "").strip()
    opened = {int(i) for i in request.args.getlist("open") if i.isdecimal() and len(i) < 16}
    on, error = _on()
    with has.db.read() as session:
        branches, opened = pages_units.opened_tree(session, who.rights, opened, on=on)
        found = pages_units.named(session, who.rights, words) if words else []
    return render_template(
        "console/units.html",
        branches=branches,
        opened=opened,
        on=on,
        today=guard.today(),
        words=words,
        found=found,
        error=error,
    )


def _on() -> tuple[date, str]:
    """The day of the tree; today when what was typed is no day, and why."""
    try:
        value = forms.day(request.args.get("on", ""), "on")
    except InvalidInput as error:
        return guard.today(), error_text(error)
    return (date.fromisoformat(value) if value else guard.today()), ""


def unit(unit_id: int) -> str:
    """One unit: codes, posts, people, units below."""
    has, who = services(), asker()
    guard.require(who.sees_people)
    words = request.args.get("q", "").strip()
    looked = pages_units.Looked(request.args.get("after"), words, guard.number("below"))
    with has.db.read() as session:
        page = pages_units.whole(
            session,
            who.rights,
            unit_id,
            looked,
            now=who.now,
            keyring=has.keyring,
        )
    leafed = {
        name: request.args[name] for name in ("q", "below", "after") if request.args.get(name)
    }
    return render_template("console/unit.html", page=page, words=words, leafed=leafed)


def install(blueprint: Blueprint) -> None:
    """Register the pages."""
    blueprint.add_url_rule("/units", "units", tree)
    blueprint.add_url_rule("/units/<int(max=999999999999999):unit_id>", "unit", unit)
