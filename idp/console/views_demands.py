"""Rights and demands in force, as one page."""

from flask import Blueprint, render_template

from idp.console import guard, pages_demands
from idp.console.guard import asker
from idp.web.gate import services


def listing() -> str:
    """Who may do what, and what is asked of a sign-in where."""
    has = services()
    guard.require(asker().sees_demands)
    with has.db.read() as session:
        page = pages_demands.demanded(session, has.settings, on=guard.today())
    return render_template("console/demands.html", page=page)


def install(blueprint: Blueprint) -> None:
    """Register the page."""
    blueprint.add_url_rule("/demands", "demands", listing)
