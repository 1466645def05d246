"""What takes a second person: the list of proposals, and one with its plan, to be decided."""

from typing import Any

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for

from directory.base.errors import Conflict, DinhdanhError, InvalidInput, NotAllowed
from directory.changes.proposals import ProposalState
from idp import approving
from idp.console import guard, pages_proposals
from idp.console.guard import asker
from idp.demands import Operation
from idp.web.gate import services
from idp.web.i18n import error_text, gettext


def listing() -> str:
    """Proposals the asker may see, newest first."""
    has, who = services(), asker()
    guard.require(who.sees_people)
    state = request.args.get("state", "")
    with has.db.read() as session:
        page = pages_proposals.listed(
            session, who.rights, state=state, after=request.args.get("after")
        )
    return render_template(
        "console/proposals.html", page=page, state=state, states=[s.value for s in ProposalState]
    )


def show(proposal_id: str, *, error: DinhdanhError | None = None) -> Any:
    """One proposal: what it would do now, and what the asker may do with it."""
    has, who = services(), asker()
    found = approving.shown(has, proposal_id, who.actor)
    with has.db.read() as session:
        people = pages_proposals.names(session, [found.proposal])
    answer = render_template(
        "console/proposal.html",
        found=found,
        row=found.proposal,
        plan=found.plan,
        people=people,
        to_print=pages_proposals.to_print(found.proposal, who.rights),
        error=error,
        error_text=error_text(error) if error else "",
        field=getattr(error, "field", ""),
        reason=request.form.get("reason", ""),
    )
    return make_response(answer, error.status if error else 200)


def decide(proposal_id: str) -> Any:
    """Approve it, after the password; decline it, with a reason; or withdraw it."""
    has, who = services(), asker()
    act = request.form.get("decision", "")
    try:
        if act == "approve":
            guard.confirm(Operation.APPROVAL)
            fingerprint = request.form.get("fingerprint", "")
            done = approving.approve(has, proposal_id, who.actor, fingerprint=fingerprint)
            flash(
                gettext("Đã phê duyệt. Thay đổi được ghi với tên người đề nghị và tên bạn."), "good"
            )
            return redirect(url_for("console.change", change_id=done.id), 303)
        if act == "decline":
            guard.confirm(Operation.APPROVAL, in_form=False)
            reason = request.form.get("reason", "")
            approving.decline(has, proposal_id, who.actor, reason=reason)
        elif act == "withdraw":
            guard.confirm(Operation.CHANGE, in_form=False)
            approving.withdraw(has, proposal_id, who.actor)
        else:
            return show(proposal_id)
    except (Conflict, InvalidInput, NotAllowed) as error:
        return show(proposal_id, error=error)
    return redirect(url_for("console.proposal", proposal_id=proposal_id), 303)


def install(blueprint: Blueprint) -> None:
    """Register the pages."""
    blueprint.add_url_rule("/proposals", "proposals", listing)
    blueprint.add_url_rule("/proposals/<proposal_id>", "proposal", show)
    blueprint.add_url_rule("/proposals/<proposal_id>", "proposal_decide", decide, methods=["POST"])
