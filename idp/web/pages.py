"""What every HTML page shares: Bootstrap from the package, the person in the header, its errors."""

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, make_response, redirect, render_template, request
from flask_bootstrap import Bootstrap5
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from directory.base.errors import DinhdanhError, NeedsStepUp
from idp.assurance import reaches
from idp.factors import registry
from idp.web import asked_again, ending, errors
from idp.web.errors import Told
from idp.web.gate import (
    back_here,
    current_session,
    login_url,
    request_id,
    respond,
    services,
    this_request,
)
from idp.web.i18n import gettext
from idp.web.labels import label

_FORM_EXPIRED = "Biểu mẫu đã hết hạn. Hãy quay lại, tải lại trang và gửi lại."


def _version(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


def error_page(told: Told) -> Response:
    """An error for a person, or as a problem for a program."""
    now = services().clock()
    if errors.by_program(request.path):
        return respond(errors.problem(told, this_request(), now=now))
    with suppress(SQLAlchemyError):
        # The page shows who this is where that can be told; what is wrong does not hang on it.
        current_session()
    page = render_template(
        "error.html",
        status=told.status,
        sentence=told.sentence,
        request_id=request_id(),
        retry_at=told.retry_at,
    )
    response = make_response(page, told.status)
    response.headers.extend(errors.retry_after(told, now))
    return response


def _can_be_reached(acr: str) -> bool:
    """Nobody is made to sign in for what no sign-in of today reaches."""
    return any(reaches(have, acr) for have in registry.reachable(services().db.remembered))


def _ours(error: DinhdanhError) -> Any:
    if isinstance(error, NeedsStepUp) and _can_be_reached(error.acr):
        why = asked_again.read(error.why)
        return redirect(login_url(back_here(), prompt="login", least=error.acr, why=why), 303)
    return error_page(errors.of_ours(error))


def _http(error: HTTPException) -> Any:
    if error.response is not None:
        return error.response
    status = error.code or 500
    if status < 400:
        return error
    if status == 421:
        # The host is not ours: nothing of the page may depend on it.
        g.dinhdanh_session = None
    if isinstance(error, CSRFError) and _stale_sign_in():
        return redirect(request.path, 303)
    if isinstance(error, CSRFError):
        return error_page(Told(400, gettext(_FORM_EXPIRED), "form_expired"))
    page = error_page(errors.of_status(status))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        page.headers.extend([errors.allow(error.valid_methods)])
    return page


def fault(error: Exception) -> Response:
    """What only a mistake of ours explains."""
    where = request.url_rule.rule if request.url_rule else request.path
    # The database may be what failed: the page must not ask it who this is.
    g.setdefault("dinhdanh_session", None)
    return error_page(errors.of_fault(error, this_request(), where))


def _stale_sign_in() -> bool:
    """A sign-in page that has waited while somebody signed in in another tab: it is shown anew,
    and carries her on if that sign-in serves.
    """
    return request.endpoint == "login.record" and bool(request.form.get("csrf_token"))


def install(app: Flask) -> None:
    """Give templates the person, the asset version and Bootstrap; answer errors as pages."""
    app.config["BOOTSTRAP_SERVE_LOCAL"] = True
    Bootstrap5(app)
    app.jinja_env.globals["asset_version"] = _version(Path(app.static_folder or "") / "app.css")
    app.jinja_env.globals["label"] = label
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True

    @app.context_processor
    def _person() -> dict[str, Any]:
        return {"me": current_session(), "ending": ending.here}

    app.register_error_handler(DinhdanhError, _ours)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, fault)
