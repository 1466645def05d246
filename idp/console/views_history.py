"""What was done: one change with its proof, and the list of them."""

from typing import Any

from flask import (
    Blueprint,
    Response,
    make_response,
    render_template,
    request,
    url_for,
)

from directory.changes import history
from directory.changes.model import ChangeState
from idp import edge
from idp.console import entries, guard, pages_changes
from idp.console.guard import asker
from idp.web.gate import services

REFRESHES = 60
"""How often a proof under way reloads itself: an abandoned page must not keep a session alive."""


def show(change_id: str) -> Any:
    """The proof of a change, reloading itself while effects are under way."""
    has, who = services(), asker()
    with has.db.read() as session:
        found = edge.seen(session, who.actor, change_id, now=who.now)
        page = pages_changes.proof(session, found)
    response = make_response(render_template("console/change.html", page=page, change=found.change))
    _reload(response, found.change.state, change_id)
    return response


def _reload(response: Response, state: str, change_id: str) -> None:
    round_ = request.args.get("n", 0, type=int)
    if state == ChangeState.COMMITTED.value and 0 <= round_ < REFRESHES:
        again = url_for("console.change", change_id=change_id, n=round_ + 1)
        response.headers["Refresh"] = f"2; url={again}"


def listing() -> str:
    """Changes, newest first."""
    has, who = services(), asker()
    guard.require(who.sees_people)
    state = request.args.get("state", "")
    states = [*(s.value for s in ChangeState), "attention"]
    with has.db.read() as session:
        page = history.listed(
            session,
            who.rights,
            state=state if state in states else None,
            after=request.args.get("after"),
        )
        actors = entries.names(session, page.rows)
    return render_template(
        "console/changes.html", page=page, actors=actors, state=state, states=states
    )


def install(blueprint: Blueprint) -> None:
    """Register the pages."""
    blueprint.add_url_rule("/changes", "changes", listing)
    blueprint.add_url_rule("/changes/<change_id>", "change", show)
