"""What is answered before Flask: the endpoints of one table, a path each.

    HttpRequest ─▶ threshold ─▶ the endpoint's function ─▶ Answer ─▶ headers of every answer ─▶ bytes
                       │                  │
                       └── errors, away ──┘

Everything else goes on to Flask, which calls the same functions for what holds there as well. An
endpoint of a page hands its outcome on to be rendered, and nothing is looked at twice.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from directory.base.away import is_away
from directory.base.errors import DinhdanhError
from idp.services import Services
from idp.web import away, errors, exchange, i18n, page_policy, threshold
from idp.web.exchange import Answer, Handed, HttpRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Count = Callable[[HttpRequest, str, int], None]
"""Counts an answered request of a part of the house, by its status."""


@dataclass(frozen=True)
class Endpoint:
    """One path."""

    methods: frozenset[str]
    """Those it answers, but for OPTIONS."""
    answer: Callable[[HttpRequest], Answer]


@dataclass(frozen=True)
class PageEndpoint:
    """One path where people stand: what a page must say is handed on, and what is wrong as well."""

    methods: frozenset[str]
    answer: Callable[[HttpRequest], Answer | Handed]


@dataclass(frozen=True)
class Part:
    """Endpoints that belong together, and what all of them have in common."""

    name: str
    """For the metrics."""
    endpoints: Mapping[str, Endpoint | PageEndpoint]
    """By their paths."""
    preflight: Callable[[HttpRequest], Answer | None]
    """What scripts are told that ask by OPTIONS."""
    more: Callable[[HttpRequest, Mapping[str, str]], list[tuple[str, str]]]
    """Headers of all its answers, beside those that are there (by names in small letters)."""


class FrontDoor:
    """WSGI middleware; one per process."""

    def __init__(
        self, application: "WSGIApplication", part: Part, has: Services, *, count: Count
    ) -> None:
        self._application = application
        self._part = part
        self._endpoints = dict(part.endpoints)
        self._settings, self._clock = has.settings, has.clock
        self._secure = has.settings.secure
        self._count = count

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """One request (PEP 3333)."""
        # As ``HttpRequest.path`` and Flask read it: to one slash come however many it begins with.
        endpoint = self._endpoints.get("/" + environ.get("PATH_INFO", "").lstrip("/"))
        if endpoint is None:
            return self._application(environ, start_response)
        asked = HttpRequest(environ)
        exchange.begin(asked)
        i18n.begin()
        try:
            if isinstance(endpoint, PageEndpoint):
                found = self._of_page(asked, endpoint)
                if isinstance(found, Answer):
                    return self._sent(asked, found, start_response, self._part)
                exchange.hand_on(environ, asked, found)
                return self._application(environ, start_response)
            known = asked.method in endpoint.methods or asked.method == "OPTIONS"
            answer = self._to_program(asked, endpoint, known=known)
            return self._sent(asked, answer, start_response, self._part if known else None)
        finally:
            exchange.end()

    # ---- answers -------------------------------------------------------------------------------

    def _of_page(self, asked: HttpRequest, endpoint: PageEndpoint) -> Answer | Handed | None:
        """None: nothing has been found out, and Flask refuses it as we would."""
        if asked.method not in endpoint.methods:
            return None
        if threshold.refused(asked, self._settings, by_program=True, at_program=True) is not None:
            return None
        return endpoint.answer(asked)

    def _to_program(self, asked: HttpRequest, endpoint: Endpoint, *, known: bool) -> Answer:
        try:
            status = threshold.refused(asked, self._settings, by_program=known, at_program=True)
            if status is None and not known:
                status = 405
            if status is not None:
                return self._refused(asked, endpoint, status)
            if asked.method == "OPTIONS":
                return self._part.preflight(asked) or _options(endpoint)
            return endpoint.answer(asked)
        except Exception as error:  # noqa: BLE001 (logged, where it is a fault)
            return self._wrong(asked, error)

    def _refused(self, asked: HttpRequest, endpoint: Endpoint, status: int) -> Answer:
        answer = errors.problem(errors.of_status(status), asked, now=self._clock())
        if status == 405:
            answer.headers.append(errors.allow({*endpoint.methods, "OPTIONS"}))
        return answer

    def _wrong(self, asked: HttpRequest, error: Exception) -> Answer:
        """What was raised, as a client of these endpoints is told of it."""
        if isinstance(error, SQLAlchemyError) and is_away(error):
            away.noted(error, asked, asked.path)
            return away.to_client()
        if isinstance(error, DinhdanhError):
            told = errors.of_ours(error)
        elif isinstance(error, HTTPException):
            told = errors.of_status(error.code or 500)
        else:
            told = errors.of_fault(error, asked, asked.path)
        return errors.problem(told, asked, now=self._clock())

    # ---- out -----------------------------------------------------------------------------------

    def _sent(
        self,
        asked: HttpRequest,
        answer: Answer,
        start_response: "StartResponse",
        part: Part | None,
    ) -> list[bytes]:
        """With the headers that every answer has; ``part``: and those of the part."""
        there = {name.lower(): value for name, value in answer.headers}
        headers = answer.headers
        if part is not None:
            headers += part.more(asked, there)
        mimetype = there.get("content-type", "").partition(";")[0]
        headers += page_policy.headers(asked, there, mimetype=mimetype, secure=self._secure)
        self._count(asked, "other" if part is None else part.name, answer.status)
        start_response(f"{answer.status} {HTTP_STATUS_CODES[answer.status].upper()}", headers)
        return [b"" if asked.method == "HEAD" else answer.body]


def _options(endpoint: Endpoint) -> Answer:
    """What the endpoint answers to (RFC 9110 §9.3.7)."""
    return Answer(
        200,
        [
            ("Content-Type", "text/html; charset=utf-8"),
            errors.allow({*endpoint.methods, "OPTIONS"}),
            ("Content-Length", "0"),
        ],
    )
