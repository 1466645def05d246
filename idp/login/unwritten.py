"""A sign-in in which nothing has been proven yet is written nowhere: its address says it all.

Anybody may ask for the sign-in page, as often as she likes, and whoever knows a client may ask for it
in that client's name. Until something is proven there is nothing to keep but where she was going, and that
stands in the address ``/login/<…>`` itself, sealed, for her browser. Then it becomes a row like any
other, at the same address (decision 0026).
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, update
from sqlalchemy.orm import Session

from directory.base.config import Settings
from directory.base.crypto import Keyring, random_id
from directory.base.errors import Misconfigured
from idp.assurance import Demand
from idp.login import flow as flows
from idp.login.flow_rows import LoginFlow
from idp.login.policy import FlowState

LONGEST = 2000
"""Bytes of a way back of which nobody knows who wrote it; of a longer one the query is left out."""
_PURPOSE = "sign-in-address"
_ID = 22
"""Characters of a row's id: a longer name is an address."""
_MOST = 64 * 1024
"""Characters of an address that are looked at: far more than any server lets through."""


def address(
    keyring: Keyring,
    *,
    return_to: str,
    demand: Demand,
    why: str | None,
    browser: str,
    now: datetime,
) -> str:
    """The name of a new sign-in that somebody asks for herself; ``why`` she is asked, if that was
    said.
    """
    if _length(return_to) > LONGEST:
        return_to = urlsplit(return_to).path
    if _length(return_to) > LONGEST:
        return_to = "/"
    wanted = demanding(demand) | ({"why": why} if why else {})
    return _sealed(keyring, random_id(), return_to, None, wanted, browser, now)


def demanding(demand: Demand) -> dict[str, Any]:
    """The part of a sign-in's ``request`` that says what is wanted of it."""
    kept = demand.stored
    # A node of the release before looks for prompt here.
    return {"demand": kept, **{k: kept[k] for k in ("prompt",) if k in kept}} if kept else {}


def address_for(
    keyring: Keyring,
    *,
    return_to: str,
    named: str,
    client_id: int,
    request: Mapping[str, Any],
    browser: str,
    now: datetime,
) -> str:
    """The name of a new sign-in for a client. It comes back to ``return_to`` with its own id as
    the parameter ``named``.

    ``request`` may carry what is demanded (``demanding``), login_hint, ui_locales, ``form_origin``: the
    origin of the checked redirect URI, which the sign-in pages' content policy must let the form
    end at, and ``party``: what people are shown of the application they sign in to.
    """
    flow_id = random_id()
    back = f"{return_to}&{named}={flow_id}"
    return _sealed(keyring, flow_id, back, client_id, request, browser, now)


def _length(return_to: str) -> int:
    """As it is written there: a quotation mark takes two."""
    return len(json.dumps(return_to, ensure_ascii=False).encode())


def _sealed(
    keyring: Keyring,
    flow_id: str,
    return_to: str,
    client_id: int | None,
    request: Mapping[str, Any],
    browser: str,
    now: datetime,
) -> str:
    told = [flow_id, return_to, client_id, request, browser, now.isoformat()]
    plain = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    return keyring.encrypt(_PURPOSE, zlib.compress(plain, 9)).rstrip("=")


def read(keyring: Keyring, name: str, *, browser: str, settings: Settings) -> FlowState | None:
    """The sign-in that an address of this browser says, however old; None for any other name."""
    if not is_address(name) or len(name) > _MOST or not name.isascii():
        return None
    try:
        plain = keyring.decrypt(_PURPOSE, name + "=" * (-len(name.partition(".")[2]) % 4))
    except Misconfigured:
        return None
    flow_id, return_to, client_id, request, whose, begun = json.loads(zlib.decompress(plain))
    if whose != browser:
        return None
    began = datetime.fromisoformat(begun).astimezone(UTC)
    return FlowState(
        id=flow_id,
        name=name,
        return_to=return_to,
        client_id=client_id,
        request=request,
        browser=browser,
        expires_at=began + timedelta(seconds=settings.flow_lifetime),
    )


def is_address(name: str) -> bool:
    """Whether a name is longer than a row's."""
    return len(name) > _ID


def load(
    connection: Connection | Session,
    keyring: Keyring,
    name: str,
    *,
    browser: str,
    now: datetime,
    settings: Settings,
) -> FlowState:
    """The sign-in of this name as this browser may see it, written or not. Raises NotFound."""
    told = read(keyring, name, browser=browser, settings=settings)
    if told is None:
        if is_address(name):
            raise flows.unknown()
        return flows.load(connection, name, browser=browser, now=now)
    found = flows.find(connection, told.id, browser=browser, now=now)
    if (found or told).expires_at <= now:
        raise flows.unknown()
    return replace(found, name=name) if found is not None else told


def keep(session: Session, flow: FlowState, *, settings: Settings) -> None:
    """From now on the sign-in's row is there. One INSERT where it may not have been."""
    if flow.name:
        flows.begin(
            session,
            flow_id=flow.id,
            return_to=flow.return_to,
            client_id=flow.client_id,
            request=dict(flow.request),
            now=flow.expires_at - timedelta(seconds=settings.flow_lifetime),
            settings=settings,
            browser=flow.browser,
        )


def give_up(
    session: Session, flow: FlowState, *, browser: str, now: datetime, settings: Settings
) -> bool:
    """Whoever was to sign in would rather not: the sign-in is over, and its address dead. False
    where it is over already.
    """
    # Only that it is over: where it led, its address still says.
    keep(session, replace(flow, return_to="/", request={}), settings=settings)
    over = session.execute(
        update(LoginFlow)
        .where(
            LoginFlow.id == flow.id,
            LoginFlow.browser == browser,
            LoginFlow.done_at.is_(None),
            LoginFlow.expires_at > now,
        )
        .values(expires_at=now)
        .returning(LoginFlow.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    return over is not None
