"""What was just proven, written down: as a step of the sign-in, or as its end."""

from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from idp.factors.factor import Passed
from idp.login import asking, completing, finishing, parting, person
from idp.login import flow as flows
from idp.login.finishing import Finished
from idp.login.policy import FlowState, Step, next_step
from idp.web import gate
from idp.web.gate import services


def record(flow: FlowState, passed: Passed) -> Finished | None:
    """The proof, written down: with the session, where nothing is missing any more."""
    has = services()
    with has.db.write() as session:
        passed.settle(session)
        done = _written(session, flow, passed)
    parting.remember(passed.parting)
    return done


def _written(session: Session, flow: FlowState, passed: Passed) -> Finished | None:
    """The end of the sign-in, if this proof is it. Raises Conflict."""
    has, now, acting = services(), services().clock(), gate.current_session()
    who = person.read(session, passed.user_id, now=now)
    after = replace(flows.with_proof(flow, passed), who=who)
    because = asking.because_of(after)
    left = asking.ways(session, after, because, now)
    rule = flows.rule(session, after, who, ways=left, acting=acting, because=because, now=now)
    rule = flows.in_post(rule, who, has.settings.position_acr)
    this: Any = {"browser": gate.browser_id(), "first": flows.begins(flow, passed)}
    if next_step(after.proven, after.demand, rule) is not Step.DONE:
        completing.go_on(session, after, **this, now=now, settings=has.settings)
        return None
    finishing.require_unchanged(after, who)
    done = completing.complete(
        session,
        after,
        who,
        rule,
        **this,
        acting=acting,
        source=asking.source(),
        now=now,
        settings=has.settings,
        keyring=has.keyring,
    )
    gate.sessions_ended(session, done.replaced, now=now, reason=done.reason)
    return done
