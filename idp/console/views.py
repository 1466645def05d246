"""The console's blueprint: who may enter, the start page, and the pages of the views_* beside it."""

from flask import Blueprint, Response, jsonify, render_template

from idp.console import (
    entries,
    guard,
    pages_home,
    pages_proposals,
    views_applications,
    views_changes,
    views_clients,
    views_demands,
    views_history,
    views_identities,
    views_operations,
    views_people,
    views_proposals,
    views_restored,
    views_slips,
    views_units,
    views_work,
)
from idp.console.guard import asker
from idp.web import ending, labels
from idp.web.gate import services

blueprint = Blueprint("console", __name__, url_prefix="/console")
blueprint.before_request(guard.enter)
blueprint.after_request(guard.leave)


@blueprint.context_processor
def _words() -> dict[str, object]:
    """What every template of the console may use."""
    return {
        "asker": asker,
        "field_label": labels.field_label,
        "field_value": labels.field_value,
        "evidence": labels.evidence,
        "acted": entries.actor,
        "details": entries.details,
        "proposed_by": pages_proposals.proposed_by,
        "decided_by": pages_proposals.decided_by,
    }


@blueprint.get("/")
def home() -> str:
    """Counts, what waits for its day, what needs somebody."""
    has, who = services(), asker()
    with has.db.read() as session:
        page = pages_home.home(session, who.rights, now=who.now)
    return render_template("console/home.html", page=page)


@blueprint.get("/stay")
def stay() -> Response:
    """Somebody is still at the console: how long that goes on then. Asked for by a page's script."""
    return jsonify(ending.here().told)


for part in (
    views_people,
    views_slips,
    views_units,
    views_changes,
    views_history,
    views_proposals,
    views_identities,
    views_applications,
    views_clients,
    views_demands,
    views_operations,
    views_restored,
    views_work,
):
    part.install(blueprint)
