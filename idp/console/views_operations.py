"""Jobs and the audit trail."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for

from directory.base.errors import Conflict
from idp.console import guard, pages_audit, pages_jobs
from idp.console.guard import asker
from idp.i18n import error_text, gettext
from idp.security import services


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
    try:
        with has.db.write() as session:
            pages_jobs.retry(session, job_id, actor=who.actor, now=who.now)
    except Conflict as error:
        flash(error_text(error), "wait")
    else:
        flash(gettext("Công việc sẽ được làm lại ngay."), "good")
    return redirect(url_for("console.jobs", state="parked"), 303)


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
    return render_template("console/audit.html", page=page, kind=kind, subject=subject)


def install(blueprint: Blueprint) -> None:
    """Register the pages."""
    blueprint.add_url_rule("/jobs", "jobs", jobs)
    blueprint.add_url_rule(
        "/jobs/<int(max=999999999999999):job_id>/retry", "retry_job", retry, methods=["POST"]
    )
    blueprint.add_url_rule("/audit", "audit", audit)
