"""Changes: form → preview → confirm, and undo.

One pair of templates serves every kind. A preview only reads, so it is a GET that may be
reloaded, but where people's own data are typed: those are sent (``Kind.private``). It hands its
fields, the fingerprint and a fresh Idempotency-Key to the form that confirms. That form, sent twice,
gives the same change.
"""

import secrets
from collections.abc import Callable
from typing import Any

from flask import (
    Blueprint,
    abort,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)

from directory.base.errors import Conflict, DinhdanhError, InvalidInput, NotAllowed, PlanStale
from directory.changes.asks import Input
from directory.changes.kind import About, Kind
from directory.changes.leaves import leaves
from idp import approving, edge
from idp.console import forms, guard, pages_changes, pages_units
from idp.console.guard import asker
from idp.demands import Operation
from idp.edge import Ask
from idp.web import language_switch
from idp.web.gate import services
from idp.web.i18n import error_text, gettext

# ---- a change of one person ------------------------------------------------------------------


def ask(user_id: int, kind: str) -> Any:
    """The form of a change, its search for a unit, and its preview."""
    one = _kind(kind)
    if request.args.get("step") != "preview" or one.private:
        return _form(user_id, one)
    return _previewed(user_id, one, request.args.copy())


def _previewed(user_id: int, one: Kind, values: Any) -> Any:
    try:
        _settle_unit(one, values)
        want = _wanted(one, user_id, values)
        plan = edge.preview(services(), want, asker().actor)
    except (InvalidInput, NotAllowed, Conflict) as error:
        return _form(user_id, one, error=error)
    fields = forms.carried(one, values)
    return _preview(plan, fields=fields, back=_edit(user_id, one))


def confirm(user_id: int, kind: str) -> Any:
    """Commit what a preview announced, after the password."""
    one = _kind(kind)
    if one.private:
        return _sent(user_id, one)
    if _only_shown():
        return _previewed(user_id, one, request.form.copy())
    if request.form.get("decision") not in ("allow", "propose"):
        return redirect(_edit(user_id, one), 303)
    want = _wanted(one, user_id, request.form)
    fields = forms.carried(one, request.form)
    return _commit(want, fields=fields, back=_edit(user_id, one))


def _sent(user_id: int | None, one: Kind) -> Any:
    """A form whose fields never stand in an address: its search for a unit, its preview, its
    confirmation.
    """
    values = request.form.copy()
    decided = values.get("decision")
    if decided == "deny" or (decided is None and values.get("step") != "preview"):
        return _form(user_id, one)
    try:
        if decided is None:
            _settle_unit(one, values)
        want = _wanted(one, user_id, values)
        fields = forms.carried(one, values)
        if decided in ("allow", "propose"):
            return _commit(want, fields=fields, back="")
        return _preview(edge.preview(services(), want, asker().actor), fields=fields, back="")
    except (InvalidInput, NotAllowed, Conflict) as error:
        return _form(user_id, one, error=error)


def _wanted(one: Kind, user_id: int | None, values: Any) -> Ask:
    """What a form asks for; what is wrong in it is told when it is asked."""
    filled = forms.body(one, user_id, values)
    return edge.asked(services(), filled.body, wrong=filled.wrong)


def _said(error: DinhdanhError | None) -> dict[str, Any]:
    """An error for a form: the sentence above it, and what is said at each field."""
    fields = error.every if isinstance(error, InvalidInput) else ()
    lead = error_text(error) if error else ""
    if len(fields) > 1:
        lead = gettext("Có {n} chỗ cần sửa, ghi ở từng mục dưới đây.", n=len(fields))
    return {
        "error": error,
        "error_text": lead,
        "wrong": {one.field: error_text(one) for one in fields},
    }


# ---- somebody new ----------------------------------------------------------------------------


def join() -> Any:
    """The form for somebody who is new here."""
    guard.require(asker().joins_people)
    return _form(None, _kind("join", About.NEWCOMER))


def join_send() -> Any:
    """Its search for a unit, its preview and its confirmation."""
    guard.require(asker().joins_people)
    return _sent(None, _kind("join", About.NEWCOMER))


# ---- a change of one unit --------------------------------------------------------------------


def ask_unit(unit_id: int, kind: str) -> Any:
    """The form of a change of a unit, its search for another unit, and its preview."""
    one = _kind(kind, About.UNIT)
    if request.args.get("step") != "preview":
        return _unit_form(unit_id, one)
    values = request.args.copy()
    return _unit_previewed(unit_id, one, values)


def _unit_previewed(unit_id: int, one: Kind, values: Any) -> Any:
    values["unit"] = str(unit_id)
    try:
        _settle_unit(one, values)
        want = _wanted(one, None, values)
        plan = edge.preview(services(), want, asker().actor)
    except (InvalidInput, NotAllowed, Conflict) as error:
        return _unit_form(unit_id, one, error=error)
    return _preview(plan, fields=forms.carried(one, values), back=_unit_edit(unit_id, one))


def confirm_unit(unit_id: int, kind: str) -> Any:
    """Commit what a preview announced, after the password."""
    one = _kind(kind, About.UNIT)
    values = request.form.copy()
    if _only_shown():
        return _unit_previewed(unit_id, one, values)
    values["unit"] = str(unit_id)
    back = _unit_edit(unit_id, one)
    if values.get("decision") not in ("allow", "propose"):
        return redirect(back, 303)
    want = _wanted(one, None, values)
    return _commit(want, fields=forms.carried(one, values), back=back)


def _unit_edit(unit_id: int, one: Kind) -> str:
    fields: dict[str, Any] = dict(forms.carried(one, request.values))
    fields.pop("unit", None)
    return url_for("console.unit_change_form", unit_id=unit_id, kind=one.code, **fields)


def _unit_form(unit_id: int, one: Kind, *, error: DinhdanhError | None = None) -> Any:
    has, who = services(), asker()
    words = request.values.get("unit_words", "")
    with has.db.read() as session:
        unit = pages_units.managed(session, who.rights, unit_id)
        chosen = request.values.get(_unit_field(one), "")
        found = []
        if words.strip():
            found = pages_units.destinations(session, who.rights, words, on=guard.today())
        if not found and chosen.isdecimal() and len(chosen) < 16:
            found = pages_units.chosen(session, who.rights, int(chosen), on=guard.today())
    language_switch.by_form()
    answer = render_template(
        "console/unit_change_form.html",
        unit=unit,
        kind=one,
        leaves=[leaf for leaf in leaves(one.asks) if leaf.name != "unit"],
        values=request.values,
        words=words,
        found=[(u, owner) for u, owner in found if u.id != unit_id],
        today=guard.today(),
        **_said(error),
    )
    return make_response(answer, error.status if error else 200)


def _kind(code: str, about: About = About.PEOPLE) -> Kind:
    found = forms.kind_of(code, about)
    if found is None:
        abort(404)
    return found


def _settle_unit(one: Kind, values: Any) -> None:
    """A search that finds one unit has chosen it."""
    name = _unit_field(one)
    found = _units(request.values.get("unit_words", "")) if name else []
    if name and not values.get(name) and len(found) == 1:
        values[name] = str(found[0][0].id)


def _unit_field(one: Kind) -> str:
    """The field that asks for a unit, if there is one."""
    named = [leaf.name for leaf in leaves(one.asks) if leaf.input == Input.UNIT]
    return next((name for name in named if one.about != About.UNIT or name != "unit"), "")


def _edit(user_id: int, one: Kind) -> str:
    fields: dict[str, Any] = {}
    for name, value in forms.carried(one, request.values):
        fields.setdefault(name, []).append(value)
    return url_for("console.change_form", user_id=user_id, kind=one.code, **fields)


def _units(words: str) -> list[Any]:
    if not words.strip():
        return []
    with services().db.read() as session:
        return list(pages_units.destinations(session, asker().rights, words, on=guard.today()))


def _form(user_id: int | None, one: Kind, *, error: DinhdanhError | None = None) -> Any:
    has, who = services(), asker()
    words = request.values.get("unit_words", "")
    with has.db.read() as session:
        page = pages_changes.form(session, who.rights, user_id, now=who.now)
        chosen = request.values.get(_unit_field(one), "")
        found = []
        if words.strip():
            found = pages_units.destinations(session, who.rights, words, on=guard.today())
        if not found and chosen.isdecimal() and len(chosen) < 16:
            found = pages_units.chosen(session, who.rights, int(chosen), on=guard.today())
    language_switch.by_form()
    answer = render_template(
        "console/change_form.html",
        page=page,
        kind=one,
        leaves=leaves(one.asks),
        values=request.values,
        words=words,
        found=found,
        today=guard.today(),
        **_said(error),
    )
    return make_response(answer, error.status if error else 200)


# ---- undo ------------------------------------------------------------------------------------


def ask_undo(change_id: str) -> Any:
    """What undoing a change would do."""
    back = url_for("console.change", change_id=change_id)
    try:
        plan = edge.preview(services(), edge.undoing(change_id), asker().actor)
    except (Conflict, NotAllowed) as error:
        flash(error_text(error), "bad")
        return redirect(back, 303)
    return _preview(plan, fields=[], back=back)


def confirm_undo(change_id: str) -> Any:
    """Undo it, after the password."""
    back = url_for("console.change", change_id=change_id)
    if _only_shown():
        return ask_undo(change_id)
    if request.form.get("decision") not in ("allow", "propose"):
        return redirect(back, 303)
    return _commit(edge.undoing(change_id), fields=[], back=back)


# ---- preview and commit, whatever the kind ---------------------------------------------------


def _only_shown() -> bool:
    """Whether the form asks for a preview: something was settled, or the page that answers a form is
    wanted in the other language.
    """
    return request.form.get("step") == "preview" and "decision" not in request.form


def _preview(
    plan: dict[str, Any],
    *,
    fields: list[tuple[str, str]],
    back: str,
    error: DinhdanhError | None = None,
    key: str | None = None,
) -> Any:
    language_switch.by_form(step="preview")
    answer = render_template(
        "console/preview.html",
        plan=plan,
        fields=fields,
        back=back,
        key=key or secrets.token_urlsafe(24),
        error=error,
        error_text=error_text(error) if error else "",
        stale=isinstance(error, PlanStale),
        confirmed=asker().confirmed,
    )
    return make_response(answer, error.status if error else 200)


def _commit(want: Ask, *, fields: list[tuple[str, str]], back: str) -> Any:
    has, who = services(), asker()
    key = request.form.get("key", "")[:255]
    try:
        guard.confirm(Operation.CHANGE)
        where = _act(want, f"console:{key}" if key else None)
    except (Conflict, InvalidInput) as error:
        try:
            plan = edge.preview(has, want, who.actor)
        except DinhdanhError as now_refused:
            if not back:
                raise
            flash(error_text(now_refused), "bad")
            return redirect(back, 303)
        return _preview(plan, fields=fields, back=back, error=error, key=key)
    return redirect(where, 303)


def _act(want: Ask, key: str | None) -> str:
    """Commit it, or leave it for a second person; where to look at what came of it."""
    has, who = services(), asker()
    fingerprint = request.form.get("fingerprint", "")
    if request.form.get("decision") == "propose":
        left = approving.propose(has, want, who.actor, fingerprint=fingerprint, key=key)
        return url_for("console.proposal", proposal_id=left["id"])
    done = edge.commit(has, want, who.actor, fingerprint=fingerprint, key=key)
    return url_for("console.change", change_id=done.id)


def install(blueprint: Blueprint) -> None:
    """Register the pages."""
    pages: tuple[tuple[str, str, Callable[..., Any], str], ...] = (
        ("/people/<int(max=999999999999999):user_id>/<kind>", "change_form", ask, "GET"),
        ("/people/<int(max=999999999999999):user_id>/<kind>", "change_confirm", confirm, "POST"),
        ("/people/new", "join", join, "GET"),
        ("/people/new", "join_send", join_send, "POST"),
        ("/units/<int(max=999999999999999):unit_id>/<kind>", "unit_change_form", ask_unit, "GET"),
        (
            "/units/<int(max=999999999999999):unit_id>/<kind>",
            "unit_change_confirm",
            confirm_unit,
            "POST",
        ),
        ("/changes/<change_id>/undo", "undo", ask_undo, "GET"),
        ("/changes/<change_id>/undo", "undo_confirm", confirm_undo, "POST"),
    )
    for rule, name, view, method in pages:
        blueprint.add_url_rule(rule, name, view, methods=[method])
