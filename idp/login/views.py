"""The sign-in pages. Each POST records one thing and redirects to /login/<flow>; the last ends it, and goes
on to where she was going.
"""

import contextlib
from collections.abc import Callable
from typing import Any

from flask import (
    Blueprint,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask import session as browser_state

from directory.base.errors import (
    Busy,
    Conflict,
    DinhdanhError,
    InvalidInput,
    Locked,
    NotFound,
)
from idp.login import (
    asking,
    changing,
    enrolling,
    finishing,
    locked,
    parting,
    proving,
    unwritten,
    views_activation,
    waiting,
)
from idp.login import flow as flows
from idp.login.finishing import Finished
from idp.login.policy import FlowState, Policy, Step
from idp.web import asked_again, gate, i18n, judged, language_switch, page_policy
from idp.web.gate import services
from idp.web.i18n import error_text, gettext

blueprint = Blueprint("login", __name__)
views_activation.install(blueprint)

_SPENT = ("code_spent", "passkey_spent", "certificate_spent")
OF = "of"
"""In the cookie of the forms' tokens: whose forms they are."""


@blueprint.get("/login")
def start() -> Any:
    """Begin a sign-in that ends at ``return_to``; with a session and no ``prompt``, go there.

    Nothing is written: anybody may ask.
    """
    return_to = gate.local_path(request.args.get("return_to")) or "/"
    demand, view = proving.demanded(request.args), gate.current_session()
    if view is not None and "login" not in demand.prompt and demand.met_by(view.acr):
        return redirect(return_to, 303)
    return redirect(url_for("login.show", flow_id=new(return_to)), 303)


def new(return_to: str) -> str:
    """The name of a sign-in that begins with this request, as it asks for it."""
    has = services()
    return unwritten.address(
        has.keyring,
        return_to=return_to,
        demand=proving.demanded(request.args),
        why=asked_again.read(request.args.get("why")),
        browser=gate.browser_id(),
        now=has.clock(),
    )


@blueprint.get("/login/<flow_id>")
def show(flow_id: str) -> Any:
    """The page of the next step, or the end of the sign-in."""
    try:
        flow, policy = load(flow_id)
    except NotFound as error:
        return waiting.anew(flow_id) or again(error, 404)
    if waiting.carried_on(flow):
        return redirect(flow.return_to, 303)
    step = proving.step_of(flow, policy)
    if step is Step.FINISHED:
        return redirect(flow.return_to, 303)
    if step is Step.DONE:
        return _finish(flow, policy)
    return _page(flow, policy, step)


@blueprint.get("/login/<flow_id>/locked/<told>")
def locked_page(flow_id: str, told: str) -> Any:
    """The page that said how long to wait, looked at once more."""
    error = locked.read(told)
    if error is None:
        return redirect(url_for("login.show", flow_id=flow_id), 303)
    try:
        flow, _ = load(flow_id)
    except NotFound as gone:
        return waiting.anew(flow_id) or again(gone, 404)
    return locked.page(flow, error)


@blueprint.post("/login/<flow_id>")
def record(flow_id: str) -> Any:
    """Record what was entered for the step the flow stands at."""
    try:
        flow, policy = load(flow_id)
    except NotFound as error:
        return waiting.anew(flow_id) or again(error, 404)
    if waiting.carried_on(flow):
        return redirect(flow.return_to, 303)
    step, about = proving.step_of(flow, policy), request.form.get("step")
    factor = proving.answering(flow, policy, about)

    def act() -> Any:
        # A form sent twice, or from an older tab, is about a step already taken.
        if factor is not None:
            return proving.answered(flow, factor)
        if about in (None, step.value) and step in _RECORD:
            _RECORD[step](flow, policy)
        return None

    return acted(flow, policy, step, act)


@blueprint.post("/login/<flow_id>/enrol")
def enrol(flow_id: str) -> Any:
    """Enrol the second factor that is asked for, by the first code of it."""
    try:
        flow, policy = load(flow_id)
    except NotFound as error:
        return waiting.anew(flow_id) or again(error, 404)
    step = proving.step_of(flow, policy)
    return acted(flow, policy, step, lambda: step is Step.ENROL and enrolling.confirmed(flow))


@blueprint.get("/login/<flow_id>/enrol")
def enrolled_page(flow_id: str) -> Any:
    """Its form, looked at once more."""
    return redirect(url_for("login.show", flow_id=flow_id), 303)


def acted(flow: FlowState, policy: Policy, step: Step, act: Callable[[], Any]) -> Any:
    """Where an act at this step leads: to the next one, elsewhere, or back to its page."""
    try:
        away = act()
    except InvalidInput as error:
        if error.code in _SPENT and _went_on(flow):
            return redirect(url_for("login.show", flow_id=flow.at), 303)
        return _page(flow, policy, step, error=error), 422
    except Busy as error:
        # Nothing was looked at: she has her form again, and sends it again.
        return locked.put_off(_page(flow, policy, step, error=error), error)
    except Locked as error:
        if step is Step.PROVE and error.why in locked.SHORT:
            return locked.answer(proving.page(flow, policy, error=locked.said(error)), error)
        return locked.page(flow, error, others=proving.others(flow, policy))
    except Conflict as error:
        if error.code == "flow_done":
            return redirect(url_for("login.show", flow_id=flow.at), 303)
        return again(error, 409, return_to=flow.return_to)
    if isinstance(away, Finished):
        return _signed_in(flow, away)
    return away or _on(flow, step)


def _on(flow: FlowState, step: Step) -> Any:
    """To the page of the next step; where none is left, that is the end of it."""
    if step in _LAST:
        with contextlib.suppress(NotFound):
            after, policy = load(flow.at)
            if proving.step_of(after, policy) is Step.DONE:
                return _finish(after, policy)
    return redirect(url_for("login.show", flow_id=flow.at), 303)


def _went_on(flow: FlowState) -> bool:
    """Whether the code that is used up was used up by this very sign-in: the button was pressed twice."""
    now, _ = load(flow.at)
    return len(now.proven) > len(flow.proven)


def load(flow_id: str) -> tuple[FlowState, Policy]:
    has = services()
    browser = gate.browser_id()
    acting = gate.current_session()
    with has.db.hot() as connection:
        flow = unwritten.load(
            connection,
            has.keyring,
            flow_id,
            browser=browser,
            now=has.clock(),
            settings=has.settings,
        )
        because = asking.because_of(flow)
        policy = flows.policy_for(
            connection,
            flow,
            ways=asking.ways(connection, flow, because, has.clock()),
            acting=acting,
            because=because,
            positions=has.settings.position_acr,
            now=has.clock(),
        )
    if flow.browser is None:
        with has.db.write() as session:
            flows.bind(session, flow.id, browser)
    i18n.prefer(str(flow.request.get("ui_locales") or ""))
    _allow_form(flow)
    return flow, policy


def _allow_form(flow: FlowState) -> None:
    page_policy.allow_form_to(str(flow.request.get("form_origin") or "") or None)


# ---- steps -----------------------------------------------------------------------------------


def _change(flow: FlowState, _policy: Policy) -> None:
    changing.change(flow)


@blueprint.post("/login/<flow_id>/judged")
def judge(flow_id: str) -> Any:
    """What is to be said of the new password that is being typed. Raises NotFound, Locked."""
    flow, policy = load(flow_id)
    if proving.step_of(flow, policy) is not Step.CHANGE_PASSWORD:
        raise flows.unknown()
    user, choosing = changing.who_chooses(flow)
    return judged.answer(choosing, user.id)


def _capacity(flow: FlowState, policy: Policy) -> None:
    """Record the chosen capacity. Raises InvalidInput."""
    chosen = request.form.get("assignment", "")
    with services().db.write() as session:
        flows.record_capacity(
            session,
            flow,
            int(chosen) if chosen.isdecimal() and len(chosen) < 16 else 0,
            capacities=policy.capacities,
        )


_RECORD = {
    Step.CHANGE_PASSWORD: _change,
    Step.CAPACITY: _capacity,
}


_LAST = (Step.CHANGE_PASSWORD, Step.ENROL, Step.CAPACITY)
"""Steps after which nothing may be missing; after a proof that is known without looking again."""


# ---- pages -----------------------------------------------------------------------------------


def _page(
    flow: FlowState, policy: Policy, step: Step, *, error: InvalidInput | Busy | None = None
) -> Any:
    if step is Step.PROVE:
        return proving.page(flow, policy, error=error_text(error) if error else None)
    if step is Step.ENROL and proving.answering(flow, policy, request.args.get("way")):
        return proving.page(flow, policy, error=error_text(error) if error else None)
    if step is Step.ENROL:
        wrong = error if isinstance(error, InvalidInput) else None
        return enrolling.page(flow, policy, error=wrong)
    has = services()
    about: dict[str, Any] = {
        "flow": flow,
        "step": step.value,
        "error": error_text(error) if error else None,
        "field": error.field if isinstance(error, InvalidInput) else None,
    }
    if step is Step.CAPACITY:
        with has.db.read() as session:
            held = flows.capacities(session, flow.user_id or 0, now=has.clock())
        return render_template("login/capacity.html", held=held, **about)
    if step is Step.CHANGE_PASSWORD:
        user, choosing = changing.who_chooses(flow)
        aged = 0 if choosing.temporary else has.settings.admin_password_days
        about |= {"username": user.username, "choosing": choosing, "aged_days": aged}
        return render_template("login/change.html", reasons=judged.reasons(error), **about)
    return make_response(render_template("login/refused.html", **about), 403)


def _finish(flow: FlowState, policy: Policy) -> Any:
    """Start the session in one transaction and send the browser on with its cookie."""
    has = services()
    now = has.clock()
    try:
        with has.db.write() as session:
            done = finishing.finish(
                session,
                flow.id,
                browser=gate.browser_id(),
                ways=policy.ways,
                because=policy.because,
                acting=gate.current_session(),
                source=asking.source(),
                now=now,
                settings=has.settings,
                keyring=has.keyring,
            )
            gate.sessions_ended(session, done.replaced, now=now, reason=done.reason)
    except Conflict as error:
        if error.code == "flow_done":
            return redirect(url_for("login.show", flow_id=flow.at), 303)
        return again(error, 409, return_to=flow.return_to)
    return _signed_in(flow, done)


def _signed_in(flow: FlowState, done: Finished) -> Any:
    """On with the session's cookie: to the application, with what it asked for, where no page is
    needed for that; else to where she was going.
    """
    has = services()
    # Form tokens handed out before the sign-in are not good after it, but for those of the same
    # person: her other tabs wait with forms that she has filled in.
    kept = dict(browser_state) if browser_state.get(OF) == done.user_id else {}
    browser_state.clear()
    browser_state.update(kept | {OF: done.user_id})
    response: Any = None
    if flow.client_id is not None:
        response = gate.onward(done.return_to, done.cookie_value)
        if response is None:
            with has.db.write() as session:
                flows.answer_owed(session, flow.id)
    response = response or redirect(done.return_to, 303)
    gate.set_session_cookie(response, done.cookie_value)
    asking.know_again(response, done, now=has.clock())
    parting.forget_unless(response, done.proven)
    return response


def again(
    error: DinhdanhError, status: int, *, return_to: str = "/", in_this_browser: bool = False
) -> Any:
    """What happened, and a way to begin anew."""
    page = render_template(
        "login/again.html",
        sentence=error_text(error),
        return_to=return_to,
        in_this_browser=in_this_browser,
    )
    return make_response(page, status)


# ---- language, after signing out ---------------------------------------------------------------


@blueprint.get("/lang/<code>")
def language(code: str) -> Any:
    """Keep the language in a cookie and go back."""
    response = redirect(gate.local_path(request.args.get("next")) or "/", 303)
    language_switch.keep(response, code)
    return response


@blueprint.get("/signed-out")
def signed_out() -> Any:
    """What remains after signing out."""
    return render_template(
        "login/again.html",
        sentence=gettext("Bạn đã đăng xuất."),
        return_to="/",
        parting=parting.offered(),
    )
