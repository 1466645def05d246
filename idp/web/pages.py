"""What every HTML page shares: Bootstrap from the package, the person in the header, errors."""

import hashlib
from contextlib import suppress
from datetime import datetime
from math import ceil
from pathlib import Path
from typing import Any

import structlog
from flask import Flask, Response, g, jsonify, make_response, redirect, render_template, request
from flask_bootstrap import Bootstrap5
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from directory.base.errors import DinhdanhError, Locked, NeedsStepUp
from idp.assurance import reaches
from idp.factors import registry
from idp.web.gate import current_session, here, login_url, request_id, services
from idp.web.i18n import gettext
from idp.web.labels import label

log = structlog.get_logger(__name__)

MACHINE_PATHS = ("/api/", "/oauth2/", "/scim/", "/pki/", "/.well-known/")
PEOPLE_PATHS = ("/oauth2/authorize", "/oauth2/cancel/", "/oauth2/consent", "/oauth2/logout")
"""Where a person's browser stands, though the path is the protocol's."""

_SENTENCES = {
    400: "Yêu cầu không hợp lệ.",
    401: "Bạn cần đăng nhập để xem trang này.",
    403: "Bạn không có quyền xem trang này.",
    404: "Không tìm thấy trang này.",
    405: "Trang này không nhận cách gửi đó.",
    413: "Nội dung gửi lên quá lớn.",
    421: "Địa chỉ truy cập không đúng với địa chỉ của hệ thống.",
    429: "Quá nhiều lần thử. Hãy đợi một lát rồi thử lại.",
    503: "Hệ thống đang bận. Hãy thử lại sau giây lát.",
}
_FAULT = "Hệ thống gặp lỗi. Hãy thử lại; nếu vẫn lỗi, hãy báo mã yêu cầu cho quản trị viên."
_FORM_EXPIRED = "Biểu mẫu đã hết hạn. Hãy quay lại, tải lại trang và gửi lại."


def _version(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


def error_page(
    status: int, sentence: str, *, retry_at: datetime | None = None, code: str = "error"
) -> Response:
    """An error for a person, or as a problem (RFC 9457) for a program; no internals in either."""
    path = request.path
    if path.startswith(MACHINE_PATHS) and not path.startswith(PEOPLE_PATHS):
        body = {"title": sentence, "status": status, "code": code, "request_id": request_id()}
        response = jsonify(body)
        response.mimetype = "application/problem+json"
    else:
        with suppress(SQLAlchemyError):
            # The page shows who this is where that can be told; what is wrong does not hang on it.
            current_session()
        response = make_response(
            render_template(
                "error.html",
                status=status,
                sentence=sentence,
                request_id=request_id(),
                retry_at=retry_at,
            )
        )
    response.status_code = status
    if retry_at is not None:
        wait = (retry_at - services().clock()).total_seconds()
        response.headers["Retry-After"] = str(max(1, ceil(wait)))
    return response


def _can_be_reached(acr: str) -> bool:
    """Nobody is made to sign in for what no sign-in of today reaches."""
    return any(reaches(have, acr) for have in registry.reachable())


def _ours(error: DinhdanhError) -> Any:
    if isinstance(error, NeedsStepUp) and request.method == "GET" and _can_be_reached(error.acr):
        return redirect(login_url(here(), prompt="login", least=error.acr), 303)
    if error.status >= 500 and error.status != 503:
        log.error("refused by misconfiguration", code=error.code)
        return error_page(error.status, gettext(_FAULT), code=error.code)
    retry_at = error.until if isinstance(error, Locked) else None
    sentence = gettext(error.message, **error.message_args)
    return error_page(error.status, sentence, retry_at=retry_at, code=error.code)


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
        return error_page(400, gettext(_FORM_EXPIRED), code="form_expired")
    page = error_page(status, gettext(_SENTENCES.get(status, _FAULT)), code=f"http_{status}")
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        page.headers["Allow"] = ", ".join(sorted(error.valid_methods))  # RFC 9110 §15.5.6
    return page


def fault(error: Exception) -> Response:
    """What only a mistake of ours explains: logged whole, said without internals."""
    # The rule, not the path: an activation slip's token stands in its address.
    where = request.url_rule.rule if request.url_rule else request.path
    log.error("request failed", path=where, method=request.method, exc_info=error)
    # The database may be what failed: the page must not ask it who this is.
    g.setdefault("dinhdanh_session", None)
    return error_page(500, gettext(_FAULT), code="server_error")


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
        return {"me": current_session()}

    app.register_error_handler(DinhdanhError, _ours)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, fault)
