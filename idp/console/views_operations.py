"""Jobs, logout tokens nobody has acknowledged, and the audit trail."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for

from directory.base.errors import Conflict
from directory.permissions import Do
from idp.console import guard, pages_audit, pages_jobs, pages_logouts
from idp.console.guard import asker
from idp.demands import Operation
from idp.trail import anchor
from idp.web import labels
from idp.web.gate import services
from idp.web.i18n import error_text, gettext


def jobs() -> str:
    """Jobs by state, those that wait for a person with their reason."""
    has, who = services(), asker()
    guard.require(who.runs_installation)
    state = request.args.get("state", "")
    with has.db.read() as session:
        page = pages_jobs.listed(
            session,
            state=state if state in pages_jobs.STATES else None,
            before=guard.number("before"),
        )
    return render_template("console/jobs.html", page=page, state=state, states=pages_jobs.STATES)


def retry(job_id: int) -> Any:
    """A parked job runs again."""
    has, who = services(), asker()
    guard.require(who.runs_installation)
    guard.confirm(Operation.WORK, in_form=False)
    try:
        with has.db.write() as session:
            pages_jobs.retry(session, job_id, actor=who.actor, now=who.now)
    except Conflict as error:
        flash(error_text(error), "wait")
    else:
        flash(gettext("Công việc sẽ được làm lại ngay."), "good")
    return redirect(url_for("console.jobs", state="parked"), 303)


def logouts() -> str:
    """Which applications have not acknowledged that somebody is signed out."""
    has, who = services(), asker()
    guard.require(who.sees_logouts)
    client = request.args.get("client", "")[:100]
    parked = "parked" if request.args.get("state") == "parked" else None
    with has.db.read() as session:
        page = pages_logouts.listed(
            session,
            who.rights,
            now=who.now,
            client_id=client or None,
            parked=parked,
            before=guard.number("before"),
        )
    return render_template("console/logouts.html", page=page, client=client, parked=parked)


def retry_logout(job_id: int) -> Any:
    """Tell an application once more."""
    has, who = services(), asker()
    guard.confirm(Operation.WORK, in_form=False)
    try:
        with has.db.write() as session:
            pages_logouts.retry(session, job_id, actor=who.actor, now=who.now)
    except Conflict as error:
        flash(error_text(error), "wait")
    else:
        flash(gettext("Sẽ báo lại ngay."), "good")
    return redirect(url_for("console.logouts"), 303)


def retry_logouts(client_id: str) -> Any:
    """Tell an application everything once more that it has refused so far."""
    has, who = services(), asker()
    guard.confirm(Operation.WORK, in_form=False)
    with has.db.write() as session:
        count = pages_logouts.retry_all(session, client_id, actor=who.actor, now=who.now)
    flash(gettext("Sẽ báo lại ngay {count} lượt.", count=count), "good")
    return redirect(url_for("console.logouts", client=client_id), 303)


def audit() -> str:
    """The latest entries of the audit trail."""
    has, who = services(), asker()
    guard.require(who.sees_audit)
    kind, subject = request.args.get("kind", "")[:40], request.args.get("subject", "")[:100].strip()
    with has.db.read() as session:
        page = pages_audit.listed(
            session,
            who.rights,
            now=who.now,
            subject_kind=kind,
            subject=subject,
            before=guard.number("before"),
        )
    return render_template(
        "console/audit.html",
        page=page,
        kinds=labels.LABELS["subject"],
        kind=kind,
        subject=subject,
        anchored=_anchored() if who.rights.paths(Do.SEE_AUDIT) is None else None,
    )


def _anchored() -> anchor.AnchorStanding | None:
    """How far the trail has come and what is written outside; None where that cannot be read."""
    try:
        return anchor.standing(services())
    except OSError:
        return None


def install(blueprint: Blueprint) -> None:
    """Register the pages."""
    blueprint.add_url_rule("/jobs", "jobs", jobs)
    blueprint.add_url_rule(
        "/jobs/<int(max=999999999999999):job_id>/retry", "retry_job", retry, methods=["POST"]
    )
    blueprint.add_url_rule("/logouts", "logouts", logouts)
    blueprint.add_url_rule(
        "/logouts/<int(max=999999999999999):job_id>/retry",
        "retry_logout",
        retry_logout,
        methods=["POST"],
    )
    blueprint.add_url_rule(
        "/clients/<client_id>/logouts/retry", "retry_logouts", retry_logouts, methods=["POST"]
    )
    blueprint.add_url_rule("/audit", "audit", audit)
