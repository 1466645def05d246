"""Work by hand: what is to be done at applications that nobody can call."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, g, make_response, redirect, render_template, request, url_for

from connectors.accounts.contract import Action
from directory.base.errors import Conflict, InvalidInput
from idp.console import guard, pages_work
from idp.console.guard import asker
from idp.console.pages_work import WorkFilter
from idp.demands import Operation
from idp.web import unwritten
from idp.web.gate import services
from idp.web.i18n import error_text, gettext

_ACTIONS = (Action.DISABLED, Action.CREATED, Action.UPDATED)
"""As the filter offers them: what cuts access first."""


def work(*, item_id: int | None = None, error: InvalidInput | None = None) -> Any:
    """Open items of the asker's applications."""
    has, who = services(), asker()
    guard.require(who.manages_applications)
    wanted, after = _filter(), guard.number("after") or 0
    with has.db.read() as session:
        page = pages_work.listed(session, who.rights, wanted, now=who.now, after=after)
    g.shown_at = _here()
    answer = render_template(
        "console/work.html",
        page=page,
        wanted=wanted,
        actions=_ACTIONS,
        filters=_said(wanted),
        after=after or None,
        item_id=item_id,
        error=error_text(error) if error else "",
        field=error.field if error else "",
        values=request.form,
    )
    return make_response(answer, error.status if error else 200)


def _filter() -> WorkFilter:
    named = request.args.get("action", "")
    return WorkFilter(
        application=guard.number("application"),
        action=next((a for a in _ACTIONS if a.value == named), None),
        late=bool(request.args.get("late")),
    )


def _said(wanted: WorkFilter) -> dict[str, Any]:
    """The filter as parts of an address."""
    said = {
        "application": wanted.application,
        "action": wanted.action.value if wanted.action else None,
        "late": "1" if wanted.late else None,
    }
    return {name: value for name, value in said.items() if value}


def _here() -> str:
    """This page of the list, which its forms name in their address."""
    return url_for("console.work", **_said(_filter()), after=guard.number("after") or None)


def all_done() -> Any:
    """Somebody says that all of these are done."""
    has, who = services(), asker()
    guard.require(who.manages_applications)
    if request.form.get(unwritten.RESUMED):
        return work()
    guard.confirm(Operation.WORK, in_form=False)
    chosen = {_chosen(value) for value in request.form.getlist("item")[: pages_work.PAGE]}
    with has.db.write() as session:
        written, passed_over = pages_work.all_done(
            session, who.rights, chosen, actor=who.actor, now=who.now
        )
    if not chosen:
        flash(gettext("Hãy chọn ít nhất một việc."), "wait")
    if written:
        flash(gettext("Đã ghi nhận {n} việc là đã làm xong.", n=written), "good")
    if passed_over:
        flash(
            gettext("{n} việc vừa thay đổi hoặc đã được ghi nhận; hãy xem lại.", n=passed_over),
            "wait",
        )
    return redirect(_here(), 303)


def _chosen(value: str) -> tuple[int, str]:
    """Item and digest of one ticked row; what is no row of ours names nothing."""
    item_id, _, digest = value.partition(":")
    known = item_id.isascii() and item_id.isdecimal() and len(item_id) < 16
    return (int(item_id) if known else 0), digest


def done(item_id: int) -> Any:
    """Somebody says that it is done."""
    said = {"remote_id": request.form.get("remote_id", "")}
    return _answered(pages_work.done, item_id, said, "Đã ghi nhận là đã làm xong.", "good")


def failed(item_id: int) -> Any:
    """Somebody says that it cannot be done, and why."""
    said = {"reason": request.form.get("reason", "")}
    return _answered(pages_work.failed, item_id, said, "Đã ghi lý do. Việc vẫn chờ ở đây.", "wait")


def _answered(
    act: Callable[..., None], item_id: int, said: dict[str, str], words: str, mood: str
) -> Any:
    """Write her word down, once and only about the state she was shown."""
    has, who = services(), asker()
    if request.form.get(unwritten.RESUMED):
        return work(item_id=item_id)
    guard.confirm(Operation.WORK, in_form=False)
    digest = request.form.get("digest", "")
    try:
        with has.db.write() as session:
            act(session, who.rights, item_id, digest, **said, actor=who.actor, now=who.now)
    except InvalidInput as error:
        return work(item_id=item_id, error=error)
    except Conflict as error:
        flash(error_text(error), "wait")
    else:
        flash(gettext(words), mood)
    return redirect(_here(), 303)


def install(blueprint: Blueprint) -> None:
    """Register the pages."""
    blueprint.add_url_rule("/work-items", "work", work)
    blueprint.add_url_rule("/work-items/done", "work_all_done", all_done, methods=["POST"])
    for name, view in (("done", done), ("failed", failed)):
        blueprint.add_url_rule(
            f"/work-items/<int(max=999999999999999):item_id>/{name}",
            f"work_{name}",
            view,
            methods=["POST"],
        )
