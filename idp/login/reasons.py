"""Why a sign-in asks for something: which rule, in words for the page that asks (decision 0043)."""

from idp import demands
from idp.assurance import TWO_FACTORS
from idp.demands import Asked, Operation, Rules, Situation
from idp.factors.factor import reached
from idp.login.policy import FlowState, Policy
from idp.web import asked_again, gate
from idp.web.asked_again import Why
from idp.web.gate import services


def anew(flow: FlowState, policy: Policy) -> str:
    """Why whoever had signed in is asked to do it once more; nothing for anybody else, nor where
    she is in the midst of it.
    """
    view = gate.current_session()
    said = asked_again.read(flow.request.get("why"))
    if flow.proven:
        return ""
    if view is None:
        over = flow.client_id is None and gate.session_before()
        found: Why | Operation | None = Why.ENDED if over else None
    elif flow.demand.short_of(view.acr):
        operation = said if isinstance(said, Operation) else None
        asked = demands.strongest(
            demands.short(
                [*_asked(flow, policy), *filter(None, [gate.lacking(view, operation)])], view.acr
            )
        )
        if asked is not None:
            return asked_again.for_more(asked)
        found = Why.STRONGER
    elif flow.client_id is None:
        found = said
    else:
        demand = flow.demand
        found = Why.STRONGER if demand.wishes_more_than(view.acr) else None
        if demand.anew or demand.outlived(view.asked_at, services().clock()):
            found = Why.APPLICATION
    return asked_again.sentence(found, services().settings) if found else ""


def more(flow: FlowState, policy: Policy) -> str:
    """Why whoever has proven something is asked for more: which rule asks."""
    if not flow.proven:
        return ""
    have = reached(flow.proven).acr
    asked = demands.strongest(demands.short(_asked(flow, policy), have))
    return asked_again.for_more(asked) if asked else asked_again.for_two_factors(None)


def _asked(flow: FlowState, policy: Policy) -> list[Asked]:
    """What is asked in this sign-in, and by which rule: by the house, by the application that it is
    for, by what she was about to do.
    """
    settings, said = services().settings, asked_again.read(flow.request.get("why"))
    found = [] if policy.because is None else [Asked(TWO_FACTORS, policy.because)]
    if isinstance(said, Operation):
        rules = Rules(operations=settings.operation_acr)
        found += demands.of(rules, Situation(operation=said))
    found += policy.here
    kept = flow.request.get("asked")
    return found + [one for each in kept or () if (one := Asked.read(each)) is not None]
