"""What whoever signs in can be asked for: by which factors, what each is told of her, and why two of
them are wanted here.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from flask import request, url_for
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from idp.assurance import Because, asked_here
from idp.factors import known_browser, registry
from idp.factors.factor import Asking, Factor, Source, reached
from idp.login import new_device
from idp.login.finishing import Finished
from idp.login.policy import FlowState
from idp.web import gate
from idp.web.gate import services

RETURNED = "elsewhere.returned"


def source() -> Source:
    """Where this request comes from."""
    return Source(*gate.client_address(), request.user_agent.string)


def because_of(flow: FlowState) -> Because | None:
    """Why the installation asks two factors of whoever signs in here, once it is known who does."""
    if flow.who is None:
        return None
    return asked_here(services().settings, administers=flow.who.holds_role, ip=source().ip)


def ways(
    where: Connection | Session, flow: FlowState, because: Because | None, now: datetime
) -> tuple[Factor, ...]:
    """By which factors whoever signs in could prove herself now; none once nothing more is wanted."""
    wanted, told = flow.demand.raised(because), of(flow, now)
    if flow.who is not None and flow.proven:
        # What the post asks that she would act in is not known here.
        posts_ask = bool(services().settings.position_acr)
        if not posts_ask and not wanted.wishes_more_than(reached(flow.proven).acr):
            return ()
        told = replace(told, enrolled=flow.who.beside.enrolled)
    there = registry.every(services(), where, now)
    return tuple(one for one in there if one.offers(where, told))


def of(
    flow: FlowState, now: datetime, state: str = "", kept: Mapping[str, str] | None = None
) -> Asking:
    """What a factor is told of whoever signs in."""
    acting = gate.current_session()
    # A level that is asked for here is asked for there.
    demand = flow.demand.raised(because_of(flow))
    hint = str(flow.request.get("login_hint") or "") or (acting.username if acting else "")
    return Asking(
        flow.id,
        flow.user_id,
        demand,
        hint,
        source(),
        now,
        _back,
        state,
        kept=kept or {},
        known=known_here(),
    )


def known_here() -> str:
    """What this browser shows of who has signed in there."""
    return request.cookies.get(gate.cookie_name(known_browser.PURPOSE), "")


def know_again(response: Any, done: Finished, *, now: datetime) -> None:
    """From now on this is a browser in which she has signed in; she is told where it was none."""
    has = services()
    new_device.tell(done.user_id, known_here(), now=now)
    shown = known_browser.signed_in(
        has.keyring, known_here(), done.user_id, done.user_epoch, now=now
    )
    name = gate.cookie_name(known_browser.PURPOSE)
    gate.set_cookie(response, name, shown, max_age=has.settings.known_browser_days * 86400)


def _back(code: str) -> str:
    return gate.absolute(url_for(RETURNED, code=code))
