"""Units: the tree on any day, a search, one unit."""

from flask import Blueprint, render_template, request

from idp.console import forms, guard, pages_units
from idp.console.guard import asker
from idp.web.gate import services


def tree() -> str:
    """The tree, opened along the links that were followed."""
    has, who = services(), asker()
    guard.require(who.sees_people)
    words = request.args.get("q", "").strip()
    opened = {int(i) for i in request.args.getlist("open") if i.isdecimal() and len(i) < 16}
    on, error = forms.day_asked(request.args.get("on", ""), guard.today())
    with has.db.read() as session:
        branches, opened = pages_units.opened_tree(session, who.rights, opened, on=on)
        found = pages_units.named(session, who.rights, words, on=on) if words else []
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


def unit(unit_id: int) -> str:
    """One unit: codes, posts, people, units below."""
    has, who = services(), asker()
    guard.require(who.sees_people)
    words = request.args.get("q", "").strip()
    looked = pages_units.Looked(request.args.get("after"), words, guard.number("below"))
    on, error = forms.day_asked(request.args.get("on", ""), guard.today())
    with has.db.read() as session:
        page = pages_units.whole(
            session,
            who.rights,
            unit_id,
            looked,
            now=who.now,
            keyring=has.keyring,
            on=on,
        )
    leafed = {
        name: request.args[name]
        for name in ("q", "below", "after", "on")
        if request.args.get(name) and not (name == "on" and error)
    }
    return render_template(
        "console/unit.html",
        page=page,
        words=words,
        leafed=leafed,
        on=on,
        today=guard.today(),
        error=error,
    )


def install(blueprint: Blueprint) -> None:
    """Register the pages."""
    blueprint.add_url_rule("/units", "units", tree)
    blueprint.add_url_rule("/units/<int(max=999999999999999):unit_id>", "unit", unit)
