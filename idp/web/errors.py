"""What whoever asked is told when something is wrong: a status, a sentence, a code; no internals.

People are shown a page (``pages``), programs a problem (RFC 9457) with the same in it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import ceil

import structlog

from directory.base.errors import Busy, DinhdanhError, Locked
from idp.web.exchange import Answer, HttpRequest, json_answer
from idp.web.i18n import gettext

log = structlog.get_logger(__name__)

PROGRAM_PATHS = ("/api/", "/oauth2/", "/scim/", "/pki/", "/.well-known/")
PEOPLE_PATHS = ("/oauth2/authorize", "/oauth2/cancel/", "/oauth2/consent", "/oauth2/logout")
"""Where a person's browser stands, though the path is the protocol's."""
PROBLEM = "application/problem+json"

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


@dataclass(frozen=True)
class Told:
    """What is told of one error."""

    status: int
    sentence: str
    """In the language in force."""
    code: str = "error"
    retry_at: datetime | None = None
    after: int | None = None
    """Seconds until it is worth asking again."""


def by_program(path: str) -> bool:
    """Whether programs ask there, and not a person's browser."""
    return path.startswith(PROGRAM_PATHS) and not path.startswith(PEOPLE_PATHS)


def of_status(status: int) -> Told:
    """An error that HTTP has a number for."""
    return Told(status, gettext(_SENTENCES.get(status, _FAULT)), f"http_{status}")


def of_ours(error: DinhdanhError) -> Told:
    """One of our errors; what is the operator's business stays inside."""
    if error.status >= 500 and error.status != 503:
        log.error("refused by misconfiguration", code=error.code)
        return Told(error.status, gettext(_FAULT), error.code)
    retry_at = error.until if isinstance(error, Locked) else None
    sentence = gettext(error.message, **error.message_args)
    after = error.after if isinstance(error, Busy) else None
    return Told(error.status, sentence, error.code, retry_at, after)


def of_fault(error: Exception, asked: HttpRequest, where: str) -> Told:
    """What only a mistake of ours explains: logged whole, said without internals. ``where`` is the
    rule, not the path: an activation slip's token stands in its address.
    """
    log.error("request failed", path=where, method=asked.method, exc_info=error)
    return Told(500, gettext(_FAULT), "server_error")


def retry_after(told: Told, now: datetime) -> list[tuple[str, str]]:
    """Retry-After (RFC 9110 §10.2.3), where there is a moment to come back at."""
    if told.after is not None:
        return [("Retry-After", str(told.after))]
    if told.retry_at is None:
        return []
    return [("Retry-After", str(max(1, ceil((told.retry_at - now).total_seconds()))))]


def allow(methods: Iterable[str]) -> tuple[str, str]:
    """What an address answers to (RFC 9110 §15.5.6)."""
    return "Allow", ", ".join(sorted(methods))


def problem(told: Told, asked: HttpRequest, *, now: datetime) -> Answer:
    """The same for a program (RFC 9457)."""
    said = {
        "title": told.sentence,
        "status": told.status,
        "code": told.code,
        "request_id": asked.id,
    }
    answer = json_answer(said, told.status, kind=PROBLEM)
    answer.headers += retry_after(told, now)
    return answer
