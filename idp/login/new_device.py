"""Somebody signs in where she never has: she is told, at every address on record.

Whether a browser is known says its own cookie (``known_browser``), whatever has ended her access since.
Where no message can leave, nothing is written, and a sign-in costs what it costs.
"""

from datetime import datetime

from flask import request

from connectors import notices
from connectors.notices import Notice, channels
from directory.base.audit import Actor
from idp.factors import known_browser
from idp.sessions import describe_browser, networks
from idp.web import gate
from idp.web.gate import services


def tell(user_id: int, shown: str, *, now: datetime) -> None:
    """She has signed in by this request; ``shown`` is what the browser showed before."""
    has = services()
    if not channels.configured(has.settings) or known_browser.names(has.keyring, shown, user_id):
        return
    ip, port = gate.client_address()
    with has.db.write() as session:
        notices.tell(
            session,
            user_id,
            Notice.NEW_DEVICE,
            now=now,
            actor=Actor("user", user_id, "", ip, port),
            device=describe_browser(request.user_agent.string),
            network=networks.called(has.settings, ip),
        )
