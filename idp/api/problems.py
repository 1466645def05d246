"""Refusals as application/problem+json (RFC 9457): stable ``code``, a sentence, no internals."""

import math
from http import HTTPStatus
from typing import Any

from flask import Response, jsonify

from directory.base.errors import DinhdanhError, InvalidInput, Locked, NotAllowed
from idp.web.gate import request_id, services
from idp.web.i18n import error_text, gettext

TYPE = "urn:dinhdanh:problem:"
FAULT = "Hệ thống gặp lỗi. Hãy thử lại; nếu vẫn lỗi, hãy báo mã yêu cầu cho quản trị viên."


def problem(status: int, code: str, detail: str, **more: Any) -> Response:
    """The answer to a request that was refused."""
    response = jsonify(
        {
            "type": TYPE + code.replace("_", "-"),
            "title": HTTPStatus(status).phrase,
            "status": status,
            "code": code,
            "detail": detail,
            "request_id": request_id(),
            **more,
        }
    )
    response.status_code = status
    response.mimetype = "application/problem+json"
    return response


def of_error(error: DinhdanhError, **more: Any) -> Response:
    """One of our errors: its code and sentence; what is the operator's business stays inside."""
    if error.status == 500:
        return problem(500, "server_error", gettext(FAULT))
    if isinstance(error, InvalidInput):
        more["field"] = error.field
        more["errors"] = [
            {"field": one.field, "code": one.code, "detail": error_text(one)} for one in error.every
        ]
    if isinstance(error, NotAllowed) and error.missing:
        more["missing"] = error.missing
    if isinstance(error, NotAllowed) and error.proposable:
        more["proposable"] = True
    response = problem(error.status, error.code, error_text(error), **more)
    if isinstance(error, Locked):
        wait = (error.until - services().clock()).total_seconds()
        response.headers["Retry-After"] = str(max(1, math.ceil(wait)))
    return response
