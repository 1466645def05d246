"""The switch between the languages, which stands on every page and leads back to that page.

A page that only shows what a form asks for (a preview, the form with what is wrong in it) is
asked for again by the same form, because its fields may not stand in an address. Other answers to
a form lead to where the form was; what is shown once has no switch, for it would be lost.
"""

from contextlib import suppress
from typing import Any

from flask import Flask, Response, g, request
from flask.globals import request_ctx
from werkzeug.exceptions import HTTPException

from idp.web import form_keys, gate, i18n

FIELD = "tongue"
"""The form's button: the language its answer is wanted in."""
_YEAR = 365 * 24 * 3600
_BROUGHT_BACK = "elsewhere.returned"
"""The address whose query another party wrote: a code and a state, good for one look and for no link."""
_NOT_CARRIED = {"csrf_token", form_keys.FIELD, FIELD, "key", "fingerprint", "decision", "password"}


def by_form(**fields: str) -> None:
    """The page being made answers a form and wrote nothing: the switch sends the form again, with
    these fields changed, and neither a decision nor a password.
    """
    if request.method == "POST":
        form_keys.only_shows()
        told = [(n, v) for n, v in request.form.items(multi=True) if n not in _NOT_CARRIED]
        g.switched_by = [(n, v) for n, v in told if n not in fields] + list(fields.items())


def keep(response: Any, code: str) -> None:
    """The browser speaks this language from now on; one we do not know changes nothing."""
    if code in i18n.LANGUAGES:
        gate.set_cookie(response, i18n.COOKIE, code, max_age=_YEAR)


def _fields() -> list[tuple[str, str]] | None:
    found: list[tuple[str, str]] | None = g.get("switched_by")
    return found


def _address() -> str:
    """Where a link comes back to this page: the page may say it itself, and an address a form was
    sent to may not answer GET.
    """
    if "shown_at" in g:
        return str(g.shown_at)
    if request.endpoint == _BROUGHT_BACK:
        return request.path
    if request.method in ("GET", "HEAD") or request.blueprint == "login":
        return gate.here()
    adapter = request_ctx.url_adapter
    with suppress(HTTPException):
        if adapter is not None and adapter.match(method="GET"):
            return request.path
    return "/"


def _listen() -> None:
    if request.method == "POST" and request.blueprint == "console" and FIELD in request.form:
        g.tongue = request.form[FIELD]
        i18n.use(g.tongue)


def _remember(response: Response) -> Response:
    # Of what was refused before anybody listened (another site's, too much) nothing is looked at.
    if "tongue" in g:
        keep(response, g.tongue)
    return response


def install(app: Flask) -> None:
    """Give templates the switch, and hear it."""
    names: dict[str, Any] = {"switched_by": _fields, "here": _address}
    app.jinja_env.globals.update(names)
    app.before_request(_listen)
    app.after_request(_remember)
