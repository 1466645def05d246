"""The step at which something is to be proven: its page, its answers, the way to another address.

It knows no factor: what the page asks for and what an answer proves, the factors say.
"""

import json
from collections.abc import Mapping
from typing import Any

from flask import (
    Response,
    after_this_request,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)

from directory.base.crypto import random_id
from directory.base.errors import InvalidInput, Misconfigured, NotFound
from idp.assurance import Demand, Level
from idp.factors import registry
from idp.factors.factor import (
    Answer,
    Elsewhere,
    Factor,
    Form,
    Further,
)
from idp.login import after_cut, asking, reasons, unwritten
from idp.login.after_cut import Cut
from idp.login.policy import FlowState, Policy, Step, next_step, ways_left
from idp.login.recording import record
from idp.web import gate, page_policy, threshold
from idp.web.gate import services

_KEPT = "sign-in-kept"
_GONE = "sign-in-away"
"""What the two seals are for: a form's value is no good as the cookie, nor the other way round."""
_AWAY = "away"
"""The cookie of whoever proves something at another address."""
_FURTHER = "further"
"""The cookie of whoever has something left to answer (``Further``)."""
_PROMPTS = ("login", "select_account")
_UNTOLD = ("password", "hidden")
"""Types of fields of which a page that is shown again says nothing."""


def demanded(said: Mapping[str, str]) -> Demand:
    """What an address of ours wants of a sign-in. Anybody may write it: it only ever asks more."""
    prompt, least = said.get("prompt"), said.get("least")
    return Demand(
        prompt=frozenset({prompt} if prompt in _PROMPTS else ()),
        least=(least,) if least in tuple(Level) else (),
    )


def step_of(flow: FlowState, policy: Policy) -> Step:
    """Where a sign-in stands."""
    return next_step(flow.proven, flow.demand, policy)


def chosen(flow: FlowState, policy: Policy, code: str | None) -> Factor | None:
    """The factor of this code, if it is one she may use; of none the first there is."""
    offered = ways_left(flow.proven, flow.demand, policy)
    return next((one for one in offered if code in (None, one.code)), None)


def answering(flow: FlowState, policy: Policy, code: str | None) -> Factor | None:
    """The factor that a form, or the address of its page, is about: where something is asked for, or
    where she may be vouched for instead of enrolling something.
    """
    step = step_of(flow, policy)
    named = step is Step.PROVE or (step is Step.ENROL and code is not None)
    return chosen(flow, policy, code) if named else None


def returning(flow: FlowState, policy: Policy, code: str) -> Factor | None:
    """The factor that whoever is back had been sent for, also where it is gone meanwhile."""
    if step_of(flow, policy) not in (Step.PROVE, Step.ENROL):
        return None
    return chosen(flow, policy, code) or registry.gone(code)


# ---- the page --------------------------------------------------------------------------------


def page(flow: FlowState, policy: Policy, *, error: str | None = None) -> Any:
    """What one factor asks for, and the others by name."""
    has = services()
    # Whoever is back from another address, refused, has the button that leads there before her.
    came = (request.view_args or {}).get("code")
    posted = request.form.get("step") or request.args.get("way") or came
    factor = chosen(flow, policy, posted) or chosen(flow, policy, None)
    if factor is None:
        raise Misconfigured("no_factor", "Chưa có cách nào để đăng nhập.")
    further = {} if error else _further(flow, factor)
    form = factor.begin(has, asking.of(flow, has.clock(), kept=further))
    page_policy.allow_form_to(form.leads_to)
    shown = _filled_in(form)
    left = others(flow, policy, factor.code)
    party: Any = flow.request.get("party") or {}
    page_policy.allow_image(party.get("logo_uri"))
    return render_template(
        "login/prove.html",
        flow=flow,
        step=factor.code,
        form=form,
        shown=shown,
        focus=next((f.name for f in form.fields if not shown[f.name] and f.type != "hidden"), ""),
        kept=_sealed(flow, factor, form.kept) if form.kept else "",
        beside=[_beside(flow, one) for one in left if one.code in registry.BESIDE],
        others=[one for one in left if one.code not in registry.BESIDE],
        quiet=registry.QUIET,
        enrols=step_of(flow, policy) is Step.ENROL,
        party=party,
        cut=(cut := _cut(flow)),
        why="" if cut else reasons.anew(flow, policy) or reasons.more(flow, policy),
        error=error,
    )


def _cut(flow: FlowState) -> Cut | None:
    """What has ended the session that this browser had, where it begins a new one."""
    cookie = request.cookies.get(gate.cookie_name(), "")
    if not cookie or flow.proven or gate.current_session() is not None:
        return None
    has = services()
    with has.db.read() as session:
        return after_cut.read(session, has.keyring, cookie, now=has.clock(), settings=has.settings)


def others(flow: FlowState, policy: Policy, code: str | None = None) -> list[Factor]:
    """The ways she has besides that of this code; of none, besides the one that was tried."""
    tried = code or request.form.get("step")
    return [one for one in ways_left(flow.proven, flow.demand, policy) if one.code != tried]


def _beside(flow: FlowState, factor: Factor) -> dict[str, Any]:
    """The form of a factor that stands on the page of another."""
    form = factor.begin(services(), asking.of(flow, services().clock()))
    return {"step": factor.code, "form": form, "kept": _sealed(flow, factor, form.kept)}


def _filled_in(form: Form) -> dict[str, str]:
    """What stands in the fields: what was typed, but for secrets, and codes that have changed by now."""
    gone = [
        one
        for one in form.fields
        if one.type in _UNTOLD or one.attributes.get("autocomplete") == "one-time-code"
    ]
    return {
        one.name: one.value if one in gone else request.form.get(one.name, one.value)
        for one in form.fields
    }


def _sealed(flow: FlowState, factor: Factor, kept: Mapping[str, str]) -> str:
    told = [flow.id, factor.code, dict(kept)]
    return services().keyring.encrypt(_KEPT, json.dumps(told).encode())


def _unsealed(flow: FlowState, factor: Factor) -> dict[str, str]:
    """What the form kept for this sign-in and this factor; nothing where it was tampered with."""
    value = request.form.get("kept", "")
    try:
        told = json.loads(services().keyring.decrypt(_KEPT, value)) if value else [None, None, {}]
    except Misconfigured:
        return {}
    return dict(told[2]) if told[:2] == [flow.id, factor.code] else {}


# ---- answers ---------------------------------------------------------------------------------


def answered(flow: FlowState, factor: Factor) -> Any:
    """What was entered, checked and recorded; where else to go, if the factor says so.

    Raises InvalidInput, Locked, Conflict.
    """
    values = {name: value for name, value in request.form.items() if name not in ("kept", "step")}
    state = random_id()
    answer = Answer(values, _unsealed(flow, factor), certificate=_certificate())
    outcome = factor.check(services(), asking.of(flow, services().clock(), state), answer)
    if isinstance(outcome, Elsewhere):
        return _leave(flow, factor, outcome, state)
    if isinstance(outcome, Further):
        return _ask_further(flow, factor, outcome)
    return record(flow, outcome)


def _certificate() -> str | None:
    """What the TLS edge says, where we believe it."""
    return threshold.client_certificate(gate.this_request(), services().settings)


def _leave(flow: FlowState, factor: Factor, to: Elsewhere, state: str) -> Any:
    """To another address: the sign-in is written down, and its name goes with the browser."""
    has = services()
    with has.db.write() as session:
        unwritten.keep(session, flow, settings=has.settings)
    told = [flow.id, factor.code, state, dict(to.kept)]
    response = make_response(redirect(to.url, 303))
    sealed = has.keyring.encrypt(_GONE, json.dumps(told).encode())
    gate.set_cookie(response, gate.cookie_name(_AWAY), sealed, max_age=has.settings.flow_lifetime)
    return response


def _ask_further(flow: FlowState, factor: Factor, more: Further) -> Any:
    """To the page of what is left to ask. Looking at it does nothing, and it can be looked at again."""
    has = services()
    told = [flow.id, factor.code, dict(more.kept)]
    where = url_for("login.show", flow_id=flow.at, way=factor.code)
    response = make_response(redirect(where, 303))
    sealed = has.keyring.encrypt(_FURTHER, json.dumps(told).encode())
    name = gate.cookie_name(_FURTHER)
    gate.set_cookie(response, name, sealed, max_age=has.settings.flow_lifetime)
    return response


def _further(flow: FlowState, factor: Factor) -> dict[str, str]:
    """What is left to ask of this factor in this sign-in; nothing for any other."""
    value = request.cookies.get(gate.cookie_name(_FURTHER), "")
    try:
        told = json.loads(services().keyring.decrypt(_FURTHER, value)) if value else []
    except Misconfigured:
        return {}
    return dict(told[2]) if told[:2] == [flow.id, factor.code] else {}


def elsewhere() -> NotFound:
    """Whoever is back is not where she left, or has been back before. Nothing of the sign-in that she
    left is used up.
    """
    return NotFound(
        "flow_elsewhere",
        "Trình duyệt này không phải là nơi lượt đăng nhập bắt đầu, hoặc lượt đó đã xong.",
    )


def left(code: str) -> tuple[str, dict[str, str]] | None:
    """(sign-in, what was kept) of whoever comes back for this factor; None for anybody else."""
    value = request.cookies.get(gate.cookie_name(_AWAY), "")
    try:
        told = json.loads(services().keyring.decrypt(_GONE, value)) if value else []
    except Misconfigured:
        return None
    if told[1:3] != [code, request.args.get("state")]:
        return None

    @after_this_request
    def _over(response: Response) -> Response:
        response.delete_cookie(
            gate.cookie_name(_AWAY),
            path="/",
            secure=services().settings.secure,
            httponly=True,
            samesite="Lax",
        )
        return response

    return told[0], dict(told[3])


def came_back(flow: FlowState, factor: Factor, kept: Mapping[str, str]) -> Any:
    """What another address says, checked and recorded; the page of what is left to ask. Raises
    InvalidInput, Locked, Conflict.
    """
    state = request.args.get("state", "")
    query = request.query_string.decode("latin-1")
    answer = Answer(
        request.args.to_dict(), kept, returned=True, query=query, certificate=_certificate()
    )
    outcome = factor.check(services(), asking.of(flow, services().clock(), state), answer)
    if isinstance(outcome, Elsewhere):
        raise InvalidInput(
            "way_unfinished", "Cách đăng nhập này chưa hoàn tất. Hãy thử lại.", field=""
        )
    if isinstance(outcome, Further):
        return _ask_further(flow, factor, outcome)
    return record(flow, outcome)
