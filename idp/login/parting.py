"""Where somebody who was vouched for elsewhere may sign out as well, once she has signed out here.

Ours is over by then, and needs nobody: it is a link on the page after it. The cookie holds the address,
sealed; a sign-in by other means takes it away.
"""

import json
from typing import Any

from flask import Response, after_this_request, request

from directory.base.errors import Misconfigured
from idp.factors.factor import Parting, Proven
from idp.web import gate
from idp.web.gate import services

_PARTING = "parting"


def remember(to: Parting | None) -> None:
    """Let the answer to this request take it along, where there is such an address."""
    if to is None:
        return
    has = services()
    sealed = has.keyring.encrypt(_PARTING, json.dumps([to.title, to.url]).encode())

    @after_this_request
    def _keep(response: Response) -> Response:
        name = gate.cookie_name(_PARTING)
        gate.set_cookie(response, name, sealed, max_age=has.settings.session_lifetime)
        return response


def forget_unless(response: Any, proven: tuple[Proven, ...]) -> None:
    """A session has begun: what an earlier one left is forgotten, unless somebody vouched."""
    name = gate.cookie_name(_PARTING)
    if name in request.cookies and not any(one.elsewhere for one in proven):
        response.delete_cookie(
            name, path="/", secure=services().settings.secure, httponly=True, samesite="Lax"
        )


def offered() -> Parting | None:
    """Where she may sign out as well, for whoever has no session here any more."""
    value = request.cookies.get(gate.cookie_name(_PARTING), "")
    if not value or gate.current_session() is not None:
        return None
    try:
        title, url = json.loads(services().keyring.decrypt(_PARTING, value))
    except Misconfigured:
        return None
    return Parting(title, url)
