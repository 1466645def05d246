"""The database is away: what whoever asked is told, in the protocol she asked in.

    people              a page
    /oauth2/…           {"error": "temporarily_unavailable"} (RFC 6749 §4.1.2.1, by §5.2's form)
    /pki/ocsp           "try later" (RFC 6960 §2.3), which is an answer with status 200
    /scim/…             a SCIM error (RFC 7644 §3.12)
    other programs      a problem (RFC 9457)

Otherwise 503 with Retry-After (RFC 9110 §15.6.4), never a fault of ours, and one line in the log.
"""

import structlog
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.ocsp import OCSPResponseBuilder, OCSPResponseStatus
from flask import Flask, Response, g, jsonify, request
from sqlalchemy.exc import SQLAlchemyError

from directory.base import away
from idp.web import errors, pages
from idp.web.errors import Told
from idp.web.exchange import Answer, HttpRequest, json_answer
from idp.web.gate import respond, this_request
from idp.web.i18n import gettext

log = structlog.get_logger(__name__)

SENTENCE = "Hệ thống tạm thời không truy cập được dữ liệu. Hãy thử lại sau giây lát."
_SCIM = "urn:ietf:params:scim:api:messages:2.0:Error"
HEADERS = [("Retry-After", str(away.RETRY_AFTER)), ("Cache-Control", "no-store")]
_TRY_LATER = OCSPResponseBuilder.build_unsuccessful(OCSPResponseStatus.TRY_LATER).public_bytes(
    Encoding.DER
)


def to_client() -> Answer:
    """What is told at the endpoints that clients call."""
    body = {
        "error": "temporarily_unavailable",
        "error_description": "The server cannot reach its data. Try again later.",
    }
    answer = json_answer(body, 503)
    answer.headers += HEADERS
    return answer


def noted(error: SQLAlchemyError, asked: HttpRequest, where: str) -> None:
    """One line in the log."""
    log.warning("database.away", path=where, method=asked.method, why=away.kind_of(error))


def _answer() -> Response:
    path = request.path
    if path.startswith("/oauth2/") and errors.by_program(path):
        return respond(to_client())
    if path.startswith("/scim/"):
        response = jsonify({"schemas": [_SCIM], "status": "503", "detail": gettext(SENTENCE)})
        response.mimetype = "application/scim+json"
    else:
        response = pages.error_page(Told(503, gettext(SENTENCE), "database_away"))
    response.status_code = 503
    response.headers.extend(HEADERS)
    return response


def _refused(error: SQLAlchemyError) -> Response:
    if not away.is_away(error):
        return pages.fault(error)
    # The page must not ask the database who this is.
    g.setdefault("dinhdanh_session", None)
    noted(error, this_request(), request.url_rule.rule if request.url_rule else request.path)
    if request.path.startswith("/pki/ocsp"):
        return Response(_TRY_LATER, content_type="application/ocsp-response")
    return _answer()


def install(app: Flask) -> None:
    """Answer for the database where it does not."""
    app.register_error_handler(SQLAlchemyError, _refused)
