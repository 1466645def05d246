"""The authorization endpoint (OIDC Core §3.1.2.1), decided: what takes the browser elsewhere is answered
here, what must be said on a page is handed on to it.
"""

from typing import Any
from urllib.parse import urlencode

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


def authorize(server: Server, asked: HttpRequest) -> Answer | Handed:
    """GET and POST. Raises nothing: what was raised is an outcome, as every other."""
    provider, checked = server.provider, None
    try:
        if asked.method == "POST":
            return _as_address(asked)
        wanted = oauth_request(provider, asked, sent(AUTHORIZE, asked, asked.args))
        cookie = asked.cookies.get(threshold.cookie_name(provider.tools.settings)) or ""
        checked = CheckedRequest(provider, wanted, "authorization", cookie=cookie)
        outcome = answering.decide(checked)
        if isinstance(outcome, Answered) and outcome.answer.location is not None:
            return elsewhere(outcome.answer.location, 302)
        return _handed(outcome, checked)
    except Exception as error:  # noqa: BLE001 (the page says it; a fault is logged there)
        return _handed(error, checked)


def _handed(outcome: Any, checked: CheckedRequest | None) -> Handed:
    """With whoever is signed in, where she has been looked up."""
    return Handed(outcome) if checked is None else Handed(outcome, checked.looked, checked.view)


def _as_address(asked: HttpRequest) -> Answer:
    """A POST from another site carries no SameSite=Lax cookie; the GET it leads to does."""
    values = sent(AUTHORIZE, asked, asked.form)
    values.pop(incoming.FLOW, None)
    return elsewhere(f"{deciding.PATH}?{urlencode(values)}", 303)
