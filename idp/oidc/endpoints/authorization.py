"""The authorization endpoint (OIDC Core §3.1.2.1), decided: what takes the browser elsewhere is answered
here, what must be said on a page is handed on to it.
"""

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from connectors.tools import Tools
from idp import sessions
from idp.oidc import answering
from idp.oidc.authorization import authorize as deciding
from idp.oidc.authorization import incoming
from idp.oidc.authorization.checked_request import CheckedRequest
from idp.oidc.authorization.outcomes import Answered
from idp.oidc.endpoints.reading import oauth_request, sent
from idp.oidc.order import AUTHORIZE
from idp.oidc.server import Server
from idp.web import threshold
from idp.web.exchange import Answer, Handed, HttpRequest, elsewhere

if TYPE_CHECKING:
    from idp.sessions import SessionView


def authorize(server: Server, asked: HttpRequest) -> Answer | Handed:
    """GET and POST. Raises nothing: what was raised is an outcome, as every other."""
    provider, view, known = server.provider, None, False
    try:
        if asked.method == "POST":
            return _as_address(asked)
        wanted = oauth_request(provider, asked, sent(AUTHORIZE, asked, asked.args))
        view, known = _session(asked, provider.tools), True
        outcome = answering.decide(CheckedRequest(provider, wanted, "authorization", view))
    except Exception as error:  # noqa: BLE001 (the page says it; a fault is logged there)
        return Handed(error, known, view)
    if isinstance(outcome, Answered) and outcome.answer.location is not None:
        return elsewhere(outcome.answer.location, 302)
    return Handed(outcome, known, view)


def _as_address(asked: HttpRequest) -> Answer:
    """A POST from another site carries no SameSite=Lax cookie; the GET it leads to does."""
    values = sent(AUTHORIZE, asked, asked.form)
    values.pop(incoming.FLOW, None)
    return elsewhere(f"{deciding.PATH}?{urlencode(values)}", 303)


def _session(asked: HttpRequest, tools: Tools) -> "SessionView | None":
    """Whoever is signed in at this browser. One SELECT where it brings a session."""
    settings = tools.settings
    value = asked.cookies.get(threshold.cookie_name(settings))
    if not value:
        return None
    with tools.db.hot() as connection:
        return sessions.resolve(
            connection, tools.keyring, value, now=tools.clock(), settings=settings
        )
